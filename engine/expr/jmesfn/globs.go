package jmesfn

import "github.com/holdfast-io/holdfast/engine/glob"

// globFunctions match with the policy language's wildcards.
var globFunctions = []function{
	{Spec: Spec{
		Name: "pattern_match", Args: []Arg{globArg(), arg("text", String|Number)}, Returns: Boolean,
		Doc:      "Tells whether a wildcard pattern matches the whole of a string or number: * stands for any characters or none, ? for exactly one.",
		Examples: []Example{{Expr: "pattern_match('app-*', 'app-1')", Result: "true"}},
	}, impl: func(c *call) (any, error) {
		pattern, text := c.args[0].(wildcard), c.text(1)
		// A pattern of stars and letters costs their product in the worst case.
		if len(pattern.String()) > MaxPattern && len(text) > MaxPattern {
			return nil, c.errorf("a pattern and a text of more than %d bytes each: %w", MaxPattern, ErrTooLarge)
		}
		return pattern.Match(text), nil
	}},
}

type wildcard struct{ glob.Glob }

func (wildcard) isPrepared() {}

func globArg() Arg {
	return Arg{Name: "pattern", Type: String, compile: func(text string) (prepared, error) {
		return wildcard{glob.Compile(text)}, nil
	}}
}
