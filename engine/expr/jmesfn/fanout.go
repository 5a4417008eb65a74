package jmesfn

import (
	"fmt"

	"github.com/kyverno/go-jmespath"
)

// fanout counts how often one part of the document can stand in the result of an expression, given how often
// it stands in what the expression is evaluated on. Only multi-selects multiply: [@,@][*].[@,@][*].[@,@] asks
// for eight evaluations, and each further step for twice as many. It gives ErrTooLarge above MaxFanout.
//
// It overestimates (the keys of {a: x, b: y} are different parts), which MaxFanout leaves room for.
func fanout(node jmespath.ASTNode, in int) (int, error) {
	out := in
	var err error
	switch node.NodeType {
	case jmespath.ASTLiteral:
		return 1, nil
	case jmespath.ASTPipe, jmespath.ASTSubexpression, jmespath.ASTIndexExpression, jmespath.ASTProjection,
		jmespath.ASTValueProjection:
		for _, child := range node.Children {
			if out, err = fanout(child, out); err != nil {
				return 0, err
			}
		}
	case jmespath.ASTFilterProjection:
		left, err := fanout(node.Children[0], in)
		if err != nil {
			return 0, err
		}
		if _, err := fanout(node.Children[2], left); err != nil {
			return 0, err
		}
		return fanout(node.Children[1], left)
	case jmespath.ASTFunctionExpression:
		return functionFanout(node, in)
	case jmespath.ASTComparator, jmespath.ASTNotExpression:
		_, err := sumFanout(node.Children, in)
		return 1, err
	default:
		if len(node.Children) > 0 {
			out, err = sumFanout(node.Children, in)
		}
	}
	return out, err
}

func sumFanout(nodes []jmespath.ASTNode, in int) (int, error) {
	total := 0
	for _, node := range nodes {
		out, err := fanout(node, in)
		if err != nil {
			return 0, err
		}
		if total += out; total > MaxFanout {
			return 0, fmt.Errorf("the expression selects the same value more than %d times: %w", MaxFanout, ErrTooLarge)
		}
	}
	return max(total, 1), nil
}

// functionFanout: a function that gives a string, number or boolean ends the multiplication, since its result
// is bounded; an expression reference is evaluated on what the other arguments give.
func functionFanout(node jmespath.ASTNode, in int) (int, error) {
	var plain, references []jmespath.ASTNode
	for _, child := range node.Children {
		if child.NodeType == jmespath.ASTExpRef {
			references = append(references, child)
		} else {
			plain = append(plain, child)
		}
	}
	out, err := sumFanout(plain, in)
	for _, ref := range references {
		if err == nil {
			out, err = fanout(ref.Children[0], out)
		}
	}
	if name, _ := node.Value.(string); err == nil && functions[name].Returns&(Array|Object) == 0 {
		return 1, nil
	}
	return out, err
}
