package engine

import (
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"github.com/holdfast-io/holdfast/engine/cel"
)

// celConditions are matchConditions: what does not meet them is none of the policy's business.
type celConditions struct {
	rule  *cel.Rule
	reads celReads
	refs  []string // of the request
}

func (c *compiler) compileMatchConditions(list []admissionregistrationv1.MatchCondition, path []any) *celConditions {
	if len(list) == 0 {
		return nil
	}
	src := c.celSource
	src.Conditions, src.Paths.Conditions = list, path
	rule := c.compileCELSource(src, path)
	if rule == nil {
		return nil
	}
	out := &celConditions{rule: rule, reads: readsOf(rule.References()), refs: c.refs}
	c.refs = nil
	return out
}

// meets reports whether the request meets the matchConditions, which are evaluated once for all rules of a policy.
func (e *evaluation) meets(c *celConditions) (bool, error) {
	if c == nil {
		return true, nil
	}
	known, ok := e.met[c]
	if !ok {
		known.value, known.err = e.holds(c)
		if e.met == nil {
			e.met = map[*celConditions]answer{}
		}
		e.met[c] = known
	}
	return known.value == true, known.err
}

// holds evaluates matchConditions on the object as it is now.
func (e *evaluation) holds(c *celConditions) (bool, error) {
	met, _, err := c.rule.Match(e.ctx, e.celInput(e.object, c.reads))
	if err != nil {
		return false, fmt.Errorf("matchConditions: %w", err)
	}
	return met, nil
}
