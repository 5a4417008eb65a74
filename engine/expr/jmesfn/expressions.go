package jmesfn

import "slices"

// expressionFunctions evaluate an expression reference (&name) on every element of a list.
var expressionFunctions = []function{
	{Spec: Spec{
		Name: "map", Args: []Arg{arg("expression", Expression), arg("list", Array)}, Returns: Array, Standard: true,
		Doc:      "Gives the result of an expression on each element of a list, null included.",
		Examples: []Example{{Expr: "map(&to_upper(@), ['a', 'b'])", Result: `["A","B"]`}},
	}, impl: func(c *call) (any, error) {
		if err := c.items(len(c.list(1))); err != nil {
			return nil, err
		}
		return c.rt.each(c.args[0], c.list(1))
	}},
	{Spec: Spec{
		Name: "sort_by", Args: []Arg{arg("list", Array), arg("expression", Expression)}, Returns: Array, Standard: true,
		Doc:      "Sorts a list by the result of an expression, which must be a number for every element or a string for every element. Equal elements keep their order.",
		Examples: []Example{{Expr: "sort_by(['bbb', 'a', 'cc'], &length(@))", Result: `["a","cc","bbb"]`}},
	}, impl: sortBy},
	{Spec: Spec{
		Name: "max_by", Args: []Arg{arg("list", Array), arg("expression", Expression)}, Returns: Any, Standard: true,
		Doc:      "Gives the first element with the greatest result of an expression, a number or a string; null for an empty list.",
		Examples: []Example{{Expr: "max_by(['bbb', 'a', 'cc'], &length(@))", Result: `"bbb"`}},
	}, impl: func(c *call) (any, error) {
		return bestBy(c, func(order int) bool { return order > 0 })
	}},
	{Spec: Spec{
		Name: "min_by", Args: []Arg{arg("list", Array), arg("expression", Expression)}, Returns: Any, Standard: true,
		Doc:      "Gives the first element with the least result of an expression, a number or a string; null for an empty list.",
		Examples: []Example{{Expr: "min_by(['bbb', 'a', 'cc'], &length(@))", Result: `"a"`}},
	}, impl: func(c *call) (any, error) {
		return bestBy(c, func(order int) bool { return order < 0 })
	}},
}

// ranked gives, for a list of two elements or more, the result of the expression on each and their order.
func ranked(c *call) ([]any, func(a, b any) int, error) {
	results, err := c.rt.each(c.args[1], c.list(0))
	if err != nil {
		return nil, nil, err
	}
	order, err := orderOf(results)
	if err != nil {
		return nil, nil, c.errorf("the results of the expression %w", err)
	}
	return results, order, nil
}

func sortBy(c *call) (any, error) {
	list := c.list(0)
	if err := c.items(len(list)); err != nil {
		return nil, err
	}
	if len(list) < 2 {
		return list, nil // the expression is not asked, as in the library
	}
	results, order, err := ranked(c)
	if err != nil {
		return nil, err
	}
	places := make([]int, len(list))
	for i := range places {
		places[i] = i
	}
	slices.SortStableFunc(places, func(a, b int) int { return order(results[a], results[b]) })
	sorted := make([]any, len(list))
	for i, place := range places {
		sorted[i] = list[place]
	}
	return sorted, nil
}

func bestBy(c *call, better func(order int) bool) (any, error) {
	list := c.list(0)
	switch len(list) {
	case 0:
		return nil, nil
	case 1:
		return list[0], nil
	}
	results, order, err := ranked(c)
	if err != nil {
		return nil, err
	}
	top := 0
	for i := range list {
		if better(order(results[i], results[top])) {
			top = i
		}
	}
	return list[top], nil
}
