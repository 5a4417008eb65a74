package audit

import (
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine"
)

// wanted picks the types that a rule of the snapshot matches. An object that is served in several
// versions is judged in the preferred one; in another only if some rule matches that one alone.
func wanted(types []Type, s *engine.Snapshot) []Type {
	byObject := map[string][]Type{}
	for _, t := range types {
		if matchesAny(s, t) {
			key := t.Resource.Group + "/" + t.Resource.Resource
			byObject[key] = append(byObject[key], t)
		}
	}
	var out []Type
	for _, versions := range byObject {
		slices.SortFunc(versions, func(a, b Type) int {
			if a.Preferred != b.Preferred {
				if a.Preferred {
					return -1
				}
				return 1
			}
			return strings.Compare(b.Kind.Version, a.Kind.Version)
		})
		covered := map[*engine.Rule]bool{}
		for _, t := range versions {
			news := false
			for _, r := range rulesFor(s, t) {
				news = news || !covered[r]
				covered[r] = true
			}
			if news {
				out = append(out, t)
			}
		}
	}
	slices.SortFunc(out, func(a, b Type) int {
		return strings.Compare(a.Resource.String(), b.Resource.String())
	})
	return out
}

// looked tells the types that are audited, and those that policies name though the cluster does not serve them.
func looked(types []Type, s *engine.Snapshot) func(schema.GroupVersionKind) bool {
	audited := map[schema.GroupVersionKind]bool{}
	for _, t := range wanted(types, s) {
		audited[t.Kind] = true
	}
	served := map[schema.GroupVersionKind]bool{}
	for _, t := range types {
		served[t.Kind] = true
	}
	return func(kind schema.GroupVersionKind) bool {
		if served[kind] {
			return audited[kind]
		}
		// Of what is not served nobody tells what it is called in the plural, or whether it has namespaces.
		plural, _ := meta.UnsafeGuessKindToResource(kind)
		return lost(Type{Kind: kind, Resource: plural, Namespaced: true}, nil, s) || lost(Type{Kind: kind, Resource: plural}, nil, s)
	}
}

func matchesAny(s *engine.Snapshot, t Type) bool { return len(rulesFor(s, t)) > 0 }

// rulesFor lists the rules that the audit evaluates on the type.
func rulesFor(s *engine.Snapshot, t Type) []*engine.Rule {
	var out []*engine.Rule
	for _, p := range s.Policies() {
		if !p.Background || (p.Namespace != "" && !t.Namespaced) {
			continue
		}
		for _, r := range p.Rules {
			if t.isFor(r) {
				out = append(out, r)
			}
		}
	}
	return out
}

// isFor reports whether the rule may look at objects of the type.
func (t Type) isFor(r *engine.Rule) bool {
	return slices.ContainsFunc(r.Scopes(), func(scope engine.Scope) bool {
		switch scope.Within {
		case admissionregistrationv1.NamespacedScope:
			if !t.Namespaced {
				return false
			}
		case admissionregistrationv1.ClusterScope:
			if t.Namespaced {
				return false
			}
		}
		return slices.ContainsFunc(scope.Kinds, func(k engine.KindSelector) bool { return t.selectedBy(&k) })
	})
}
