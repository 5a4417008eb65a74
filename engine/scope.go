package engine

import (
	"errors"
	"fmt"
	"maps"

	"github.com/holdfast-io/holdfast/engine/expr"
	"github.com/holdfast-io/holdfast/engine/expr/jmesfn"
)

// scope is where the expressions of one rule are evaluated: the request's document, with the rule's own
// variables on top, and the thing that is judged.
type scope struct {
	e    *evaluation
	rule *Rule
	env  *expr.Env
	// object is what a body judges: the object in hand, an element of it in a foreach, or a target.
	object any
	// element is the index in the innermost foreach, or -1; nesting is how many foreach stand around.
	element int
	nesting int
	own     bool // the root is this scope's, and may be added to
}

// scope opens the scope of a rule.
func (r *Rule) scope(e *evaluation) (*scope, error) {
	if r.document == withoutDocument {
		e.scope = scope{e: e, rule: r, env: &e.env, object: e.object, element: -1}
		return &e.scope, nil
	}
	root, err := e.document(r.needs)
	if err != nil {
		return nil, err
	}
	e.env.Root = root
	// One rule is evaluated at a time, so that its scope takes the place of the one before.
	e.scope = scope{e: e, rule: r, env: &e.env, object: e.object, element: -1}
	return &e.scope, e.scope.addGiven()
}

// set adds a variable. The document of the request stays as it is.
func (x *scope) set(name string, value any) {
	if !x.own {
		root := make(map[string]any, len(x.env.Root)+4)
		maps.Copy(root, x.env.Root)
		x.env, x.own = x.env.With(root), true
	}
	x.env.Root[name] = value
}

// inner is a scope inside this one, whose variables end with it.
func (x *scope) inner() *scope {
	in := *x
	in.own = false
	return &in
}

// addGiven adds the values that stand in for what the context would look up.
func (x *scope) addGiven() error {
	if x.e.in.Given == nil {
		return nil
	}
	for path, value := range x.e.in.Given(x.rule, x.element) {
		keys, err := splitDotted(path)
		if err != nil {
			return fmt.Errorf("the given value %s: %w", path, err)
		}
		x.set(keys[0], withValue(x.env.Root[keys[0]], keys[1:], value))
	}
	return nil
}

// withValue gives the document with the value at the path, and changes nothing of the old one. Objects that
// meet at the same place are merged.
func withValue(doc any, path []string, value any) any {
	old, _ := doc.(map[string]any)
	if len(path) == 0 {
		add, ok := value.(map[string]any)
		if !ok || old == nil {
			return value
		}
		merged := maps.Clone(old)
		for k, v := range add {
			merged[k] = withValue(old[k], nil, v)
		}
		return merged
	}
	changed := make(map[string]any, len(old)+1)
	maps.Copy(changed, old)
	changed[path[0]] = withValue(old[path[0]], path[1:], value)
	return changed
}

// MaxVariable bounds the value of one context variable, in bytes as JSON. Variables that each repeat the one
// before double in size with every step, and share memory until somebody writes them out
// (GHSA-r2rj-wwm5-x6mq). 2 MiB is above the largest object that etcd stores.
const MaxVariable = 2 << 20

// load evaluates these entries of a context, in their order.
func (x *scope) load(entries []*entry) error {
	for _, n := range entries {
		value, err := n.value(x)
		if err == nil && !jmesfn.SizeWithin(value, MaxVariable) {
			err = fmt.Errorf("its value is longer than %d bytes: %w", MaxVariable, jmesfn.ErrTooLarge)
		}
		if x.e.in.Given != nil && errors.Is(err, ErrNoLookup) {
			continue // of a test without a cluster: whoever reads it finds nothing, and may have a default
		}
		if err != nil {
			return fmt.Errorf("context variable %s: %w", n.name, err)
		}
		x.set(n.name, value)
	}
	return nil
}
