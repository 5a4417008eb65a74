package engine

import (
	"context"
	"fmt"
	"time"
)

// Validate judges the request by the validate rules that match it, in order. Rules of policies that are
// off at admission are left out.
func (s *Snapshot) Validate(ctx context.Context, req *Request, in *Inputs) []Decision {
	e := s.begin(ctx, req, in)
	return e.validate(s.validate.rules(e), atAdmission)
}

// Mutate applies the mutate rules that match the request, in order, each on what the one before made. A
// rule that cannot be evaluated changes nothing and is an Error among the decisions.
func (s *Snapshot) Mutate(ctx context.Context, req *Request, in *Inputs) (Mutation, error) {
	e := s.begin(ctx, req, in)
	return e.mutated(e.mutate(s.mutate.rules(e), atAdmission))
}

// Audit judges an object at rest: the validate rules on the object as it is, the mutate rules, which fail if
// they would still change it, the generate rules, which fail if what they generate for it is missing or
// differs, and what cleans up, which warns of what it would delete. Rules of policies with background off are
// left out. The patch of the answer leads to the object that the mutate rules want; what else the answer
// rests on is in its dependencies.
func (s *Snapshot) Audit(ctx context.Context, req *Request, in *Inputs) (Mutation, error) {
	as := s.begin(ctx, req, in)
	as.atRest = true
	as.watchClock()
	decisions := as.validate(s.validate.rules(as), atRest)
	e := s.begin(ctx, req, in)
	e.atRest, e.asked, e.env.Now = true, as.asked, as.env.Now
	decisions = append(decisions, e.mutate(s.mutate.rules(e), atRest)...)
	decisions = append(decisions, s.generate(as, atRest)...) // of the object as it is
	decisions = append(decisions, as.cleanUps(s.index[Cleanup].rules(&e.resource), s.ttl)...)
	out, err := e.mutated(decisions)
	out.Dependencies, out.Unwatched = as.asked.dependencies(), as.asked.unwatched
	out.Due, out.Clock = as.asked.due, as.asked.clock
	return out, err
}

// watchClock notes when a function of JMESPath reads the clock. At admission nobody asks.
func (e *evaluation) watchClock() {
	if now, asked := e.env.Now, e.asked; now != nil {
		e.env.Now = func() time.Time {
			asked.readsClock()
			return now()
		}
	}
}

// unasked reports whether there is no request: the object is at rest. The values of a test make up for one.
func (e *evaluation) unasked() bool { return e.req.User == nil && e.in.Given == nil }

func atAdmission(p *Policy) bool { return p.Admission }
func atRest(p *Policy) bool      { return p.Background }

// applies finds out whether the rule is to be evaluated. Without an answer there is a decision instead:
// an error, or "not auditable".
func (r *Rule) applies(e *evaluation) (bool, *Decision) {
	e.policy = r.Policy
	if !r.Policy.judges(e.req) || r.bound != nil && exempt(e.req.Kind) {
		return false, nil
	}
	if e.unasked() && !r.operations.has(e.req.Operation) {
		// At rest there is no operation to speak of: say why the rule gives no verdict, if it is about
		// this kind of object at all.
		if !r.Selects(&e.resource) {
			return false, nil
		}
		_, reason := r.Auditable()
		return false, r.notAuditable(reason)
	}
	if !r.operations.has(e.req.Operation) {
		return false, nil
	}
	matched, err := r.match.match(e)
	if err != nil || matched == no {
		return false, r.failed(err)
	}
	excluded, err := r.exclude.match(e)
	if err != nil || excluded == yes {
		return false, r.failed(err)
	}
	if r.bound != nil {
		if within, err := r.bound.scope.matches(e); err != nil || !within {
			return false, r.failed(err)
		}
	}
	// In a test that names no user, a match by user holds and an exclude does not.
	if e.unasked() {
		if matched == unknown || excluded == unknown {
			return false, r.notAuditable("matches by request.userInfo")
		}
		if fact := r.needs.request(); fact != "" {
			return false, r.notAuditable("needs " + fact)
		}
	}
	return r.concerned(e)
}

// concerned finds out whether the matchConditions are met. Those that read what exceptions allow come after these.
func (r *Rule) concerned(e *evaluation) (bool, *Decision) {
	if r.conditions != nil && r.conditions.reads.exceptions {
		if d := e.excusal(r); d != nil {
			return false, d
		}
	}
	barred, d := r.conditions.bars(r, e)
	return !barred, d
}

// Selects reports whether one of the rule's kinds is this one.
func (r *Rule) Selects(resource *Resource) bool {
	for i := range r.match.filters {
		if r.match.filters[i].selects(resource) {
			return true
		}
	}
	return false
}

func (r *Rule) decide(status Status, message string) *Decision {
	return &Decision{Policy: r.Policy, Rule: r, Status: status, Message: message}
}

func (r *Rule) failed(err error) *Decision {
	if err == nil {
		return nil
	}
	d := r.decide(Error, "could not be evaluated: "+err.Error())
	d.Err = err
	if r.bound != nil { // what is wrong with a binding refuses the write; see Decision.Action
		d.Action = Enforce
	}
	return d
}

func (r *Rule) notAuditable(reason string) *Decision {
	d := r.decide(Skip, "not auditable: "+reason)
	d.Err = fmt.Errorf("%w: %s", ErrNotAuditable, reason)
	return d
}

// each walks the rules in order and honours applyRules: One, which ends a policy with its first rule
// that gave a verdict.
func (e *evaluation) each(rules []*Rule, at func(*Policy) bool, evaluate func(*Rule) *Decision) []Decision {
	var decisions []Decision
	var done *Policy
	for _, r := range rules {
		if r.Policy == done || !at(r.Policy) {
			continue
		}
		if e.in.Watch != nil {
			e.in.Watch.Began(r)
		}
		ok, d := r.applies(e)
		if ok {
			// What time does not suffice for is an error of that rule, for its failurePolicy to settle.
			if err := e.ctx.Err(); err != nil {
				d = r.failed(fmt.Errorf("not evaluated in time: %w", err))
			} else if d = e.excusal(r); d == nil {
				d = evaluate(r)
			}
		}
		if d == nil {
			continue
		}
		if e.in.Watch != nil {
			e.in.Watch.Decided(d)
		}
		if decisions == nil {
			const most = 64 // decisions are large, and of a long list not all rules need match
			decisions = make([]Decision, 0, min(len(rules), most))
		}
		decisions = append(decisions, *d)
		if r.Policy.applyOne && (d.Status == Pass || d.Status == Fail || d.Status == Warn) {
			done = r.Policy
		}
	}
	return decisions
}
