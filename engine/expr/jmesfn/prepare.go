package jmesfn

import (
	"fmt"
	"slices"

	"github.com/kyverno/go-jmespath"
)

// prepared is a compiled pattern that stands in an expression where its text stood.
type prepared interface{ isPrepared() }

// Prepare checks every function call of an expression (is there such a function, is the number of arguments
// right) and compiles the patterns that it spells out: regular expressions, wildcards, version ranges and the
// patterns of random. What it gives is evaluated like the original, by a caller of NewCaller; the original is
// not changed. A bad pattern is an error that names the function and the pattern.
func Prepare(ast jmespath.ASTNode) (jmespath.ASTNode, error) {
	children := slices.Clone(ast.Children)
	for i, child := range children {
		var err error
		if children[i], err = Prepare(child); err != nil {
			return ast, err
		}
	}
	ast.Children = children
	if ast.NodeType != jmespath.ASTFunctionExpression {
		return ast, nil
	}
	name, _ := ast.Value.(string)
	f, ok := functions[name]
	if !ok {
		return ast, UnknownError(name)
	}
	if err := f.CheckArity(len(children)); err != nil {
		return ast, err
	}
	for i := range children {
		arg := &f.Args[min(i, len(f.Args)-1)]
		text, ok := children[i].Value.(string)
		if arg.compile == nil || children[i].NodeType != jmespath.ASTLiteral || !ok {
			continue
		}
		compiled, err := arg.compile(text)
		if err != nil {
			return ast, fmt.Errorf("function %s: argument %d %w: %q", name, i+1, err, text)
		}
		children[i].Value = compiled
	}
	return ast, nil
}
