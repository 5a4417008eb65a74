package pattern

import (
	"errors"
	"fmt"
	"slices"

	"github.com/holdfast-io/holdfast/engine/expr"
)

// Options says how a pattern is to be read.
type Options struct {
	// Self is the path of the root document that `{{ @ }}` starts from: it stands for the value of the
	// object at the place of the leaf. Without it `{{ @ }}` is an error.
	Self []string
}

// Pattern is a compiled pattern. It is immutable and safe for concurrent use.
type Pattern struct {
	root     node
	marks    int            // how many anchored keys are numbered
	whole    *expr.Template // of a pattern with variables
	slots    []slot         // its leaves with variables
	late     bool           // it has keys with variables: then it can be compiled only when they are known
	warnings []*CompileError
}

// Compile reads a pattern as encoding/json decodes it. The errors are *CompileError.
func Compile(tree any, opts Options) (*Pattern, error) {
	if err := checkDepth(tree, nil); err != nil {
		return nil, err
	}
	whole, err := expr.CompileTemplate(tree, expr.TemplateOptions{Self: opts.Self, Key: withoutAnchor})
	if err != nil {
		var at *expr.TemplateError
		if errors.As(err, &at) {
			return nil, fail(at.Path, at.Err)
		}
		return nil, fail(nil, err)
	}
	c := compiler{strict: true}
	root, err := c.node(tree, nil, anywhere)
	if err != nil {
		return nil, err
	}
	p := &Pattern{root: root, marks: len(c.marks), slots: c.slots, late: c.late, warnings: c.warnings}
	if p.late || len(p.slots) > 0 {
		p.whole = whole
	}
	return p, nil
}

// checkDepth comes first: what compiles templates recurses without a bound.
func checkDepth(tree any, path []any) error {
	if len(path) > MaxDepth {
		return fail(path, fmt.Errorf("the pattern is nested more than %d deep", MaxDepth))
	}
	switch v := tree.(type) {
	case map[string]any:
		for _, k := range sortedKeys(v) {
			if err := checkDepth(v[k], append(path, k)); err != nil {
				return err
			}
		}
	case []any:
		for i, item := range v {
			if err := checkDepth(item, append(path, i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// References lists what the variables of the pattern read of the root document, sorted, as
// expr.Template.References does.
func (p *Pattern) References() []string {
	if p.whole == nil {
		return nil
	}
	return p.whole.References()
}

// Warnings lists the places of the pattern that say something other than they seem to, in Kyverno as well
// as here.
func (p *Pattern) Warnings() []*CompileError { return slices.Clone(p.warnings) }

// Match matches an object, or any other JSON value, and changes neither. The env is for the variables; a
// pattern without any takes nil. A variable that cannot be resolved is an Error even where a condition
// would have left the leaf out.
func (p *Pattern) Match(env *expr.Env, resource any) Result {
	if p.whole == nil {
		return run(&p.root, matcher{}, p.marks, resource)
	}
	return p.matchDynamic(env, resource)
}

func run(root *node, m matcher, marks int, resource any) Result {
	v := m.node(root, resource, 0)
	if v == matched {
		return Result{}
	}
	r := m.result(v)
	if v == mismatch && marks > 0 && keysMissing(root, m.slots, marks, resource) {
		r.Outcome = Error
		r.Err = fmt.Errorf("%w, and a key that the pattern anchors is nowhere in it: %s", ErrMismatch, r.Message)
	}
	return r
}

// keysMissing reports whether some anchored key was looked for in the walk over the object and found
// nowhere. It walks again, so that only failures pay for it.
func keysMissing(root *node, slots []node, marks int, resource any) bool {
	m := matcher{slots: slots, seen: make([]bool, marks+1), there: make([]bool, marks+1)}
	m.node(root, resource, 0)
	for i, seen := range m.seen {
		if seen && !m.there[i] {
			return true
		}
	}
	return false
}
