package assert

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// matches compares a value with what is wanted of it: lists element by element, objects by the keys that are
// wanted, the rest by equality. Values of different kinds are an error, so that a text is never silently
// compared with a number; null is different from everything else.
func matches(want, value any) (bool, error) {
	switch w := want.(type) {
	case nil:
		return value == nil, nil
	case []any:
		list, ok := value.([]any)
		if !ok {
			return false, fmt.Errorf("a list is compared with %s", kindOf(value))
		}
		if len(w) != len(list) {
			return false, nil
		}
		for i := range w {
			if ok, err := matches(w[i], list[i]); err != nil || !ok {
				return false, err
			}
		}
		return true, nil
	case map[string]any:
		object, ok := value.(map[string]any)
		if !ok {
			return false, fmt.Errorf("an object is compared with %s", kindOf(value))
		}
		return matchesKeys(w, object)
	}
	if value == nil {
		return false, nil
	}
	if kindOf(want) != kindOf(value) {
		return false, fmt.Errorf("%s is compared with %s", kindOf(want), kindOf(value))
	}
	return want == value, nil
}

func matchesKeys(want, object map[string]any) (bool, error) {
	for _, key := range slices.Sorted(maps.Keys(want)) {
		v, ok := object[key]
		if !ok {
			return false, nil
		}
		if ok, err := matches(want[key], v); err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

// kindOf names the kind of a JSON value.
func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case float64:
		return "a number"
	case string:
		return "a text"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	default:
		return fmt.Sprintf("a %T", v)
	}
}

// literal writes a value of the tree as JSON.
func literal(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(raw)
}
