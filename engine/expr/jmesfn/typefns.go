package jmesfn

// typeFunctions tell about a value as a whole.
var typeFunctions = []function{
	{Spec: Spec{
		Name: "type", Args: []Arg{arg("value", Any)}, Returns: String, Standard: true,
		Doc:      "Names the kind of a value: null, boolean, number, string, array or object.",
		Examples: []Example{{Expr: "type(`[]`)", Result: `"array"`}},
	}, impl: func(c *call) (any, error) {
		return typeOf(c.args[0]).String(), nil
	}},
	{Spec: Spec{
		Name: "not_null", Args: []Arg{arg("value", Any)}, MaxArgs: Unbounded, Returns: Any, Standard: true,
		Doc:      "Gives the first argument that is not null; null when all are.",
		Examples: []Example{{Expr: "not_null(`null`, 'a', 'b')", Result: `"a"`}},
	}, impl: func(c *call) (any, error) {
		for _, v := range c.args {
			if v != nil {
				return v, nil
			}
		}
		return nil, nil
	}},
}
