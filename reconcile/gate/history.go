package gate

import (
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
)

// attempts stops at an object whose change has failed too often since it last went well, and at one that a person had put
// back: the same change comes again only if somebody approves it after that.
func attempts(f *Facts) Verdict {
	if f.Memory == nil {
		return stop(NotKnown, "it is not known what was done before")
	}
	o := f.Memory.recall(&f.Remediation.Spec.Plan.Policy, f.Target)
	if again := o.undoneAt.Add(Remembered); o.undone != "" && f.Now.Before(again) && (f.Approval.Decision != Approved || !f.Approval.At.After(o.undoneAt)) {
		return stop(UndoneByHand, fmt.Sprintf("Remediation %s changed it, and was rolled back by hand: approve this one to change it again", o.undone)).until(again)
	}
	var since, last time.Time
	for _, s := range o.successes {
		if s.at.After(since) {
			since = s.at
		}
	}
	failed := 0
	for _, a := range o.attempts {
		if !a.at.Before(since) && f.Now.Sub(a.at) < Remembered {
			failed += a.times
			if a.at.After(last) {
				last = a.at
			}
		}
	}
	if failed < f.Settings.MaxAttempts {
		return pass()
	}
	v := stop(AttemptsUsed, fmt.Sprintf("it is left alone after %s to change it", count(failed, "failed attempt")))
	if failed > 0 {
		v.Until = last.Add(Remembered)
	}
	return v
}

// fight stops where an object drifts again each time it is mended: somebody else wants it so.
func fight(f *Facts) Verdict {
	if f.Memory == nil {
		return stop(NotKnown, "it is not known what was done before")
	}
	var back []time.Time
	for _, s := range f.Memory.recall(&f.Remediation.Spec.Plan.Policy, f.Target).successes {
		if s.remediation != f.Remediation.Name && f.Now.Sub(s.at) < Remembered {
			back = append(back, s.at)
		}
	}
	if len(back) < f.Settings.MaxFights {
		return pass()
	}
	v := stop(Fight, fmt.Sprintf("it was mended %s in a day and drifted again: %s wants it otherwise", count(len(back), "time"), writer(f.Target.DriftedBy)))
	if f.Settings.MaxFights > 0 {
		// As soon as so many are forgotten that less than the most are left.
		slices.SortFunc(back, time.Time.Compare)
		v.Until = back[len(back)-f.Settings.MaxFights].Add(Remembered)
	}
	return v
}

// count says how many: "1 time", "2 times".
func count(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}

// writer says who brought an object into its state.
func writer(o *v1alpha1.Origin) string {
	switch {
	case o == nil || o.User == "" && o.Manager == "":
		return "somebody who is not known"
	case o.User == "":
		return o.Manager
	case o.Manager == "":
		return o.User
	default:
		return o.User + " (" + o.Manager + ")"
	}
}

// BreakerState is how the circuit breaker of a policy stands.
type BreakerState string

// The states.
const (
	// Closed: changes are made.
	Closed BreakerState = "Closed"
	// HalfOpen: one change at a time is made, to see.
	HalfOpen BreakerState = "HalfOpen"
	// Open: none is made.
	Open BreakerState = "Open"
)

// Breaker says how the circuit breaker of a policy stands, and of one that is open until when. It is open for some time after
// each failure with which too many of the changes before it had failed. After that it is half open, as long as too many still
// have: successes close it, and so does time.
//
// There is no state but what was done. A breaker with smaller numbers is never less open.
func (m *Memory) Breaker(p *v1alpha1.PolicyReference, s Breaker, now time.Time) (state BreakerState, until time.Time) {
	outcomes := m.policy(p).outcomes
	state = Closed
	if tripped(outcomes, s, now) {
		state = HalfOpen
	}
	for _, o := range outcomes {
		if end := o.at.Add(s.Open); o.failed && now.Before(end) && end.After(until) && tripped(outcomes, s, o.at) {
			state, until = Open, end
		}
	}
	return state, until
}

// Standing is how the circuit breaker of a policy stands, and what it goes by.
type Standing struct {
	State BreakerState
	// Until is when one that is open becomes half open.
	Until time.Time
	// Changes is how many changes of the policy ended in the last period, and Failed how many of these failed.
	Changes, Failed int
	// Remediation and Target are those of the failure that came last, at Time; empty if none is remembered.
	Remediation string
	Target      *v1alpha1.Target
	Time        time.Time
}

// Standing says how the circuit breaker of a policy stands, as Breaker does, and why.
func (m *Memory) Standing(p *v1alpha1.PolicyReference, s Breaker, now time.Time) Standing {
	var out Standing
	out.State, out.Until = m.Breaker(p, s, now)
	for _, o := range m.policy(p).outcomes {
		if now.Sub(o.at) < s.Period {
			out.Changes++
			if o.failed {
				out.Failed++
			}
		}
		if o.failed && !o.at.Before(out.Time) {
			out.Remediation, out.Target, out.Time = o.remediation, o.target, o.at
		}
	}
	return out
}

// tripped reports whether too many of the changes of the period that ends then have failed.
func tripped(outcomes []outcome, s Breaker, end time.Time) bool {
	all, failed := 0, 0
	for _, o := range outcomes {
		if o.at.After(end) || end.Sub(o.at) >= s.Period {
			continue
		}
		all++
		if o.failed {
			failed++
		}
	}
	return failed > 0 && all >= s.Least && failed*100 > s.Failures*all
}

// breaker stops a policy whose changes fail.
func breaker(f *Facts) Verdict {
	if f.Memory == nil {
		return stop(NotKnown, "it is not known what was done before")
	}
	policy := &f.Remediation.Spec.Plan.Policy
	switch state, until := f.Memory.Breaker(policy, f.Settings.Breaker, f.Now); state {
	case Open:
		return stop(BreakerOpen, fmt.Sprintf("more than %d%% of the changes of policy %s have failed: none is made until %s", f.Settings.Breaker.Failures, policy.Key(), moment(until))).until(until)
	case HalfOpen:
		own := f.own()
		if slices.ContainsFunc(f.Memory.policy(policy).busy, func(k ownKey) bool { return k != own }) {
			return stop(BreakerHalfOpen, fmt.Sprintf("changes of policy %s have failed: one is tried at a time, and another is under way", policy.Key()))
		}
	}
	return pass()
}
