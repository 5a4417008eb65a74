package engine

import (
	"testing"

	policiesv1beta1 "github.com/kyverno/api/api/policies.kyverno.io/v1beta1"
	"sigs.k8s.io/yaml"
)

// onPodResources selects Pods, for a spec in braces.
const onPodResources = "matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [pods]}]}, "

// withoutControllers keeps a spec from being made for pod controllers.
const withoutControllers = "autogen: {podControllers: {controllers: []}}, "

// validatingSource is a ValidatingPolicy p, or a NamespacedValidatingPolicy if there is a namespace, with a spec in braces.
func validatingSource(t testing.TB, namespace, spec string) policiesv1beta1.ValidatingPolicyLike {
	t.Helper()
	var src policiesv1beta1.ValidatingPolicyLike = &policiesv1beta1.ValidatingPolicy{}
	if namespace != "" {
		src = &policiesv1beta1.NamespacedValidatingPolicy{}
	}
	if err := yaml.UnmarshalStrict([]byte("{metadata: {name: p, namespace: '"+namespace+"'}, spec: {"+spec+"}}"), src); err != nil {
		t.Fatal(err)
	}
	return src
}

// validatingSnapshot is a snapshot of that policy alone.
func validatingSnapshot(t testing.TB, namespace, spec string) *Snapshot {
	t.Helper()
	cc, err := NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	p, err := cc.CompileValidating(validatingSource(t, namespace, spec))
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSnapshot([]*Policy{p})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
