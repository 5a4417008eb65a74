package scenarios

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/holdfast-io/holdfast/e2e/serving"
)

// celTypes are the types of policies.kyverno.io that holdfast reads.
var celTypes = []string{
	"validatingpolicies", "namespacedvalidatingpolicies", "mutatingpolicies", "namespacedmutatingpolicies", "generatingpolicies",
	"namespacedgeneratingpolicies", "deletingpolicies", "namespaceddeletingpolicies", "imagevalidatingpolicies",
	"namespacedimagevalidatingpolicies", "policyexceptions",
}

// installCELTypes installs Kyverno's definitions of them.
func (c *cluster) installCELTypes(t *testing.T) {
	t.Helper()
	for _, text := range kyvernoDefinitions(t, "policies.kyverno.io", celTypes) {
		if _, err := c.dynamic.Resource(definitions).Create(t.Context(), parsed(t, text), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range celTypes {
		resource := schema.GroupVersionResource{Group: "policies.kyverno.io", Version: "v1", Resource: name}
		eventually(t, name+" to be served", func(ctx context.Context) string {
			if _, err := c.dynamic.Resource(resource).List(ctx, metav1.ListOptions{}); err != nil {
				return err.Error()
			}
			return ""
		})
	}
}

func parsed(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

// of gives the objects of the kind of u, in its namespace.
func of(client dynamic.Interface, u *unstructured.Unstructured) dynamic.ResourceInterface {
	resource, _ := meta.UnsafeGuessKindToResource(u.GroupVersionKind())
	return client.Resource(resource).Namespace(u.GetNamespace())
}

// put creates what a text says, or replaces the spec of what is there.
func (c *cluster) put(t *testing.T, text string) (*unstructured.Unstructured, error) {
	t.Helper()
	u := parsed(t, text)
	there, err := of(c.dynamic, u).Create(t.Context(), u, metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		return there, err
	}
	spec, err := json.Marshal(map[string]any{"spec": u.Object["spec"]})
	if err != nil {
		t.Fatal(err)
	}
	return of(c.dynamic, u).Patch(t.Context(), u.GetName(), "application/merge-patch+json", spec, metav1.PatchOptions{})
}

func (c *cluster) mustPut(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	u, err := c.put(t, text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func (c *cluster) drop(t *testing.T, text string) {
	t.Helper()
	u := parsed(t, text)
	if err := of(c.dynamic, u).Delete(t.Context(), u.GetName(), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}

// celStatus is what is read here of a policy's status.
type celStatus struct {
	ConditionStatus struct {
		Ready      *bool
		Message    string
		Conditions []metav1.Condition
	}
	Autogen struct {
		Configs map[string]struct {
			Targets []struct{ Kind string }
		}
	}
}

// celReady gives an empty string when the present version of a policy is ready, or is not with a message that says so.
func celReady(client dynamic.Interface, u *unstructured.Unstructured, want bool, message string) func(context.Context) string {
	return func(ctx context.Context) string {
		now, err := of(client, u).Get(ctx, u.GetName(), metav1.GetOptions{})
		if err != nil {
			return err.Error()
		}
		s, err := statusOf(now)
		if err != nil {
			return err.Error()
		}
		seen := slices.ContainsFunc(s.ConditionStatus.Conditions, func(c metav1.Condition) bool {
			return c.Type == "WebhookConfigured" && c.ObservedGeneration == now.GetGeneration()
		})
		if ready := s.ConditionStatus.Ready; seen && ready != nil && *ready == want && strings.Contains(s.ConditionStatus.Message, message) {
			return ""
		}
		return fmt.Sprintf("the status at generation %d is %v", now.GetGeneration(), now.Object["status"])
	}
}

func statusOf(u *unstructured.Unstructured) (s celStatus, err error) {
	raw, err := json.Marshal(u.Object["status"])
	if err == nil {
		err = json.Unmarshal(raw, &s)
	}
	return s, err
}

// enforced applies a policy, waits until it is ready and says how long that took.
func (c *cluster) enforced(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	u := c.mustPut(t, text)
	start := time.Now()
	eventually(t, u.GetKind()+" "+u.GetName()+" to be ready", celReady(c.dynamic, u, true, ""))
	t.Logf("%s %s was ready %.2f s after it was applied", u.GetKind(), u.GetName(), time.Since(start).Seconds())
	return u
}

// try creates an object as a dry run.
func try(ctx context.Context, client dynamic.Interface, u *unstructured.Unstructured) error {
	_, err := of(client, u).Create(ctx, u, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	return err
}

// settings is a ConfigMap with one value.
func settings(namespace, name, value string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name, "namespace": namespace}, "data": map[string]any{"value": value},
	}}
}

// wantRefused fails the test unless the object is refused with these very words.
func (c *cluster) wantRefused(t *testing.T, u *unstructured.Unstructured, words string) {
	t.Helper()
	if err := try(t.Context(), c.dynamic, u); !apierrors.IsForbidden(err) || !strings.HasSuffix(err.Error(), words) {
		t.Errorf("%s %s is not refused with %q: %v", u.GetKind(), u.GetName(), words, err)
	}
}

func (c *cluster) wantAdmitted(t *testing.T, u *unstructured.Unstructured) {
	t.Helper()
	if err := try(t.Context(), c.dynamic, u); err != nil {
		t.Errorf("%s %s is refused: %v", u.GetKind(), u.GetName(), err)
	}
}

// onConfigMaps is a policy in CEL on ConfigMaps whose names begin with tried.
func onConfigMaps(kind, namespace, name, spec string) string {
	return fmt.Sprintf(`
apiVersion: policies.kyverno.io/v1
kind: %s
metadata: {name: %s, namespace: %q}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], resources: [configmaps], operations: [CREATE, UPDATE]}]}
  matchConditions: [{name: tried, expression: "object.metadata.name.startsWith('tried')"}]
%s
`, kind, name, namespace, strings.TrimRight(spec, "\n"))
}

const notPrivileged = `
apiVersion: policies.kyverno.io/v1
kind: ValidatingPolicy
metadata: {name: not-privileged, annotations: {policies.kyverno.io/severity: high}}
spec:
  validationActions: [Deny]
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [CREATE, UPDATE]}]}
  variables: [{name: containers, expression: object.spec.containers}]
  validations:
  - expression: "!variables.containers.exists(c, c.?securityContext.?privileged.orValue(false))"
    messageExpression: "'container ' + variables.containers[0].name + ' is privileged'"
`

// deployment has one privileged container.
func deployment(name string) *unstructured.Unstructured {
	template := pod("unused", true).Object["spec"]
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": name, "namespace": metav1.NamespaceDefault},
		"spec": map[string]any{
			"selector": map[string]any{"matchLabels": map[string]any{"app": name}},
			"template": map[string]any{"metadata": map[string]any{"labels": map[string]any{"app": name}}, "spec": template},
		},
	}}
}

// From no types of policies at all: what users do with policies in CEL on a cluster, one after the other.
func TestPoliciesInCELOfTheCluster(t *testing.T) {
	c := newCluster(t)
	before, err := c.create(t.Context(), pod("before", true))
	if err != nil {
		t.Fatal(err)
	}
	o := c.options(t, "holdfast", c.emptyBundle(t))
	p := c.serve(t, o)
	c.installCELTypes(t)

	first := c.mustPut(t, notPrivileged)
	eventually(t, "the first policy of a new type to be ready", celReady(c.dynamic, first, true, ""))
	c.wantRefused(t, pod("tried", true), "denied the request: policy not-privileged: container main is privileged")
	c.wantAdmitted(t, pod("tried", false))
	c.tryAutogen(t, first)
	eventually(t, "the report on what was there before the policy", func(ctx context.Context) string {
		return found(ctx, c.dynamic, before, "ValidatingPolicy", "not-privileged")
	})

	c.tryActions(t)
	c.tryChanges(t)
	c.tryNamespaced(t)
	c.tryLookups(t)
	c.tryVersions(t)
	c.tryMutation(t)
	c.tryImages(t)
	c.tryAdmissionPolicy(t, before)
	c.tryTypeThatGoes(t, &o)

	// One that comes in broken while nobody checks it says so, and keeps no other from working.
	stop(t, p)
	broken := c.mustPut(t, strings.Replace(onConfigMaps("ValidatingPolicy", "", "broken", "  validations: [{expression: objekt.x}]"), "matchConditions:", "variables: []\n  matchConditions:", 1))
	p = c.serve(t, o)
	eventually(t, "the status of the broken policy", celReady(c.dynamic, broken, false, "spec.validations[0].expression: CEL at 1:1: undeclared reference to 'objekt'"))
	c.wantRefused(t, pod("tried", true), "policy not-privileged: container main is privileged")
	if problem := shows(&o, `holdfast_policies{source="cluster",state="broken"} 1`)(t.Context()); problem != "" {
		t.Error(problem)
	}
	stop(t, p)
}

// tryAutogen wants what the policy says of Pods of Deployments too, and its status to tell.
func (c *cluster) tryAutogen(t *testing.T, policy *unstructured.Unstructured) {
	t.Helper()
	c.wantRefused(t, deployment("tried"), "policy not-privileged: container main is privileged")
	now, err := of(c.dynamic, policy).Get(t.Context(), policy.GetName(), metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := statusOf(now)
	if err != nil {
		t.Fatal(err)
	}
	if configs := s.Autogen.Configs; len(configs["defaults"].Targets) != 5 || len(configs["cronjobs"].Targets) != 1 {
		t.Errorf("the status tells of %+v", configs)
	}
	for _, condition := range s.ConditionStatus.Conditions {
		if condition.Status != metav1.ConditionTrue || condition.Reason != "Succeeded" {
			t.Errorf("the condition %+v", condition)
		}
	}
	// Nothing was written since that changes nothing.
	version := now.GetResourceVersion()
	if now, err = of(c.dynamic, policy).Get(t.Context(), policy.GetName(), metav1.GetOptions{}); err != nil || now.GetResourceVersion() != version {
		t.Errorf("written again: %s, then %s, %v", version, now.GetResourceVersion(), err)
	}
}

// tryImages wants what is not verified yet to be refused, never passed, unless the policy's own failurePolicy says otherwise.
func (c *cluster) tryImages(t *testing.T) {
	t.Helper()
	signed := onConfigMaps("ImageValidatingPolicy", "", "signed", `  validationActions: [Deny]
  matchImageReferences: [{glob: "*"}]
  attestors: [{name: key, cosign: {key: {data: none}}}]
  validations: [{expression: "images.all.map(i, verifyImageSignatures(i, [attestors.key])).all(n, n > 0)"}]`)
	c.enforced(t, signed)
	const words = "denied the request: policy signed: could not be evaluated: image verification is not built yet; the policy's failurePolicy is Fail"
	if err := try(t.Context(), c.dynamic, settings(metav1.NamespaceDefault, "tried-images", "a")); err == nil || !strings.HasSuffix(err.Error(), words) {
		t.Errorf("an image that nobody verifies is not refused with %q: %v", words, err)
	}
	c.wantAdmitted(t, settings(metav1.NamespaceDefault, "others", "a"))
	c.drop(t, signed)
	eventually(t, "the policy on images to be gone", func(ctx context.Context) string {
		if err := try(ctx, c.dynamic, settings(metav1.NamespaceDefault, "tried-images", "a")); err != nil {
			return err.Error()
		}
		return ""
	})
}

// found gives an empty string when the report on the object says that the policy of that kind fails it.
func found(ctx context.Context, client dynamic.Interface, u metav1.Object, kind, policy string) string {
	resource := schema.GroupVersionResource{Group: "wgpolicyk8s.io", Version: "v1alpha2", Resource: "policyreports"}
	report, err := client.Resource(resource).Namespace(u.GetNamespace()).Get(ctx, "holdfast-"+string(u.GetUID()), metav1.GetOptions{})
	if err != nil {
		return err.Error()
	}
	results, _, _ := unstructured.NestedSlice(report.Object, "results")
	for _, item := range results {
		r, _ := item.(map[string]any)
		properties, _ := r["properties"].(map[string]any)
		if r["policy"] == policy && r["result"] == "fail" && r["source"] == "holdfast" && properties["policy-kind"] == kind {
			return ""
		}
	}
	return fmt.Sprintf("the report holds %v", results)
}

// heard keeps the warnings of an API server.
type heard struct {
	mu   sync.Mutex
	list []string
}

func (h *heard) HandleWarningHeader(_ int, _, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = append(h.list, text)
}

// tryActions wants a policy that warns to be heard of, and one that audits not to be.
func (c *cluster) tryActions(t *testing.T) {
	t.Helper()
	h := &heard{}
	config := c.RESTConfig()
	config.WarningHandler = h
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	warns := onConfigMaps("ValidatingPolicy", "", "warns", "  validationActions: [Warn]\n  validations: [{expression: 'false', message: think twice}]")
	audits := onConfigMaps("ValidatingPolicy", "", "audits", "  validationActions: [Audit]\n  validations: [{expression: 'false', message: think thrice}]")
	c.enforced(t, audits)
	c.enforced(t, warns)
	if err := try(t.Context(), client, settings(metav1.NamespaceDefault, "tried", "x")); err != nil {
		t.Error(err)
	}
	if want := []string{"policy warns: think twice"}; !slices.Equal(h.list, want) {
		t.Errorf("heard %q, want %q", h.list, want)
	}
	c.drop(t, warns)
	c.drop(t, audits)
}

// tryChanges edits a policy, well and badly, and takes it away.
func (c *cluster) tryChanges(t *testing.T) {
	t.Helper()
	policy := func(value string) string {
		return onConfigMaps("ValidatingPolicy", "", "value", "  validations: [{expression: \"object.data.value == '"+value+"'\", message: not "+value+"}]")
	}
	tried := func(value string) *unstructured.Unstructured {
		return settings(metav1.NamespaceDefault, "tried", value)
	}
	c.enforced(t, policy("a"))
	c.wantAdmitted(t, tried("a"))
	c.wantRefused(t, tried("b"), "policy value: not a")
	c.enforced(t, policy("b"))
	c.wantAdmitted(t, tried("b"))
	c.wantRefused(t, tried("a"), "policy value: not b")

	const place = "spec.validations[0].expression"
	for what, text := range map[string]string{
		"a broken change": strings.Replace(policy("b"), "object.data.value", "object.data.value.", 1),
		"a broken policy": strings.NewReplacer("name: value", "name: broken", "object.data", "objekt.data").Replace(policy("b")),
	} {
		_, err := c.put(t, text)
		var status apierrors.APIStatus
		if !apierrors.IsInvalid(err) || !errors.As(err, &status) || !strings.Contains(err.Error(), place+": CEL at 1:") {
			t.Errorf("%s is not refused with its place: %v", what, err)
		} else if causes := status.Status().Details.Causes; len(causes) != 1 || causes[0].Field != place {
			t.Errorf("%s is refused with the causes %v", what, causes)
		}
	}
	c.wantRefused(t, tried("a"), "policy value: not b")
	c.drop(t, policy("b"))
	c.free(t, tried("a"))
}

// free waits until an object that was refused is admitted.
func (c *cluster) free(t *testing.T, u *unstructured.Unstructured) {
	t.Helper()
	eventually(t, "what the deleted policy refused to be free", func(ctx context.Context) string {
		if err := try(ctx, c.dynamic, u); err != nil {
			return err.Error()
		}
		return ""
	})
}

// tryNamespaced wants a policy of a namespace to bind that alone, and to be asked about there alone.
func (c *cluster) tryNamespaced(t *testing.T) {
	t.Helper()
	c.mustPut(t, "{apiVersion: v1, kind: Namespace, metadata: {name: team}}")
	policy := onConfigMaps("NamespacedValidatingPolicy", "team", "mine", "  validations: [{expression: 'false', message: not here}]")
	c.enforced(t, policy)
	c.wantRefused(t, settings("team", "tried", "x"), "policy team/mine: not here")
	c.wantAdmitted(t, settings(metav1.NamespaceDefault, "tried", "x"))
	registered, err := c.kube.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(t.Context(), "holdfast", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	asked := false
	for i := range registered.Webhooks {
		w := &registered.Webhooks[i]
		for _, rule := range w.Rules {
			if slices.Contains(rule.Resources, "configmaps") {
				asked = true
				if got := metav1.FormatLabelSelector(w.NamespaceSelector); got != "kubernetes.io/metadata.name in (team)" {
					t.Errorf("ConfigMaps are asked about in %s", got)
				}
			}
		}
	}
	if !asked {
		t.Error("nobody asks about ConfigMaps")
	}
	c.drop(t, policy)
	c.free(t, settings("team", "tried", "x"))
}

// tryLookups has a policy read another object.
func (c *cluster) tryLookups(t *testing.T) {
	t.Helper()
	policy := onConfigMaps("ValidatingPolicy", "", "looks", `
  variables: [{name: allowed, expression: "resource.Get('v1', 'configmaps', 'default', 'allowed').data.value"}]
  validations: [{expression: "object.data.value == variables.allowed", messageExpression: "'expected ' + variables.allowed"}]`)
	allowed := settings(metav1.NamespaceDefault, "allowed", "a")
	if _, err := of(c.dynamic, allowed).Create(t.Context(), allowed, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.enforced(t, policy)
	c.wantAdmitted(t, settings(metav1.NamespaceDefault, "tried", "a"))
	c.wantRefused(t, settings(metav1.NamespaceDefault, "tried", "b"), "policy looks: expected a")
	c.drop(t, policy)
	c.free(t, settings(metav1.NamespaceDefault, "tried", "b"))
}

// tryVersions has two policies each look at one resource in a version of its own: whatever version is written, both see it.
func (c *cluster) tryVersions(t *testing.T) {
	t.Helper()
	policy := func(version, expression string) string {
		return fmt.Sprintf(`
apiVersion: policies.kyverno.io/v1
kind: ValidatingPolicy
metadata: {name: scalers-%[1]s}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [autoscaling], apiVersions: [%[1]s], resources: [horizontalpodautoscalers], operations: [CREATE]}]}
  validations: [{expression: "%[2]s", message: by %[1]s}]
`, version, expression)
	}
	scaler := func(version string, highest int64) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "autoscaling/" + version, "kind": "HorizontalPodAutoscaler", "metadata": map[string]any{"name": "tried", "namespace": metav1.NamespaceDefault},
			"spec": map[string]any{"maxReplicas": highest, "scaleTargetRef": map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"}},
		}}
	}
	// Only v1 has targetCPUUtilizationPercentage, only v2 has metrics.
	old, current := policy("v1", "object.spec.maxReplicas < 10 && !has(object.spec.metrics)"), policy("v2", "object.spec.maxReplicas != 5 && !has(object.spec.targetCPUUtilizationPercentage)")
	c.enforced(t, old)
	c.enforced(t, current)
	for _, version := range []string{"v1", "v2"} {
		c.wantRefused(t, scaler(version, 11), "policy scalers-v1: by v1")
		c.wantRefused(t, scaler(version, 5), "policy scalers-v2: by v2")
		c.wantAdmitted(t, scaler(version, 3))
	}
	c.drop(t, old)
	c.drop(t, current)
}

// tryMutation has a policy change what is written.
func (c *cluster) tryMutation(t *testing.T) {
	t.Helper()
	policy := onConfigMaps("MutatingPolicy", "", "adds", `
  mutations: [{patchType: ApplyConfiguration, applyConfiguration: {expression: "Object{metadata: Object.metadata{labels: Object.metadata.labels{team: 'x'}}}"}}]`)
	c.enforced(t, policy)
	u := settings(metav1.NamespaceDefault, "tried", "a")
	changed, err := of(c.dynamic, u).Create(t.Context(), u, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		t.Fatal(err)
	}
	if got := changed.GetLabels()["team"]; got != "x" {
		t.Errorf("the label is %q: %v", got, changed.Object)
	}
	c.drop(t, policy)
}

// tryAdmissionPolicy has the audit judge by a policy of the API server what was there before.
func (c *cluster) tryAdmissionPolicy(t *testing.T, before *unstructured.Unstructured) {
	t.Helper()
	const policy = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: own}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [CREATE]}]}
  validations: [{expression: "!object.spec.containers.exists(c, has(c.securityContext) && has(c.securityContext.privileged) && c.securityContext.privileged)"}]
`
	const binding = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: own}
spec: {policyName: own, validationActions: [Audit]}
`
	c.mustPut(t, policy)
	c.mustPut(t, binding)
	eventually(t, "the report by the API server's own policy", func(ctx context.Context) string {
		return found(ctx, c.dynamic, before, "ValidatingAdmissionPolicy", "own")
	})
	c.drop(t, binding)
	c.drop(t, policy)
	eventually(t, "the report without the API server's own policy", func(ctx context.Context) string {
		if problem := found(ctx, c.dynamic, before, "ValidatingPolicy", "not-privileged"); problem != "" {
			return problem
		}
		if found(ctx, c.dynamic, before, "ValidatingAdmissionPolicy", "own") == "" {
			return "it is there still"
		}
		return ""
	})
}

const squids = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: squids.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: squids, singular: squid, kind: Squid, listKind: SquidList}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
`

// tryTypeThatGoes has a policy name a type that comes after it, goes and comes again.
func (c *cluster) tryTypeThatGoes(t *testing.T, o *serving.Options) {
	t.Helper()
	const policy = `
apiVersion: policies.kyverno.io/v1
kind: ValidatingPolicy
metadata: {name: no-arms}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [example.com], apiVersions: [v1], resources: [squids], operations: [CREATE]}]}
  validations: [{expression: object.spec.arms == 10, message: a squid has ten arms}]
`
	squid := func(arms int64) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "example.com/v1", "kind": "Squid", "metadata": map[string]any{"name": "inky", "namespace": metav1.NamespaceDefault},
			"spec": map[string]any{"arms": arms},
		}}
	}
	c.enforced(t, policy)
	covers := func(want string) func(context.Context) string {
		return func(ctx context.Context) string {
			got, err := coverageOf(ctx, o, "example.com/v1")
			if err != nil {
				return err.Error()
			}
			if got != want {
				return fmt.Sprintf("the coverage says %q", got)
			}
			return ""
		}
	}
	const absent = "squids: the cluster has no such type that can be listed; policies that select it: ValidatingPolicy/no-arms"
	eventually(t, "the coverage of what is not there", covers(absent))
	for range 2 {
		if _, err := c.dynamic.Resource(definitions).Create(t.Context(), parsed(t, squids), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the new type to be asked about", func(ctx context.Context) string {
			if err := try(ctx, c.dynamic, squid(8)); !apierrors.IsForbidden(err) || !strings.HasSuffix(err.Error(), "policy no-arms: a squid has ten arms") {
				return fmt.Sprintf("the answer is %v", err)
			}
			return ""
		})
		c.wantAdmitted(t, squid(10))
		eventually(t, "the coverage of what is there", covers("Squid: "))
		if err := c.dynamic.Resource(definitions).Delete(t.Context(), "squids.example.com", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the coverage of what has gone", covers(absent))
	}
	c.wantRefused(t, pod("tried", true), "policy not-privileged: container main is privileged")
	c.drop(t, policy)
}

// coverageOf gives the kind that the coverage has of an API version, and why nothing of it was seen.
func coverageOf(ctx context.Context, o *serving.Options, apiVersion string) (string, error) {
	body, _, err := fetch(ctx, fmt.Sprintf("http://127.0.0.1:%d/status", o.MetricsPort))
	if err != nil {
		return "", err
	}
	var status struct {
		Coverage []struct{ APIVersion, Kind, Skipped, Error string }
	}
	if err := json.Unmarshal(body, &status); err != nil {
		return "", err
	}
	var out []string
	for _, entry := range status.Coverage {
		if entry.APIVersion == apiVersion {
			out = append(out, entry.Kind+": "+entry.Skipped+entry.Error)
		}
	}
	return strings.Join(out, "; "), nil
}
