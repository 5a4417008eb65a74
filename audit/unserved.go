package audit

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine"
)

// unserved lists what rules name and the cluster does not list: nothing of it was looked at, and nothing of it can be
// there as long as that is so. What rules select by a wildcard alone they do not name.
func unserved(types []Type, s *engine.Snapshot) []Coverage {
	policies := map[engine.KindSelector]map[string]struct{}{}
	for _, p := range s.Policies() {
		if !p.Background {
			continue
		}
		for _, r := range p.Rules {
			if auditable, _ := r.Auditable(); !auditable {
				continue
			}
			for _, scope := range r.Scopes() {
				for _, k := range absent(types, scope.Kinds) {
					if policies[k] == nil {
						policies[k] = map[string]struct{}{}
					}
					policies[k][p.ID()] = struct{}{}
				}
			}
		}
	}
	out := make([]Coverage, 0, len(policies))
	for k, by := range policies {
		c := Coverage{Skipped: "the cluster has no such type that can be listed; policies that select it: " + strings.Join(slices.Sorted(maps.Keys(by)), ", ")}
		c.Type.Kind = schema.GroupVersionKind{Group: k.Group.String(), Version: k.Version.String(), Kind: k.Kind.String()}
		if k.ByName {
			c.Type.Kind.Kind = k.Plural.String() // of its kind nothing is known
		}
		c.Type.Resource = schema.GroupVersionResource{Group: k.Group.String(), Version: k.Version.String(), Resource: strings.ToLower(c.Type.Kind.Kind)}
		out = append(out, c)
	}
	slices.SortFunc(out, compareCoverage)
	return out
}

// absent gives those of the selectors of a scope that name types which are not there. A resourceRule stands for all its
// groups with all its resources; one of each is meant.
func absent(types []Type, kinds []engine.KindSelector) []engine.KindSelector {
	found := map[string]bool{}
	var out []engine.KindSelector
	for _, k := range kinds {
		switch {
		case !named(&k) || !k.SubResource.Match(""):
		case slices.ContainsFunc(types, func(t Type) bool { return t.selectedBy(&k) }):
			found[k.Plural.String()] = true
		default:
			out = append(out, k)
		}
	}
	return slices.DeleteFunc(out, func(k engine.KindSelector) bool { return k.ByName && found[k.Plural.String()] })
}

// named reports whether the selector names a type.
func named(k *engine.KindSelector) bool {
	if k.ByName {
		return k.Plural.Literal()
	}
	return k.Kind.Literal()
}

func (t Type) selectedBy(k *engine.KindSelector) bool {
	return k.Match(&engine.Resource{Kind: t.Kind, Plural: t.Resource.Resource})
}

// lost reports whether a type that is served no more leaves objects unseen: a rule names it, and sees them in no other
// version.
func lost(t Type, keep map[Type]bool, s *engine.Snapshot) bool {
	return slices.ContainsFunc(rulesFor(s, t), func(r *engine.Rule) bool {
		if !slices.ContainsFunc(r.Kinds(), func(k engine.KindSelector) bool { return named(&k) && t.selectedBy(&k) }) {
			return false
		}
		for other := range keep {
			if other.Resource.GroupResource() == t.Resource.GroupResource() && r.Selects(&engine.Resource{Kind: other.Kind, Plural: other.Resource.Resource}) {
				return false
			}
		}
		return true
	})
}

// abandon keeps what was found of a type that is served no more: it was not looked at since, and is not clean for that.
func (a *Auditor) abandon(t Type) {
	a.abandoned[t] = true
	a.opts.Logger.Warn("The cluster serves a type no more that policies name; its reports stay as they are", "resource", t.label())
	a.book.stale(t, fmt.Sprintf("the cluster serves %s no more", t.label()))
}

// settle lets go of what was found of types that were served no more, as soon as no policy names them or they are seen
// again: then their watchers tell.
func (a *Auditor) settle(keep map[Type]bool) {
	s := a.opts.Snapshots.Current()
	for t := range a.abandoned {
		switch {
		case keep[t]:
			delete(a.abandoned, t)
		case !lost(t, keep, s):
			delete(a.abandoned, t)
			a.forget(t)
		}
	}
}

// forget removes a type and all that was found of it.
func (a *Auditor) forget(t Type) {
	a.book.forget(t)
	a.listed(t, nil)
}
