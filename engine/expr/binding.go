package expr

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kyverno/go-jmespath"
)

// Bindings are named values that an expression of CompileBound reads as $name, wherever in the document it
// stands. They are chained, so that an inner scope adds to an outer one and changes nothing of it.
type Bindings struct {
	outer *Bindings
	name  string
	value any
}

// With gives the bindings with one more, which hides an older one of the same name. A nil *Bindings has none.
func (b *Bindings) With(name string, value any) *Bindings {
	return &Bindings{outer: b, name: name, value: value}
}

func (b *Bindings) lookup(name string) (any, bool) {
	for ; b != nil; b = b.outer {
		if b.name == name {
			return b.value, true
		}
	}
	return nil, false
}

// bindingMark begins the name of a field that stands for a binding. No key of a Kubernetes object has it.
const bindingMark = "\x00binding "

// CompileBound is Compile for an expression that may read bindings, written $name.
func CompileBound(src string) (*Query, error) {
	src = strings.TrimSpace(src)
	marked, names, err := markBindings(src)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return Compile(src)
	}
	q, err := Compile(marked)
	if err != nil {
		// what the error says of the text must be about the text as it was written
		var syn *SyntaxError
		if errors.As(err, &syn) {
			return nil, &SyntaxError{Expr: src, Offset: -1, Msg: syn.Msg}
		}
		return nil, err
	}
	slices.Sort(names)
	q.src, q.path, q.bindings = src, nil, slices.Compact(names)
	q.refs = slices.DeleteFunc(q.refs, func(ref string) bool { return strings.HasPrefix(ref, bindingMark) })
	return q, nil
}

// Bindings lists the names of the bindings that the query reads, sorted.
func (q *Query) Bindings() []string { return q.bindings }

// SearchBound evaluates the query on a document of its own, with bindings.
func (q *Query) SearchBound(env *Env, doc any, b *Bindings) (any, error) {
	if len(q.bindings) == 0 {
		return q.SearchIn(env, doc)
	}
	ast, err := bind(q.ast, b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", q.src, err)
	}
	bound := *q
	bound.ast = ast
	return bound.SearchIn(env, doc)
}

// bind puts the values of bindings in the place of their names.
func bind(node jmespath.ASTNode, b *Bindings) (jmespath.ASTNode, error) {
	if key, ok := node.Value.(string); ok && node.NodeType == jmespath.ASTField {
		if name, ok := strings.CutPrefix(key, bindingMark); ok {
			value, ok := b.lookup(name)
			if !ok {
				return node, fmt.Errorf("$%s is not bound to a value here", name)
			}
			return jmespath.ASTNode{NodeType: jmespath.ASTLiteral, Value: value}, nil
		}
	}
	if len(node.Children) == 0 {
		return node, nil
	}
	node.Children = slices.Clone(node.Children)
	for i := range node.Children {
		var err error
		if node.Children[i], err = bind(node.Children[i], b); err != nil {
			return node, err
		}
	}
	return node, nil
}

// markBindings writes a quoted field for each $name outside of quotes.
func markBindings(src string) (marked string, names []string, err error) {
	if !strings.Contains(src, "$") {
		return src, nil, nil
	}
	var b strings.Builder
	last := byte(0) // what stands before, white space apart
	for i := 0; i < len(src); {
		switch c := src[i]; {
		case c == '\'' || c == '"' || c == '`':
			end := quoted(src, i)
			b.WriteString(src[i:end])
			i, last = end, c
		case c == '$':
			name := identifier(src[i+1:])
			switch {
			case name == "":
				return "", nil, &SyntaxError{Expr: src, Offset: i, Msg: "$ begins the name of a binding, and there is none"}
			case last == '.':
				return "", nil, &SyntaxError{Expr: src, Offset: i, Msg: "a binding is no field: it cannot follow a dot"}
			}
			names = append(names, name)
			b.WriteString(`"\u0000` + bindingMark[1:] + name + `"`)
			i, last = i+1+len(name), '$'
		default:
			b.WriteByte(c)
			if c != ' ' && c != '\t' && c != '\n' && c != '\r' {
				last = c
			}
			i++
		}
	}
	return b.String(), names, nil
}

// quoted gives the place behind the quotes that begin at s[start:].
func quoted(s string, start int) int {
	for i := start + 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[start]:
			return i + 1
		}
	}
	return len(s)
}

// identifier is the name at the beginning of s: letters, digits and underscores.
func identifier(s string) string {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return s[:i]
		}
	}
	return s
}
