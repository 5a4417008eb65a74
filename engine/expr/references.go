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

// requestField answers "request.x" for request.x and for anything that begins with it.
func requestField(node jmespath.ASTNode) (string, bool) {
	if node.NodeType != jmespath.ASTSubexpression {
		return "", false
	}
	left, right := node.Children[0], node.Children[1]
	if left.NodeType == jmespath.ASTField && left.Value == "request" && right.NodeType == jmespath.ASTField {
		key, _ := right.Value.(string)
		return "request." + key, true
	}
	return requestField(left)
}
