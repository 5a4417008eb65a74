package scenarios

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// generatingInCEL is a bundle of policies that generate by expressions and templates, one of them a tenant's that aims
// where it has no business.
const generatingInCEL = `apiVersion: policies.kyverno.io/v1
kind: GeneratingPolicy
metadata: {name: for-teams}
spec:
  evaluation: {synchronize: {enabled: true}}
  matchConstraints:
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [namespaces]}]
  matchConditions: [{name: teams, expression: object.metadata.name.startsWith("team-")}]
  variables:
    - name: settings
      expression: resource.Get("v1", "configmaps", "default", "settings")
  generate:
    - expression: generator.Apply(object.metadata.name, [variables.settings])
    - expression: >-
        generator.Apply(object.metadata.name, [resource.List("v1", "configmaps", "default", {"share": "yes"})])
    - template:
        interpolate: cel
        value: |
          apiVersion: networking.k8s.io/v1
          kind: NetworkPolicy
          metadata: {name: deny-all, namespace: (( object.metadata.name ))}
          spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
---
apiVersion: policies.kyverno.io/v1
kind: GeneratingPolicy
metadata: {name: for-apps}
spec:
  evaluation: {synchronize: {enabled: true}}
  matchConstraints:
    objectSelector: {matchLabels: {app: web}}
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}]
  generate:
    - expression: >-
        generator.Apply(object.metadata.namespace, [{
          "apiVersion": dyn("v1"), "kind": dyn("ConfigMap"),
          "metadata": dyn({"name": object.metadata.name + "-twin"}),
          "data": dyn({"of": object.metadata.name})
        }])
---
apiVersion: policies.kyverno.io/v1
kind: NamespacedGeneratingPolicy
metadata: {name: stray, namespace: default}
spec:
  evaluation: {synchronize: {enabled: true}}
  matchConstraints:
    objectSelector: {matchLabels: {app: stray}}
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}]
  generate:
    - expression: >-
        generator.Apply([{
          "apiVersion": dyn("v1"), "kind": dyn("ConfigMap"),
          "metadata": dyn({"name": "strayed", "namespace": string(object.data.to)})
        }])
`

// What GeneratingPolicies generate is made and kept, follows what it was copied from, and goes with its trigger; a tenant's
// policy writes in its own namespace and nowhere else (GHSA-79gf-7frw-68m9).
func TestServeKeepsWhatGeneratingPoliciesGenerate(t *testing.T) {
	c := newCluster(t)
	ctx := t.Context()
	maps := c.kube.CoreV1().ConfigMaps
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	create := func(m *corev1.ConfigMap) {
		t.Helper()
		_, err := maps(m.Namespace).Create(ctx, m, metav1.CreateOptions{})
		must(err)
	}
	holds := func(namespace, name, key, value string) func(context.Context) string {
		return func(ctx context.Context) string {
			m, err := maps(namespace).Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return err.Error()
			}
			if m.Data[key] != value {
				return fmt.Sprintf("%s of %s is %q", key, name, m.Data[key])
			}
			return ""
		}
	}
	gone := func(namespace, name string) func(context.Context) string {
		return func(ctx context.Context) string {
			if _, err := maps(namespace).Get(ctx, name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
				return fmt.Sprintf("%v", err)
			}
			return ""
		}
	}
	create(c.configMap("default", "settings", nil, map[string]string{"log": "info"}))
	for _, name := range []string{"first", "second"} {
		create(c.configMap("default", name, map[string]string{"share": "yes"}, map[string]string{"is": name}))
	}
	c.serve(t, c.options(t, "generator", c.writeBundle(t, "bundle", generatingInCEL)))

	_, err := c.kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team-a"}}, metav1.CreateOptions{})
	must(err)
	policies := c.kube.NetworkingV1().NetworkPolicies("team-a")
	denied := func(ctx context.Context) string {
		made, err := policies.Get(ctx, "deny-all", metav1.GetOptions{})
		if err != nil {
			return err.Error()
		}
		if len(made.Spec.PolicyTypes) != 2 || made.Labels["generate.kyverno.io/policy-name"] != "for-teams" {
			return fmt.Sprintf("it is %v, with labels %v", made.Spec, made.Labels)
		}
		return ""
	}
	eventually(t, "what a template generates", denied)
	eventually(t, "the copy of what is in another namespace", holds("team-a", "settings", "log", "info"))
	must(policies.Delete(ctx, "deny-all", metav1.DeleteOptions{}))
	eventually(t, "what was deleted to come back", denied)
	_, err = policies.Patch(ctx, "deny-all", types.MergePatchType, []byte(`{"spec":{"policyTypes":["Ingress"]}}`), metav1.PatchOptions{})
	must(err)
	eventually(t, "what was changed to be put right", denied)
	_, err = maps("default").Patch(ctx, "settings", types.MergePatchType, []byte(`{"data":{"log":"debug"}}`), metav1.PatchOptions{})
	must(err)
	eventually(t, "the copy to follow its source", holds("team-a", "settings", "log", "debug"))
	eventually(t, "the copies of a list", holds("team-a", "second", "is", "second"))
	must(maps("default").Delete(ctx, "first", metav1.DeleteOptions{}))
	eventually(t, "one copy to go with its source", gone("team-a", "first"))
	must(maps("default").Delete(ctx, "settings", metav1.DeleteOptions{}))
	eventually(t, "the copy to go with its source", gone("team-a", "settings"))

	eventually(t, "the other copies to stay", holds("team-a", "second", "is", "second"))
	create(c.configMap("default", "shop", map[string]string{"app": "web"}, nil))
	eventually(t, "the twin", holds("default", "shop-twin", "of", "shop"))
	must(maps("default").Delete(ctx, "shop", metav1.DeleteOptions{}))
	eventually(t, "the twin to go with its trigger", gone("default", "shop-twin"))

	// The tenant's policy says what it may not do, and does what it may.
	create(c.configMap("default", "lost", map[string]string{"app": "stray"}, map[string]string{"to": "team-a"}))
	eventually(t, "the report on a policy that aims elsewhere", c.reports(verdicts{verdictKey("ConfigMap", "default", "lost", "default/stray", ""): "error"}))
	create(c.configMap("default", "found", map[string]string{"app": "stray"}, map[string]string{"to": "default"}))
	eventually(t, "what it makes in its own namespace", holds("default", "strayed", "", ""))
	if problem := gone("team-a", "strayed")(ctx); problem != "" {
		t.Errorf("it wrote into another namespace: %s", problem)
	}
}
