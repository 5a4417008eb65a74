package pattern

import (
	"errors"
	"fmt"

	"github.com/holdfast-io/holdfast/engine/expr"
)

// matchDynamic resolves all variables first, then matches.
func (p *Pattern) matchDynamic(env *expr.Env, resource any) Result {
	b, err := p.bind(env)
	if err != nil {
		return failed(err)
	}
	return run(b.root, matcher{slots: b.slots, blended: b.blended}, b.marks, resource)
}

// bound is a pattern whose variables have values.
type bound struct {
	root    *node
	slots   []node
	marks   int
	blended bool
}

// bind resolves all variables. The values of leaves are compiled by themselves; the rest of the pattern is compiled
// already. It is compiled anew only if a key has variables, or a value brings anchors with it, which change the order of
// evaluation around it.
func (p *Pattern) bind(env *expr.Env) (bound, error) {
	if p.whole == nil {
		return bound{root: &p.root, marks: p.marks}, nil
	}
	tree, err := p.whole.Render(env)
	if err != nil {
		return bound{}, fmt.Errorf("resolving the variables of the pattern: %w", err)
	}
	slots, anchored, err := p.fill(tree)
	if err != nil {
		return bound{}, err
	}
	if !anchored {
		return bound{root: &p.root, slots: slots, marks: p.marks}, nil
	}
	c := compiler{}
	root, err := c.node(tree, nil, anywhere)
	if err != nil {
		return bound{}, err
	}
	return bound{root: &root, marks: len(c.marks), blended: true}, nil
}

func failed(err error) Result { return Result{Outcome: Error, Err: err} }

// fill compiles the value of each leaf with variables. The second answer says that this is not enough.
func (p *Pattern) fill(tree any) (slots []node, anchored bool, err error) {
	if p.late {
		return nil, true, nil
	}
	slots = make([]node, len(p.slots))
	for i, s := range p.slots {
		value, ok := lookup(tree, s.path)
		if !ok {
			return nil, false, fail(s.path, errors.New("the leaf is gone once the variables are resolved"))
		}
		c := compiler{}
		if slots[i], err = c.node(value, s.path, s.place); err != nil {
			return nil, false, err
		}
		if slots[i].marked {
			return nil, true, nil
		}
	}
	return slots, false, nil
}

func lookup(tree any, path []any) (any, bool) {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := tree.(map[string]any)
			value, ok := m[p]
			if !ok {
				return nil, false
			}
			tree = value
		case int:
			list, _ := tree.([]any)
			if p >= len(list) {
				return nil, false
			}
			tree = list[p]
		}
	}
	return tree, true
}
