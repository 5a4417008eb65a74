package cel

import (
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
)

// maxNesting is how many times the same value may stand in a made one. [[x, x], [x, x]] has it four times, in the room of
// one; to compare it with another or to print it takes the time and the room of all. Each step of such a chain doubles
// that, at no cost that is counted, so it is bounded before anything is evaluated. Policies have a value a few times.
const maxNesting = 1000

// nesting bounds how many times an expression's value holds any one value from outside, and how many times the values do
// that are made on the way there. Variables are what earlier expressions have.
func nesting(a *ast.AST, variables map[string]int) (result, most int) {
	n := nester{types: a, variables: variables, bound: map[string]int{}}
	result = n.of(a.Expr())
	return result, n.most
}

type nester struct {
	types     *ast.AST
	variables map[string]int
	bound     map[string]int // of the loops around the place in hand
	most      int
}

func (n *nester) of(e ast.Expr) int {
	inside := n.inside(e)
	switch n.types.GetType(e.ID()).Kind() {
	case types.BoolKind, types.IntKind, types.UintKind, types.DoubleKind, types.StringKind, types.BytesKind, types.DurationKind, types.TimestampKind, types.NullTypeKind:
		return 1 // holds nothing, and the size of a text is paid for
	}
	inside = min(inside, maxNesting+1)
	n.most = max(n.most, inside)
	return inside
}

func (n *nester) inside(e ast.Expr) int {
	switch e.Kind() {
	case ast.IdentKind:
		if times, ok := n.bound[e.AsIdent()]; ok {
			return times
		}
	case ast.SelectKind:
		s := e.AsSelect()
		if o := s.Operand(); o.Kind() == ast.IdentKind && o.AsIdent() == varVariables {
			return max(1, n.variables[s.FieldName()])
		}
		return n.of(s.Operand())
	case ast.ListKind:
		return n.sum(e.AsList().Elements())
	case ast.MapKind:
		total := 1
		for _, entry := range e.AsMap().Entries() {
			total = n.add(total, n.of(entry.AsMapEntry().Value()))
		}
		return total
	case ast.StructKind:
		total := 1
		for _, field := range e.AsStruct().Fields() {
			total = n.add(total, n.of(field.AsStructField().Value()))
		}
		return total
	case ast.CallKind:
		return n.call(e.AsCall())
	case ast.ComprehensionKind:
		return n.loop(e.AsComprehension())
	}
	return 1
}

func (n *nester) add(a, b int) int { return min(a+b, maxNesting+1) }

func (n *nester) sum(parts []ast.Expr) int {
	total := 0
	for _, part := range parts {
		total = n.add(total, n.of(part))
	}
	return max(1, total)
}

// call adds what the arguments hold, except where only one of them is the answer.
func (n *nester) call(c ast.CallExpr) int {
	args := c.Args()
	if c.IsMemberFunction() {
		args = append([]ast.Expr{c.Target()}, args...)
	}
	switch c.FunctionName() {
	case operators.Index, operators.OptIndex, operators.OptSelect:
		return n.of(args[0])
	case operators.Conditional, orValueFunction, "or", "orValue":
		most := 1
		for _, arg := range args {
			most = max(most, n.of(arg))
		}
		return most
	}
	return n.sum(args)
}

func (n *nester) loop(c ast.ComprehensionExpr) int {
	within := n.of(c.IterRange())
	start := n.of(c.AccuInit())
	defer n.bind(c.AccuVar(), start)()
	defer n.bind(c.IterVar(), within)()
	defer n.bind(c.IterVar2(), within)()
	return max(n.of(c.LoopStep()), n.of(c.Result()), start)
}

func (n *nester) bind(name string, times int) (restore func()) {
	before, had := n.bound[name]
	n.bound[name] = times
	return func() {
		delete(n.bound, name)
		if had {
			n.bound[name] = before
		}
	}
}
