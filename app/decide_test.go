package app

import (
	"encoding/json"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
)

func TestDecisionsAreThePatchesOfTheDocuments(t *testing.T) {
	r := &v1alpha1.Remediation{Spec: v1alpha1.RemediationSpec{PlanDigest: "d"}}
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	for want, o := range map[string]DecideOptions{
		`{"approval":{"decision":"Approve","expires":null,"planDigest":"d","reason":"fits","stamp":null}}`:               {Verb: VerbApprove, Reason: "fits"},
		`{"approval":{"decision":"Approve","expires":"2026-05-04T14:00:00Z","planDigest":"d","reason":"","stamp":null}}`: {Verb: VerbApprove, Lasts: 2 * time.Hour},
		`{"approval":{"decision":"Reject","expires":null,"planDigest":"d","reason":"","stamp":null}}`:                    {Verb: VerbReject},
		`{"paused":true}`:  {Verb: VerbPause},
		`{"paused":false}`: {Verb: VerbResume},
		`{"rollback":{"askedBy":null,"reason":"","targets":null}}`:  {Verb: VerbRollback},
		`{"rollback":{"askedBy":null,"reason":"","targets":["u"]}}`: {Verb: VerbRollback, Targets: []string{"u"}},
	} {
		raw, err := json.Marshal(o.spec(r, now))
		if err != nil || string(raw) != want {
			t.Errorf("got %s, %v, want %s", raw, err, want)
		}
	}
}

func TestADecisionThatIsNotStampedIsNone(t *testing.T) {
	expires := metav1.NewTime(time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC))
	stamped := func() *v1alpha1.Remediation {
		r := &v1alpha1.Remediation{}
		r.Name, r.Status.Mode = "r", v1alpha1.Approve
		r.Spec.Approval = &v1alpha1.Approval{Approver: "jane", Expires: &expires, Stamp: "s"}
		r.Spec.Rollback = &v1alpha1.Rollback{AskedBy: &v1alpha1.Asked{User: "jane", Stamp: "s"}}
		return r
	}
	const none = "the API server has not asked Holdfast's webhook, so that it does not count: see holdfast status"
	for name, test := range map[string]struct {
		verb   Verb
		change func(*v1alpha1.Remediation)
		want   string
	}{
		"approved":            {VerbApprove, func(*v1alpha1.Remediation) {}, "approved by jane until 2026-05-04 12:00 UTC"},
		"approved in vain":    {VerbApprove, func(r *v1alpha1.Remediation) { r.Status.Mode = v1alpha1.Propose }, `approved by jane until 2026-05-04 12:00 UTC; nothing will be done, because the mode is "propose"`},
		"rejected":            {VerbReject, func(*v1alpha1.Remediation) {}, "rejected by jane"},
		"rolled back":         {VerbRollback, func(*v1alpha1.Remediation) {}, "will be rolled back, as jane asks"},
		"no stamp":            {VerbApprove, func(r *v1alpha1.Remediation) { r.Spec.Approval.Stamp = "" }, "approve Remediation r: " + none},
		"a rollback unasked":  {VerbRollback, func(r *v1alpha1.Remediation) { r.Spec.Rollback.AskedBy = nil }, "rollback Remediation r: " + none},
		"a pause needs none":  {VerbPause, func(*v1alpha1.Remediation) {}, "paused"},
		"to go on needs none": {VerbResume, func(*v1alpha1.Remediation) {}, "goes on"},
	} {
		t.Run(name, func(t *testing.T) {
			r := stamped()
			test.change(r)
			got, err := (&DecideOptions{Verb: test.verb}).said(r)
			if err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestDecideOptionsAreChecked(t *testing.T) {
	for want, o := range map[string]DecideOptions{
		"expected the NAME of a Remediation: kubectl get remediations":     {Verb: VerbApprove},
		"--everything takes no names":                                      {Verb: VerbPause, Everything: true, Names: []string{"a"}},
		"--for -1s: expected a positive time":                              {Verb: VerbApprove, Names: []string{"a"}, Lasts: -time.Second},
		"--reason is for --everything: a single pause has no place for it": {Verb: VerbPause, Names: []string{"a"}, Reason: "r"},
	} {
		if err := o.Validate(); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestNamesAreCompletedThatTheVerbFits(t *testing.T) {
	for phase, want := range map[v1alpha1.Phase]string{
		v1alpha1.PhaseAwaitingApproval: "approve reject pause ", v1alpha1.PhaseRunning: "pause rollback ", v1alpha1.PhaseSucceeded: "rollback ", v1alpha1.PhaseSuperseded: "",
	} {
		r := &v1alpha1.Remediation{Status: v1alpha1.RemediationStatus{Phase: phase}}
		got := ""
		for _, v := range []Verb{VerbApprove, VerbReject, VerbPause, VerbResume, VerbRollback} {
			if v.fits(r) {
				got += string(v) + " "
			}
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", phase, got, want)
		}
	}
}
