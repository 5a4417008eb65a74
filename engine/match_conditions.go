package engine

import (
	"errors"
	"fmt"
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"github.com/holdfast-io/holdfast/engine/cel"
)

// celConditions are matchConditions: what does not meet them is none of the policy's business.
type celConditions struct {
	rule  *cel.Rule
	reads celReads
	refs  []string // of the request
	list  []admissionregistrationv1.MatchCondition
	// portable says that an API server can evaluate them, ofRequest that they read nothing but the request.
	portable, ofRequest bool
	// told says that what does not meet them is reported: the policy is skipped, as in Kyverno's reports for its CEL kinds.
	told bool
	// forgiving says that a condition without a result means the same: failurePolicy Ignore of such a policy.
	forgiving bool
}

func readsObject(facts []string) bool {
	return slices.Contains(facts, "object") || slices.Contains(facts, "oldObject")
}

// unmet is what stands in the way of a policy.
type unmet struct {
	reason string // empty: nothing
	err    error
}

func (c *compiler) compileMatchConditions(list []admissionregistrationv1.MatchCondition, path []any) *celConditions {
	return c.compileConditionsWith(c.celSource, list, path)
}

// compileConditionsWith compiles matchConditions that may read the variables of a source.
func (c *compiler) compileConditionsWith(src cel.Source, list []admissionregistrationv1.MatchCondition, path []any) *celConditions {
	if len(list) == 0 {
		return nil
	}
	src.Conditions, src.Paths.Conditions = list, path
	rule := c.compileCELSource(src, path)
	if rule == nil {
		return nil
	}
	out := &celConditions{rule: rule, reads: readsOf(rule.References()), refs: c.refs, told: src.Language == cel.Kyverno}
	expressions := make([]string, len(list))
	for i := range list {
		expressions[i] = list[i].Expression
	}
	out.list, out.portable, out.ofRequest = list, c.cel.Portable(expressions...), !readsObject(rule.References())
	out.forgiving = out.told && c.policy.FailurePolicy == IgnoreOnError
	c.refs = nil
	return out
}

// unmet says what stands in the way of a policy with these conditions, which are evaluated once for all its rules.
func (e *evaluation) unmet(c *celConditions) unmet {
	if c == nil {
		return unmet{}
	}
	known, ok := e.met[c]
	if !ok {
		name, err := e.missed(c)
		switch {
		case err != nil && c.forgiving && errors.Is(err, cel.ErrExpression):
			known.reason = "failurePolicy Ignore, and " + err.Error()
		case err != nil:
			known.err = err
		case name != "":
			known.reason = "matchConditions not met: " + name
		}
		if e.met == nil {
			e.met = map[*celConditions]unmet{}
		}
		e.met[c] = known
	}
	return known
}

// bars gives the decision that ends a rule whose conditions are not met; without one it is not told of.
func (c *celConditions) bars(r *Rule, e *evaluation) (barred bool, d *Decision) {
	switch u := e.unmet(c); {
	case u.err != nil:
		return true, r.failed(u.err)
	case u.reason == "":
		return false, nil
	case c.told:
		return true, r.decide(Skip, u.reason)
	default:
		return true, nil
	}
}

// holds evaluates matchConditions on the object as it is now.
func (e *evaluation) holds(c *celConditions) (bool, error) {
	name, err := e.missed(c)
	return name == "" && err == nil, err
}

// missed gives the name of the condition that the object as it is now does not meet, or nothing.
func (e *evaluation) missed(c *celConditions) (string, error) {
	met, name, err := c.rule.Match(e.ctx, e.celInput(e.object, c.reads))
	switch {
	case err != nil:
		return "", fmt.Errorf("matchConditions: %w", err)
	case !met && name == "":
		return "a condition without a name", nil
	default:
		return name, nil
	}
}
