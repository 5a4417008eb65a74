package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"pgregory.net/rapid"
)

func TestDigest(t *testing.T) {
	a := clusterPolicy("a", "{rules: [{name: r, "+onPods+"validate: {deny: {}}}]}")
	b := clusterPolicy("b", "{rules: [{name: r, "+onPods+"validate: {deny: {}}}]}")
	one, two := snapshot(t, a, b), snapshot(t, b, a)
	same(t, "digest in another order", two.Digest(), one.Digest())
	same(t, "the first policy", two.Policies()[0].Name, "a")
	same(t, "digest of a part", one.Where(func(p *Policy) bool { return p.Name == "a" }).Digest(), one.Digest())

	written := func(conditions string) string {
		return mustCompile(t, clusterPolicy("a", "{rules: [{name: r, "+onPods+"preconditions: "+conditions+", validate: {deny: {}}}]}")).Digest
	}
	const condition = "[{key: a, operator: Equals, value: a}]"
	different := map[string]string{
		"all":               written("{all: " + condition + "}"),
		"any":               written("{any: " + condition + "}"),
		"all, an empty any": written("{any: [], all: " + condition + "}"),
		"no preconditions":  mustCompile(t, a).Digest,
		"of another name":   mustCompile(t, b).Digest,
	}
	seen := map[string]string{}
	for name, digest := range different {
		if other, ok := seen[digest]; ok {
			t.Errorf("%q and %q have the same digest", name, other)
		}
		seen[digest] = name
	}
}

func TestPoliciesOfOneNameAreRefused(t *testing.T) {
	p := mustCompile(t, clusterPolicy("a", "{rules: [{name: r, "+onPods+"validate: {deny: {}}}]}"))
	if _, err := NewSnapshot([]*Policy{p, p}); err == nil || err.Error() != "ClusterPolicy a stands twice in the bundle" {
		t.Errorf("got %v", err)
	}
}

// The index is a way to be fast: it must give the rules that a walk over all of them gives, in their order.
func TestIndexGivesWhatALinearScanGives(t *testing.T) {
	kinds := []string{"Pod", "Service", "Deployment", "Po*", "*", "*ment", "apps/v1/Deployment", "*/*", "Pod/exec", "v1/Pod", "?od", "Custom"}
	compiled := map[string]*Policy{}
	for i := range 6 {
		for _, kind := range kinds {
			compiled[fmt.Sprintf("p%d %s", i, kind)] = mustCompile(t, withoutAutogen(fmt.Sprintf("p%d", i), "{rules: [{name: r, match: {any: [{resources: {kinds: ['"+kind+"']}}]}, validate: {deny: {}}}]}"))
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		var policies []*Policy
		for i := range rapid.IntRange(0, 6).Draw(t, "policies") {
			kind := rapid.SampledFrom(kinds).Draw(t, "kind")
			policies = append(policies, compiled[fmt.Sprintf("p%d %s", i, kind)])
		}
		rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 0)).Shuffle(len(policies), func(i, j int) { policies[i], policies[j] = policies[j], policies[i] })
		s, err := NewSnapshot(policies)
		if err != nil {
			t.Fatal(err)
		}
		gvk := schema.GroupVersionKind{Version: "v1", Kind: rapid.SampledFrom([]string{"Pod", "Service", "Deployment", "Node", "Custom"}).Draw(t, "asked")}
		if gvk.Kind == "Deployment" {
			gvk.Group = "apps"
		}
		sub := rapid.SampledFrom([]string{"", "exec"}).Draw(t, "subresource")
		resource := Resource{Kind: gvk, SubResource: sub}
		var want, got []*Rule
		for _, p := range s.Policies() {
			for _, r := range p.Rules {
				if r.Selects(&resource) {
					want = append(want, r)
				}
			}
		}
		for _, r := range s.index[Validate].rules(&resource) {
			if r.Selects(&resource) {
				got = append(got, r)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %d rules, want %d", gvk, len(got), len(want))
		}
		if s.Matches(Validate, &resource, Create) != (len(want) > 0) {
			t.Errorf("%s: Matches says otherwise than %d rules", gvk, len(want))
		}
	})
}
