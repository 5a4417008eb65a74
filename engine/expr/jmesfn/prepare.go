package jmesfn

import (
	"fmt"
	"slices"

	"github.com/kyverno/go-jmespath"
)

// prepared is a compiled pattern that stands in an expression where its text stood.
type prepared interface{ isPrepared() }

// Prepare makes an expression ready for evaluation by a caller of NewCaller; the original is not changed.
//
// It checks every function call (is there such a function, is the number of arguments right) and that the
// expression does not multiply its input beyond MaxFanout. It compiles the patterns that the expression spells
// out: regular expressions, wildcards, version ranges and the patterns of random. It makes projections over
// objects repeatable and flattening bounded. An error names the function and quotes the pattern.
func Prepare(ast jmespath.ASTNode) (jmespath.ASTNode, error) {
	ready, err := prepare(ast)
	if err != nil {
		return ast, err
	}
	if _, err := fanout(ast, 1); err != nil {
		return ast, err
	}
	return ready, nil
}

func prepare(ast jmespath.ASTNode) (jmespath.ASTNode, error) {
	children := slices.Clone(ast.Children)
	for i, child := range children {
		var err error
		if children[i], err = prepare(child); err != nil {
			return ast, err
		}
	}
	ast.Children = children
	if ast.NodeType == jmespath.ASTFunctionExpression {
		return ast, prepareCall(ast)
	}
	return rewrite(ast), nil
}

// prepareCall checks a call and compiles its literal patterns in place.
func prepareCall(call jmespath.ASTNode) error {
	name, _ := call.Value.(string)
	f, ok := functions[name]
	if !ok {
		return UnknownError(name)
	}
	if err := f.CheckArity(len(call.Children)); err != nil {
		return err
	}
	for i := range call.Children {
		arg, node := &f.Args[min(i, len(f.Args)-1)], &call.Children[i]
		text, ok := node.Value.(string)
		if arg.compile == nil || node.NodeType != jmespath.ASTLiteral || !ok {
			continue
		}
		compiled, err := arg.compile(text)
		if err != nil {
			return fmt.Errorf("function %s: argument %d %w: %q", name, i+1, err, text)
		}
		node.Value = compiled
	}
	return nil
}
