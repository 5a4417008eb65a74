package engine

import (
	"fmt"
	"strings"
)

func (e *evaluation) validate(rules []*Rule, at func(*Policy) bool) []Decision {
	return e.each(rules, at, func(r *Rule) *Decision { return r.judge(e) })
}

// judge gives a matching validate rule's verdict with what it means for the write.
func (r *Rule) judge(e *evaluation) *Decision {
	d := r.verdict(e)
	if d == nil || d.Status != Fail {
		return d
	}
	action, err := r.action.action(e)
	if err != nil {
		return r.failed(err)
	}
	d.Action = action
	if action == Enforce && r.validate.allowBefore && r.failedBefore(e) {
		return r.decide(Skip, "the object violated this rule before the update: existing violations are allowed")
	}
	if !r.Policy.Scored {
		d.Status = Warn
	}
	return d
}

// failedBefore judges the old object of an update as if it were being created.
func (r *Rule) failedBefore(e *evaluation) bool {
	if e.req.Operation != Update || e.req.Old() == nil {
		return false
	}
	old := *e.req
	old.Operation, old.Object, old.OldObject = Create, e.req.Old(), nil
	before := e.about(&old)
	if ok, _ := r.applies(before); !ok || before.excusal(r) != nil {
		return false // what was excused was no violation
	}
	d := r.verdict(before)
	return d != nil && d.Status == Fail
}

// verdict evaluates the rule on the object in hand. Nil means that it has nothing to say.
func (r *Rule) verdict(e *evaluation) *Decision {
	x, d := r.prepare(e)
	if d != nil {
		return d
	}
	return r.validate.body.check(x)
}

// prepare opens the rule's scope, checks its preconditions and loads what its body reads. A decision ends the
// rule.
func (r *Rule) prepare(e *evaluation) (*scope, *Decision) {
	x, err := r.scope(e)
	if err != nil {
		return nil, r.failed(err)
	}
	if err := x.load(r.context.before); err != nil {
		return nil, r.failed(err)
	}
	if r.preconditions != nil {
		res, err := r.preconditions.Evaluate(x.env)
		if err != nil {
			return nil, r.failed(fmt.Errorf("preconditions: %w", err))
		}
		if !res.Met {
			return nil, r.decide(Skip, joinNonEmpty("; ", "preconditions not met", res.Message))
		}
	}
	if err := x.load(r.context.body); err != nil {
		return nil, r.failed(err)
	}
	return x, nil
}

// joinSentence puts what was found behind the policy's message: "is refused; failed at /spec/" or
// "Is refused. Failed at /spec/".
func joinSentence(text, found string) string {
	if found == "" || !strings.HasSuffix(text, ".") {
		return joinNonEmpty("; ", text, found)
	}
	if rest, ok := strings.CutPrefix(found, "failed "); ok {
		found = "Failed " + rest
	}
	return text + " " + found
}

func joinNonEmpty(sep string, parts ...string) string {
	var kept []string
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, sep)
}
