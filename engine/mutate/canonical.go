package mutate

import (
	"encoding/json"
	"reflect"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Canonical gives the object as the API server's own type writes it: quantities in their shortest form,
// without fields that the type does not have or leaves out when they are zero, and with some that it never
// leaves out. False means that the kind is not one of Kubernetes' own, or that the object does not fit it.
func (s *Schema) Canonical(gvk schema.GroupVersionKind, object map[string]any) (map[string]any, bool) {
	t, known := s.types[gvk]
	if !known {
		return nil, false
	}
	raw, err := json.Marshal(object)
	if err != nil {
		return nil, false
	}
	typed := reflect.New(t).Interface()
	if err := json.Unmarshal(raw, typed); err != nil {
		return nil, false
	}
	if raw, err = json.Marshal(typed); err != nil {
		return nil, false
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		return nil, false
	}
	return out, true
}
