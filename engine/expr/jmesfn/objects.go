package jmesfn

import (
	"maps"
	"slices"

	"github.com/holdfast-io/holdfast/engine/number"
)

// objectFunctions take objects apart and put them together. Whatever they list is in the order of the keys.
var objectFunctions = []function{
	{Spec: Spec{
		Name: "keys", Args: []Arg{arg("object", Object)}, Returns: Array, Standard: true,
		Doc:      "Lists the keys of an object, sorted.",
		Examples: []Example{{Expr: "keys(`{\"b\": 1, \"a\": 2}`)", Result: `["a","b"]`}},
	}, impl: func(c *call) (any, error) {
		if err := c.items(len(c.object(0))); err != nil {
			return nil, err
		}
		list := make([]any, 0, len(c.object(0)))
		for _, key := range sortedKeys(c.object(0)) {
			list = append(list, key)
		}
		return list, nil
	}},
	{Spec: Spec{
		Name: "values", Args: []Arg{arg("object", Object)}, Returns: Array, Standard: true,
		Doc:      "Lists the values of an object, in the order of their keys.",
		Examples: []Example{{Expr: "values(`{\"b\": 1, \"a\": 2}`)", Result: "[2,1]"}},
	}, impl: func(c *call) (any, error) {
		if err := c.items(len(c.object(0))); err != nil {
			return nil, err
		}
		return sortedValues(c.object(0)), nil
	}},
	{Spec: Spec{
		Name: "items", Args: []Arg{arg("collection", Object|Array), arg("key_name", String), arg("value_name", String)}, Returns: Array,
		Doc:      "Makes of each key of an object, sorted, or of each element of a list an object with two keys: for the key or index, and for the value.",
		Examples: []Example{{Expr: "items(`{\"a\": 1}`, 'key', 'value')", Result: `[{"key":"a","value":1}]`}},
	}, impl: items},
	{Spec: Spec{
		Name: "object_from_lists", Args: []Arg{listOf("keys", String|Number|Boolean), arg("values", Array)}, Returns: Object,
		Doc:      "Makes an object of a list of keys and a list of values. Where values are missing it has null; values without a key are left out.",
		Examples: []Example{{Expr: "object_from_lists(['a', 'b'], `[1]`)", Result: `{"a":1,"b":null}`}},
	}, impl: objectFromLists},
	{Spec: Spec{
		Name: "merge", Args: []Arg{arg("object", Object)}, MaxArgs: Unbounded, Returns: Object, Standard: true,
		Doc:      "Makes one object of several. Where keys are the same the last value wins; values are not merged.",
		Examples: []Example{{Expr: "merge(`{\"a\": 1, \"b\": 1}`, `{\"b\": 2}`)", Result: `{"a":1,"b":2}`}},
	}, impl: func(c *call) (any, error) {
		merged := map[string]any{}
		for i := range c.args {
			maps.Copy(merged, c.object(i))
			if err := c.items(len(merged)); err != nil {
				return nil, err
			}
		}
		return merged, nil
	}},
	{Spec: Spec{
		Name: "label_match", Args: []Arg{arg("labels", Object), arg("subject", Object)}, Returns: Boolean,
		Doc:      "Tells whether the second object has every key of the first, with the same value.",
		Examples: []Example{{Expr: "label_match(`{\"app\": \"web\"}`, `{\"app\": \"web\", \"tier\": \"front\"}`)", Result: "true"}},
	}, impl: func(c *call) (any, error) {
		for key, want := range c.object(0) {
			if got, ok := c.object(1)[key]; !ok || !equal(got, want) {
				return false, nil
			}
		}
		return true, nil
	}},
}

func sortedKeys(object map[string]any) []string { return slices.Sorted(maps.Keys(object)) }

func sortedValues(object map[string]any) []any {
	list := make([]any, 0, len(object))
	for _, key := range sortedKeys(object) {
		list = append(list, object[key])
	}
	return list
}

func items(c *call) (any, error) {
	keyName, valueName := c.string(1), c.string(2)
	// Written value last, so that it stays where both names are the same.
	item := func(key, value any) any {
		pair := map[string]any{keyName: key}
		pair[valueName] = value
		return pair
	}
	var list []any
	switch v := c.args[0].(type) {
	case map[string]any:
		if err := c.items(len(v)); err != nil {
			return nil, err
		}
		list = make([]any, 0, len(v))
		for _, key := range sortedKeys(v) {
			list = append(list, item(key, v[key]))
		}
	case []any:
		if err := c.items(len(v)); err != nil {
			return nil, err
		}
		list = make([]any, 0, len(v))
		for i, value := range v {
			list = append(list, item(float64(i), value))
		}
	}
	return list, nil
}

func objectFromLists(c *call) (any, error) {
	keys, values := c.list(0), c.list(1)
	if err := c.items(len(keys)); err != nil {
		return nil, err
	}
	object := make(map[string]any, len(keys))
	for i, key := range keys {
		var value any
		if i < len(values) {
			value = values[i]
		}
		object[scalarText(key)] = value
	}
	return object, nil
}

// scalarText writes a string, number or boolean as an object's key.
func scalarText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		if v {
			return "true"
		}
		return "false"
	default:
		f, _ := number.Float(v)
		return formatNumber(f)
	}
}
