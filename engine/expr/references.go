package expr

import (
	"slices"

	"github.com/kyverno/go-jmespath"
)

// references walks the parts of an expression that are evaluated on the root document.
func references(ast jmespath.ASTNode) []string {
	var refs []string
	var walk func(node jmespath.ASTNode)
	walk = func(node jmespath.ASTNode) {
		switch node.NodeType {
		case jmespath.ASTField:
			key, _ := node.Value.(string)
			refs = append(refs, key)
		case jmespath.ASTIdentity, jmespath.ASTCurrentNode:
			refs = append(refs, "@")
		case jmespath.ASTSubexpression, jmespath.ASTIndexExpression:
			if ref, ok := requestField(node); ok {
				refs = append(refs, ref)
				return
			}
			walk(node.Children[0]) // the right side is evaluated on the left's value
		case jmespath.ASTPipe, jmespath.ASTProjection, jmespath.ASTFilterProjection, jmespath.ASTValueProjection, jmespath.ASTFlatten:
			walk(node.Children[0])
		case jmespath.ASTExpRef, jmespath.ASTLiteral:
			// an expression reference is evaluated on the elements of another argument
		default:
			for _, child := range node.Children {
				walk(child)
			}
		}
	}
	walk(ast)
	slices.Sort(refs)
	return slices.Compact(refs)
}

// requestField answers "request.x" for request.x and for anything that begins with it. Of the object it says what of it is
// read, as far as maxObjectKeys plain names lead: request.object.spec.containers.
func requestField(node jmespath.ASTNode) (string, bool) {
	keys, _ := fieldsOf(node)
	if len(keys) < 2 || keys[0] != "request" {
		return "", false
	}
	ref := "request." + keys[1]
	if keys[1] != "object" {
		return ref, true
	}
	for _, key := range keys[2:min(len(keys), 2+maxObjectKeys)] {
		if identifier(key) != key { // it would not be told from two
			break
		}
		ref += "." + key
	}
	return ref, true
}

// maxObjectKeys is how deep into the object a reference leads. What is below changes with what is there, as far as
// anybody cares.
const maxObjectKeys = 3

// fieldsOf gives the keys that an expression follows before it does anything else, and whether that is all it does.
func fieldsOf(node jmespath.ASTNode) (keys []string, all bool) {
	switch node.NodeType {
	case jmespath.ASTField:
		key, _ := node.Value.(string)
		return []string{key}, true
	case jmespath.ASTSubexpression:
		if keys, all = fieldsOf(node.Children[0]); !all {
			return keys, false
		}
		more, all := fieldsOf(node.Children[1]) // on the left's value
		return append(keys, more...), all
	case jmespath.ASTIndexExpression, jmespath.ASTProjection, jmespath.ASTFilterProjection, jmespath.ASTValueProjection, jmespath.ASTFlatten:
		keys, _ = fieldsOf(node.Children[0])
		return keys, false
	default:
		return nil, false
	}
}
