package jmesfn

import (
	"reflect"
	"strings"

	"github.com/kyverno/go-jmespath"
)

// Type is a set of the kinds of value that an argument may have.
type Type uint8

// The kinds of JSON value, and the expression reference (&name) that sort_by and its like take.
const (
	Null Type = 1 << iota
	Boolean
	Number
	String
	Array
	Object
	Expression

	// Any is every JSON value. An expression reference is none.
	Any = Null | Boolean | Number | String | Array | Object
)

// names is in the order of the constants.
var names = [...]string{"null", "boolean", "number", "string", "array", "object", "expression"}

// String gives the names of the kinds, joined by "or": "string or number" is String|Number.
func (t Type) String() string {
	switch t {
	case 0:
		return "nothing"
	case Any:
		return "any value"
	}
	var set []string
	for i, name := range names {
		if t&(1<<i) != 0 {
			set = append(set, name)
		}
	}
	return strings.Join(set, " or ")
}

// article gives the kinds as they stand in a sentence: "a string or a number".
func (t Type) article() string {
	if t == Any {
		return "any value"
	}
	var set []string
	for i, name := range names {
		switch {
		case t&(1<<i) == 0:
		case Type(1<<i) == Null:
			set = append(set, name)
		case strings.ContainsRune("aeo", rune(name[0])):
			set = append(set, "an "+name)
		default:
			set = append(set, "a "+name)
		}
	}
	return strings.Join(set, " or ")
}

// typeOf tells which kind a value is, or 0 when it is no JSON value.
func typeOf(v any) Type {
	switch v.(type) {
	case nil:
		return Null
	case bool:
		return Boolean
	case float64, int, int64:
		return Number
	case string, prepared:
		return String
	case []any:
		return Array
	case map[string]any:
		return Object
	}
	if reflect.TypeOf(v) == expressionType {
		return Expression
	}
	return 0
}

// expressionType is the library's type of an expression reference, which it keeps to itself. It is read only.
var expressionType = reflect.TypeOf(evaluate(jmespath.ASTNode{
	NodeType: jmespath.ASTExpRef,
	Children: []jmespath.ASTNode{{NodeType: jmespath.ASTCurrentNode}},
}))

func evaluate(node jmespath.ASTNode) any {
	v, err := jmespath.NewInterpreter().Execute(node, nil)
	if err != nil {
		return nil // nothing is an expression then, and the functions that take one say so
	}
	return v
}
