package assert

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast-io/holdfast/engine/expr"
)

// Outcome is what a tree says of a value.
type Outcome uint8

// The outcomes of an assertion.
const (
	Pass  Outcome = iota // the value is as the tree says
	Fail                 // it is not
	Error                // it cannot be compared; never means a pass
)

func (o Outcome) String() string {
	switch o {
	case Pass:
		return "pass"
	case Fail:
		return "fail"
	default:
		return "error"
	}
}

// Result is the verdict on a value.
type Result struct {
	Outcome  Outcome
	Failures []Failure // of a Fail, in the order of the tree's keys
	Err      error     // of an Error
}

// Failure is one place where a value is not as the tree says.
type Failure struct {
	Path    string // the keys of the tree that led there: object.spec.~.containers[0].image
	Message string // what was expected; never the value that was found
}

func (f Failure) String() string { return f.Path + " " + f.Message }

// Evaluate compares a value with the tree. The bindings must have all that Bindings lists.
func (t *Tree) Evaluate(env *expr.Env, value any, b *expr.Bindings) Result {
	e := &evaluation{env: env}
	if err := t.root.assert(e, nil, value, b); err != nil {
		return Result{Outcome: Error, Err: err}
	}
	if len(e.failures) > 0 {
		return Result{Outcome: Fail, Failures: e.failures}
	}
	return Result{}
}

type evaluation struct {
	env      *expr.Env
	failures []Failure
}

func (e *evaluation) fail(at *place, format string, args ...any) {
	e.failures = append(e.failures, Failure{Path: at.String(), Message: fmt.Sprintf(format, args...)})
}

// search evaluates an expression. What is not there is null.
func (e *evaluation) search(q *expr.Query, value any, b *expr.Bindings) (any, error) {
	v, err := q.SearchBound(e.env, value, b)
	if errors.Is(err, expr.ErrNotFound) {
		return nil, nil
	}
	return v, err
}

// place is where in the tree an evaluation is; it becomes text only when something is wrong there.
type place struct {
	up  *place
	key string // with its dot or brackets
}

func (p *place) child(key string) *place { return &place{p, "." + key} }
func (p *place) index(i int) *place      { return &place{p, "[" + strconv.Itoa(i) + "]"} }
func (p *place) item(key string) *place  { return &place{p, "[" + key + "]"} }

func (p *place) String() string {
	var keys []string
	for ; p != nil; p = p.up {
		keys = append(keys, p.key)
	}
	slices.Reverse(keys)
	if len(keys) == 0 {
		return "the value"
	}
	return strings.TrimPrefix(strings.Join(keys, ""), ".")
}

func (p *place) error(err error) error { return fmt.Errorf("%s: %w", p, err) }

// node is one part of a tree. What does not match is noted in the evaluation; an error ends it.
type node interface {
	assert(e *evaluation, at *place, value any, b *expr.Bindings) error
}

// objectNode selects from a value and hands on what it selected.
type objectNode struct{ entries []entry }

type entry struct {
	statement
	key  string // as written
	node node
}

// rank puts the entries that bind something before the others.
func (en *entry) rank() int {
	if en.binding != "" {
		return 0
	}
	return 1
}

func (o *objectNode) assert(e *evaluation, at *place, value any, b *expr.Bindings) error {
	if len(o.entries) == 0 && value == nil {
		e.fail(at, "is null: it must have a value")
	}
	for i := range o.entries {
		en := &o.entries[i]
		here := at.child(en.key)
		selected, found, err := en.selectFrom(e, value, b)
		if err != nil {
			return here.error(err)
		}
		if !found {
			e.fail(here, "is missing")
			continue
		}
		if en.binding != "" {
			b = b.With(en.binding, selected)
		}
		if !en.each {
			err = en.node.assert(e, here, selected, b)
		} else {
			err = en.assertEach(e, here, selected, b)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (en *entry) selectFrom(e *evaluation, value any, b *expr.Bindings) (selected any, found bool, err error) {
	if en.query != nil {
		selected, err = e.search(en.query, value, b)
		return selected, true, err
	}
	switch v := value.(type) {
	case nil:
		return nil, false, nil
	case map[string]any:
		selected, found = v[en.text]
		return selected, found, nil
	default:
		return nil, false, fmt.Errorf("a field is asked of what is no object but %s", kindOf(value))
	}
}

func (en *entry) assertEach(e *evaluation, at *place, selected any, b *expr.Bindings) error {
	inner := func(index any) *expr.Bindings {
		if en.eachName == "" {
			return b
		}
		return b.With(en.eachName, index)
	}
	switch list := selected.(type) {
	case []any:
		for i, item := range list {
			if err := en.node.assert(e, at.index(i), item, inner(float64(i))); err != nil {
				return err
			}
		}
	case map[string]any:
		keys := make([]string, 0, len(list))
		for key := range list {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		for _, key := range keys {
			if err := en.node.assert(e, at.item(key), list[key], inner(key)); err != nil {
				return err
			}
		}
	default:
		return at.error(fmt.Errorf("~ needs a list or an object, and this is %s", kindOf(selected)))
	}
	return nil
}

// listNode compares the elements of a list of the same length.
type listNode []node

func (l listNode) assert(e *evaluation, at *place, value any, b *expr.Bindings) error {
	if value == nil {
		e.fail(at, "is null: it must be a list")
		return nil
	}
	list, ok := value.([]any)
	if !ok {
		return at.error(fmt.Errorf("a list is compared with %s", kindOf(value)))
	}
	if len(list) != len(l) {
		e.fail(at, "has %d elements: expected %d", len(list), len(l))
		return nil
	}
	for i := range l {
		if err := l[i].assert(e, at.index(i), list[i], b); err != nil {
			return err
		}
	}
	return nil
}

// valueNode compares a value with one of the tree, or with that of an expression on the value itself.
type valueNode struct {
	want  any
	query *expr.Query
}

func (v *valueNode) assert(e *evaluation, at *place, value any, b *expr.Bindings) error {
	want := v.want
	if v.query != nil {
		var err error
		if want, err = e.search(v.query, value, b); err != nil {
			return at.error(err)
		}
	}
	equal, err := matches(want, value)
	switch {
	case err != nil:
		return at.error(err)
	case equal:
	case v.query != nil:
		// not the expression's value: it may come from the object, and the object may be a Secret
		e.fail(at, "must be (%s)", v.query)
	default:
		e.fail(at, "must be %s", literal(want))
	}
	return nil
}
