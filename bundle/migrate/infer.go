package migrate

import (
	"slices"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
)

// requestTexts are the fields of a request that are texts.
var requestTexts = [...]string{"name", "namespace", "operation"}

// typeOf says of what type an expression is, as far as the types of Kubernetes' kinds tell; nil where they do not.
func (t *totaler) typeOf(e ast.Expr) *fieldType {
	switch e.Kind() {
	case ast.IdentKind:
		return t.types[e.AsIdent()]
	case ast.LiteralKind:
		switch literalOf(e).(type) {
		case string:
			return &fieldType{form: textForm}
		case bool:
			return &fieldType{form: flagForm}
		case float64:
			return &fieldType{form: numberForm}
		}
	case ast.SelectKind:
		s := e.AsSelect()
		if o := s.Operand(); o.Kind() == ast.IdentKind && o.AsIdent() == "request" && slices.Contains(requestTexts[:], s.FieldName()) {
			return &fieldType{form: textForm}
		}
		if o := s.Operand(); o.Kind() == ast.IdentKind && o.AsIdent() == "variables" {
			if v := t.variables[s.FieldName()]; v != nil {
				return t.typeOf(v)
			}
			return nil
		}
		return t.typeOf(s.Operand()).field(s.FieldName())
	case ast.ListKind:
		var elements []*fieldType
		for _, item := range e.AsList().Elements() {
			elements = append(elements, t.typeOf(item))
		}
		if len(elements) == 0 {
			return &fieldType{form: listForm}
		}
		return &fieldType{form: listForm, element: anyOfTypes(elements)}
	case ast.CallKind:
		return t.typeOfCall(e.AsCall())
	}
	return nil
}

func (t *totaler) typeOfCall(c ast.CallExpr) *fieldType {
	args := c.Args()
	switch c.FunctionName() {
	case operators.OptSelect, operators.OptIndex, operators.Index:
		parent := t.typeOf(args[0])
		if key, ok := literalOf(args[1]).(string); ok {
			return parent.field(key)
		}
		if parent != nil {
			return parent.element
		}
	case operators.Conditional:
		return t.common(args[1], args[2])
	case operators.Add:
		return t.common(args[0], args[1])
	case "orValue":
		return t.common(c.Target(), args[0])
	case "filter", "distinct":
		if c.IsMemberFunction() {
			return t.typeOf(c.Target())
		}
	case "map":
		if c.IsMemberFunction() && len(args) == 2 && args[0].Kind() == ast.IdentKind {
			defer t.bind(args[0].AsIdent(), t.elementOf(c.Target()))()
			return &fieldType{form: listForm, element: t.typeOf(args[1])}
		}
	case "size":
		return &fieldType{form: numberForm}
	case "string", "lowerAscii", "upperAscii", "trim", "replace":
		return &fieldType{form: textForm}
	case "split":
		return &fieldType{form: listForm, element: &fieldType{form: textForm}}
	case "has", "startsWith", "endsWith", "contains", "matches", "all", "exists", "exists_one", "hasValue", "isQuantity",
		operators.Equals, operators.NotEquals, operators.In, operators.LogicalAnd, operators.LogicalNot, operators.LogicalOr,
		operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		return &fieldType{form: flagForm}
	}
	return nil
}

// common is the type of what is one or the other; an empty list is of any element's type.
func (t *totaler) common(a, b ast.Expr) *fieldType {
	first, second := t.typeOf(a), t.typeOf(b)
	for _, pair := range [...][2]*fieldType{{first, second}, {second, first}} {
		if one, other := pair[0], pair[1]; one != nil && other != nil && one.form == listForm && one.element == nil && other.form == listForm {
			return other
		}
	}
	if first == nil || second == nil {
		return nil
	}
	return anyOfTypes([]*fieldType{first, second})
}

// elementOf is the type of what a loop walks over: the elements of a list, or the keys of an object.
func (t *totaler) elementOf(e ast.Expr) *fieldType {
	typ := t.typeOf(e)
	switch {
	case typ == nil:
		return nil
	case typ.form == objectForm:
		return &fieldType{form: textForm}
	default:
		return typ.element
	}
}
