package chainsaw

import (
	"fmt"
	"reflect"
	"strconv"
)

// differs says where an object is not as wanted, or nothing: objects may have more fields, lists have the same length.
func differs(wanted, have any, path string) string {
	switch wanted := wanted.(type) {
	case map[string]any:
		object, ok := have.(map[string]any)
		if !ok {
			return fmt.Sprintf("%s is %v, want an object", path, have)
		}
		for key, value := range wanted {
			if problem := differs(value, object[key], path+"."+key); problem != "" {
				return problem
			}
		}
		return ""
	case []any:
		list, ok := have.([]any)
		if !ok || len(list) != len(wanted) {
			return fmt.Sprintf("%s is %v, want %v", path, have, wanted)
		}
		for i := range wanted {
			if problem := differs(wanted[i], list[i], path+"["+strconv.Itoa(i)+"]"); problem != "" {
				return problem
			}
		}
		return ""
	default:
		if equal(wanted, have) {
			return ""
		}
		return fmt.Sprintf("%s is %v, want %v", path, have, wanted)
	}
}

// equal compares scalars. Numbers of YAML and of the API differ in their types.
func equal(a, b any) bool {
	if x, ok := number(a); ok {
		y, ok := number(b)
		return ok && x == y
	}
	return reflect.DeepEqual(a, b)
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case int:
		return float64(v), true
	case float64:
		return v, true
	default:
		return 0, false
	}
}

// expression finds a key or value that is one, and not understood.
func expression(v any) string {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if len(key) > 1 && key[0] == '(' {
				return key
			}
			if found := expression(value); found != "" {
				return found
			}
		}
	case []any:
		for _, item := range v {
			if found := expression(item); found != "" {
				return found
			}
		}
	case string:
		if len(v) > 1 && v[0] == '(' && v[len(v)-1] == ')' {
			return v
		}
	}
	return ""
}
