package engine

import (
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"github.com/holdfast-io/holdfast/engine/cel"
)

// celConditions are the matchConditions of a policy: what does not meet them is none of its business.
type celConditions struct {
	rule  *cel.Rule
	reads celReads
	refs  []string // of the request
}

func (c *compiler) compileMatchConditions(list []admissionregistrationv1.MatchCondition, path []any) *celConditions {
	if len(list) == 0 {
		return nil
	}
	rule := c.compileCELSource(cel.Source{Conditions: list, Paths: cel.Paths{Conditions: path}}, path)
	if rule == nil {
		return nil
	}
	out := &celConditions{rule: rule, reads: readsOf(rule.References()), refs: c.refs}
	c.refs = nil
	return out
}

// meets reports whether the request meets the policy's matchConditions, which are evaluated once.
func (e *evaluation) meets(p *Policy) (bool, error) {
	if p.conditions == nil {
		return true, nil
	}
	known, ok := e.met[p]
	if !ok {
		known.value, _, known.err = p.conditions.rule.Match(e.ctx, e.celInput(e.object, p.conditions.reads))
		if known.err != nil {
			known.err = fmt.Errorf("matchConditions: %w", known.err)
		}
		if e.met == nil {
			e.met = map[*Policy]answer{}
		}
		e.met[p] = known
	}
	return known.value == true, known.err
}
