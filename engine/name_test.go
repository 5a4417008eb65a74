package engine

import "testing"

func TestNamesOfRules(t *testing.T) {
	for name, c := range map[string]struct {
		rule    Rule
		key, id string
	}{
		"a rule of a ClusterPolicy":         {Rule{Policy: &Policy{Kind: "ClusterPolicy", Name: "a"}, Name: "r"}, "a/r", "a/r"},
		"a rule of a Policy":                {Rule{Policy: &Policy{Kind: "Policy", Namespace: "team", Name: "a"}, Name: "r"}, "team/a/r", "team/a/r"},
		"a policy in CEL":                   {Rule{Policy: &Policy{Kind: "ValidatingPolicy", Name: "a"}}, "a", "ValidatingPolicy/a"},
		"its like that mutates":             {Rule{Policy: &Policy{Kind: "MutatingPolicy", Name: "a"}}, "a", "MutatingPolicy/a"},
		"a policy in CEL, of a namespace":   {Rule{Policy: &Policy{Kind: "NamespacedValidatingPolicy", Namespace: "team", Name: "a"}}, "team/a", "NamespacedValidatingPolicy/team/a"},
		"a cleanup policy":                  {Rule{Policy: &Policy{Kind: "ClusterCleanupPolicy", Name: "a"}, Name: "cleanup"}, "a/cleanup", "ClusterCleanupPolicy/a/cleanup"},
		"a policy that does not say a kind": {Rule{Policy: &Policy{Name: "a"}, Name: "r"}, "a/r", "a/r"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.rule.Key(); got != c.key {
				t.Errorf("key: got %q, want %q", got, c.key)
			}
			if got := c.rule.ID(); got != c.id {
				t.Errorf("id: got %q, want %q", got, c.id)
			}
		})
	}
}
