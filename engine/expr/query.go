// Package expr evaluates the expressions of Kyverno's policy language: JMESPath queries, and JSON
// documents with {{ variables }}. Text comes in at load and is parsed there, once; an Env comes in at
// evaluation; values go out. It reads nothing but the Env that it is handed: no clock, no network,
// no environment. Values are as encoding/json decodes them into any, are shared and never changed.
package expr

import (
	"errors"
	"fmt"
	"strings"

	"github.com/kyverno/go-jmespath"

	"github.com/holdfast-io/holdfast/engine/expr/jmesfn"
)

// MaxQuery is the longest JMESPath expression accepted, in bytes. The longest in public policies is
// under 2 KiB; the parser recurses, so length bounds its depth too.
const MaxQuery = 16 << 10

// ErrNotFound is wrapped by errors of queries that name a key which is not there.
var ErrNotFound = errors.New("not found")

// A SyntaxError says where an expression is wrong.
type SyntaxError struct {
	Expr   string // the expression
	Offset int    // the byte offset in Expr, or -1 when unknown
	Msg    string
}

func (e *SyntaxError) Error() string {
	if e.Offset < 0 {
		return fmt.Sprintf("expression %q: %s", e.Expr, e.Msg)
	}
	return fmt.Sprintf("expression %q: at character %d: %s", e.Expr, e.Offset+1, e.Msg)
}

// Query is a compiled JMESPath expression. It is immutable and safe for concurrent use.
type Query struct {
	src      string
	ast      jmespath.ASTNode
	path     []string // set when the expression is a plain path a.b.c, which needs no interpreter
	needsEnv bool
	refs     []string
	bindings []string // names of what the expression reads as $name, sorted
}

// Compile parses a JMESPath expression and checks its function calls. Errors are *SyntaxError.
func Compile(src string) (*Query, error) {
	src = strings.TrimSpace(src)
	if src == "" {
		return nil, &SyntaxError{Expr: src, Offset: -1, Msg: "the expression is empty"}
	}
	if len(src) > MaxQuery {
		return nil, &SyntaxError{Expr: src[:64] + "...", Offset: -1, Msg: fmt.Sprintf("the expression is %d bytes long, the limit is %d", len(src), MaxQuery)}
	}
	ast, err := jmespath.NewParser().Parse(src)
	if err != nil {
		var syn jmespath.SyntaxError
		if errors.As(err, &syn) {
			return nil, &SyntaxError{Expr: src, Offset: syn.Offset, Msg: strings.TrimPrefix(syn.Error(), "SyntaxError: ")}
		}
		return nil, &SyntaxError{Expr: src, Offset: -1, Msg: err.Error()}
	}
	q := &Query{src: src, refs: references(ast)}
	if err = q.inspect(ast); err != nil {
		return nil, &SyntaxError{Expr: src, Offset: -1, Msg: err.Error()}
	}
	if q.ast, err = jmesfn.Prepare(ast); err != nil {
		return nil, &SyntaxError{Expr: src, Offset: -1, Msg: err.Error()}
	}
	q.path = plainPath(q.ast)
	return q, nil
}

// String gives the expression as it was written, without outer white space.
func (q *Query) String() string { return q.src }

// References lists what the query reads of the root document, sorted: the first key, with the second
// behind a dot where the first is "request" (request.userInfo, images, ...), and up to three more of request.object
// (request.object.spec.containers). A query
// that reads the document as a whole has "@" among them.
func (q *Query) References() []string { return q.refs }

// Search evaluates the query on the env's root document. A missing key is an error that wraps
// ErrNotFound; a key that holds null is nil without an error.
func (q *Query) Search(env *Env) (any, error) { return q.SearchIn(env, env.Root) }

// SearchIn evaluates the query on a document of its own.
func (q *Query) SearchIn(env *Env, doc any) (any, error) {
	if q.path != nil {
		return lookup(doc, q.path)
	}
	caller := env.pure()
	if q.needsEnv {
		caller = env.impure()
	}
	v, err := jmespath.NewInterpreter().Execute(q.ast, doc, jmespath.WithFunctionCaller(caller))
	if err != nil {
		var missing jmespath.NotFoundError
		if errors.As(err, &missing) {
			return nil, fmt.Errorf("%s: %w: %w", q.src, ErrNotFound, err)
		}
		return nil, fmt.Errorf("%s: %w", q.src, err)
	}
	return v, nil
}

// inspect walks the expression as it was written: it notes what needs the clock, and refuses an expression
// reference (&x) that is no argument of a function, because its value is no JSON.
func (q *Query) inspect(node jmespath.ASTNode) error {
	if node.NodeType == jmespath.ASTExpRef {
		return errors.New("&: an expression reference stands as an argument of a function only")
	}
	call := node.NodeType == jmespath.ASTFunctionExpression
	if call {
		name, _ := node.Value.(string)
		q.needsEnv = q.needsEnv || jmesfn.NeedsEnv(name)
	}
	for _, child := range node.Children {
		if call && child.NodeType == jmespath.ASTExpRef {
			child = child.Children[0]
		}
		if err := q.inspect(child); err != nil {
			return err
		}
	}
	return nil
}

// plainPath gives the keys of a.b.c, or nil for any other expression.
func plainPath(node jmespath.ASTNode) []string {
	switch node.NodeType {
	case jmespath.ASTField:
		key, _ := node.Value.(string)
		return []string{key}
	case jmespath.ASTSubexpression:
		left := plainPath(node.Children[0])
		right := node.Children[1]
		if left == nil || right.NodeType != jmespath.ASTField {
			return nil
		}
		key, _ := right.Value.(string)
		return append(left, key)
	default:
		return nil
	}
}

func lookup(doc any, path []string) (any, error) {
	for i, key := range path {
		m, ok := doc.(map[string]any)
		if !ok {
			return nil, nil // a field of null or of a scalar is null, in JMESPath
		}
		if doc, ok = m[key]; !ok {
			return nil, fmt.Errorf("%s: %w: unknown key %q", strings.Join(path[:i+1], "."), ErrNotFound, key)
		}
	}
	return doc, nil
}
