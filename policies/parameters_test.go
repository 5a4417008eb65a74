package policies_test

import (
	"slices"
	"testing"

	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/bundle/pack"
	"github.com/holdfast-io/holdfast/policies"
)

// awaiting are the rules that refuse nothing until their parameter is set.
var awaiting = []string{"host-allowed", "required-labels"}

// Each parameter, set to something else than what the policy has, lets in what it names and nothing else.
func TestParametersDecide(t *testing.T) {
	image := func(name string) map[string]any {
		return map[string]any{
			"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "p", "namespace": "shop"},
			"spec": map[string]any{"containers": []any{map[string]any{"name": "app", "image": name}}},
		}
	}
	claim := func(class string) map[string]any {
		return map[string]any{
			"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": map[string]any{"name": "p", "namespace": "shop"},
			"spec": map[string]any{"storageClassName": class},
		}
	}
	template := map[string]any{"spec": map[string]any{"containers": []any{map[string]any{"name": "app", "image": "quay.io/acme/shop:1"}}}}
	set := func(class string) map[string]any {
		return map[string]any{
			"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": map[string]any{"name": "p", "namespace": "shop"},
			"spec": map[string]any{"template": template, "volumeClaimTemplates": []any{map[string]any{"spec": map[string]any{"storageClassName": class}}}},
		}
	}
	ingress := func(host string) map[string]any {
		return map[string]any{
			"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": map[string]any{"name": "p", "namespace": "shop"},
			"spec": map[string]any{"rules": []any{map[string]any{"host": host}}},
		}
	}
	workload := func(labels map[string]any) map[string]any {
		return map[string]any{
			"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "p", "namespace": "shop", "labels": labels},
			"spec": map[string]any{"template": template},
		}
	}
	tested := map[string]bool{}
	for name, c := range map[string]struct {
		parameter, policy, rule string
		values                  []string
		good, bad               map[string]any
	}{
		"a registry of one's own": {
			"allowedRegistries", "restrict-image-registries", "allowed-registries", []string{"registry.example.com/*"},
			image("registry.example.com/shop:1"), image("quay.io/acme/shop:1"),
		},
		"no registry but two": {
			"allowedRegistries", "restrict-image-registries", "allowed-registries", []string{"a.example.com/*", "b.example.com/*"},
			image("b.example.com/shop:1"), image("c.example.com/shop:1"),
		},
		"a class of claims":     {"allowedStorageClasses", "restrict-storage-classes", "claim", []string{"fast"}, claim("fast"), claim("gp3")},
		"a class of templates":  {"allowedStorageClasses", "restrict-storage-classes", "claim-template", []string{"fast"}, set("fast"), set("gp3")},
		"a domain of one's own": {"allowedIngressHosts", "restrict-ingress-hosts", "host-allowed", []string{"*.example.com"}, ingress("shop.example.com"), ingress("shop.example.org")},
		"a label":               {"requiredLabels", "require-labels", "required-labels", []string{"team"}, workload(map[string]any{"team": "shop"}), workload(map[string]any{"app": "shop"})},
		"two labels":            {"requiredLabels", "require-labels", "required-labels", []string{"team", "cost"}, workload(map[string]any{"team": "shop", "cost": "1"}), workload(map[string]any{"team": "shop"})},
	} {
		t.Run(name, func(t *testing.T) {
			tested[c.parameter], tested[c.rule] = true, true
			s := chosen(t, pack.Choice{
				Parameters: map[string][]string{c.parameter: c.values}, Policies: map[string]pack.Mode{c.policy: pack.Enforce},
			})
			if by := refusedBy(t, s, c.good); len(by) > 0 {
				t.Errorf("what is named is refused by %v", by)
			}
			if by, want := refusedBy(t, s, c.bad), []string{c.policy + "/" + c.rule}; !slices.Equal(by, want) {
				t.Errorf("what is not named is refused by %v, want %v", by, want)
			}
		})
	}
	_, sum, err := bundle.Load(t.Context(), bundle.Sources{FS: policies.FS(), FSName: "shipped"})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range sum.Choices {
		for _, x := range p.Parameters {
			if !tested[x.Name] {
				t.Errorf("the parameter %s of %s is not tried", x.Name, p.Name)
			}
		}
	}
	for _, rule := range awaiting {
		if !tested[rule] {
			t.Errorf("the rule %s is not tried", rule)
		}
	}
}
