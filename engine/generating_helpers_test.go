package engine

import (
	"context"
	"fmt"
	"testing"

	policiesv1beta1 "github.com/kyverno/api/api/policies.kyverno.io/v1beta1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

// apiServer is a shelf that knows the resources and scopes of kinds.
type apiServer struct{ *shelf }

func newAPIServer(t testing.TB, texts ...string) *apiServer { return &apiServer{newShelf(t, texts...)} }

func (s *apiServer) inputs() *Inputs {
	in := s.shelf.inputs()
	in.Lookups = s
	return in
}

// Map knows the kinds that the tests use.
func (*apiServer) Map(_ context.Context, kind schema.GroupVersionKind) (schema.GroupVersionKind, schema.GroupVersionResource, error) {
	for _, name := range []string{"ConfigMap", "Secret", "NetworkPolicy", "Namespace", "ClusterRole"} {
		known := kind.GroupVersion().WithKind(name)
		plural, _ := meta.UnsafeGuessKindToResource(known)
		if kind.Kind == name || kind.Kind == plural.Resource {
			return known, plural, nil
		}
	}
	return kind, schema.GroupVersionResource{}, fmt.Errorf("nothing is served as %s", kind.Kind)
}

// Namespaced knows two kinds that are in no namespace.
func (*apiServer) Namespaced(_ context.Context, kind schema.GroupVersionKind) (bool, error) {
	return kind.Kind != "Namespace" && kind.Kind != "ClusterRole", nil
}

const (
	forNamespaces  = "matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [namespaces]}]}"
	forCelConfigs  = "matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}]}"
	synchronized   = "evaluation: {synchronize: {enabled: true}}"
	settingsOfShop = `{'apiVersion': dyn('v1'), 'kind': dyn('ConfigMap'), 'metadata': dyn({'name': 'settings'}), 'data': dyn({'log': 'info'})}`
)

// generatingPolicy writes a GeneratingPolicy for Namespaces that calls generator.Apply with these arguments.
func generatingPolicy(more, arguments string) string {
	return "apiVersion: policies.kyverno.io/v1\nkind: GeneratingPolicy\nmetadata: {name: p}\nspec:\n  " + forNamespaces + "\n  " + more +
		"\n  generate:\n  - expression: >-\n      generator.Apply(" + arguments + ")\n"
}

// tenantPolicy writes a NamespacedGeneratingPolicy of the namespace team for ConfigMaps.
func tenantPolicy(generate string) string {
	return "apiVersion: policies.kyverno.io/v1\nkind: NamespacedGeneratingPolicy\nmetadata: {name: p, namespace: team}\nspec:\n  " + forCelConfigs + "\n  " + synchronized +
		"\n  generate:\n" + generate + "\n"
}

func tryCompileGenerating(t testing.TB, text string) (*Policy, error) {
	t.Helper()
	document := object(t, text)
	var src policiesv1beta1.GeneratingPolicyLike = &policiesv1beta1.GeneratingPolicy{}
	if document["kind"] == "NamespacedGeneratingPolicy" {
		src = &policiesv1beta1.NamespacedGeneratingPolicy{}
	}
	if err := yaml.UnmarshalStrict([]byte(text), src); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	compiler, err := NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	return compiler.CompileGenerating(src, document)
}

func generatingSnapshot(t testing.TB, texts ...string) *Snapshot {
	t.Helper()
	var policies []*Policy
	for _, text := range texts {
		p, err := tryCompileGenerating(t, text)
		if err != nil {
			t.Fatalf("%v in:\n%s", err, text)
		}
		policies = append(policies, p)
	}
	s, err := NewSnapshot(policies)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// generatedBy writes an object with the labels of the policy p for the trigger with the uid, as GeneratingPolicies label.
func generatedBy(trigger, namespace, name, kind, rest string) string {
	return fmt.Sprintf(`{%s, metadata: {name: %s, namespace: %s, labels: {app.kubernetes.io/managed-by: kyverno, generate.kyverno.io/policy-name: p,
		generate.kyverno.io/trigger-group: "", generate.kyverno.io/trigger-version: v1, generate.kyverno.io/trigger-kind: Namespace,
		generate.kyverno.io/trigger-namespace: "", generate.kyverno.io/trigger-uid: %s}}, %s}`, kind, name, namespace, trigger, rest)
}
