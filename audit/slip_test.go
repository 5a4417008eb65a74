package audit

import (
	"testing"
	"time"
	"unique"

	"github.com/holdfast-io/holdfast/engine"
)

func TestHowItSlippedPast(t *testing.T) {
	noon := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	s := compile(t, policyFor("p", "Pod"))
	policy := s.Policies()[0]
	rule := policy.Rules[0]
	id := rule.ID()
	quiet := *policy
	quiet.Admission = false
	change := []engine.Change{{Action: engine.CreateObject}}
	enforced := func(change func(*evidence)) *evidence {
		e := &evidence{decision: &engine.Decision{Policy: policy, Rule: rule, Status: engine.Fail, Action: engine.Enforce}, write: Write{Time: noon, Operation: engine.Update}}
		change(e)
		return e
	}
	admitted := func(change func(*Admitted)) *Admitted {
		a := &Admitted{Write: Write{User: "ana", Time: noon, Operation: engine.Update}}
		change(a)
		return a
	}
	tests := map[string]struct {
		e    *evidence
		want Slip
	}{
		"in the status":                        {enforced(func(e *evidence) { e.decision.Path = "/status/phase/" }), SlipStatus},
		"written by way of the status":         {enforced(func(e *evidence) { e.write.Subresource = "status" }), SlipStatus},
		"of another object":                    {enforced(func(e *evidence) { e.decision.Changes = change }), SlipElsewhere},
		"excused until now":                    {enforced(func(e *evidence) { e.past = &past{lapses: []lapse{{rule: unique.Make(ruleName{rule: id})}}} }), SlipException},
		"with the object as it was":            {enforced(func(e *evidence) { e.past, e.unchanged = &past{}, true }), SlipSurroundings},
		"remembered as not enforced":           {enforced(func(e *evidence) { e.admitted = admitted(func(a *Admitted) { a.NotEnforced = []string{id} }) }), SlipNotEnforced},
		"remembered as not evaluated":          {enforced(func(e *evidence) { e.admitted = admitted(func(a *Admitted) { a.NotEvaluated = []string{id} }) }), SlipNotEvaluated},
		"remembered as excepted":               {enforced(func(e *evidence) { e.admitted = admitted(func(a *Admitted) { a.Excepted = []string{id} }) }), SlipException},
		"older than the policy":                {enforced(func(e *evidence) { e.policySince = noon.Add(time.Minute) }), SlipPolicyNewer},
		"within the second of the policy":      {enforced(func(e *evidence) { e.policySince = noon.Add(time.Millisecond) }), SlipUnknown},
		"older than the policy and remembered": {enforced(func(e *evidence) { e.policySince, e.admitted = noon.Add(time.Minute), admitted(func(*Admitted) {}) }), SlipPolicyNewer},
		"of a rule that only warns":            {enforced(func(e *evidence) { e.decision.Action = engine.Audit }), SlipNotEnforced},
		"of a policy for the audit alone":      {enforced(func(e *evidence) { e.decision.Policy = &quiet }), SlipNotEnforced},
		"by an operation the rule is not for":  {enforced(func(e *evidence) { e.write.Operation = engine.Connect }), SlipOperation},
		"older than the webhook":               {enforced(func(e *evidence) { e.registered = noon.Add(time.Minute) }), SlipNotRegistered},
		"nobody was asked":                     {enforced(func(e *evidence) { e.complete = true }), SlipNotAsked},
		"nobody knows":                         {enforced(func(*evidence) {}), SlipUnknown},
		"nobody knows when":                    {enforced(func(e *evidence) { e.write.Time, e.policySince = time.Time{}, noon }), SlipUnknown},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := test.e.slip(); got != test.want {
				t.Errorf("it slipped past by %q, want %q", got, test.want)
			}
		})
	}
}
