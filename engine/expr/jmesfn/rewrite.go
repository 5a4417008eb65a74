package jmesfn

import (
	"errors"

	"github.com/kyverno/go-jmespath"
)

// The library's interpreter does three things that Prepare puts right, by rewriting the expression:
//   - it walks an object projection in the order of the Go map;
//   - it flattens lists without bound, so that [@,@][]|[@,@][]|... doubles at each step;
//   - it takes any error on the left of a flattening, filter or object projection for null. Policies rely on
//     that for missing keys and wrong kinds, so those stay null; but a bound that was reached must not.

// SortedValues is the name of a function that no author can write: it takes one argument and gives the values
// of an object in the order of their keys, or null for anything else. Prepare projects over it.
const SortedValues = "\x00values"

const (
	boundedFlatten = "\x00flatten"
	nullOnError    = "\x00try"
)

// rewrite replaces one node whose children are rewritten already.
func rewrite(node jmespath.ASTNode) jmespath.ASTNode {
	switch node.NodeType {
	case jmespath.ASTFlatten:
		return hidden(boundedFlatten, guard(node.Children[0]))
	case jmespath.ASTValueProjection:
		node.NodeType = jmespath.ASTProjection
		node.Children[0] = hidden(SortedValues, guard(node.Children[0]))
	case jmespath.ASTFilterProjection:
		left := node.Children[0]
		if !canFail(left) {
			break
		}
		node.Children[0] = jmespath.ASTNode{NodeType: jmespath.ASTIdentity}
		return jmespath.ASTNode{NodeType: jmespath.ASTPipe, Children: []jmespath.ASTNode{guard(left), node}}
	}
	return node
}

func hidden(name string, args ...jmespath.ASTNode) jmespath.ASTNode {
	return jmespath.ASTNode{NodeType: jmespath.ASTFunctionExpression, Value: name, Children: args}
}

// guard makes an expression null where it fails, other than by reaching a bound. A missing key needs no guard:
// the interpreter hands null to functions and along pipes.
func guard(node jmespath.ASTNode) jmespath.ASTNode {
	if !canFail(node) {
		return node
	}
	return hidden(nullOnError,
		jmespath.ASTNode{NodeType: jmespath.ASTExpRef, Children: []jmespath.ASTNode{node}},
		jmespath.ASTNode{NodeType: jmespath.ASTCurrentNode})
}

// canFail is true for an expression that calls a function of the language or cuts a slice (whose step may
// be zero).
func canFail(node jmespath.ASTNode) bool {
	switch node.NodeType {
	case jmespath.ASTSlice:
		return true
	case jmespath.ASTFunctionExpression:
		if node.Value != SortedValues {
			return true
		}
	}
	for _, child := range node.Children {
		if canFail(child) {
			return true
		}
	}
	return false
}

// hiddenFunctions are what rewrite calls.
var hiddenFunctions = []function{
	{Spec: Spec{
		Name: SortedValues, Args: []Arg{arg("value", Any)}, Returns: Array | Null,
		Doc: "The values of an object, in the order of their keys; null for anything else.",
	}, impl: func(c *call) (any, error) {
		object, ok := c.args[0].(map[string]any)
		if !ok {
			return nil, nil
		}
		return sortedValues(object), nil
	}},
	{Spec: Spec{
		Name: boundedFlatten, Args: []Arg{arg("value", Any)}, Returns: Array | Null,
		Doc: "A list with the elements of its elements that are lists; null for anything else.",
	}, impl: flatten},
	{Spec: Spec{
		Name: nullOnError, Args: []Arg{arg("expression", Expression), arg("value", Any)}, Returns: Any,
		Doc: "The result of an expression on a value; null where it fails, other than by reaching a bound.",
	}, impl: func(c *call) (any, error) {
		results, err := c.rt.each(c.args[0], []any{c.args[1]})
		switch {
		case errors.Is(err, ErrTooLarge):
			return nil, err
		case err != nil:
			return nil, nil
		}
		return results[0], nil
	}},
}

func flatten(c *call) (any, error) {
	list, ok := c.args[0].([]any)
	if !ok {
		return nil, nil
	}
	count := 0
	for _, item := range list {
		if inner, ok := item.([]any); ok {
			count += len(inner)
		} else {
			count++
		}
	}
	if err := checkItems(count); err != nil {
		return nil, err
	}
	flat := make([]any, 0, count)
	for _, item := range list {
		if inner, ok := item.([]any); ok {
			flat = append(flat, inner...)
		} else {
			flat = append(flat, item)
		}
	}
	return flat, nil
}
