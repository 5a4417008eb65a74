package jmesfn

import (
	"cmp"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/holdfast-io/holdfast/engine/number"
)

// collectionFunctions work on lists, and on strings as lists of characters.
var collectionFunctions = []function{
	{Spec: Spec{
		Name: "length", Args: []Arg{arg("value", String|Array|Object)}, Returns: Number, Standard: true,
		Doc:      "Counts the characters of a string, the elements of a list or the keys of an object.",
		Examples: []Example{{Expr: "length(['a', 'b'])", Result: "2"}},
	}, impl: func(c *call) (any, error) {
		switch v := c.args[0].(type) {
		case string:
			return float64(utf8.RuneCountInString(v)), nil
		case []any:
			return float64(len(v)), nil
		default:
			return float64(len(c.object(0))), nil
		}
	}},
	{Spec: Spec{
		Name: "contains", Args: []Arg{arg("subject", Array|String), arg("search", Any)}, Returns: Boolean, Standard: true,
		Doc:      "Tells whether a list has an element that equals a value, or a string another string as a part.",
		Examples: []Example{{Expr: "contains(['a', 'b'], 'b')", Result: "true"}},
	}, impl: func(c *call) (any, error) {
		if text, ok := c.args[0].(string); ok {
			part, ok := c.args[1].(string)
			return ok && strings.Contains(text, part), nil
		}
		return slices.ContainsFunc(c.list(0), func(item any) bool { return equal(item, c.args[1]) }), nil
	}},
	{Spec: Spec{
		Name: "reverse", Args: []Arg{arg("value", Array|String)}, Returns: Array | String, Standard: true,
		Doc:      "Turns a list or a string around.",
		Examples: []Example{{Expr: "reverse('abc')", Result: `"cba"`}},
	}, impl: func(c *call) (any, error) {
		if text, ok := c.args[0].(string); ok {
			characters := []rune(text)
			slices.Reverse(characters)
			return c.made(string(characters))
		}
		if err := c.items(len(c.list(0))); err != nil {
			return nil, err
		}
		list := slices.Clone(c.list(0))
		slices.Reverse(list)
		return list, nil
	}},
	{Spec: Spec{
		Name: "sort", Args: []Arg{listOf("list", String|Number)}, Returns: Array, Standard: true,
		Doc:      "Sorts a list of numbers or a list of strings (byte by byte).",
		Examples: []Example{{Expr: "sort(['b', 'a'])", Result: `["a","b"]`}},
	}, impl: func(c *call) (any, error) {
		if err := c.items(len(c.list(0))); err != nil {
			return nil, err
		}
		compare, err := orderOf(c.list(0))
		if err != nil {
			return nil, c.argument(0, "%w", err)
		}
		list := slices.Clone(c.list(0))
		slices.SortStableFunc(list, compare)
		return list, nil
	}},
	{Spec: Spec{
		Name: "to_array", Args: []Arg{arg("value", Any)}, Returns: Array, Standard: true,
		Doc:      "Makes a list of one element. A list is given as it is.",
		Examples: []Example{{Expr: "to_array('a')", Result: `["a"]`}},
	}, impl: func(c *call) (any, error) {
		if list, ok := c.args[0].([]any); ok {
			return list, nil
		}
		return []any{c.args[0]}, nil
	}},
	{Spec: Spec{
		Name: "lookup", Args: []Arg{arg("collection", Object|Array), arg("key", String|Number)}, Returns: Any,
		Doc:      "Gives the value of a key of an object or the element of a list at an index, counted from zero; null when there is none.",
		Examples: []Example{{Expr: "lookup(`{\"a\": 1}`, 'a')", Result: "1"}, {Expr: "lookup(['x', 'y'], `1`)", Result: `"y"`}},
	}, impl: lookup},
}

func lookup(c *call) (any, error) {
	if object, ok := c.args[0].(map[string]any); ok {
		key, ok := c.args[1].(string)
		if !ok {
			return nil, c.argument(1, "must be a string, since argument 1 is an object")
		}
		return object[key], nil
	}
	if _, ok := c.args[1].(float64); !ok {
		return nil, c.argument(1, "must be a number, since argument 1 is an array")
	}
	list, index := c.list(0), c.number(1)
	if math.Trunc(index) != index {
		return nil, c.argument(1, "must be a whole number")
	}
	if index < 0 || index >= float64(len(list)) {
		return nil, nil
	}
	return list[int(index)], nil
}

// equal compares two JSON values in depth, numbers by value.
func equal(a, b any) bool {
	if x, ok := number.Float(a); ok {
		y, ok := number.Float(b)
		return ok && x == y
	}
	return reflect.DeepEqual(a, b)
}

var errMixed = errors.New("must be all numbers or all strings")

// orderOf gives the order of a list whose elements are all numbers or all strings.
func orderOf(list []any) (func(a, b any) int, error) {
	numbers, strs := 0, 0
	for _, item := range list {
		switch typeOf(item) {
		case Number:
			numbers++
		case String:
			strs++
		}
	}
	switch len(list) {
	case numbers:
		return func(a, b any) int {
			x, _ := number.Float(a)
			y, _ := number.Float(b)
			return cmp.Compare(x, y)
		}, nil
	case strs:
		return func(a, b any) int { return strings.Compare(a.(string), b.(string)) }, nil
	default:
		return nil, errMixed
	}
}
