package bundle

import (
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-io/holdfast/api/bounds"
	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine"
)

// circles finds policies that are to come after themselves by holdfast.dev/after, by way of others or at once: none of their
// plans would ever be carried out. Each circle is told once, at the first of its policies.
func circles(s *Summary) []Problem {
	policies := make([]*engine.Policy, len(s.Policies))
	for i := range s.Policies {
		policies[i] = s.Policies[i].Policy
	}
	after := orderOf(policies)
	told := map[string]bool{}
	var out []Problem
	for i := range s.Policies {
		l := &s.Policies[i]
		way := circle(after, l.Policy.Key())
		if way == nil || l.Policy.Annotations[v1alpha1.AnnotationAfter] == "" {
			continue
		}
		if !told[way[0]] {
			out = append(out, l.warning([]any{"metadata", "annotations", v1alpha1.AnnotationAfter}, spelled(way)))
		}
		for _, name := range way {
			told[name] = true
		}
	}
	return out
}

// Circle says why a policy cannot stand beside others, because by holdfast.dev/after it would come after itself; nothing if it
// can. One of the same kind and name among the others is the one whose place it takes.
func Circle(p *engine.Policy, others []*engine.Policy) []engine.Problem {
	list := slices.DeleteFunc(slices.Clone(others), func(o *engine.Policy) bool { return o.Kind == p.Kind && o.Key() == p.Key() })
	way := circle(orderOf(append(list, p)), p.Key())
	if way == nil || p.Annotations[v1alpha1.AnnotationAfter] == "" {
		return nil
	}
	return []engine.Problem{{Path: []any{"metadata", "annotations", v1alpha1.AnnotationAfter}, Message: spelled(way)}}
}

// orderOf gives the policies that each comes after, by their keys: kinds do not count there.
func orderOf(policies []*engine.Policy) map[string][]string {
	out := map[string][]string{}
	for _, p := range policies {
		if names, err := bounds.ParseNames(p.Annotations[v1alpha1.AnnotationAfter]); err == nil {
			out[p.Key()] = append(out[p.Key()], names...)
		}
	}
	return out
}

// circle gives the shortest way on which a policy comes after itself, from its name to its name; nil if there is none.
func circle(after map[string][]string, name string) []string {
	from := map[string]string{} // the one by which each was reached first
	for todo := []string{name}; len(todo) > 0; todo = todo[1:] {
		at := todo[0]
		for _, next := range after[at] {
			if next == name {
				way := []string{name}
				for ; at != name; at = from[at] {
					way = append(way, at)
				}
				way = append(way, name)
				slices.Reverse(way)
				return way
			}
			if _, reached := from[next]; !reached {
				from[next] = at
				todo = append(todo, next)
			}
		}
	}
	return nil
}

// spelled tells a circle: "a comes after b, b after c, c after a".
func spelled(way []string) string {
	steps := make([]string, len(way)-1)
	for i := range steps {
		steps[i] = fmt.Sprintf("%s after %s", way[i], way[i+1])
	}
	return "the order is a circle: " + strings.Join(steps, ", ")
}
