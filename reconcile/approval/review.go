package approval

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine/mutate"
	"github.com/holdfast-io/holdfast/reconcile/plan"
)

// refusal is why a write is not let through. Any other error means that it could not be judged.
type refusal struct{ reason string }

func (r refusal) Error() string { return r.reason }

// stamping is one write on its way.
type stamping struct {
	opts *Options
	user *authenticationv1.UserInfo
	key  []byte
	now  metav1.Time
	// old is nil where the Remediation is created.
	old, object *v1alpha1.Remediation
	warnings    []string
	// entitled is set once it is known that the user may approve.
	entitled bool
}

// review gives the patch that stamps a write, and warnings. The error is a refusal, or why it could not be judged.
func (h *Handler) review(ctx context.Context, req *admissionv1.AdmissionRequest) (patch []mutate.Operation, warnings []string, err error) {
	var object v1alpha1.Remediation
	if err := json.Unmarshal(req.Object.Raw, &object); err != nil {
		return nil, nil, refusal{"this is no Remediation: " + err.Error()}
	}
	s := &stamping{opts: &h.opts, user: &req.UserInfo, object: object.DeepCopy(), now: metav1.NewTime(h.opts.Now().Truncate(time.Second))}
	if req.Operation == admissionv1.Update {
		s.old = &v1alpha1.Remediation{}
		if err := json.Unmarshal(req.OldObject.Raw, s.old); err != nil {
			return nil, nil, fmt.Errorf("reading the Remediation as it was: %w", err)
		}
		if s.key, err = h.opts.Keys.Key(ctx); err != nil {
			return nil, nil, err
		}
		for _, step := range []func(context.Context) error{s.approval, s.pause, s.rollback} {
			if err := step(ctx); err != nil {
				return nil, nil, err
			}
		}
	} else {
		s.created()
	}
	return differences(&object.Spec, &s.object.Spec), s.warnings, nil
}

// created leaves out what nobody can decide about yet: what is created has no UID that a stamp could name.
func (s *stamping) created() {
	spec := &s.object.Spec
	if spec.Approval != nil || spec.Rollback != nil {
		s.warnings = append(s.warnings, "spec.approval and spec.rollback are left out: a Remediation is decided about once it is there")
		spec.Approval, spec.Rollback = nil, nil
	}
	spec.PausedBy = nil
}

// approval stamps a decision that is new or another than before.
func (s *stamping) approval(ctx context.Context) error {
	a, was := s.object.Spec.Approval, s.old.Spec.Approval
	if reflect.DeepEqual(a, was) {
		return nil
	}
	if err := s.entitledTo(ctx, "decide about"); err != nil {
		return err
	}
	if a == nil {
		return nil // a decision is withdrawn
	}
	spec := &s.object.Spec
	digest, err := plan.Digest(&s.old.Spec.Plan)
	if err != nil {
		return err
	}
	switch phase := s.old.Status.Phase; {
	case digest != spec.PlanDigest:
		return refusal{"spec.planDigest is not the digest of spec.plan: Holdfast has not proposed this"}
	case a.PlanDigest != "" && a.PlanDigest != spec.PlanDigest:
		return refusal{fmt.Sprintf("the decision is about plan %s, and this Remediation's is %s: read it again", short(a.PlanDigest), short(spec.PlanDigest))}
	case a.Decision != v1alpha1.DecisionApprove && a.Decision != v1alpha1.DecisionReject:
		return refusal{fmt.Sprintf("spec.approval.decision %q: expected Approve or Reject", a.Decision)}
	case phase.Ended():
		return refusal{fmt.Sprintf("nothing is left to be decided: the Remediation is %s", phase)}
	case a.Decision == v1alpha1.DecisionReject && phase.Acting():
		return refusal{"it is being carried out: pause it (spec.paused), or ask for a rollback (spec.rollback)"}
	}
	if a.Decision == v1alpha1.DecisionApprove {
		if err := s.notTheAuthor(ctx); err != nil {
			return err
		}
		if phase := s.old.Status.Phase; phase == v1alpha1.PhaseBlocked || phase == v1alpha1.PhaseConflict {
			s.warnings = append(s.warnings, "an obstacle stands in the way of every target: nothing will be done until Holdfast proposes another plan")
		}
		if mode := s.old.Status.Mode; mode != "" && !mode.Allows(v1alpha1.Approve) {
			s.warnings = append(s.warnings, fmt.Sprintf("its mode is %q: nothing will be done until the policy, its Namespace and the option --reconcile-mode allow \"approve\"", mode))
		}
	}
	expires := metav1.NewTime(s.now.Add(s.opts.Lasts))
	if a.Expires != nil && a.Expires.Before(&expires) && (was == nil || !a.Expires.Equal(was.Expires)) {
		if !s.now.Before(a.Expires) {
			return refusal{fmt.Sprintf("spec.approval.expires %s is in the past", a.Expires.UTC().Format(time.RFC3339))}
		}
		expires = *a.Expires
	}
	a.PlanDigest, a.Approver, a.Groups, a.Time, a.Expires = spec.PlanDigest, s.user.Username, groups(s.user.Groups), &s.now, &expires
	a.Stamp, err = ofApproval(s.object).mac(s.key)
	return err
}

// pause stamps who paused, or lets go on. To pause is safe, and needs no more than the right to write; to go on is to decide.
func (s *stamping) pause(ctx context.Context) error {
	spec, was := &s.object.Spec, &s.old.Spec
	if spec.Paused == was.Paused {
		spec.PausedBy = was.PausedBy
		return nil
	}
	if !spec.Paused {
		if err := s.entitledTo(ctx, "resume"); err != nil {
			return err
		}
	}
	var err error
	spec.PausedBy = &v1alpha1.Asked{User: s.user.Username, Time: &s.now}
	spec.PausedBy.Stamp, err = ofPause(s.object).mac(s.key)
	return err
}

// rollback stamps who asked for one.
func (s *stamping) rollback(ctx context.Context) error {
	b, was := s.object.Spec.Rollback, s.old.Spec.Rollback
	if reflect.DeepEqual(b, was) {
		return nil
	}
	if err := s.entitledTo(ctx, "roll back"); err != nil {
		return err
	}
	if b == nil {
		return nil
	}
	switch phase := s.old.Status.Phase; phase {
	case v1alpha1.PhaseRunning, v1alpha1.PhasePaused, v1alpha1.PhaseRollingBack, v1alpha1.PhaseSucceeded, v1alpha1.PhaseFailed, v1alpha1.PhaseRolledBack:
	default:
		return refusal{fmt.Sprintf("nothing was done that could be undone: the Remediation is %s", phase)}
	}
	for _, uid := range b.Targets {
		known := false
		for i := range s.old.Spec.Plan.Targets {
			known = known || s.old.Spec.Plan.Targets[i].UID == uid
		}
		if !known {
			return refusal{fmt.Sprintf("spec.rollback.targets: no target has the UID %q", uid)}
		}
	}
	var err error
	b.AskedBy = &v1alpha1.Asked{User: s.user.Username, Time: &s.now}
	b.AskedBy.Stamp, err = ofRollback(s.object).mac(s.key)
	return err
}

// entitledTo refuses who may not approve.
func (s *stamping) entitledTo(ctx context.Context, what string) error {
	if s.entitled {
		return nil
	}
	ok, why, err := s.opts.Access.MayApprove(ctx, s.user, s.old.Name)
	if err != nil {
		return fmt.Errorf("asking whether %s may approve: %w", s.user.Username, err)
	}
	if !ok {
		reason := fmt.Sprintf("%s may not %s Remediation %s: the verb \"approve\" on remediations.holdfast.dev is missing", s.user.Username, what, s.old.Name)
		if why != "" {
			reason += " (" + why + ")"
		}
		return refusal{reason}
	}
	s.entitled = true
	return nil
}

// notTheAuthor refuses the approval of who wrote the policy, where two are demanded.
func (s *stamping) notTheAuthor(ctx context.Context) error {
	if s.opts.Authors == nil {
		return nil
	}
	policy := &s.old.Spec.Plan.Policy
	author, err := s.opts.Authors.LastEditor(ctx, policy)
	switch {
	case errors.Is(err, ErrUnknownAuthor):
		return refusal{fmt.Sprintf("somebody else than the last editor of policy %s must approve, and nobody knows who that is: %s", policy.Name, err)}
	case err != nil:
		return fmt.Errorf("asking who edited policy %s last: %w", policy.Name, err)
	case author == s.user.Username:
		return refusal{fmt.Sprintf("%s edited policy %s last: somebody else must approve what comes of it", author, policy.Name)}
	}
	return nil
}

// groups are as many of a user's as are kept.
func groups(of []string) []string {
	var out []string
	const most, longest = 64, 256 // as the definition has it
	for _, g := range of {
		if len(g) <= longest && len(out) < most {
			out = append(out, g)
		}
	}
	return out
}

func short(digest string) string { return digest[:min(len(digest), 12)] }

// differences is the patch of what was stamped.
func differences(was, is *v1alpha1.RemediationSpec) []mutate.Operation {
	var out []mutate.Operation
	add := func(path string, was, is any) {
		if reflect.DeepEqual(was, is) {
			return
		}
		if v := reflect.ValueOf(is); v.IsNil() {
			out = append(out, mutate.Operation{Op: "remove", Path: path})
			return
		}
		out = append(out, mutate.Operation{Op: "add", Path: path, Value: is})
	}
	add("/spec/approval", was.Approval, is.Approval)
	add("/spec/pausedBy", was.PausedBy, is.PausedBy)
	add("/spec/rollback", was.Rollback, is.Rollback)
	return out
}
