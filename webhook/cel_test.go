package webhook

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/predicates/rules"
	"pgregory.net/rapid"

	"github.com/holdfast-io/holdfast/engine"
)

// inCEL writes a ValidatingPolicy: fields of its spec, and its resourceRules.
func inCEL(name, spec, resourceRules string) string {
	return fmt.Sprintf(`
apiVersion: policies.kyverno.io/v1
kind: ValidatingPolicy
metadata: {name: %s}
spec:
  autogen: {podControllers: {controllers: []}}
  matchConstraints: {resourceRules: [%s]}
  %s
`, name, resourceRules, strings.ReplaceAll(strings.TrimSpace(spec), "\n", "\n  "))
}

// selecting refuses all that the resourceRules select.
func selecting(name, resourceRules string) string {
	return inCEL(name, "validationActions: [Deny]\nvalidations: [{expression: 'false', message: never}]", resourceRules)
}

// ofNamespace makes a ValidatingPolicy one of the namespace team.
func ofNamespace(policy string) string {
	return strings.Replace(strings.Replace(policy, "kind: ValidatingPolicy", "kind: NamespacedValidatingPolicy", 1), "metadata: {", "metadata: {namespace: team, ", 1)
}

const onPods = "{apiGroups: [''], apiVersions: [v1], resources: [pods], operations: [CREATE, UPDATE, DELETE]}"

// tagged wants images to have tags, and tells the audit log how many there are.
func tagged(name, spec string) string {
	return inCEL(name, spec+`
validations:
- expression: "!has(object.spec) || object.spec.containers.all(c, c.image.contains(':'))"
  message: an image has a tag
auditAnnotations:
- key: images
  valueExpression: "!has(object.spec) ? 'none' : string(size(object.spec.containers))"
`, onPods)
}

func TestValidationActions(t *testing.T) {
	const told = "policy tags: an image has a tag"
	for name, c := range map[string]struct {
		spec     string
		allowed  bool
		warnings []string
		verdict  string
	}{
		"none said is Deny":           {spec: "", verdict: "denied: an image has a tag"},
		"Deny":                        {spec: "validationActions: [Deny]", verdict: "denied: an image has a tag"},
		"Deny and Audit":              {spec: "validationActions: [Deny, Audit]", verdict: "denied: an image has a tag"},
		"Warn tells who writes":       {spec: "validationActions: [Warn]", allowed: true, warnings: []string{told}, verdict: "audit: an image has a tag"},
		"Warn and Audit":              {spec: "validationActions: [Warn, Audit]", allowed: true, warnings: []string{told}, verdict: "audit: an image has a tag"},
		"Audit is silent":             {spec: "validationActions: [Audit]", allowed: true, verdict: "audit: an image has a tag"},
		"not for admission":           {spec: "validationActions: [Deny]\nevaluation: {admission: {enabled: false}}", allowed: true},
		"for admission alone":         {spec: "validationActions: [Deny]\nevaluation: {background: {enabled: false}}", verdict: "denied: an image has a tag"},
		"conditions that do not hold": {spec: "matchConditions: [{name: never, expression: 'false'}]", allowed: true},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoor(t, tagged("tags", c.spec))
			resp := d.ask(t, "/validate", reviewOf(nil))
			if resp.Allowed != c.allowed {
				t.Fatalf("allowed: %v, %+v", resp.Allowed, resp.Result)
			}
			same(t, resp.Warnings, c.warnings)
			var want map[string]string
			if c.verdict != "" {
				want = map[string]string{"ValidatingPolicy.tags": c.verdict, "ValidatingPolicy.tags.images": "1"}
			}
			if !c.allowed { // the log has a line about it
				want["uid"] = "u-1"
			}
			same(t, resp.AuditAnnotations, want)
			if c.allowed {
				return
			}
			same(t, resp.Result, &metav1.Status{
				Status: "Failure", Code: 403, Reason: "Forbidden", Message: told,
				Details: &metav1.StatusDetails{Causes: []metav1.StatusCause{{Type: "ValidatingPolicy/tags", Message: "an image has a tag"}}},
			})
		})
	}
}

func TestWhatPassesTellsTheAuditLogToo(t *testing.T) {
	d := newDoor(t, tagged("tags", ""))
	good := pod("web", obj{})
	good["spec"] = obj{"containers": []obj{{"name": "main", "image": "nginx:1"}}}
	resp := d.ask(t, "/validate", reviewOf(obj{"object": good}))
	if !resp.Allowed {
		t.Fatalf("refused: %+v", resp.Result)
	}
	same(t, resp.AuditAnnotations, map[string]string{"ValidatingPolicy.tags.images": "1"})
}

func TestPoliciesOfOneNameKeepApart(t *testing.T) {
	text := strings.Replace(denyLatest, "deny-latest", "tags", 1) + and + tagged("tags", "")
	resp := newDoor(t, text).ask(t, "/validate", reviewOf(nil))
	want := "2 rules refuse Pod default/web:\n" +
		"- policy tags, rule tag: an image has a tag; failed at /spec/containers/0/image/\n" +
		"- policy tags: an image has a tag"
	if resp.Result == nil || resp.Result.Message != want {
		t.Errorf("got %+v\nexpected %s", resp.Result, want)
	}
	same(t, resp.AuditAnnotations, map[string]string{
		"tags.tag": "denied: an image has a tag; failed at /spec/containers/0/image/", "ValidatingPolicy.tags": "denied: an image has a tag",
		"ValidatingPolicy.tags.images": "1", "uid": "u-1",
	})
}

func TestErrorsOfCELPolicies(t *testing.T) {
	const broken = "validations: [{expression: 'object.spec.containers[7].image != \"\"'}]"
	const message = `could not be evaluated: expression 'object.spec.containers[7].image != ""': index out of bounds: 7`
	for policy, want := range map[string]struct {
		allowed  bool
		warnings []string
		message  string
	}{
		"Fail":   {message: "policy p: " + message + "; the policy's failurePolicy is Fail"},
		"Ignore": {allowed: true, warnings: []string{"policy p: " + message}},
	} {
		t.Run(policy, func(t *testing.T) {
			d := newDoor(t, inCEL("p", "failurePolicy: "+policy+"\n"+broken, onPods))
			resp := d.ask(t, "/validate/"+strings.ToLower(policy)+"-10s", reviewOf(nil))
			if resp.Allowed != want.allowed {
				t.Fatalf("allowed: %v, %+v", resp.Allowed, resp.Result)
			}
			same(t, resp.Warnings, want.warnings)
			if !want.allowed && resp.Result.Message != want.message {
				t.Errorf("got %s", resp.Result.Message)
			}
		})
	}
}

// parents knows the kinds of what the cluster serves.
type parents struct{}

func (parents) KindOf(r schema.GroupVersionResource) (schema.GroupVersionKind, bool) {
	for _, s := range cluster() {
		if s.Group == r.Group && s.Version == r.Version && s.Name == r.Resource {
			return s.gvk(), true
		}
	}
	return schema.GroupVersionKind{}, false
}

func TestRequestsThatExpressionsRead(t *testing.T) {
	scale := obj{"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": obj{"name": "web", "namespace": "default"}, "spec": obj{"replicas": 9}}
	for name, c := range map[string]struct {
		resources, expression string
		review                obj
	}{
		"a connection has its options for an object": {
			"{apiGroups: [''], apiVersions: [v1], resources: [pods/exec], operations: [CONNECT]}",
			"request.kind.kind == 'PodExecOptions' && request.subResource == 'exec' && object.stdin && !has(oldObject.metadata)",
			obj{
				"operation": "CONNECT", "kind": obj{"group": "", "version": "v1", "kind": "PodExecOptions"}, "subResource": "exec",
				"object": obj{"apiVersion": "v1", "kind": "PodExecOptions", "stdin": true},
			},
		},
		"a subresource of another kind than its parent": {
			"{apiGroups: [apps], apiVersions: [v1], resources: [deployments/scale], operations: [UPDATE]}",
			"request.kind.group == 'autoscaling' && request.kind.kind == 'Scale' && request.resource.group == 'apps' && object.spec.replicas == 9",
			obj{
				"operation": "UPDATE", "kind": obj{"group": "autoscaling", "version": "v1", "kind": "Scale"}, "subResource": "scale",
				"resource": obj{"group": "apps", "version": "v1", "resource": "deployments"}, "object": scale, "oldObject": scale,
			},
		},
		"an object that the API server converted": {
			"{apiGroups: [autoscaling], apiVersions: [v2], resources: [horizontalpodautoscalers], operations: [CREATE]}",
			"request.kind.version == 'v2' && request.requestKind.version == 'v1' && request.requestResource.version == 'v1'",
			obj{
				"kind":            obj{"group": "autoscaling", "version": "v2", "kind": "HorizontalPodAutoscaler"},
				"resource":        obj{"group": "autoscaling", "version": "v2", "resource": "horizontalpodautoscalers"},
				"requestKind":     obj{"group": "autoscaling", "version": "v1", "kind": "HorizontalPodAutoscaler"},
				"requestResource": obj{"group": "autoscaling", "version": "v1", "resource": "horizontalpodautoscalers"},
			},
		},
		"a deletion has the old object alone": {
			onPods, "!has(object.metadata) && oldObject.metadata.name == 'web' && request.operation == 'DELETE'",
			obj{"operation": "DELETE", "object": nil, "oldObject": pod("web", obj{})},
		},
		"who asks": {onPods, "request.userInfo.username == 'alice' && request.dryRun == false", nil},
	} {
		t.Run(name, func(t *testing.T) {
			for expression, refused := range map[string]bool{c.expression: false, "!(" + c.expression + ")": true} {
				d := newDoor(t, inCEL("p", "validations: [{expression: \""+expression+"\", message: it is so}]", c.resources), func(o *Options) { o.Kinds = parents{} })
				resp := d.ask(t, "/validate", reviewOf(c.review))
				if resp.Allowed == refused || (refused && resp.Result.Message != "policy p: it is so") {
					t.Errorf("%s: allowed %v, %+v", expression, resp.Allowed, resp.Result)
				}
			}
		})
	}
}

// A tenant's policy is no reason to be called about the writes of others.
func TestNamespacedPoliciesAskForTheirNamespaceOnly(t *testing.T) {
	w := wanted(t, ofNamespace(selecting("p", onPods+", {apiGroups: [''], apiVersions: [v1], resources: [services], operations: [CREATE]}"))+and+
		selecting("q", "{apiGroups: [''], apiVersions: [v1], resources: [pods], operations: [CREATE]}")+and+
		strings.Replace(ofNamespace(selecting("r", onPods)), "namespace: team", "namespace: holdfast", 1))
	got, err := Configure(w)
	if err != nil {
		t.Fatal(err)
	}
	var entries []string
	for _, e := range got.Validating.Webhooks {
		entries = append(entries, fmt.Sprintf("%s %s\n%s\n%s", e.Name, *e.ClientConfig.URL, metav1.FormatLabelSelector(e.NamespaceSelector), rulesOf(e.Rules)))
	}
	want := []string{
		"fail-10s.validate.holdfast.dev https://127.0.0.1:9443/validate/fail-10s\nkubernetes.io/metadata.name notin (holdfast,kube-node-lease)\n" +
			`CREATE [""] v1 pods Namespaced`,
		"fail-10s.namespaces.validate.holdfast.dev https://127.0.0.1:9443/validate/fail-10s\nkubernetes.io/metadata.name in (team)\n" +
			`UPDATE,DELETE [""] v1 pods Namespaced` + "\n" + `CREATE [""] v1 services Namespaced`,
	}
	if !slices.Equal(entries, want) {
		t.Errorf("got\n%s\nexpected\n%s", strings.Join(entries, "\n\n"), strings.Join(want, "\n\n"))
	}
}

// Policies on one resource in different versions each get what is written in any, converted to theirs.
func TestEachChoiceOfVersionsIsAskedForByItself(t *testing.T) {
	scalers := func(name, versions string) string {
		return selecting(name, "{apiGroups: [autoscaling], apiVersions: ["+versions+"], resources: [horizontalpodautoscalers], operations: [CREATE]}")
	}
	w := wanted(t, scalers("any", "'*'")+and+scalers("both", "v1, v2")+and+scalers("old", "v1")+and+scalers("new", "v2")+and+
		ofNamespace(scalers("mine", "v2, v3"))+and+selecting("pods", "{apiGroups: [''], apiVersions: [v1], resources: [pods], operations: [CREATE]}"))
	got, err := Configure(w)
	if err != nil {
		t.Fatal(err)
	}
	var entries []string
	for _, e := range got.Validating.Webhooks {
		entries = append(entries, e.Name+"\n"+rulesOf(e.Rules))
	}
	want := []string{
		"fail-10s.validate.holdfast.dev\n" + `CREATE [""] v1 pods Namespaced` + "\n" + `CREATE ["autoscaling"] v1,v2 horizontalpodautoscalers Namespaced`,
		"fail-10s.v1.validate.holdfast.dev\n" + `CREATE ["autoscaling"] v1 horizontalpodautoscalers Namespaced`,
		"fail-10s.v2.validate.holdfast.dev\n" + `CREATE ["autoscaling"] v2 horizontalpodautoscalers Namespaced`,
	}
	if !slices.Equal(entries, want) {
		t.Errorf("got\n%s\nexpected\n%s", strings.Join(entries, "\n\n"), strings.Join(want, "\n\n"))
	}
	if len(got.Unserved) > 0 {
		t.Errorf("not served: %v", got.Unserved)
	}
}

// matchPolicy: Exact leaves out what was written in another version.
func TestMatchPolicies(t *testing.T) {
	const onNew = "{apiGroups: [autoscaling], apiVersions: [v2], resources: [horizontalpodautoscalers], operations: [CREATE]}"
	converted := obj{
		"kind":            obj{"group": "autoscaling", "version": "v2", "kind": "HorizontalPodAutoscaler"},
		"resource":        obj{"group": "autoscaling", "version": "v2", "resource": "horizontalpodautoscalers"},
		"requestKind":     obj{"group": "autoscaling", "version": "v1", "kind": "HorizontalPodAutoscaler"},
		"requestResource": obj{"group": "autoscaling", "version": "v1", "resource": "horizontalpodautoscalers"},
	}
	for policy, allowed := range map[string]bool{"Exact": true, "Equivalent": false} {
		text := strings.Replace(selecting("p", onNew), "resourceRules:", "matchPolicy: "+policy+", resourceRules:", 1)
		if resp := newDoor(t, text).ask(t, "/validate", reviewOf(converted)); resp.Allowed != allowed {
			t.Errorf("%s: allowed %v", policy, resp.Allowed)
		}
	}
	text := strings.Replace(selecting("p", onPods), "resourceRules:", "matchPolicy: Exact, resourceRules:", 1)
	if newDoor(t, text).ask(t, "/validate", reviewOf(nil)).Allowed {
		t.Error("what was written in the policy's version is allowed")
	}
}

// asked reports whether the API server asks an entry about the request, by its own matcher.
func asked(t *rapid.T, entries []admissionregistrationv1.ValidatingWebhook, r *engine.Request) bool {
	attributes := admission.NewAttributesRecord(nil, nil, r.Kind, r.Namespace, r.Name, r.Resource, r.SubResource, admission.Operation(r.Operation), nil, false, nil)
	for _, e := range entries {
		selector, err := metav1.LabelSelectorAsSelector(e.NamespaceSelector)
		if err != nil {
			t.Fatal(err)
		}
		if r.Namespace != "" && !selector.Matches(labels.Set{namespaceName: r.Namespace}) {
			continue
		}
		for _, rule := range e.Rules {
			m := rules.Matcher{Rule: rule, Attr: attributes}
			if m.Matches() {
				return true
			}
		}
	}
	return false
}

// What the snapshot would judge, the configurations ask for.
func TestWhateverIsJudgedIsAskedFor(t *testing.T) {
	served := cluster()
	some := func(values ...string) *rapid.Generator[string] {
		return rapid.Custom(func(t *rapid.T) string {
			return "['" + strings.Join(rapid.SliceOfNDistinct(rapid.SampledFrom(values), 1, 2, rapid.ID).Draw(t, "of"), "', '") + "']"
		})
	}
	groups, versions := some("", "apps", "autoscaling", "authentication.k8s.io", "*"), some("v1", "v2", "*")
	resources := some("pods", "pods/exec", "pods/*", "*", "*/*", "*/scale", "deployments", "deployments/scale", "namespaces", "horizontalpodautoscalers", "tokenreviews", "squids")
	operations, scopes := some("CREATE", "UPDATE", "DELETE", "CONNECT", "*"), rapid.SampledFrom([]string{"'*'", "Namespaced", "Cluster"})
	rapid.Check(t, func(rt *rapid.T) {
		var policies []string
		for i := range rapid.IntRange(1, 3).Draw(rt, "policies") {
			p := selecting(fmt.Sprintf("p%d", i), fmt.Sprintf("{apiGroups: %s, apiVersions: %s, resources: %s, operations: %s, scope: %s}",
				groups.Draw(rt, "groups"), versions.Draw(rt, "versions"), resources.Draw(rt, "resources"), operations.Draw(rt, "operations"), scopes.Draw(rt, "scope")))
			if rapid.Bool().Draw(rt, "namespaced") {
				p = ofNamespace(p)
			}
			policies = append(policies, p)
		}
		w := wanted(t, strings.Join(policies, and))
		got, err := Configure(w)
		if err != nil {
			rt.Fatal(err)
		}
		var entries []admissionregistrationv1.ValidatingWebhook
		if got.Validating != nil {
			entries = got.Validating.Webhooks
		}
		for i := range served {
			for _, op := range operationOrder {
				if !served[i].takes(op) {
					continue
				}
				req := &engine.Request{
					Operation: op, Kind: served[i].gvk(), SubResource: served[i].SubResource, Name: "x", User: &authenticationv1.UserInfo{Username: "alice"},
					Resource: schema.GroupVersionResource{Group: served[i].Group, Version: served[i].Version, Resource: served[i].Name},
				}
				if served[i].Namespaced {
					req.Namespace = rapid.SampledFrom([]string{"team", "other"}).Draw(rt, "namespace")
				}
				object := map[string]any{"metadata": map[string]any{"name": "x"}}
				if req.Object = object; op == engine.Delete {
					req.Object, req.OldObject = nil, object
				}
				judged := len(w.Snapshot.Validate(t.Context(), req, &engine.Inputs{})) > 0
				if judged && !asked(rt, entries, req) {
					rt.Fatalf("%s of %s in %q is judged and not asked for, by\n%s", op, served[i].path(), req.Namespace, strings.Join(policies, and))
				}
			}
		}
	})
}
