package engine

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
	case int64:
		return float64(v)
	case int:
		return float64(v)
	case map[string]any:
		return Normalize(v)
	case []any:
		for i := range v {
			v[i] = normalize(v[i])
		}
		return v
	default:
		return v
	}
}
