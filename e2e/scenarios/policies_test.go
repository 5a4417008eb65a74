package scenarios

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"
)

var (
	clusterPolicies = schema.GroupVersionResource{Group: "kyverno.io", Version: "v1", Resource: "clusterpolicies"}
	namespaced      = schema.GroupVersionResource{Group: "kyverno.io", Version: "v1", Resource: "policies"}
	exceptions      = schema.GroupVersionResource{Group: "kyverno.io", Version: "v2", Resource: "policyexceptions"}
	globalContexts  = schema.GroupVersionResource{Group: "kyverno.io", Version: "v2", Resource: "globalcontextentries"}
	definitions     = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	configMaps      = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
)

// needsLabel is a policy that wants a label on ConfigMaps of namespace default.
func needsLabel(kind, name, label string) *unstructured.Unstructured {
	p := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "kyverno.io/v1", "kind": kind,
		"metadata": map[string]any{"name": name},
		"spec": map[string]any{"rules": []any{map[string]any{
			"name":  "needs-label",
			"match": map[string]any{"any": []any{map[string]any{"resources": map[string]any{"kinds": []any{"ConfigMap"}, "namespaces": []any{"default"}}}}},
			"validate": map[string]any{
				"failureAction": "Enforce", "message": "The label " + label + " is missing.",
				"pattern": map[string]any{"metadata": map[string]any{"labels": map[string]any{label: "?*"}}},
			},
		}}},
	}}
	if kind == "Policy" {
		p.SetNamespace(metav1.NamespaceDefault)
	}
	return p
}

// misspelled breaks a policy in a place that its definition lets pass.
func misspelled(p *unstructured.Unstructured) *unstructured.Unstructured {
	rules := p.Object["spec"].(map[string]any)["rules"].([]any)
	rules[0].(map[string]any)["validate"].(map[string]any)["pattern"] = map[string]any{"metadata": map[string]any{"name": "{{ request.object.metadata. }}"}}
	return p
}

// policyTypes gives the definitions of the types of kyverno.io that holdfast reads.
func policyTypes(t *testing.T) []string {
	t.Helper()
	return kyvernoDefinitions(t, "kyverno.io", []string{"clusterpolicies", "policies", "policyexceptions", "clustercleanuppolicies", "cleanuppolicies", "globalcontextentries"})
}

// kyvernoDefinitions gives Kyverno's definitions of types of a group, from its module.
func kyvernoDefinitions(t *testing.T, group string, types []string) []string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/kyverno/kyverno")
	list.Dir = filepath.Join("..", "..")
	out, err := list.Output()
	if err != nil {
		t.Fatalf("find Kyverno's definitions: %v", err)
	}
	folder := group
	if group == "kyverno.io" {
		folder = "kyverno"
	}
	texts := make([]string, len(types))
	for i, name := range types {
		text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "config", "crds", folder, group+"_"+name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = string(text)
	}
	return texts
}

// installPolicyTypes installs those that holdfast reads.
func (c *cluster) installPolicyTypes(t *testing.T) {
	t.Helper()
	for _, text := range policyTypes(t) {
		definition := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(text), &definition.Object); err != nil {
			t.Fatal(err)
		}
		if _, err := c.dynamic.Resource(definitions).Create(t.Context(), definition, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, resource := range []schema.GroupVersionResource{clusterPolicies, namespaced, exceptions, globalContexts} {
		eventually(t, resource.Resource+" to be served", func(ctx context.Context) string {
			if _, err := c.dynamic.Resource(resource).List(ctx, metav1.ListOptions{}); err != nil {
				return err.Error()
			}
			return ""
		})
	}
}

func (c *cluster) policies(p *unstructured.Unstructured) dynamic.ResourceInterface {
	if p.GetKind() == "Policy" {
		return c.dynamic.Resource(namespaced).Namespace(p.GetNamespace())
	}
	return c.dynamic.Resource(clusterPolicies)
}

// apply creates a policy, or replaces the spec of the one that is there.
func (c *cluster) apply(ctx context.Context, p *unstructured.Unstructured) error {
	_, err := c.policies(p).Create(ctx, p, metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	spec, err := json.Marshal(map[string]any{"spec": p.Object["spec"]})
	if err != nil {
		return err
	}
	_, err = c.policies(p).Patch(ctx, p.GetName(), "application/merge-patch+json", spec, metav1.PatchOptions{})
	return err
}

func (c *cluster) mustApply(t *testing.T, p *unstructured.Unstructured) {
	t.Helper()
	if err := c.apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

func (c *cluster) ready(p *unstructured.Unstructured, status, message string) func(context.Context) string {
	return ready(c.policies(p), p.GetName(), status, message)
}

// ready gives an empty string when the policy's present version has that Ready condition, with a message that says so.
func ready(policies dynamic.ResourceInterface, name, status, message string) func(context.Context) string {
	return func(ctx context.Context) string {
		u, err := policies.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err.Error()
		}
		conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
		for _, item := range conditions {
			condition, _ := item.(map[string]any)
			text, _ := condition["message"].(string)
			if condition["type"] == "Ready" && condition["status"] == status && condition["observedGeneration"] == u.GetGeneration() && strings.Contains(text, message) {
				return ""
			}
		}
		return fmt.Sprintf("the status at generation %d is %v", u.GetGeneration(), u.Object["status"])
	}
}

// awaitReady waits until a policy is Ready, and says how long that took.
func (c *cluster) awaitReady(t *testing.T, p *unstructured.Unstructured) {
	t.Helper()
	start := time.Now()
	eventually(t, p.GetKind()+" "+p.GetName()+" to be Ready", c.ready(p, "True", "Ready"))
	t.Logf("%s %s was Ready %.2f s after it was applied", p.GetKind(), p.GetName(), time.Since(start).Seconds())
}

// write tries to create a ConfigMap with the labels, as a dry run.
func (c *cluster) write(ctx context.Context, labels ...string) error {
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "tried", "namespace": metav1.NamespaceDefault},
	}}
	all := map[string]string{}
	for _, l := range labels {
		all[l] = "there"
	}
	object.SetLabels(all)
	_, err := c.dynamic.Resource(configMaps).Namespace(metav1.NamespaceDefault).Create(ctx, object, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	return err
}

// refusedBy fails the test unless a ConfigMap with the labels is refused by the policy.
func (c *cluster) refusedBy(t *testing.T, policy string, labels ...string) {
	t.Helper()
	if err := c.write(t.Context(), labels...); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "policy "+policy+", rule needs-label") {
		t.Errorf("a ConfigMap with the labels %v is not refused by %s: %v", labels, policy, err)
	}
}

func (c *cluster) admitted(t *testing.T, labels ...string) {
	t.Helper()
	if err := c.write(t.Context(), labels...); err != nil {
		t.Errorf("a ConfigMap with the labels %v is refused: %v", labels, err)
	}
}

// eventuallyRefused waits until a ConfigMap without labels is refused, or admitted, as wanted.
func (c *cluster) eventuallyRefused(t *testing.T, what string, want bool) {
	t.Helper()
	eventually(t, what, func(ctx context.Context) string {
		err := c.write(ctx)
		if refused := apierrors.IsForbidden(err); refused == want && (refused || err == nil) {
			return ""
		}
		return fmt.Sprintf("the answer to a ConfigMap without labels is %v", err)
	})
}

// tryExceptions excuses a ConfigMap from needs-team, from a namespace that counts and from one that does not.
func (c *cluster) tryExceptions(t *testing.T) {
	t.Helper()
	excuse := func(namespace string) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "kyverno.io/v2", "kind": "PolicyException",
			"metadata": map[string]any{"name": "excuse", "namespace": namespace},
			"spec": map[string]any{
				"exceptions": []any{map[string]any{"policyName": "needs-team", "ruleNames": []any{"needs-label"}}},
				"match":      map[string]any{"any": []any{map[string]any{"resources": map[string]any{"kinds": []any{"ConfigMap"}, "names": []any{"tried"}}}}},
			},
		}}
	}
	elsewhere, ours := c.dynamic.Resource(exceptions).Namespace(metav1.NamespaceDefault), c.dynamic.Resource(exceptions).Namespace("holdfast")
	if _, err := elsewhere.Create(t.Context(), excuse(metav1.NamespaceDefault), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := ours.Create(t.Context(), excuse("holdfast"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.eventuallyRefused(t, "the exception of a namespace that counts", false)
	if err := ours.Delete(t.Context(), "excuse", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	c.eventuallyRefused(t, "the exception to be over, the other one not counting", true)
	if err := elsewhere.Delete(t.Context(), "excuse", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}

// tryGlobalContext has a policy read an entry that is watched.
func (c *cluster) tryGlobalContext(t *testing.T) {
	t.Helper()
	entry := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "kyverno.io/v2", "kind": "GlobalContextEntry", "metadata": map[string]any{"name": "locks"},
		"spec": map[string]any{"kubernetesResource": map[string]any{"version": "v1", "resource": "configmaps", "namespace": "default"}},
	}}
	if _, err := c.dynamic.Resource(globalContexts).Create(t.Context(), entry, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	reads := needsLabel("ClusterPolicy", "reads-locks", "x")
	rule := reads.Object["spec"].(map[string]any)["rules"].([]any)[0].(map[string]any)
	rule["context"] = []any{map[string]any{"name": "locks", "globalReference": map[string]any{"name": "locks", "jmesPath": "length([?metadata.name=='lock'])"}}}
	rule["validate"] = map[string]any{"failureAction": "Enforce", "message": "locked", "deny": map[string]any{"conditions": map[string]any{
		"any": []any{map[string]any{"key": "{{ locks }}", "operator": "GreaterThan", "value": int64(0)}},
	}}}
	rule["match"].(map[string]any)["any"].([]any)[0].(map[string]any)["resources"].(map[string]any)["names"] = []any{"tried"}
	c.mustApply(t, reads)
	c.awaitReady(t, reads)
	eventually(t, "what a policy with an entry lets pass", func(ctx context.Context) string {
		if err := c.write(ctx, "team"); err != nil {
			return err.Error()
		}
		return ""
	})
	lock := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "lock", "namespace": "default", "labels": map[string]any{"team": "x"}},
	}}
	client := c.dynamic.Resource(configMaps).Namespace(metav1.NamespaceDefault)
	if _, err := client.Create(t.Context(), lock, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the entry to see the lock", func(ctx context.Context) string {
		if err := c.write(ctx, "team"); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "locked") {
			return fmt.Sprintf("the answer is %v", err)
		}
		return ""
	})
	for _, err := range []error{
		c.policies(reads).Delete(t.Context(), reads.GetName(), metav1.DeleteOptions{}),
		c.dynamic.Resource(globalContexts).Delete(t.Context(), "locks", metav1.DeleteOptions{}),
		client.Delete(t.Context(), "lock", metav1.DeleteOptions{}),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	eventually(t, "what the policy refused to be free", func(ctx context.Context) string {
		if err := c.write(ctx, "team"); err != nil {
			return err.Error()
		}
		return ""
	})
}

// place is where misspelled breaks a policy.
const place = "spec.rules[0].validate.pattern.metadata.name"

// From no types of policies at all to two replicas: what users do with policies on a cluster, one after the other.
func TestPoliciesOfTheCluster(t *testing.T) {
	c := newCluster(t)
	files := c.emptyBundle(t)
	o := c.options(t, "holdfast", files)
	p := c.serve(t, o)
	c.installPolicyTypes(t)

	team := needsLabel("ClusterPolicy", "needs-team", "team")
	c.mustApply(t, team)
	eventually(t, "the first policy of a new type to be Ready", c.ready(team, "True", "Ready"))
	c.refusedBy(t, "needs-team")
	c.admitted(t, "team")

	owner := needsLabel("ClusterPolicy", "needs-owner", "owner")
	c.mustApply(t, owner)
	c.awaitReady(t, owner)
	c.refusedBy(t, "needs-owner", "team")
	c.admitted(t, "team", "owner")

	c.mustApply(t, needsLabel("ClusterPolicy", "needs-owner", "keeper")) // another version of it
	c.awaitReady(t, owner)
	c.refusedBy(t, "needs-owner", "team", "owner")
	c.admitted(t, "team", "keeper")

	local := needsLabel("Policy", "needs-cost", "cost")
	c.mustApply(t, local)
	c.awaitReady(t, local)
	c.refusedBy(t, "default/needs-cost", "team", "keeper")
	c.admitted(t, "team", "keeper", "cost")

	for _, gone := range []*unstructured.Unstructured{owner, local} {
		if err := c.policies(gone).Delete(t.Context(), gone.GetName(), metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "what the deleted policies refused to be free", func(ctx context.Context) string {
		if err := c.write(ctx, "team"); err != nil {
			return err.Error()
		}
		return ""
	})

	c.tryExceptions(t)
	c.tryGlobalContext(t)

	// A broken one is refused when it is applied, with the place, and so is a broken change of a good one.
	for what, broken := range map[string]*unstructured.Unstructured{
		"a broken policy": misspelled(needsLabel("ClusterPolicy", "broken", "x")),
		"a broken change": misspelled(needsLabel("ClusterPolicy", "needs-team", "x")),
	} {
		err := c.apply(t.Context(), broken)
		var status apierrors.APIStatus
		if !apierrors.IsInvalid(err) || !errors.As(err, &status) || !strings.Contains(err.Error(), place+": ") {
			t.Errorf("%s is not refused with its place: %v", what, err)
		} else if causes := status.Status().Details.Causes; len(causes) != 1 || causes[0].Field != place {
			t.Errorf("%s is refused with the causes %v", what, causes)
		}
	}

	// The API server dies and comes back.
	c.StopAPIServer()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := c.StartAPIServer(ctx); err != nil {
		t.Fatal(err)
	}
	// It answers before it has read which webhooks to ask.
	c.eventuallyRefused(t, "the API server to ask the webhooks again", true)
	c.refusedBy(t, "needs-team")
	owner = needsLabel("ClusterPolicy", "needs-owner", "owner")
	c.mustApply(t, owner)
	c.awaitReady(t, owner)
	c.refusedBy(t, "needs-owner", "team")

	// Policies that come in broken while nobody checks them keep no others from working.
	stop(t, p)
	if left := c.configurations(t); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	broken := misspelled(needsLabel("ClusterPolicy", "broken", "x"))
	c.mustApply(t, broken)
	p = c.serve(t, o)
	eventually(t, "the status of the broken policy", c.ready(broken, "False", place+": "))
	c.refusedBy(t, "needs-team", "owner")
	c.refusedBy(t, "needs-owner", "team")
	if problem := shows(&o, `holdfast_policies{source="cluster",state="broken"} 1`)(t.Context()); problem != "" {
		t.Error(problem)
	}
	// Its labels may change all the same; mended, it is in force.
	if _, err := c.policies(broken).Patch(t.Context(), "broken", "application/merge-patch+json", []byte(`{"metadata":{"labels":{"a":"b"}}}`), metav1.PatchOptions{}); err != nil {
		t.Error(err)
	}
	mended := needsLabel("ClusterPolicy", "broken", "mended")
	c.mustApply(t, mended)
	c.awaitReady(t, mended)
	c.refusedBy(t, "broken", "team", "owner")

	// Of two replicas one writes the status.
	second := c.options(t, "second", files)
	second.WebhookName = "second"
	q := c.serve(t, second)
	c.mustApply(t, needsLabel("ClusterPolicy", "broken", "of-two"))
	c.awaitReady(t, mended)
	const wrote = "wrote the status of a policy"
	if strings.Contains(q.Log(), wrote) || !strings.Contains(p.Log(), wrote) {
		t.Error("not the leader alone writes the status")
	}
	eventually(t, "the second to have the policies", shows(&second, `holdfast_policies{source="cluster",state="in_force"} 3`))
	stop(t, p)
	c.mustApply(t, needsLabel("ClusterPolicy", "broken", "of-one"))
	c.awaitReady(t, mended)
	c.refusedBy(t, "broken", "team", "owner")
	stop(t, q)
}
