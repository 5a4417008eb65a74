package gate

import (
	"fmt"
	"time"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
)

// killSwitch stops everything while somebody says so.
func killSwitch(f *Facts) Verdict {
	switch s := f.Switch; {
	case s == nil:
		return stop(NotKnown, "it is not known how the kill switch stands")
	case s.Stopped:
		return stop(SwitchedOff, "everything is stopped"+s.String())
	default:
		return pass()
	}
}

// String says who stopped everything, when and why, as far as they said: " by jane since 2026-05-01 10:00: testing".
func (s *Switch) String() string {
	out := ""
	if s.By != "" {
		out += " by " + s.By
	}
	if !s.Since.IsZero() {
		out += " since " + moment(s.Since)
	}
	if s.Reason != "" {
		out += ": " + s.Reason
	}
	return out
}

// mode stops what is to be proposed only.
func mode(f *Facts) Verdict {
	if !f.Mode.Allows(v1alpha1.Approve) {
		return stop(ModeTooLow, fmt.Sprintf("its mode is %q, in which nothing is carried out", f.Mode))
	}
	return pass()
}

// paused stops a Remediation that somebody paused, whoever it was: to stop is safe.
func paused(f *Facts) Verdict {
	if !f.Remediation.Spec.Paused {
		return pass()
	}
	if by := f.Remediation.Spec.PausedBy; by != nil && by.User != "" {
		return stop(Paused, "it was paused by "+by.User)
	}
	return stop(Paused, "it was paused")
}

// settings stops where a Namespace says something of how far changes may go that cannot be read: it may have been "not at all".
func settings(f *Facts) Verdict {
	if f.Unreadable != nil {
		return stop(Unreadable, f.Unreadable.Error())
	}
	return pass()
}

// approved stops what was rejected, or has a decision that nobody can answer for; and in the mode approve all that was not
// approved.
func approved(f *Facts) Verdict {
	a := &f.Approval
	switch a.Decision {
	case Rejected:
		return stop(ApprovalRejected, "it was rejected by "+a.By)
	case Forged:
		return stop(ApprovalForged, a.Message)
	}
	if f.Mode.Allows(v1alpha1.Enforce) {
		return pass()
	}
	switch a.Decision {
	case Approved:
		return pass()
	case Missing:
		return stop(ApprovalMissing, "nobody has approved it yet")
	case Expired:
		return stop(ApprovalExpired, a.Message)
	case OtherPlan:
		return stop(ApprovalOther, a.Message)
	default:
		return stop(NotKnown, "it is not known whether it was approved: "+a.Message)
	}
}

// moment is a time as people read it.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
