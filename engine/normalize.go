package engine

import "github.com/holdfast-io/holdfast/engine/number"

// Normalize turns a decoded object into the engine's value model, in place: every number a float64, as
// encoding/json has it. Clients that decode integers as int64 (unstructured objects) need it. The caller
// must own the object.
func Normalize(object map[string]any) map[string]any {
	for k, v := range object {
		if n, other := normalize(v); other {
			object[k] = n
		}
	}
	return object
}

// normalize gives what stands in the place of a value, if that is another one: to put back what was there costs as much as
// to find it.
func normalize(v any) (n any, other bool) {
	switch v := v.(type) {
	case nil, string, bool, float64:
		return v, false
	case map[string]any:
		Normalize(v)
		return v, false
	case []any:
		for i := range v {
			if n, other := normalize(v[i]); other {
				v[i] = n
			}
		}
		return v, false
	default:
		return number.Canonical(v), true
	}
}
