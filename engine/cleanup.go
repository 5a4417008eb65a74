package engine

import (
	"fmt"
	"time"

	"github.com/holdfast-io/holdfast/engine/condition"
)

// The kinds of cleanup policies.
const (
	kindCleanup        = "CleanupPolicy"
	kindClusterCleanup = "ClusterCleanupPolicy"
)

// cleanup is what a rule of a cleanup policy does: it finds what its next run deletes.
type cleanup struct {
	schedule    Schedule
	conditions  *condition.Conditions // nil: none
	cel         *celConditions        // of a DeletingPolicy; nil: none
	propagation string                // Foreground, Background, Orphan or empty
}

// The properties of a cleanup finding.
const (
	propertySchedule    = "schedule"
	propertyNext        = "next"
	propertyPropagation = "deletionPropagationPolicy"
)

// cleanUp judges an object at rest. One that the next run deletes is a warning: nobody broke a rule, and
// somebody may want to know. The finding is made on what is there now; the run looks again.
func (r *Rule) cleanUp(e *evaluation) *Decision {
	met, err := r.meetsCleanup(e)
	if err != nil {
		return r.failed(err)
	}
	if !met {
		return r.decide(Pass, "")
	}
	run := r.cleanup.schedule.Next(e.in.Now())
	e.asked.until(run)
	next := run.Format(time.RFC3339)
	d := r.decide(Warn, fmt.Sprintf("would be deleted at the next run of the schedule %q, at %s", r.cleanup.schedule, next))
	d.Properties = map[string]string{propertySchedule: r.cleanup.schedule.String(), propertyNext: next}
	if r.cleanup.propagation != "" {
		d.Properties[propertyPropagation] = r.cleanup.propagation
	}
	return d
}

// meetsCleanup reports whether the conditions of the policy hold of the object.
func (r *Rule) meetsCleanup(e *evaluation) (bool, error) {
	switch {
	case r.cleanup.cel != nil:
		met, err := e.meetsAtRest(r.cleanup.cel)
		if err != nil {
			return false, fmt.Errorf("conditions: %w", err)
		}
		return met, nil
	case r.cleanup.conditions == nil:
		return true, nil
	}
	x, err := r.scope(e)
	if err != nil {
		return false, err
	}
	x.set("target", e.object)
	if err := x.load(r.context.before); err != nil {
		return false, err
	}
	res, err := r.cleanup.conditions.Evaluate(x.env)
	if err != nil {
		return false, fmt.Errorf("conditions: %w", err)
	}
	return res.Met, nil
}

// meetsAtRest evaluates the conditions of a DeletingPolicy, to which the namespace of a Namespace is itself.
func (e *evaluation) meetsAtRest(c *celConditions) (bool, error) {
	in := e.celInput(e.object, c.reads)
	if e.isNamespace() {
		in.Namespace = func() (map[string]any, error) { return e.object, nil }
	}
	met, _, err := c.rule.Match(e.ctx, in)
	return met, err
}

// cleanUps judges the object by the cleanup policies that select it, and by its own label.
func (e *evaluation) cleanUps(rules []*Rule, ttl *Rule) []Decision {
	decisions := e.each(rules, atRest, func(r *Rule) *Decision { return r.cleanUp(e) })
	if ttl != nil {
		if d := e.outlived(ttl); d != nil {
			decisions = append(decisions, *d)
		}
	}
	return decisions
}

// Schedule says when a cleanup rule deletes; false for other rules.
func (r *Rule) Schedule() (Schedule, bool) {
	if r.cleanup == nil {
		return Schedule{}, false
	}
	return r.cleanup.schedule, true
}
