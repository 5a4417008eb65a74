package clitest

import (
	"errors"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine"
)

// Expressions name resources by their plurals: those of the test's definitions, else as plurals are usually made.
func TestKindsOfPluralNames(t *testing.T) {
	policy := schema.GroupVersionKind{Group: "networking.k8s.io", Version: "v1", Kind: "NetworkPolicy"}
	mouse := schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Mouse"}
	w := &world{objects: []*object{{kind: policy}}, plurals: map[schema.GroupVersionKind]string{mouse: "mice"}}
	for _, c := range []struct {
		asked, kind schema.GroupVersionKind
		resource    string
	}{
		{policy.GroupVersion().WithKind("networkpolicies"), policy, "networkpolicies"},
		{policy, policy, "networkpolicies"},
		{mouse.GroupVersion().WithKind("mice"), mouse, "mice"},
		{mouse, mouse, "mice"},
	} {
		kind, resource, err := w.Map(t.Context(), c.asked)
		if err != nil || kind != c.kind || resource != c.kind.GroupVersion().WithResource(c.resource) {
			t.Errorf("%v: got %v, %v, %v", c.asked, kind, resource, err)
		}
	}
	if _, _, err := w.Map(t.Context(), mouse.GroupVersion().WithKind("mouses")); !errors.Is(err, engine.ErrNoLookup) {
		t.Errorf("a plural that nobody uses: got %v", err)
	}
}
