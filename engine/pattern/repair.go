package pattern

import (
	"maps"
	"slices"

	"github.com/holdfast-io/holdfast/engine/expr"
)

// maxRepairs is how many repairs are given for one value. A leaf has as many as it has alternatives; of the leaves of one
// pattern each takes its n-th, so that there are no more than its longest leaf has: four in the longest that are in use.
const maxRepairs = 4

// Repairs gives what a value that does not match could be, so that it does: the same but for leaves that take the
// pattern's own constants, and keys that go because the pattern forbids them. A pattern that has no constant where it is
// not met, such as "?*", gives none, and so does one that asks for elements of a list or contradicts itself. What comes back
// shares with the value what did not change.
func (p *Pattern) Repairs(env *expr.Env, resource any) []any {
	b, err := p.bind(env)
	if err != nil {
		return nil
	}
	var out []any
	for n := range maxRepairs {
		r := repairer{matcher: matcher{slots: b.slots}, choice: n}
		if repaired, ok := r.node(b.root, given{value: resource}); ok && r.changed && p.Match(env, repaired).Outcome != Fail {
			out = append(out, repaired)
		}
		if !r.more {
			break
		}
	}
	return out
}

// repairer walks a value beside a pattern and makes of it one that matches.
type repairer struct {
	matcher matcher
	choice  int  // which of the values that a leaf could take it does take
	more    bool // some leaf has further ones
	changed bool
}

// given is a value at a place of the pattern.
type given struct {
	value any
	// removal says what is thought of the key's going, if it is one.
	removal removal
}

type removal uint8

const (
	noKey    removal = iota // there is no key: the whole value, or an element of a list
	required                // it may go only if the pattern asks for null
	optional                // it may go
)

// gone stands for a key that is to go.
type gone struct{}

func (r *repairer) matches(n *node, value any) bool { return r.matcher.node(n, value, 0) == matched }

func (r *repairer) node(written *node, v given) (any, bool) {
	n := r.matcher.resolve(written)
	if r.matches(written, v.value) {
		return v.value, true
	}
	switch n.kind {
	case objectNode:
		object, ok := v.value.(map[string]any)
		if !ok && v.value != nil {
			return nil, false // of another shape: nobody can tell what was meant
		}
		return r.object(n.object, object)
	case listNode:
		return r.list(n, v)
	default:
		return r.scalar(n, v)
	}
}

// object repairs each key by itself, unless a condition leaves the map out.
func (r *repairer) object(o *object, object map[string]any) (any, bool) {
	for _, fields := range [][]field{o.anchors, o.rest} {
		for i := range fields {
			if !r.counts(&fields[i], object) {
				return object, true
			}
		}
	}
	out := maps.Clone(object)
	if out == nil {
		out = map[string]any{}
	}
	for _, fields := range [][]field{o.anchors, o.rest} {
		for i := range fields {
			if !r.field(&fields[i], out) {
				return nil, false
			}
		}
	}
	return out, true
}

// counts reports whether the field, if it is a condition, lets the map count.
func (r *repairer) counts(f *field, object map[string]any) bool {
	_, value, present := f.find(object)
	switch f.anchor {
	case Condition:
		return present && r.matches(&f.value, value)
	case Global:
		return !present || r.matches(&f.value, value)
	default:
		return true
	}
}

// field repairs one key of a map, in place. False means that nothing is known to put there.
func (r *repairer) field(f *field, object map[string]any) bool {
	key, value, present := f.find(object)
	switch f.anchor {
	case Condition, Global:
		return true
	case Negation:
		if present {
			delete(object, key)
			r.changed = true
		}
		return true
	case Existence:
		return !present || r.matcher.existence(&f.value, value, 0) == matched
	case Equality:
		if !present {
			return true
		}
	default:
		if r.matcher.resolve(&f.value).star {
			return value != nil
		}
		if f.isWild && !present {
			return false
		}
	}
	removal := required
	if f.anchor == Equality {
		removal = optional
	}
	repaired, ok := r.node(&f.value, given{value, removal})
	if _, goes := repaired.(gone); goes {
		delete(object, key)
	} else if ok && (present || repaired != nil) {
		object[key] = repaired
	}
	return ok
}

// list repairs the elements. None is made up or taken away where they are objects: each stands for something.
func (r *repairer) list(n *node, v given) (any, bool) {
	if len(n.items) == 0 {
		return nil, false
	}
	item := r.matcher.resolve(&n.items[0])
	list, ok := v.value.([]any)
	switch {
	case item.kind == scalarNode:
		return r.scalars(item, list)
	case !ok || item.kind != objectNode:
		return nil, false
	}
	out := slices.Clone(list)
	for i := range out {
		if out[i], ok = r.node(&n.items[0], given{value: out[i]}); !ok {
			return nil, false
		}
	}
	return out, true
}

// scalars makes a list of the constant, or leaves out the elements that do not match.
func (r *repairer) scalars(item *node, list []any) (any, bool) {
	kept := slices.DeleteFunc(slices.Clone(list), func(v any) bool { return !item.scalar.match(v) })
	var choices []any
	for _, constant := range item.scalar.constants(nil) {
		if !slices.Contains(kept, constant) {
			choices = append(choices, append(slices.Clone(kept), constant))
		}
	}
	if len(list) > 0 {
		choices = append(choices, kept)
	}
	return r.choose(choices)
}

func (r *repairer) scalar(n *node, v given) (any, bool) {
	choices := n.scalar.constants(v.value)
	if v.removal == optional || v.removal == required && n.scalar.kind == nullScalar {
		choices = append(choices, gone{})
	}
	return r.choose(choices)
}

func (r *repairer) choose(choices []any) (any, bool) {
	if len(choices) == 0 {
		return nil, false
	}
	last := len(choices) - 1
	r.more = r.more || r.choice < last
	r.changed = true
	return choices[min(r.choice, last)], true
}
