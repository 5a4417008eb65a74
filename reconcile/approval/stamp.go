package approval

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/reconcile/gate"
	"github.com/holdfast-io/holdfast/reconcile/plan"
)

// statement is what a stamp stands for. It names the very Remediation, so that a stamp is worth nothing on another, and what
// was asked, so that it is worth nothing for something else.
type statement struct {
	What      string // approval, pause or rollback
	UID, Name string
	Plan      string // the digest
	Said      any
	User      string
	Groups    []string
	Time      int64 // in seconds, as the API server keeps times
	Expires   int64
}

// mac is the stamp: HMAC-SHA-256 in hex. JSON of a struct is the same for the same values.
func (s *statement) mac(key []byte) (string, error) {
	raw, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("stamping: %w", err)
	}
	h := hmac.New(sha256.New, key)
	h.Write(raw)
	return hex.EncodeToString(h.Sum(nil)), nil
}

// genuine reports whether the stamp is ours.
func (s *statement) genuine(key []byte, stamp string) bool {
	want, err := s.mac(key)
	return err == nil && len(key) > 0 && hmac.Equal([]byte(want), []byte(stamp))
}

func unix(t *metav1.Time) int64 {
	if t == nil {
		return 0
	}
	return t.Unix()
}

func ofApproval(r *v1alpha1.Remediation) *statement {
	a := r.Spec.Approval
	return &statement{
		What: "approval", UID: string(r.UID), Name: r.Name, Plan: a.PlanDigest, Said: []string{string(a.Decision), a.Reason},
		User: a.Approver, Groups: a.Groups, Time: unix(a.Time), Expires: unix(a.Expires),
	}
}

func ofPause(r *v1alpha1.Remediation) *statement {
	by := r.Spec.PausedBy
	return &statement{What: "pause", UID: string(r.UID), Name: r.Name, Plan: r.Spec.PlanDigest, Said: r.Spec.Paused, User: by.User, Time: unix(by.Time)}
}

func ofRollback(r *v1alpha1.Remediation) *statement {
	b := r.Spec.Rollback
	targets := b.Targets
	if len(targets) == 0 {
		targets = nil // as it is read again
	}
	return &statement{
		What: "rollback", UID: string(r.UID), Name: r.Name, Plan: r.Spec.PlanDigest,
		Said: [][]string{targets, {b.Reason}}, User: b.AskedBy.User, Time: unix(b.AskedBy.Time),
	}
}

// Verify says what was decided about a Remediation, as far as that is proved by the key. Without a key it is unknown.
func Verify(r *v1alpha1.Remediation, key []byte, now time.Time) gate.Approval {
	a := r.Spec.Approval
	if a == nil {
		return gate.Approval{Decision: gate.Missing}
	}
	if len(key) == 0 {
		return gate.Approval{Decision: gate.Unknown, Message: "the key is not known by which approvals are stamped"}
	}
	if !ofApproval(r).genuine(key, a.Stamp) {
		return gate.Approval{Decision: gate.Forged, Message: "spec.approval was not written by way of Holdfast's webhook, or the key is another by now: decide again"}
	}
	out := gate.Approval{By: a.Approver}
	if a.Time != nil {
		out.At = a.Time.Time
	}
	digest, err := plan.Digest(&r.Spec.Plan)
	switch {
	case err != nil || digest != r.Spec.PlanDigest || digest != a.PlanDigest:
		out.Decision, out.Message = gate.OtherPlan, fmt.Sprintf("%s has decided about another plan than this one", a.Approver)
	case a.Decision == v1alpha1.DecisionReject:
		out.Decision = gate.Rejected
	case a.Decision != v1alpha1.DecisionApprove:
		out.Decision, out.Message = gate.Unknown, fmt.Sprintf("%q is no decision", a.Decision)
	case a.Expires == nil || !now.Before(a.Expires.Time):
		out.Decision, out.Message = gate.Expired, fmt.Sprintf("the approval of %s has expired: approve it again", a.Approver)
	default:
		out.Decision = gate.Approved
	}
	return out
}

// RollbackAsked reports who asked for what was done to be undone; false if nobody did, or it is not proved. A forged wish is
// no reason to change anything.
func RollbackAsked(r *v1alpha1.Remediation, key []byte) (by string, asked bool) {
	b := r.Spec.Rollback
	if b == nil || b.AskedBy == nil || !ofRollback(r).genuine(key, b.AskedBy.Stamp) {
		return "", false
	}
	return b.AskedBy.User, true
}
