package scenarios

import (
	"os"
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// shippedBundle writes the shipped policies into dir, with those of their rules that keep leaves, as it leaves them.
// Policies without any are left out. All failurePolicies and timeouts become the default, which makes one webhook
// entry of all: of several that refuse, the API server passes on one.
func shippedBundle(t *testing.T, dir string, keep func(rule map[string]any) bool) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", "..", "policies", "*", "policy.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no shipped policies found (error: %v)", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		policy := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(data, &policy.Object); err != nil {
			t.Fatalf("read %s: %v", path, err)
		}
		if !prune(t, policy, keep) {
			continue
		}
		if data, err = yaml.Marshal(policy.Object); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, policy.GetName()+".yaml"), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// prune takes rules out of a policy, and tells whether any are left.
func prune(t *testing.T, policy *unstructured.Unstructured, keep func(rule map[string]any) bool) bool {
	t.Helper()
	rules, _, err := unstructured.NestedSlice(policy.Object, "spec", "rules")
	if err != nil {
		t.Fatal(err)
	}
	var kept []any
	for _, r := range rules {
		if rule, ok := r.(map[string]any); ok && keep(rule) {
			kept = append(kept, rule)
		}
	}
	if len(kept) == 0 {
		return false
	}
	if err := unstructured.SetNestedSlice(policy.Object, kept, "spec", "rules"); err != nil {
		t.Fatal(err)
	}
	unstructured.RemoveNestedField(policy.Object, "spec", "webhookConfiguration")
	return true
}

// enforced keeps validate rules and has them refuse.
func enforced(rule map[string]any) bool {
	validate, ok := rule["validate"].(map[string]any)
	if ok {
		validate["failureAction"] = "Enforce"
		delete(validate, "failureActionOverrides")
	}
	return ok
}

// mutating keeps mutate rules.
func mutating(rule map[string]any) bool { return rule["mutate"] != nil }
