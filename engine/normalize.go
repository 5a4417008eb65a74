package engine

import "github.com/holdfast-io/holdfast/engine/number"

// Normalize turns a decoded object into the engine's value model, in place: every number a float64, as
// encoding/json has it. Clients that decode integers as int64 (unstructured objects) need it. The caller
// must own the object.
func Normalize(object map[string]any) map[string]any {
	for k, v := range object {
		object[k] = normalize(v)
	}
	return object
}

func normalize(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return Normalize(v)
	case []any:
		for i := range v {
			v[i] = normalize(v[i])
		}
		return v
	default:
		return number.Canonical(v)
	}
}
