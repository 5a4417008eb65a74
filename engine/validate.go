package engine

import (
	"errors"
	"fmt"
	"strings"

	"github.com/holdfast-io/holdfast/engine/expr"
	"github.com/holdfast-io/holdfast/engine/pattern"
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
	if e.req.Operation != Update || e.req.OldObject == nil {
		return false
	}
	old := *e.req
	old.Operation, old.Object, old.OldObject = Create, e.req.OldObject, nil
	before := &evaluation{ctx: e.ctx, req: &old, in: e.in, env: e.env, object: old.Object, name: e.name}
	if ok, _ := r.applies(before); !ok {
		return false
	}
	d := r.verdict(before)
	return d != nil && d.Status == Fail
}

// verdict evaluates the rule on the object in hand. Nil means that it has nothing to say.
func (r *Rule) verdict(e *evaluation) *Decision {
	env, d := r.prepare(e)
	if d != nil {
		return d
	}
	v := r.validate
	switch {
	case v.patterns == nil:
		return r.judgeDeny(env)
	case e.req.Operation == Delete:
		return nil // a pattern says how an object is to be, and there will be none
	case v.any:
		return r.judgeAnyPattern(env, e.object)
	default:
		return r.judgePattern(env, e.object)
	}
}

// prepare loads the rule's variables and checks its preconditions. A decision ends the rule.
func (r *Rule) prepare(e *evaluation) (*expr.Env, *Decision) {
	env, err := r.scope(e)
	if err != nil {
		return nil, r.failed(err)
	}
	if r.preconditions == nil {
		return env, nil
	}
	res, err := r.preconditions.Evaluate(env)
	if err != nil {
		return nil, r.failed(fmt.Errorf("preconditions: %w", err))
	}
	if !res.Met {
		return nil, r.decide(Skip, joinNonEmpty("; ", "preconditions not met", res.Message))
	}
	return env, nil
}

func (r *Rule) judgeDeny(env *expr.Env) *Decision {
	v := r.validate
	if v.denyAlways {
		return r.decide(Fail, r.message(env, ""))
	}
	res, err := v.deny.Evaluate(env)
	if err != nil {
		return r.failed(fmt.Errorf("deny conditions: %w", err))
	}
	if !res.Met {
		return r.decide(Pass, "")
	}
	return r.decide(Fail, r.message(env, res.Message))
}

func (r *Rule) judgePattern(env *expr.Env, object map[string]any) *Decision {
	res := r.validate.patterns[0].Match(env, object)
	switch res.Outcome {
	case pattern.Pass:
		return r.decide(Pass, "")
	case pattern.Skip:
		return r.decide(Skip, joinNonEmpty(": ", "a condition of the pattern does not hold", res.Message))
	case pattern.Error:
		return r.failed(res.Err)
	default:
		d := r.decide(Fail, r.message(env, "failed at "+res.Path))
		d.Path = res.Path
		return d
	}
}

// judgeAnyPattern passes with the first pattern that does, and skips if every pattern does.
func (r *Rule) judgeAnyPattern(env *expr.Env, object map[string]any) *Decision {
	var failed []string
	path := ""
	for i, p := range r.validate.patterns {
		res := p.Match(env, object)
		switch res.Outcome {
		case pattern.Pass:
			return r.decide(Pass, "")
		case pattern.Error:
			if !errors.Is(res.Err, pattern.ErrMismatch) {
				return r.failed(res.Err)
			}
			// this pattern has no answer because the object is not of its shape, which another may be
			fallthrough
		case pattern.Fail:
			failed = append(failed, fmt.Sprintf("anyPattern[%d] at %s", i, res.Path))
			if path == "" {
				path = res.Path
			}
		}
	}
	if len(failed) == 0 {
		return r.decide(Skip, "a condition of each pattern does not hold")
	}
	d := r.decide(Fail, r.message(env, "failed "+strings.Join(failed, ", ")))
	d.Path = path
	return d
}

// message is what the user reads: the policy's message, and what was found. A message whose variables
// cannot be resolved must not hide the denial: it is shown as it is written.
func (r *Rule) message(env *expr.Env, found string) string {
	text := ""
	if t := r.validate.message; t != nil {
		var err error
		if text, err = t.RenderText(env); err != nil {
			text = t.Source()
		}
	}
	if text == "" && found == "" {
		return "rule " + r.Name + " failed"
	}
	return joinSentence(strings.TrimSpace(text), found)
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
