// Package enginetest makes snapshots of the engine for the tests of who asks it, and weighs what these keep. It is not part
// of the program.
package enginetest

import (
	"testing"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	"sigs.k8s.io/yaml"

	"github.com/holdfast-io/holdfast/engine"
)

// Snapshot compiles ClusterPolicies, each in YAML. It ends the test if one is wrong.
func Snapshot(t testing.TB, texts ...string) *engine.Snapshot {
	t.Helper()
	compiler, err := engine.NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	policies := make([]*engine.Policy, len(texts))
	for i, text := range texts {
		var source kyvernov1.ClusterPolicy
		var document map[string]any
		if err := yaml.UnmarshalStrict([]byte(text), &source); err != nil {
			t.Fatalf("%v in:\n%s", err, text)
		}
		if err := yaml.Unmarshal([]byte(text), &document); err != nil {
			t.Fatalf("%v in:\n%s", err, text)
		}
		if policies[i], err = compiler.Compile(&source, document); err != nil {
			t.Fatalf("%v in:\n%s", err, text)
		}
	}
	s, err := engine.NewSnapshot(policies)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
