package live

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/engine"
)

// Check says what would become of an object that is about to be written: with problems it would not be in
// force. It takes the object over.
func (s *Source) Check(_ context.Context, object map[string]any) (problems []engine.Problem, warnings []string) {
	meta, _ := object["metadata"].(map[string]any)
	k := key{}
	apiVersion, _ := object["apiVersion"].(string)
	group, _, _ := strings.Cut(apiVersion, "/")
	name, _ := object["kind"].(string)
	k.kind = kindOf(group, name)
	k.namespace, _ = meta["namespace"].(string)
	k.name, _ = meta["name"].(string)
	switch s.keeps(k) {
	case Hidden:
		return []engine.Problem{{Path: []any{"metadata", "name"}, Message: hidden(k)}}, nil
	case Uncounted: // namespaces may be made to count later
		warnings = append(warnings, k.String()+" "+uncounted(k))
	}
	compiled, problems := bundle.CompileObject(s.compiler, object)
	if len(problems) == 0 && compiled.Policy != nil {
		problems = bundle.Circle(compiled.Policy, s.opts.Store.Current().Policies())
	}
	if len(problems) > 0 {
		return problems, nil
	}
	for _, w := range compiled.Warnings {
		warnings = append(warnings, w.String())
	}
	if compiled.Exception != nil {
		warnings = append(warnings, s.dangling(compiled.Exception)...)
	}
	return nil, warnings
}

// dangling finds the policies and rules that an exception names and that are not in force now. They may come
// later; in most cases they are slips, and an exception with a slip excuses nothing.
func (s *Source) dangling(x *engine.Exception) (warnings []string) {
	policies := s.opts.Store.Current().Policies()
	if x.Kind() == celException {
		return danglingRefs(x, policies)
	}
	for i, excused := range x.Excuses {
		at := slices.IndexFunc(policies, func(p *engine.Policy) bool {
			return p.Key() == excused.Policy && (p.Kind == clusterPolicy || p.Kind == policy)
		})
		if at < 0 {
			warnings = append(warnings, fmt.Sprintf("spec.exceptions[%d].policyName: no policy %q is in force", i, excused.Policy))
			continue
		}
		for j, name := range excused.Rules {
			if !slices.ContainsFunc(policies[at].Rules, func(r *engine.Rule) bool { return name.Match(r.Name) }) {
				warnings = append(warnings, fmt.Sprintf("spec.exceptions[%d].ruleNames[%d]: policy %s has no rule %q", i, j, excused.Policy, name.String()))
			}
		}
	}
	return warnings
}

// danglingRefs does so for an exception of policies.kyverno.io. Its warnings about kinds are the compiler's.
func danglingRefs(x *engine.Exception, policies []*engine.Policy) (warnings []string) {
	for i, excused := range x.Excuses {
		if len(bundle.Versions(bundle.PoliciesGroup, excused.Kind)) > 0 && !slices.ContainsFunc(policies, func(p *engine.Policy) bool {
			return p.Kind == excused.Kind && p.Key() == excused.Policy
		}) {
			warnings = append(warnings, fmt.Sprintf("spec.policyRefs[%d].name: no %s %q is in force", i, excused.Kind, excused.Policy))
		}
	}
	return warnings
}
