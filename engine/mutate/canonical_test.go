package mutate

import (
	"reflect"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestCanonicalIsHowTheAPIServerWritesIt(t *testing.T) {
	s, err := NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	quota := schema.GroupVersionKind{Version: "v1", Kind: "ResourceQuota"}
	for sentence, c := range map[string]struct {
		kind   schema.GroupVersionKind
		object map[string]any
		want   any // nil: no answer
	}{
		"quantities in their shortest form": {
			quota, map[string]any{"spec": map[string]any{"hard": map[string]any{"cpu": "0.5", "memory": "1024Mi", "pods": 4.0}}},
			map[string]any{"hard": map[string]any{"cpu": "500m", "memory": "1Gi", "pods": "4"}},
		},
		"without what the type does not have": {
			quota, map[string]any{"spec": map[string]any{"nope": 1.0}}, map[string]any{},
		},
		"no answer for an object that does not fit the type": {
			quota, map[string]any{"spec": "text"}, nil,
		},
		"no answer for another kind": {
			schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "X"}, map[string]any{"spec": map[string]any{}}, nil,
		},
		"no answer for what is no JSON": {
			quota, map[string]any{"spec": func() {}}, nil,
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			out, ok := s.Canonical(c.kind, c.object)
			if ok != (c.want != nil) {
				t.Fatalf("answered: %t", ok)
			}
			if ok && !reflect.DeepEqual(out["spec"], c.want) {
				t.Errorf("got %v, want %v", out["spec"], c.want)
			}
		})
	}
}
