package migrate

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/parser"
	corev1 "k8s.io/api/core/v1"
)

// In a ClusterPolicy an expression without a result, such as one that reads an absent field, is a failure; in a CEL policy it
// is an error. totaler rewrites expressions so that what has no result is false, by asking for each field before it is
// read, unless it is sure to be there or the expression has asked already.
type totaler struct {
	reader    *reader // for its parser
	types     map[string]*fieldType
	variables map[string]ast.Expr
	given     []string // fields of the request that every request has
	facts     []string // fields that are known to be there
	changed   bool
	err       error
}

func newTotaler(s *selection) (*totaler, error) {
	r, err := newReader()
	if err != nil {
		return nil, err
	}
	out := &totaler{
		reader: r, types: map[string]*fieldType{"object": s.typ, "oldObject": s.typ}, variables: map[string]ast.Expr{},
		given: []string{"operation", "name", "kind", "resource", "dryRun"},
	}
	if !slices.ContainsFunc(s.target, func(t targetKind) bool { return !t.namespaced || t.custom() }) {
		out.given = append(out.given, "namespace")
		out.types["namespaceObject"] = objectType(reflect.TypeFor[corev1.Namespace]())
	}
	return out, nil
}

// declare takes up a variable of the policy.
func (t *totaler) declare(name, source string) error {
	e, err := t.parse(source)
	t.variables[name] = e
	return err
}

func (t *totaler) parse(source string) (ast.Expr, error) {
	parsed, issues := t.reader.env.Parse(source)
	if issues != nil && issues.Err() != nil {
		return nil, refuse("the expression cannot be read: %v", issues.Err())
	}
	return parsed.NativeRep().Expr(), nil
}

// total gives the expression that is true where the source is, and false where that is false or has no result. It is the
// source itself where that always has a result.
func (t *totaler) total(source string) (expression, error) {
	e, err := t.parse(source)
	if err != nil {
		return expression{}, err
	}
	t.changed, t.facts, t.err = false, nil, nil
	out := t.truth(e, true)
	if t.err != nil {
		return expression{}, t.err
	}
	if !t.changed {
		return is(source), nil
	}
	return out, nil
}

// refuted gives the expression that is true where the source is false.
func (t *totaler) refuted(source string) (test expression, changed bool, err error) {
	e, err := t.parse(source)
	if err != nil {
		return expression{}, false, err
	}
	t.changed, t.facts, t.err = false, nil, nil
	out := t.truth(e, false)
	return out, t.changed, t.err
}

func (t *totaler) give(reason string, args ...any) expression {
	if t.err == nil {
		t.err = refuse(reason, args...)
	}
	return expression{op: never}
}

// guard is something that must hold for an expression to have a result.
func (t *totaler) guard(e expression) expression {
	t.changed = true
	return e
}

// with evaluates below facts that hold there.
func (t *totaler) with(facts []string, below func() expression) expression {
	before := t.facts
	t.facts = slices.Concat(t.facts, facts)
	defer func() { t.facts = before }()
	return below()
}

// truth is true where the expression gives what is wanted, and false otherwise.
func (t *totaler) truth(e ast.Expr, wanted bool) expression {
	if e.Kind() == ast.LiteralKind {
		if value, ok := literalOf(e).(bool); ok && value == wanted {
			return expression{op: always}
		}
		return expression{op: never}
	}
	if e.Kind() != ast.CallKind {
		return and(t.defined(e), t.flag(e, wanted))
	}
	c := e.AsCall()
	args := c.Args()
	switch c.FunctionName() {
	case operators.LogicalNot:
		return t.truth(args[0], !wanted)
	case operators.LogicalAnd, operators.LogicalOr:
		first := t.truth(args[0], wanted)
		both := (c.FunctionName() == operators.LogicalAnd) == wanted
		second := t.with(t.learned(args[0], both == wanted, both), func() expression { return t.truth(args[1], wanted) })
		if both {
			return and(first, second)
		}
		return or(first, second)
	case operators.Conditional:
		yes := t.with(t.learned(args[0], true, true), func() expression { return t.truth(args[1], wanted) })
		no := t.with(t.learned(args[0], false, true), func() expression { return t.truth(args[2], wanted) })
		return or(and(t.truth(args[0], true), yes), and(t.truth(args[0], false), no))
	case "has":
		// the parent must be there; what is no object has no fields
		test := is("has(" + t.text(args[0]) + ")")
		guard := t.defined(args[0].AsSelect().Operand())
		if t.typeOf(args[0].AsSelect().Operand()) == nil {
			guard = and(guard, t.guard(compare("type("+t.text(args[0].AsSelect().Operand())+")", "!=", "list")))
		}
		if !wanted {
			test = not(test)
		}
		return and(guard, test)
	}
	if c.IsMemberFunction() && len(args) == 2 && args[0].Kind() == ast.IdentKind {
		name := args[0].AsIdent()
		switch c.FunctionName() {
		case "all", "exists":
			macro := "all"
			if (c.FunctionName() == "all") != wanted {
				macro = "exists"
			}
			restore := t.bind(name, t.elementOf(c.Target()))
			body := t.truth(args[1], wanted)
			restore()
			return and(t.walkable(c.Target()), is(t.receiver(c.Target())+"."+macro+"("+name+", "+body.String()+")"))
		}
	}
	return and(t.defined(e), t.flag(e, wanted))
}

// flag compares a value with a boolean.
func (t *totaler) flag(e ast.Expr, wanted bool) expression {
	text := t.text(e)
	boolean := e.Kind() == ast.CallKind
	if typ := t.typeOf(e); typ != nil && typ.form == flagForm {
		boolean = true
	}
	if !boolean {
		return t.guard(compare(text, "==", fmt.Sprint(wanted)))
	}
	test := is(text)
	if e.Kind() == ast.CallKind && !e.AsCall().IsMemberFunction() && isOperator(e.AsCall().FunctionName()) {
		test = expression{op: relation, text: text}
	}
	if !wanted {
		return not(test)
	}
	return test
}

func isOperator(name string) bool {
	_, found := operators.FindReverse(name)
	return found && name != operators.Index && name != operators.OptIndex && name != operators.OptSelect
}

// learned lists the fields that are there where the expression gives the answer; or, if that is not sure, where it gives the
// other one or has no result.
func (t *totaler) learned(e ast.Expr, answer, sure bool) []string {
	if e.Kind() != ast.CallKind {
		return nil
	}
	c := e.AsCall()
	args := c.Args()
	switch c.FunctionName() {
	case operators.LogicalNot:
		return t.learned(args[0], !answer, sure)
	case operators.LogicalAnd:
		if answer {
			return append(t.learned(args[0], true, sure), t.learned(args[1], true, sure)...)
		}
	case operators.LogicalOr:
		if !answer {
			return append(t.learned(args[0], false, sure), t.learned(args[1], false, sure)...)
		}
	case "has":
		if answer && (sure || t.surely(args[0].AsSelect().Operand())) {
			return t.fieldsOf(args[0])
		}
	}
	return nil
}

// surely reports whether the expression has a result, whatever the object is.
func (t *totaler) surely(e ast.Expr) bool {
	changed, err := t.changed, t.err
	defer func() { t.changed, t.err = changed, err }()
	return t.defined(e).op == always && (t.err == nil) == (err == nil)
}

// fieldsOf lists a field and those that it is below.
func (t *totaler) fieldsOf(e ast.Expr) []string {
	if e.Kind() != ast.SelectKind {
		return nil
	}
	return append(t.fieldsOf(e.AsSelect().Operand()), t.text(e))
}

// defined is true where the expression has a result.
func (t *totaler) defined(e ast.Expr) expression {
	switch e.Kind() {
	case ast.SelectKind:
		return t.definedField(e)
	case ast.ListKind:
		var all []expression
		for _, item := range e.AsList().Elements() {
			all = append(all, t.defined(item))
		}
		return and(all...)
	case ast.CallKind:
		return t.definedCall(e)
	case ast.IdentKind, ast.LiteralKind:
		return expression{op: always}
	default:
		return t.give("an expression that makes a map or an object")
	}
}

func (t *totaler) definedField(e ast.Expr) expression {
	s := e.AsSelect()
	o := s.Operand()
	if o.Kind() == ast.IdentKind {
		switch o.AsIdent() {
		case "variables":
			if v := t.variables[s.FieldName()]; v != nil {
				return t.defined(v)
			}
			return t.give("the variable %s is not known", s.FieldName())
		case "request", "params":
			if slices.Contains(t.given, s.FieldName()) {
				return expression{op: always}
			}
			return t.give("the field %s of %s, which may be absent", s.FieldName(), o.AsIdent())
		case "namespaceObject":
			if t.types["namespaceObject"] == nil {
				return t.give("the namespace of objects that may be in none")
			}
		}
	}
	parent := t.typeOf(o)
	if slices.Contains(t.facts, t.text(e)) || parent.field(s.FieldName()).always() {
		return t.defined(o)
	}
	test := is("has(" + t.text(e) + ")")
	if parent == nil {
		test = and(compare("type("+t.text(o)+")", "==", "map"), test)
	}
	return and(t.defined(o), t.guard(test))
}

// totals are functions that have a result for each argument of the right type.
var totals = [...]string{
	operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals, operators.In,
	operators.OldIn, operators.Add, "size", "startsWith", "endsWith", "contains", "lowerAscii", "upperAscii", "trim", "split", "replace", "matches",
	"string", "isQuantity", "isURL", "isSemver", "isIP", "isCIDR", "flatten", "distinct", "type", "dyn", "bool",
}

func (t *totaler) definedCall(e ast.Expr) expression {
	c := e.AsCall()
	args := c.Args()
	name := c.FunctionName()
	switch name {
	case operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot, "has":
		return or(t.truth(e, true), t.truth(e, false))
	case operators.Conditional:
		yes := t.with(t.learned(args[0], true, true), func() expression { return t.defined(args[1]) })
		no := t.with(t.learned(args[0], false, true), func() expression { return t.defined(args[2]) })
		if yes.op == always && no.op == always {
			return or(t.truth(args[0], true), t.truth(args[0], false))
		}
		return or(and(t.truth(args[0], true), yes), and(t.truth(args[0], false), no))
	case operators.OptSelect, operators.OptIndex:
		guard := t.defined(args[0])
		if t.typeOf(args[0]) == nil {
			value := t.text(args[0])
			if isOptional(args[0]) {
				value += ".orValue(null)"
			}
			guard = and(guard, t.guard(compare("type("+value+")", "!=", "list")))
		}
		return guard
	case operators.Index:
		return t.definedIndex(e)
	case "orValue":
		return t.defined(c.Target())
	case "hasValue":
		return t.defined(c.Target())
	}
	if c.IsMemberFunction() {
		switch name {
		case "all", "exists":
			return or(t.truth(e, true), t.truth(e, false))
		case "filter", "map", "exists_one":
			return t.definedLoop(c)
		}
		args = append([]ast.Expr{c.Target()}, args...)
	}
	if !slices.Contains(totals[:], name) {
		return t.give("the function %s may have no result", name)
	}
	var all []expression
	for i, arg := range args {
		all = append(all, t.defined(arg), t.suits(arg, name, i))
	}
	return and(all...)
}

// suits asks that an argument of unknown type be of one that the function takes.
func (t *totaler) suits(arg ast.Expr, function string, position int) expression {
	typ := t.typeOf(arg)
	ok := func(forms ...form) bool { return typ != nil && slices.Contains(forms, typ.form) }
	var need string
	switch function {
	case operators.Equals, operators.NotEquals, "type", "dyn":
		return expression{op: always}
	case operators.In, operators.OldIn:
		if position == 0 || ok(listForm, objectForm) {
			return expression{op: always}
		}
		need = "[list, map]"
	case "size":
		if ok(textForm, listForm, objectForm) {
			return expression{op: always}
		}
		need = "[string, list, map]"
	case operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		if ok(numberForm) {
			return expression{op: always}
		}
		if typ != nil {
			return t.give("an order of values that are no numbers")
		}
		need = "[int, double]"
	case operators.Add:
		if ok(listForm) || ok(textForm) {
			return expression{op: always}
		}
		return t.give("a sum of values of unknown type")
	case "string", "bool":
		if function == "string" && ok(textForm, numberForm, flagForm, quantityForm, numberOrTextForm) {
			return expression{op: always}
		}
		if function == "bool" {
			return t.give("a text read as a boolean")
		}
		need = "[string, int, double, bool]"
	case "flatten", "distinct":
		if ok(listForm) {
			return expression{op: always}
		}
		need = "[list]"
	default: // of text
		if ok(textForm) {
			return expression{op: always}
		}
		if ok(quantityForm, numberOrTextForm) || typ == nil {
			need = "[string]"
			break
		}
		return t.give("the function %s of what is no text", function)
	}
	return t.guard(compare("type("+t.text(arg)+")", "in", need))
}

func (t *totaler) definedIndex(e ast.Expr) expression {
	of, index := e.AsCall().Args()[0], e.AsCall().Args()[1]
	switch key := literalOf(index).(type) {
	case string:
		guard := t.defined(of)
		if t.typeOf(of) == nil {
			guard = and(guard, t.guard(compare("type("+t.text(of)+")", "==", "map")))
		}
		return and(guard, t.guard(compare(quote(key), "in", t.text(of))))
	case float64:
		guard := t.defined(of)
		if t.typeOf(of) == nil {
			guard = and(guard, t.guard(compare("type("+t.text(of)+")", "==", "list")))
		}
		return and(guard, t.guard(compare("size("+t.text(of)+")", ">", literal(key))))
	default:
		typ := t.typeOf(of)
		if typ == nil || typ.form != objectForm {
			return t.give("an index that is known only at evaluation")
		}
		return and(t.defined(of), t.defined(index), t.guard(compare(t.text(index), "in", t.text(of))))
	}
}

func (t *totaler) definedLoop(c ast.CallExpr) expression {
	args := c.Args()
	if args[0].Kind() != ast.IdentKind || len(args) != 2 {
		return t.give("the macro %s with a filter", c.FunctionName())
	}
	name := args[0].AsIdent()
	restore := t.bind(name, t.elementOf(c.Target()))
	defer restore()
	body := t.defined(args[1])
	if c.FunctionName() != "map" {
		body = or(t.truth(args[1], true), t.truth(args[1], false))
		if isTrivial(body) {
			body = expression{op: always}
		}
	}
	guard := t.walkable(c.Target())
	if body.op == always {
		return guard
	}
	return and(guard, is(t.receiver(c.Target())+".all("+name+", "+body.String()+")"))
}

// isTrivial reports whether the expression says that something is true or not.
func isTrivial(e expression) bool {
	return e.op == disjunction && len(e.args) == 2 && (not(e.args[0]).same(e.args[1]) || not(e.args[1]).same(e.args[0]))
}

// walkable is true where the value is there and can be walked.
func (t *totaler) walkable(e ast.Expr) expression {
	guard := t.defined(e)
	if typ := t.typeOf(e); typ == nil {
		guard = and(guard, t.guard(compare("type("+t.text(e)+")", "in", "[list, map]")))
	} else if typ.form != listForm && typ.form != objectForm {
		return t.give("a walk over what is no list")
	}
	return guard
}

func (t *totaler) bind(name string, typ *fieldType) (restore func()) {
	before, had := t.types[name]
	t.types[name] = typ
	return func() {
		delete(t.types, name)
		if had {
			t.types[name] = before
		}
	}
}

func isOptional(e ast.Expr) bool {
	return e.Kind() == ast.CallKind && (e.AsCall().FunctionName() == operators.OptSelect || e.AsCall().FunctionName() == operators.OptIndex)
}

// text writes the expression.
func (t *totaler) text(e ast.Expr) string {
	text, err := parser.Unparse(e, ast.NewSourceInfo(nil))
	if err != nil {
		t.err = refuse("the expression cannot be written: %v", err)
	}
	return text
}

// receiver writes the expression in front of a dot.
func (t *totaler) receiver(e ast.Expr) string {
	text := t.text(e)
	if e.Kind() == ast.CallKind && !e.AsCall().IsMemberFunction() && isOperator(e.AsCall().FunctionName()) {
		return "(" + text + ")"
	}
	return text
}
