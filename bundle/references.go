package bundle

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/engine/nearest"
)

// danglingReferences warns of names that lead nowhere in the bundle: of an exception that excuses from a policy
// or a rule that is not there, and of a context that reads a global entry that is not. Both may be elsewhere,
// in a cluster; in most cases they are slips, and an exception with a slip excuses nothing.
func danglingReferences(s *Summary) []Problem {
	var out []Problem
	policies := map[string]map[string]*engine.Policy{} // by kind, empty for those of kyverno.io
	for i := range s.Policies {
		p := s.Policies[i].Policy
		kind := p.Kind
		if kind == clusterPolicy || kind == policy {
			kind = ""
		}
		if policies[kind] == nil {
			policies[kind] = map[string]*engine.Policy{}
		}
		policies[kind][p.Key()] = p
	}
	for i := range s.Exceptions {
		if l := &s.Exceptions[i]; groupOf(l.Document) == PoliciesGroup {
			out = append(out, danglingRefs(l, policies)...)
		} else {
			out = append(out, danglingExcuses(l, policies[""])...)
		}
	}
	entries := map[string]*engine.GlobalContext{}
	for i := range s.GlobalContexts {
		entries[s.GlobalContexts[i].GlobalContext.Name] = s.GlobalContexts[i].GlobalContext
	}
	for i := range s.Policies {
		l := &s.Policies[i]
		walkReferences(l.Document, nil, func(name string, path []any) {
			if message := danglingEntry(name, entries); message != "" {
				out = append(out, l.warning(path, message))
			}
		})
	}
	return out
}

func (l *Loaded) warning(path []any, message string) Problem {
	at := l.place(path)
	return Problem{at.File, at.Line, at.Column, l.Key(), engine.Problem{Path: path}.PathString(), message}
}

func danglingExcuses(l *Loaded, policies map[string]*engine.Policy) []Problem {
	var out []Problem
	for i, e := range l.Exception.Excuses {
		path := []any{"spec", "exceptions", i}
		p := policies[e.Policy]
		if p == nil && strings.ContainsAny(e.Policy, "*?") {
			continue // the compiler has told
		}
		if p == nil {
			out = append(out, l.warning(below(path, "policyName"), fmt.Sprintf("the bundle has no policy %q%s", e.Policy, didYouMean(e.Policy, policies))))
			continue
		}
		for j, rule := range e.Rules {
			// A pattern such as autogen-* may find nothing: it is written for what there may be.
			if rule.Literal() && !slices.ContainsFunc(p.Rules, func(r *engine.Rule) bool { return rule.Match(r.Name) }) {
				out = append(out, l.warning(below(below(path, "ruleNames"), j), fmt.Sprintf("policy %s has no rule %q%s", e.Policy, rule.String(), didYouMean(rule.String(), ruleNames(p)))))
			}
		}
	}
	return out
}

// danglingRefs does so for an exception of policies.kyverno.io.
func danglingRefs(l *Loaded, policies map[string]map[string]*engine.Policy) []Problem {
	var out []Problem
	for i, e := range l.Exception.Excuses {
		among := policies[e.Kind]
		if among[e.Policy] != nil || versionsOf(PoliciesGroup, e.Kind) == nil { // what is no kind, the compiler has told
			continue
		}
		message := fmt.Sprintf("the bundle has no %s %q", e.Kind, e.Policy)
		_, name, _ := strings.Cut(e.Policy, "/")
		elsewhere := slices.DeleteFunc(slices.Sorted(maps.Keys(among)), func(key string) bool { return name == "" || !strings.HasSuffix(key, "/"+name) })
		if len(elsewhere) > 0 {
			message += ": a name alone means a policy of the exception's own namespace: did you mean " + elsewhere[0] + "?"
		} else {
			message += didYouMean(e.Policy, among)
		}
		out = append(out, l.warning([]any{"spec", "policyRefs", i, "name"}, message))
	}
	return out
}

func ruleNames(p *engine.Policy) map[string]*engine.Rule {
	m := make(map[string]*engine.Rule, len(p.Rules))
	for _, r := range p.Rules {
		m[r.Name] = r
	}
	return m
}

func didYouMean[V any](name string, among map[string]V) string {
	if near := nearest.Name(name, slices.Sorted(maps.Keys(among))); near != "" {
		return ": did you mean " + near + "?"
	}
	return ""
}

// walkReferences finds the entries that contexts name, wherever a context stands: in a rule, a foreach or a
// target.
func walkReferences(value any, path []any, found func(name string, path []any)) {
	switch value := value.(type) {
	case map[string]any:
		if list, ok := value["context"].([]any); ok {
			for i, item := range list {
				entry, _ := item.(map[string]any)
				ref, _ := entry["globalReference"].(map[string]any)
				if name, _ := ref["name"].(string); name != "" {
					found(name, slices.Concat(path, []any{"context", i, "globalReference", "name"}))
				}
			}
		}
		for _, key := range sortedKeys(value) {
			walkReferences(value[key], below(path, key), found)
		}
	case []any:
		for i, item := range value {
			walkReferences(item, below(path, i), found)
		}
	}
}

// danglingEntry says what is wrong with a reference such as entry or entry.projection; one with a variable is
// known only when it is read.
func danglingEntry(name string, entries map[string]*engine.GlobalContext) string {
	if strings.Contains(name, "{{") {
		return ""
	}
	entry, projection, projected := strings.Cut(name, ".")
	g := entries[entry]
	switch {
	case g == nil:
		return fmt.Sprintf("the bundle has no GlobalContextEntry %q%s", entry, didYouMean(entry, entries))
	case projected && !slices.ContainsFunc(g.Projections, func(p engine.Projection) bool { return p.Name == projection }):
		return fmt.Sprintf("GlobalContextEntry %s has no projection %q", entry, projection)
	default:
		return ""
	}
}
