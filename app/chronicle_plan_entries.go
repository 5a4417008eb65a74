package app

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/ledger"
	"github.com/holdfast-io/holdfast/reconcile"
	"github.com/holdfast-io/holdfast/reconcile/approval"
	"github.com/holdfast-io/holdfast/reconcile/gate"
	"github.com/holdfast-io/holdfast/reconcile/plan"
)

// facts are the entries of all that a Remediation says: that it was planned, what was decided about it, and that another took
// its place. A decision that is not proved is none.
func (r *planRecord) facts(ctx context.Context, one *v1alpha1.Remediation) ([]ledger.Entry, error) {
	out := []ledger.Entry{planned(one)}
	if a := one.Spec.Approval; a != nil && a.Time != nil {
		key, err := r.keys.Key(ctx)
		if err != nil {
			return nil, fmt.Errorf("reading the key of approvals: %w", err)
		}
		kind := map[gate.Decision]ledger.Kind{gate.Approved: ledger.Approved, gate.Rejected: ledger.Rejected}[approval.Verify(one, key, a.Time.Time).Decision]
		if kind != "" {
			out = append(out, decidedAs(kind, one))
		}
	}
	if c := meta.FindStatusCondition(one.Status.Conditions, v1alpha1.ConditionPlanned); one.Status.Phase == v1alpha1.PhaseSuperseded && c != nil && c.Status == metav1.ConditionFalse {
		e := planEntry(ledger.Superseded, one)
		e.Time, e.Message = c.LastTransitionTime.Time, one.Status.Message
		if len(one.Status.SupersededBy) > 0 {
			e.Details["by"] = strings.Join(one.Status.SupersededBy, ", ")
		}
		out = append(out, e)
	}
	return out, nil
}

// planEntry is what the entries about a plan have. Only a plan for one object is about that object: of the others the entries
// of what is done to each tell.
func planEntry(kind ledger.Kind, one *v1alpha1.Remediation) ledger.Entry {
	e := entryFor(one)
	delete(e.Details, "approver")
	e.Kind, e.Actor = kind, ledger.Actor{Manager: reconcile.FieldManager}
	targets := one.Spec.Plan.Targets
	e.Details["targets"] = strconv.Itoa(len(targets))
	if len(targets) == 1 {
		e.Object = targetObject(&targets[0])
	}
	return e
}

// planned is the entry of a plan.
func planned(one *v1alpha1.Remediation) ledger.Entry {
	e := planEntry(ledger.Planned, one)
	p := &one.Spec.Plan
	phase, _, counts := plan.State(p)
	e.Outcome, e.Diff = string(phase), planDiff(p)
	if at := one.CreationTimestamp.Time; time.Since(at) > time.Minute { // else it is now, and behind the finding of the same second
		e.Time = at
	}
	e.Details["risk"] = string(p.Risk.Level)
	if counts.Blocked > 0 {
		e.Details["blocked"] = strconv.Itoa(int(counts.Blocked))
	}
	if one.Status.Mode != "" {
		e.Details["mode"] = string(one.Status.Mode)
	}
	if len(p.Targets) == 1 && p.Targets[0].DriftedBy != nil {
		e.Details["driftedBy"] = strings.TrimSpace(p.Targets[0].DriftedBy.User + " " + p.Targets[0].DriftedBy.Manager)
	}
	return e
}

// decidedAs is the entry of a decision.
func decidedAs(kind ledger.Kind, one *v1alpha1.Remediation) ledger.Entry {
	e := planEntry(kind, one)
	a := one.Spec.Approval
	e.Time, e.Message, e.Actor = a.Time.Time, a.Reason, ledger.Actor{User: a.Approver, Groups: a.Groups}
	if kind == ledger.Approved && a.Expires != nil {
		e.Details["expires"] = a.Expires.UTC().Format(time.RFC3339)
	}
	return e
}

// decisionRefused records a decision that was refused: who wanted what, and may not.
func (c *chronicle) decisionRefused(req *admissionv1.AdmissionRequest, reason string) {
	if c == nil {
		return
	}
	var about v1alpha1.Remediation
	_ = json.Unmarshal(req.OldObject.Raw, &about) // of what is created there is none, and less is known
	e := entryFor(&about)
	e.Kind, e.Outcome, e.Message, e.Request, e.Remediation = ledger.Denied, "fail", reason, string(req.UID), req.Name
	e.Object = ledger.Object{APIVersion: v1alpha1.GroupVersion().String(), Kind: v1alpha1.KindRemediation, Name: req.Name, UID: string(about.UID)}
	e.Actor = ledger.Actor{User: req.UserInfo.Username, Groups: req.UserInfo.Groups}
	e.Details["operation"] = string(req.Operation)
	c.Note(e)
}

// maxPlanDiff is as much of a plan's diffs as an entry takes.
const maxPlanDiff = 32 << 10

// planDiff is what a plan changes, object by object, as far as an entry has room.
func planDiff(p *v1alpha1.Plan) string {
	var out strings.Builder
	for i := range p.Targets {
		t := &p.Targets[i]
		if t.Diff == "" {
			continue
		}
		part := t.Diff
		if len(p.Targets) > 1 {
			part = t.String() + "\n" + t.Diff
		}
		if out.Len() > 0 {
			part = "\n" + part
		}
		more := fmt.Sprintf("\n(and more, of %d objects in all)", len(p.Targets))
		if out.Len()+len(part) > maxPlanDiff-len(more) {
			out.WriteString(more)
			break
		}
		out.WriteString(part)
	}
	return out.String()
}

func targetObject(t *v1alpha1.Target) ledger.Object {
	return ledger.Object{APIVersion: t.APIVersion, Kind: t.Kind, Namespace: t.Namespace, Name: t.Name, UID: t.UID}
}
