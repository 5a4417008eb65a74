package jmesfn

import (
	"math"
	"strconv"

	"github.com/holdfast-io/holdfast/engine/number"
)

// numberFunctions work on plain numbers. The ones that know quantities and durations are arithmeticFunctions.
var numberFunctions = []function{
	{Spec: Spec{
		Name: "abs", Args: []Arg{arg("value", Number)}, Returns: Number, Standard: true,
		Doc:      "Gives a number without its sign.",
		Examples: []Example{{Expr: "abs(`-3`)", Result: "3"}},
	}, impl: func(c *call) (any, error) { return math.Abs(c.number(0)), nil }},
	{Spec: Spec{
		Name: "ceil", Args: []Arg{arg("value", Number)}, Returns: Number, Standard: true,
		Doc:      "Rounds up to a whole number.",
		Examples: []Example{{Expr: "ceil(`1.2`)", Result: "2"}},
	}, impl: func(c *call) (any, error) { return math.Ceil(c.number(0)), nil }},
	{Spec: Spec{
		Name: "floor", Args: []Arg{arg("value", Number)}, Returns: Number, Standard: true,
		Doc:      "Rounds down to a whole number.",
		Examples: []Example{{Expr: "floor(`1.8`)", Result: "1"}},
	}, impl: func(c *call) (any, error) { return math.Floor(c.number(0)), nil }},
	{Spec: Spec{
		Name: "round", Args: []Arg{arg("value", Number), arg("digits", Number)}, Returns: Number,
		Doc:      "Rounds to so many digits after the decimal point, halves away from zero. The digits must be a whole number, zero or more.",
		Examples: []Example{{Expr: "round(`9.414675`, `2`)", Result: "9.41"}},
	}, impl: round},
	{Spec: Spec{
		Name: "avg", Args: []Arg{listOf("numbers", Number)}, Returns: Number | Null, Standard: true,
		Doc:      "Gives the mean of a list of numbers; null for an empty list.",
		Examples: []Example{{Expr: "avg(`[1, 2, 6]`)", Result: "3"}},
	}, impl: avg},
	{Spec: Spec{
		Name: "max", Args: []Arg{listOf("values", String|Number)}, Returns: String | Number | Null, Standard: true,
		Doc:      "Gives the greatest of a list of numbers or of a list of strings; null for an empty list.",
		Examples: []Example{{Expr: "max(`[1, 3, 2]`)", Result: "3"}},
	}, impl: func(c *call) (any, error) {
		return best(c, func(order int) bool { return order > 0 })
	}},
	{Spec: Spec{
		Name: "min", Args: []Arg{listOf("values", String|Number)}, Returns: String | Number | Null, Standard: true,
		Doc:      "Gives the least of a list of numbers or of a list of strings; null for an empty list.",
		Examples: []Example{{Expr: "min(['b', 'a'])", Result: `"a"`}},
	}, impl: func(c *call) (any, error) {
		return best(c, func(order int) bool { return order < 0 })
	}},
	{Spec: Spec{
		Name: "to_number", Args: []Arg{arg("value", Any)}, Returns: Number | Null, Standard: true,
		Doc:      "Reads a number from a string. A number is given as it is; anything else, and text that is no finite number, is null.",
		Examples: []Example{{Expr: "to_number('1.5')", Result: "1.5"}, {Expr: "to_number('many')", Result: "null"}},
	}, impl: func(c *call) (any, error) {
		text, ok := c.args[0].(string)
		if !ok {
			if f, ok := c.args[0].(float64); ok {
				return f, nil
			}
			return nil, nil
		}
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
			return nil, nil //nolint:nilerr // text that is no number is null by definition
		}
		return f, nil
	}},
}

func round(c *call) (any, error) {
	value := c.number(0)
	digits, err := c.integer(1)
	if err != nil {
		return nil, err
	}
	if digits < 0 {
		return nil, c.argument(1, "must not be negative")
	}
	shift := math.Pow(10, float64(digits))
	if math.IsInf(shift, 0) || math.IsInf(value*shift, 0) {
		return value, nil // it has no digits so far out
	}
	return math.Round(value*shift) / shift, nil
}

func avg(c *call) (any, error) {
	list := c.list(0)
	if len(list) == 0 {
		return nil, nil
	}
	var total float64
	for _, item := range list {
		f, _ := number.Float(item)
		total += f
	}
	return c.finite(total / float64(len(list)))
}

// best gives the first element that no other one beats.
func best(c *call, better func(order int) bool) (any, error) {
	list := c.list(0)
	compare, err := orderOf(list)
	if err != nil {
		return nil, c.argument(0, "%w", err)
	}
	if len(list) == 0 {
		return nil, nil
	}
	top := list[0]
	for _, item := range list[1:] {
		if better(compare(item, top)) {
			top = item
		}
	}
	if f, ok := number.Float(top); ok {
		return f, nil
	}
	return top, nil
}
