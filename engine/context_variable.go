package engine

import (
	"errors"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"

	"github.com/holdfast-io/holdfast/engine/expr"
)

// variable is a context entry that computes its value.
type variable struct {
	given    *expr.Template // nil: the value is the query on the document
	query    *query         // nil: the value as it is
	fallback *expr.Template // nil: none
}

// query is a JMESPath of a policy, which may hold variables itself.
type query struct {
	text   *expr.Template
	static *expr.Query // when the text has no variables
}

// compileQuery reads a JMESPath. With onDocument its references are those of the rule: it is evaluated on the
// root document, else on a value of its own.
func (c *compiler) compileQuery(src string, path []any, target queryTarget) *query {
	text := c.compileTemplate(src, path)
	if text == nil {
		return nil
	}
	if !text.Static() {
		if target == onDocument {
			c.refs = append(c.refs, "@")
		}
		return &query{text: text}
	}
	static, err := expr.Compile(src)
	if err != nil {
		c.problem(path, err.Error())
		return nil
	}
	if target == onDocument {
		c.refs = append(c.refs, static.References()...)
	}
	return &query{text: text, static: static}
}

// queryTarget says what a query is evaluated on.
type queryTarget uint8

const (
	onDocument queryTarget = iota
	onValue
)

func (q *query) compiled(env *expr.Env) (*expr.Query, error) {
	if q.static != nil {
		return q.static, nil
	}
	text, err := q.text.RenderText(env)
	if err != nil {
		return nil, err
	}
	return expr.Compile(text)
}

// in evaluates the query on a value. A nil query gives the value.
func (q *query) in(env *expr.Env, value any) (any, error) {
	if q == nil {
		return value, nil
	}
	compiled, err := q.compiled(env)
	if err != nil {
		return nil, err
	}
	return compiled.SearchIn(env, value)
}

func (c *compiler) compileVariable(v *kyvernov1.Variable, path []any) source {
	out := &variable{}
	if v.Value == nil && v.JMESPath == "" && v.Default == nil {
		c.problem(path, "is empty: expected value, jmesPath or default")
	}
	if v.Value != nil {
		out.given = c.compileTemplate(v.GetValue(), at(path, "value"))
	}
	if v.JMESPath != "" {
		target := onDocument
		if v.Value != nil {
			target = onValue
		}
		out.query = c.compileQuery(v.JMESPath, at(path, "jmesPath"), target)
	}
	if v.Default != nil {
		out.fallback = c.compileTemplate(v.GetDefault(), at(path, "default"))
	}
	return out
}

// value evaluates the variable: its value, its query on the value or else on the document, and its default
// where that gives nothing or fails. A look-up that may not be made has no default.
func (v *variable) value(x *scope) (any, error) {
	value, err := v.compute(x.env)
	if (err != nil || value == nil) && v.fallback != nil && !errors.Is(err, ErrOutOfReach) {
		value, err = v.fallback.Render(x.env)
	}
	if err == nil && value == nil {
		err = errNull
	}
	return value, err
}

// errNull refuses a variable without a value: what reads it would take nothing for something.
var errNull = errors.New("it is null, and has no default")

func (v *variable) compute(env *expr.Env) (any, error) {
	var value any = env.Root
	if v.given != nil {
		var err error
		if value, err = v.given.Render(env); err != nil {
			return nil, err
		}
	}
	if v.given == nil && v.query == nil {
		return nil, nil
	}
	return v.query.in(env, value)
}

// String gives the query as it was written.
func (q *query) String() string { return q.text.Source() }
