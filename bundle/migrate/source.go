package migrate

import (
	"fmt"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
)

// reader finds out what CEL expressions say of an object.
type reader struct {
	env       *cel.Env
	object    *shape
	variables map[string][]*shape
	constants map[string][]any // of variables that are nothing else
	bound     map[string][]*shape
}

func newReader() (*reader, error) {
	// macros stay calls, so that a loop can be seen as it is written
	env, err := cel.NewCustomEnv(cel.OptionalTypes(), cel.ClearMacros())
	if err != nil {
		return nil, fmt.Errorf("making the parser of CEL: %w", err)
	}
	return &reader{env: env, object: &shape{}, variables: map[string][]*shape{}, constants: map[string][]any{}, bound: map[string][]*shape{}}, nil
}

// read takes up an expression, and gives what its value is made of.
func (r *reader) read(expression string) []*shape {
	parsed, issues := r.env.Parse(expression)
	if issues != nil && issues.Err() != nil {
		return nil // whoever compiles it says what is wrong
	}
	return r.of(parsed.NativeRep().Expr())
}

// declare takes up a variable.
func (r *reader) declare(name, expression string) {
	r.variables[name] = r.read(expression)
	if parsed, issues := r.env.Parse(expression); issues == nil || issues.Err() == nil {
		r.constants[name] = r.constantsOf(parsed.NativeRep().Expr())
	}
}

func (r *reader) of(e ast.Expr) []*shape {
	switch e.Kind() {
	case ast.IdentKind:
		if name := e.AsIdent(); name == "object" || name == "oldObject" {
			return []*shape{r.object}
		}
		return r.bound[e.AsIdent()]
	case ast.SelectKind:
		s := e.AsSelect()
		if o := s.Operand(); o.Kind() == ast.IdentKind && o.AsIdent() == "variables" {
			return r.variables[s.FieldName()]
		}
		return children(r.of(s.Operand()), s.FieldName())
	case ast.ListKind:
		var out []*shape
		for _, item := range e.AsList().Elements() {
			for _, s := range r.of(item) {
				out = append(out, &shape{element: s})
			}
		}
		return out
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			r.of(entry.AsMapEntry().Key())
			r.of(entry.AsMapEntry().Value())
		}
	case ast.CallKind:
		return r.call(e.AsCall())
	}
	return nil
}

func children(of []*shape, name string) []*shape {
	out := make([]*shape, len(of))
	for i, s := range of {
		out[i] = s.child(name)
	}
	return out
}

func elements(of []*shape) []*shape {
	out := make([]*shape, len(of))
	for i, s := range of {
		out[i] = s.each()
	}
	return out
}

func (r *reader) call(c ast.CallExpr) []*shape {
	args := c.Args()
	name := c.FunctionName()
	switch name {
	case "has":
		return r.of(args[0])
	case operators.OptSelect, operators.Index, operators.OptIndex:
		of := r.of(args[0])
		if key, ok := literalOf(args[1]).(string); ok {
			return children(of, key)
		}
		r.of(args[1])
		return elements(of)
	case operators.Conditional:
		r.of(args[0])
		return append(r.of(args[1]), r.of(args[2])...)
	}
	if c.IsMemberFunction() {
		if out, ok := r.loop(c); ok {
			return out
		}
		args = append([]ast.Expr{c.Target()}, args...)
	}
	if key, ok := literalOf(args[0]).(string); ok && name == operators.In && len(args) == 2 {
		of := r.of(args[1])
		for _, s := range of {
			s.take(key)
			s.each().take(key)
			s.child(key)
		}
		return of
	}
	if name == "bind" && len(args) == 4 { // cel.bind(name, value, body)
		defer r.bind(args[1], r.of(args[2]))()
		return r.of(args[3])
	}
	var shapes []*shape
	var constants []any
	for _, arg := range args {
		shapes = append(shapes, r.of(arg)...)
		constants = append(constants, r.constantsOf(arg)...)
	}
	for _, s := range shapes {
		s.take(constants...)
		if s.element != nil && len(s.fields) == 0 {
			s.element.take(constants...)
		}
	}
	return shapes
}

// loop reads list.all(name, body) and its like.
func (r *reader) loop(c ast.CallExpr) ([]*shape, bool) {
	args := c.Args()
	over := r.of(c.Target())
	switch c.FunctionName() {
	case "all", "exists", "exists_one", "existsOne", "filter", "map":
		if len(args) < 2 {
			return nil, false
		}
		defer r.bind(args[0], elements(over))()
		var body []*shape
		for _, arg := range args[1:] {
			body = r.of(arg)
		}
		switch c.FunctionName() {
		case "filter":
			return over, true
		case "map":
			var out []*shape
			for _, s := range body {
				out = append(out, &shape{element: s})
			}
			return out, true
		}
		return nil, true
	case "optMap", "optFlatMap":
		if len(args) != 2 {
			return nil, false
		}
		defer r.bind(args[0], over)()
		return r.of(args[1]), true
	case "orValue", "or":
		return append(over, r.of(args[0])...), true
	}
	return nil, false
}

func (r *reader) bind(name ast.Expr, to []*shape) (restore func()) {
	key := name.AsIdent()
	before := r.bound[key]
	r.bound[key] = to
	return func() { r.bound[key] = before }
}

func literalOf(e ast.Expr) any {
	if e.Kind() != ast.LiteralKind {
		return nil
	}
	return jsonOf(e.AsLiteral())
}

func jsonOf(v ref.Val) any {
	switch v := v.(type) {
	case types.String:
		return string(v)
	case types.Bool:
		return bool(v)
	case types.Int:
		return float64(v)
	case types.Double:
		return float64(v)
	default:
		return nil
	}
}

// constantsOf lists the constants of an argument: itself, or the items of a list.
func (r *reader) constantsOf(e ast.Expr) []any {
	if e.Kind() == ast.SelectKind {
		if o := e.AsSelect().Operand(); o.Kind() == ast.IdentKind && o.AsIdent() == "variables" {
			return r.constants[e.AsSelect().FieldName()]
		}
	}
	if v := literalOf(e); v != nil {
		if text, ok := v.(string); ok && strings.ContainsAny(text, `^$()[]\+`) {
			return []any{text, plainText(text)} // a regular expression
		}
		return []any{v}
	}
	if e.Kind() != ast.ListKind {
		return nil
	}
	var out []any
	for _, item := range e.AsList().Elements() {
		if v := literalOf(item); v != nil {
			out = append(out, v)
		}
	}
	return out
}

// plainText is what is left of a regular expression without its signs: often something that it matches.
func plainText(s string) string {
	return strings.NewReplacer("^", "", "$", "", "(", "", ")", "", "[", "", "]", "", `\`, "", "+", "", ".*", "x").Replace(s)
}
