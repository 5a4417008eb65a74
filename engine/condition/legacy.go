package condition

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/holdfast-io/holdfast/engine/glob"
)

// testLegacy evaluates In and NotIn, which Kyverno keeps for old policies. They differ from AllIn and
// AnyNotIn: a list key is compared letter by letter and both lists must hold strings only; a text value
// that is no JSON list of strings makes both of them false unless it matches; ranges are unknown.
func (op operator) testLegacy(key, value *operand) (bool, error) {
	var found, defined bool
	if list, ok := key.value.([]any); ok {
		keys, err := op.legacyKeys(list)
		if err != nil {
			return false, err
		}
		found, defined = holdsAll(keys, value)
	} else if k, ok := scalarText(key.value); ok {
		found, defined = holdsOne(k, value)
	}
	return defined && found == (op == in), nil
}

// legacyKeys reads a list key. Kyverno panics where an item is no string.
func (op operator) legacyKeys(list []any) ([]string, error) {
	keys := make([]string, len(list))
	for i, item := range list {
		s, ok := item.(string)
		if !ok {
			return nil, fmt.Errorf("operator %s compares strings, and item %d of the key is %s: use %s", op, i, kindOf(item), op.successor())
		}
		keys[i] = s
	}
	return keys, nil
}

func (op operator) successor() operator {
	if op == in {
		return allIn
	}
	return anyNotIn
}

func holdsOne(k string, value *operand) (found, defined bool) {
	switch v := value.value.(type) {
	case []any:
		m := value.members()
		return m.hasAlike(k), true
	case string:
		if glob.Match(v, k) {
			return true, true
		}
		items, ok := decodeStrings(v)
		return slices.Contains(items, k), ok
	default:
		return false, false
	}
}

func holdsAll(keys []string, value *operand) (found, defined bool) {
	var items []string
	switch v := value.value.(type) {
	case []any:
		for _, item := range v {
			s, ok := item.(string)
			if !ok {
				return false, false
			}
			items = append(items, s)
		}
	case string:
		if len(keys) == 1 && keys[0] == v { // Kyverno: true for NotIn as well
			return true, true
		}
		var ok bool
		if items, ok = decodeStrings(v); !ok {
			return false, false
		}
	default:
		return false, false
	}
	for _, k := range keys {
		if !slices.Contains(items, k) {
			return false, true
		}
	}
	return true, true
}

func decodeStrings(text string) ([]string, bool) {
	var items []string
	err := json.Unmarshal([]byte(text), &items)
	return items, err == nil
}
