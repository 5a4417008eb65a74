package engine

import (
	"slices"

	"github.com/holdfast-io/holdfast/engine/glob"
)

// index finds the rules that may look at a resource, in evaluation order: first those that select by kind, then
// those that select by plural name.
type index struct{ byKind, byPlural names }

// names finds the rules that may match a name. A list holds every rule one of whose names matches, so that a
// request on a name that no rule has costs one map look-up.
type names struct {
	lists    map[string][]*Rule
	wildcard []*Rule // rules with a wildcard, for names that no rule has
}

func newIndex(rules []*Rule) index {
	return index{
		byKind:   newNames(rules, func(k *KindSelector) (glob.Glob, bool) { return k.Kind, !k.ByName }),
		byPlural: newNames(rules, func(k *KindSelector) (glob.Glob, bool) { return k.Plural, k.ByName }),
	}
}

func newNames(rules []*Rule, name func(*KindSelector) (glob.Glob, bool)) names {
	ix := names{lists: map[string][]*Rule{}}
	each := func(visit func(*Rule, glob.Glob)) {
		for _, r := range rules {
			for _, k := range r.match.kinds() {
				if g, ok := name(&k); ok {
					visit(r, g)
				}
			}
		}
	}
	each(func(r *Rule, g glob.Glob) {
		if g.Literal() {
			ix.lists[g.String()] = nil
		} else if last := len(ix.wildcard) - 1; last < 0 || ix.wildcard[last] != r {
			ix.wildcard = append(ix.wildcard, r)
		}
	})
	// A rule is in the list of each name that it has, and one with wildcards in the list of any that they fit.
	each(func(r *Rule, g glob.Glob) {
		if g.Literal() {
			ix.add(g.String(), r)
			return
		}
		for known := range ix.lists {
			if g.Match(known) {
				ix.add(known, r)
			}
		}
	})
	return ix
}

// add appends the rule, once; rules come in evaluation order.
func (ix *names) add(name string, r *Rule) {
	list := ix.lists[name]
	if len(list) == 0 || list[len(list)-1] != r {
		ix.lists[name] = append(list, r)
	}
}

func (ix *names) rules(name string) []*Rule {
	if list, ok := ix.lists[name]; ok {
		return list
	}
	return ix.wildcard
}

// empty reports whether no rule is found by a name.
func (ix *names) empty() bool { return len(ix.lists) == 0 && len(ix.wildcard) == 0 }

// rules lists the rules that may look at the resource.
func (ix *index) rules(r *Resource) []*Rule {
	byKind := ix.byKind.rules(r.Kind.Kind)
	if ix.byPlural.empty() {
		return byKind
	}
	return joined(byKind, ix.byPlural.rules(r.plural()))
}

// joined is a list behind another, without a copy where one of them is empty.
func joined(first, second []*Rule) []*Rule {
	switch {
	case len(second) == 0:
		return first
	case len(first) == 0:
		return second
	default:
		return slices.Concat(first, second)
	}
}

// matches reports whether any rule may look at such a request.
func (ix *index) matches(resource *Resource, op Operation) bool {
	return slices.ContainsFunc(ix.rules(resource), func(r *Rule) bool { return r.operations.has(op) && r.Selects(resource) })
}
