package condition

import (
	"slices"
	"strings"
)

// checkOperations refuses a value that no request's operation can equal, where the key is exactly
// {{request.operation}}: Kyverno does, since a rule that waits for "create" would wait for ever.
func checkOperations(key, value any, path []any) error {
	k, ok := key.(string)
	if !ok || strings.ReplaceAll(k, " ", "") != "{{request.operation}}" {
		return nil
	}
	switch v := value.(type) {
	case string:
		return checkOperation(v, path)
	case []any:
		for i, item := range v {
			s, ok := item.(string)
			if !ok {
				return wrong(below(path, i), "expected the name of an operation, found %s", kindOf(item))
			}
			if err := checkOperation(s, below(path, i)); err != nil {
				return err
			}
		}
		return nil
	default:
		return wrong(path, "expected the name of an operation or a list of them, found %s", kindOf(value))
	}
}

func checkOperation(name string, path []any) error {
	operations := []string{"CREATE", "UPDATE", "DELETE", "CONNECT"}
	if slices.Contains(operations, name) || strings.Contains(name, "{{") {
		return nil
	}
	return wrong(path, "unknown operation %q: expected one of %s", name, strings.Join(operations, ", "))
}
