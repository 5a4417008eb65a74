package engine

import (
	"fmt"
	"slices"
	"strings"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"

	"github.com/holdfast-io/holdfast/engine/glob"
)

// compileValidation compiles the validate part of the rule at the path.
func (c *compiler) compileValidation(r *kyvernov1.Rule, rulePath []any) (out *validation, messageRefs []string) {
	v, path := r.Validation, at(rulePath, "validate")
	out = &validation{allowBefore: v.AllowExistingViolations == nil || *v.AllowExistingViolations}
	if v.Message != "" {
		from := len(c.refs)
		out.message = c.compileTemplate(v.Message, at(path, "message"))
		messageRefs = slices.Clone(c.refs[from:])
		c.refs = c.refs[:from]
	}
	parts := 0
	take := func(used bool, compile func() checker) {
		if used {
			parts++
			out.body = compile()
		}
	}
	take(v.GetPattern() != nil, func() checker { return c.compilePatternCheck(v.GetPattern(), at(path, "pattern")) })
	take(v.GetAnyPattern() != nil, func() checker { return c.compileAnyPattern(v.GetAnyPattern(), at(path, "anyPattern"), self) })
	take(v.Deny != nil, func() checker {
		out.atDelete = true
		check, refs := c.compileDeny(v.Deny, at(path, "deny"))
		messageRefs = append(messageRefs, refs...)
		return check
	})
	take(len(v.ForEachValidation) > 0, func() checker {
		check, refs := c.compileForEach(v.ForEachValidation, at(path, "foreach"), 0)
		out.atDelete = check.denies()
		messageRefs = append(messageRefs, refs...)
		return check
	})
	take(v.CEL != nil, func() checker {
		check, atDelete := c.compileCEL(r, rulePath)
		out.atDelete = atDelete
		return check
	})
	take(v.PodSecurity != nil, func() checker { return c.compilePodSecurity(v.PodSecurity, at(path, "podSecurity")) })
	take(v.DeprecatedAssert != nil, func() checker { return c.compileAssert(v.DeprecatedAssert, at(path, "assert")) })
	take(v.Manifests != nil, func() checker { return c.compileManifests(v.Manifests, at(path, "manifests")) })
	if parts != 1 {
		c.problem(path, fmt.Sprintf("has %d of pattern, anyPattern, deny, foreach, cel, podSecurity, assert and manifests: expected exactly one", parts))
	}
	return out, messageRefs
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
