package chainsaw

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"

	jmespath "github.com/kyverno/go-jmespath"
)

// differs says where an object is not as wanted, or nothing: objects may have more fields, lists have the same length. What
// is wanted of a key such as (length(a)) is wanted of the value of that expression on the object.
func differs(wanted, have any, path string) string {
	switch wanted := wanted.(type) {
	case map[string]any:
		for key, value := range wanted {
			field, problem := lookUp(key, have, path)
			if problem == "" {
				problem = differs(value, field, path+"."+key)
			}
			if problem != "" {
				return problem
			}
		}
		if _, ok := have.(map[string]any); !ok && len(wanted) == 0 {
			return fmt.Sprintf("%s is %v, want an object", path, have)
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

// lookUp gives the field of that name, or what the expression gives.
func lookUp(key string, have any, path string) (field any, problem string) {
	if isExpression(key) {
		query, err := jmespath.Compile(key)
		if err != nil {
			return nil, fmt.Sprintf("%s.%s is not understood: %s", path, key, err)
		}
		plain, err := asJSON(have)
		if err == nil {
			field, err = query.Search(plain)
		}
		if err != nil {
			return nil, fmt.Sprintf("%s.%s has no value: %s", path, key, err)
		}
		return field, ""
	}
	object, ok := have.(map[string]any)
	if !ok {
		return nil, fmt.Sprintf("%s is %v, want an object", path, have)
	}
	return object[key], ""
}

// asJSON gives a value with the one type of number that expressions know.
func asJSON(v any) (out any, err error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return out, json.Unmarshal(raw, &out)
}

func isExpression(text string) bool {
	return len(text) > 2 && text[0] == '(' && text[len(text)-1] == ')'
}

// notUnderstood finds an expression that is a value, or a key that is no JMESPath: the format knows more than is done here.
func notUnderstood(v any) string {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if _, err := jmespath.Compile(key); len(key) > 1 && key[0] == '(' && (!isExpression(key) || err != nil) {
				return key
			}
			if found := notUnderstood(value); found != "" {
				return found
			}
		}
	case []any:
		for _, item := range v {
			if found := notUnderstood(item); found != "" {
				return found
			}
		}
	case string:
		if isExpression(v) {
			return v
		}
	}
	return ""
}
