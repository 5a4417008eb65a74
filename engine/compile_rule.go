package engine

import (
	"fmt"
	"strings"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"

	"github.com/holdfast-io/holdfast/engine/glob"
	"github.com/holdfast-io/holdfast/engine/mutate"
	"github.com/holdfast-io/holdfast/engine/pattern"
)

// self is where {{ @ }} points in patterns and patches.
var self = []string{"request", "object"}

func (c *compiler) compileValidation(v *kyvernov1.Validation, path []any) *validation {
	out := &validation{allowBefore: v.AllowExistingViolations == nil || *v.AllowExistingViolations}
	if v.Message != "" {
		out.message = c.compileTemplate(v.Message, at(path, "message"))
	}
	parts := 0
	if doc := v.GetPattern(); doc != nil {
		parts++
		out.patterns = c.compilePattern(doc, at(path, "pattern"), out.patterns)
	}
	if doc := v.GetAnyPattern(); doc != nil {
		parts++
		out.any = true
		list, ok := doc.([]any)
		if !ok || len(list) == 0 {
			c.problem(at(path, "anyPattern"), "is not a list of patterns")
		}
		for i, doc := range list {
			out.patterns = c.compilePattern(doc, at(path, "anyPattern", i), out.patterns)
		}
	}
	if v.Deny != nil {
		parts++
		if v.Deny.RawAnyAllConditions != nil {
			out.deny = c.compileConditions(v.Deny.RawAnyAllConditions, at(path, "deny", "conditions"))
		}
		out.denyAlways = out.deny == nil
	}
	for _, part := range []struct {
		name string
		used bool
	}{
		{"foreach", len(v.ForEachValidation) > 0},
		{"cel", v.CEL != nil},
		{"podSecurity", v.PodSecurity != nil},
		{"assert", v.DeprecatedAssert != nil},
		{"manifests", v.Manifests != nil},
	} {
		if part.used {
			parts++
			c.unbuilt(at(path, part.name), "validate."+part.name)
		}
	}
	if parts != 1 {
		c.problem(path, fmt.Sprintf("has %d of pattern, anyPattern, deny, foreach, cel, podSecurity, assert and manifests: expected exactly one", parts))
	}
	return out
}

func (c *compiler) compilePattern(doc any, path []any, list []*pattern.Pattern) []*pattern.Pattern {
	p, err := pattern.Compile(doc, pattern.Options{Self: self})
	if err != nil {
		c.wrong(path, err)
		return list
	}
	c.refs = append(c.refs, p.References()...)
	return append(list, p)
}

func (c *compiler) compileMutation(m *kyvernov1.Mutation, path []any) mutation {
	if len(m.ForEachMutation) > 0 {
		c.unbuilt(at(path, "foreach"), "mutate.foreach")
	}
	if len(m.Targets) > 0 {
		c.unbuilt(at(path, "targets"), "mutate.targets")
	}
	strategic := m.GetPatchStrategicMerge()
	switch {
	case strategic != nil && m.PatchesJSON6902 != "":
		c.problem(path, "has both patchStrategicMerge and patchesJson6902: expected one of them")
	case strategic != nil:
		p, err := mutate.CompileStrategic(strategic, mutate.Options{Self: self, Schema: c.schema})
		if err != nil {
			c.wrong(at(path, "patchStrategicMerge"), err)
			return nil
		}
		c.refs = append(c.refs, p.References()...)
		return p
	case m.PatchesJSON6902 != "":
		p, err := mutate.CompileJSON6902(m.PatchesJSON6902, mutate.Options{Self: self})
		if err != nil {
			// the operations stand inside a text, so that their own path is not one of the document
			c.problem(at(path, "patchesJson6902"), err.Error())
			return nil
		}
		c.refs = append(c.refs, p.References()...)
		return p
	case len(m.ForEachMutation) == 0:
		c.problem(path, "is empty: expected patchStrategicMerge or patchesJson6902")
	}
	return nil
}

// actionTable answers Enforce or Audit for an object of a namespace.
type actionTable struct {
	always    Action
	overrides []actionOverride
}

type actionOverride struct {
	action     Action
	namespaces []glob.Glob
	selector   *selector
}

// compileActions reads the failure action, from the rule where it says so, else from the policy.
func (c *compiler) compileActions(spec *kyvernov1.Spec, v *kyvernov1.Validation, path []any) actionTable {
	if v.FailureAction != nil {
		where := at(path, "validate", "failureAction")
		table := actionTable{always: c.compileActionName(string(*v.FailureAction), where)}
		c.overrides(&table, v.FailureActionOverrides, at(path, "validate", "failureActionOverrides"))
		return table
	}
	table := actionTable{always: c.compileActionName(string(spec.ValidationFailureAction), []any{"spec", "validationFailureAction"})}
	if len(v.FailureActionOverrides) > 0 {
		c.overrides(&table, v.FailureActionOverrides, at(path, "validate", "failureActionOverrides"))
	} else {
		c.overrides(&table, spec.ValidationFailureActionOverrides, []any{"spec", "validationFailureActionOverrides"})
	}
	return table
}

func (c *compiler) overrides(table *actionTable, list []kyvernov1.ValidationFailureActionOverride, path []any) {
	for i := range list {
		sel, err := compileSelector(list[i].NamespaceSelector)
		if err != nil {
			c.problem(at(path, i, "namespaceSelector"), err.Error())
		}
		table.overrides = append(table.overrides, actionOverride{
			action:     c.compileActionName(string(list[i].Action), at(path, i, "action")),
			namespaces: glob.CompileAll(list[i].Namespaces),
			selector:   sel,
		})
	}
}

func (c *compiler) compileActionName(name string, path []any) Action {
	switch strings.ToLower(name) {
	case "", "audit":
		return Audit
	case "enforce":
		return Enforce
	default:
		c.problem(path, fmt.Sprintf("unknown action %q: expected Enforce or Audit", name))
		return Audit
	}
}

// action gives the failure action for the object in hand: the first override that selects its
// namespace, else the policy's.
func (t *actionTable) action(e *evaluation) (Action, error) {
	for i := range t.overrides {
		o := &t.overrides[i]
		if len(o.namespaces) > 0 && !glob.MatchAny(o.namespaces, e.namespace()) {
			continue
		}
		if o.selector != nil {
			labels, err := e.namespaceLabels()
			if err != nil {
				return t.always, err
			}
			if !o.selector.match(labels) {
				continue
			}
		}
		return o.action, nil
	}
	return t.always, nil
}
