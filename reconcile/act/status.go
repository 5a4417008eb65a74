package act

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
)

// result gives the result of a target, which it makes if there is none.
func result(r *v1alpha1.Remediation, target int) *v1alpha1.TargetResult {
	if res := statesOf(r)[target]; res != nil {
		return res
	}
	at, _ := slices.BinarySearchFunc(r.Status.Results, int32(target), func(res v1alpha1.TargetResult, index int32) int { //nolint:gosec // at most MaxTargets
		return int(res.Index - index)
	})
	r.Status.Results = slices.Insert(r.Status.Results, at, v1alpha1.TargetResult{Index: int32(target)}) //nolint:gosec // at most MaxTargets
	return &r.Status.Results[at]
}

// put brings a target into a state.
func (e *Executor) put(r *v1alpha1.Remediation, target int, state v1alpha1.TargetState, message string) *v1alpha1.TargetResult {
	res := result(r, target)
	now := metav1.NewTime(e.now())
	res.State, res.Message, res.Time = state, cut(message), &now
	return res
}

func (e *Executor) now() time.Time { return e.opts.Inputs().Now() }

// cut shortens a message to what the API takes.
func cut(s string) string {
	const more = "..."
	if len(s) <= v1alpha1.MaxMessageBytes {
		return s
	}
	return strings.ToValidUTF8(s[:v1alpha1.MaxMessageBytes-len(more)], "") + more
}

// stand says where a Remediation stands.
func stand(r *v1alpha1.Remediation, phase v1alpha1.Phase, message string) {
	if phase != "" {
		r.Status.Phase = phase
	}
	r.Status.Message = cut(message)
}

// applied sets the condition that says whether all has been changed.
func (e *Executor) applied(r *v1alpha1.Remediation, status metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&r.Status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionApplied, Status: status, Reason: reason, Message: cut(message),
		ObservedGeneration: r.Generation, LastTransitionTime: metav1.NewTime(e.now()),
	})
}

// count counts the targets anew.
func count(r *v1alpha1.Remediation) {
	c := v1alpha1.TargetCounts{Total: int32(len(r.Spec.Plan.Targets))} //nolint:gosec // at most MaxTargets
	for i := range r.Spec.Plan.Targets {
		if r.Spec.Plan.Targets[i].Obstacle != nil {
			c.Blocked++
		}
	}
	for i := range r.Status.Results {
		switch r.Status.Results[i].State {
		case v1alpha1.TargetSucceeded:
			c.Done++
		case v1alpha1.TargetFailed, v1alpha1.TargetKept:
			c.Failed++
		}
	}
	r.Status.Targets = c
}

// failures counts the targets that have failed, and says whether these are more than the strategy allows.
func failures(r *v1alpha1.Remediation) (failed int, tooMany bool) {
	for i := range r.Status.Results {
		if r.Status.Results[i].State == v1alpha1.TargetFailed {
			failed++
		}
	}
	return failed, failed > scaled(r.Spec.Plan.Strategy.MaxFailures, len(executable(&r.Spec.Plan)))
}

// stopIfFailed stops a Remediation of which more has failed than the strategy allows.
func (e *Executor) stopIfFailed(r *v1alpha1.Remediation) {
	failed, tooMany := failures(r)
	if !tooMany || stopped(r) {
		return
	}
	e.applied(r, metav1.ConditionFalse, stoppedReason, fmt.Sprintf("%d targets failed, and the strategy allows %s", failed, r.Spec.Plan.Strategy.MaxFailures.String()))
}

// write writes the status. Somebody may have written the spec since, which does not matter; where somebody has written the
// status nothing is written, and the error is ErrChanged.
func (e *Executor) write(ctx context.Context, r *v1alpha1.Remediation, before *v1alpha1.RemediationStatus) error {
	count(r)
	r.Status.ObservedGeneration = r.Generation
	const tries = 3 // people write a spec once in a while
	for n := 1; ; n++ {
		err := e.opts.Book.Write(ctx, r)
		if err == nil {
			*before = *r.Status.DeepCopy()
			return nil
		}
		if !errors.Is(err, ErrChanged) || n == tries {
			return fmt.Errorf("writing the status: %w", err)
		}
		now, failed := e.opts.Book.Read(ctx, r.Name)
		if failed != nil {
			return fmt.Errorf("reading it again: %w", failed)
		}
		if now.UID != r.UID || !sameResults(&now.Status, before) {
			return fmt.Errorf("writing the status: somebody else has: %w", ErrChanged)
		}
		r.ResourceVersion = now.ResourceVersion
		r.Status.Mode = now.Status.Mode
	}
}

// sameResults reports whether two statuses say the same of what has been done.
func sameResults(a, b *v1alpha1.RemediationStatus) bool {
	return a.Phase == b.Phase && len(a.Results) == len(b.Results) && (len(a.Results) == 0 || reflect.DeepEqual(a.Results, b.Results))
}

// detached outlives the end of its parent a little: what has been done is to be on record before the process ends.
func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	const grace = 5 * time.Second // a write of a status takes some ms; nobody waits long for a process to end
	return context.WithTimeout(context.WithoutCancel(ctx), grace)
}
