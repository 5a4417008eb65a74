package engine

import (
	"fmt"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"

	"github.com/holdfast-io/holdfast/engine/expr"
	"github.com/holdfast-io/holdfast/engine/expr/jmesfn"
)

// MaxVariable bounds the value of one context variable, in bytes as JSON. Variables that each repeat the one
// before double in size with every step, and share memory until somebody writes them out
// (GHSA-r2rj-wwm5-x6mq). 2 MiB is above the largest object that etcd stores.
const MaxVariable = 2 << 20

// compileContext compiles context entries. Those of type variable are built; the ones that look
// something up are not.
func (c *compiler) compileContext(entries []kyvernov1.ContextEntry, path []any) []variable {
	var out []variable
	for i := range entries {
		entry, where := &entries[i], at(path, i)
		if entry.Name == "" {
			c.problem(at(where, "name"), "is missing")
		}
		switch {
		case entry.ConfigMap != nil:
			c.unbuilt(at(where, "configMap"), "context.configMap")
		case entry.APICall != nil:
			c.unbuilt(at(where, "apiCall"), "context.apiCall")
		case entry.ImageRegistry != nil:
			c.unbuilt(at(where, "imageRegistry"), "context.imageRegistry")
		case entry.GlobalReference != nil:
			c.unbuilt(at(where, "globalReference"), "context.globalReference")
		case entry.Variable != nil:
			out = append(out, c.compileVariable(entry.Name, entry.Variable, at(where, "variable")))
		default:
			c.problem(where, "has no source: expected variable, configMap, apiCall, imageRegistry or globalReference")
		}
	}
	return out
}

func (c *compiler) compileVariable(name string, v *kyvernov1.Variable, path []any) variable {
	out := variable{name: name}
	if v.Value == nil && v.JMESPath == "" && v.Default == nil {
		c.problem(path, "is empty: expected value, jmesPath or default")
	}
	if v.Value != nil {
		out.value = c.compileTemplate(v.GetValue(), at(path, "value"))
	}
	if v.JMESPath != "" {
		out.query = c.compileTemplate(v.JMESPath, at(path, "jmesPath"))
		if out.query != nil && out.query.Static() {
			q, err := expr.Compile(v.JMESPath)
			if err != nil {
				c.problem(at(path, "jmesPath"), err.Error())
			} else {
				out.static = q
				if v.Value == nil { // else it reads the value, not the document
					c.refs = append(c.refs, q.References()...)
				}
			}
		} else {
			c.refs = append(c.refs, "@")
		}
	}
	if v.Default != nil {
		out.fallback = c.compileTemplate(v.GetDefault(), at(path, "default"))
	}
	return out
}

// scope gives the document with the rule's context variables. The shared document stays as it is.
func (r *Rule) scope(e *evaluation) (*expr.Env, error) {
	root, err := e.document(r.needs)
	if err != nil {
		return nil, err
	}
	if len(r.context) == 0 {
		e.env.Root = root
		return &e.env, nil
	}
	own := make(map[string]any, len(root)+len(r.context))
	for k, v := range root {
		own[k] = v
	}
	env := e.env.With(own)
	for i := range r.context {
		v := &r.context[i]
		value, err := v.resolve(env)
		if err == nil && !jmesfn.SizeWithin(value, MaxVariable) {
			err = fmt.Errorf("its value is longer than %d bytes: %w", MaxVariable, jmesfn.ErrTooLarge)
		}
		if err != nil {
			return nil, fmt.Errorf("context variable %s: %w", v.name, err)
		}
		own[v.name] = value
	}
	return env, nil
}

// resolve evaluates the variable: its value, its query on the value or else on the document, and its
// default where that gives nothing or fails.
func (v *variable) resolve(env *expr.Env) (any, error) {
	value, err := v.compute(env)
	if (err != nil || value == nil) && v.fallback != nil {
		return v.fallback.Render(env)
	}
	return value, err
}

func (v *variable) compute(env *expr.Env) (any, error) {
	var value any
	if v.value != nil {
		var err error
		if value, err = v.value.Render(env); err != nil {
			return nil, err
		}
	}
	if v.query == nil {
		return value, nil
	}
	query := v.static
	if query == nil {
		text, err := v.query.RenderText(env)
		if err != nil {
			return nil, err
		}
		if query, err = expr.Compile(text); err != nil {
			return nil, err
		}
	}
	if v.value == nil {
		return query.Search(env)
	}
	return query.SearchIn(env, value)
}
