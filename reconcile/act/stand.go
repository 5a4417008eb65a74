package act

import (
	"reflect"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
)

// wait says what a Remediation waits for.
func (w *working) wait(v Verdict) (time.Duration, bool, error) {
	phase := v.Phase
	if w.begun() {
		phase = v1alpha1.PhasePaused
	}
	w.r.Status.Gates = v.Gates
	stand(w.r, phase, v.Message)
	after := w.opts.Again
	if until := v.Again.Sub(w.now()); !v.Again.IsZero() && until < after {
		after = max(until, w.opts.Poll)
	}
	return after, false, w.saveIf()
}

// pause says why nothing is done until somebody lets it go on.
func (w *working) pause(why string, again time.Duration) (time.Duration, bool, error) {
	phase := v1alpha1.Phase("")
	if w.begun() && !w.r.Status.Phase.Ended() {
		phase = v1alpha1.PhasePaused
	}
	stand(w.r, phase, why)
	return again, false, w.saveIf()
}

// end ends a Remediation that the gates let go no further. What was changed stays so.
func (w *working) end(v Verdict) (time.Duration, bool, error) {
	return w.conclude(v.Phase, v.Message)
}

// conclude says how a Remediation ended: on record first, because whoever finds it ended records nothing.
func (w *working) conclude(phase v1alpha1.Phase, message string) (time.Duration, bool, error) {
	now := metav1.NewTime(w.now())
	w.r.Status.Gates, w.r.Status.Ended = nil, &now
	stand(w.r, phase, message)
	switch {
	case phase == v1alpha1.PhaseSucceeded:
		w.applied(w.r, metav1.ConditionTrue, string(phase), message)
	case !stopped(w.r) && w.begun():
		w.applied(w.r, metav1.ConditionFalse, string(phase), message)
	}
	count(w.r)
	if err := w.opts.Journal.Conclude(w.ctx, w.r); err != nil {
		return 0, false, err
	}
	if err := w.save(); err != nil {
		return 0, false, err
	}
	w.metrics.concluded.WithLabelValues(string(phase)).Inc()
	w.ended(phase)
	w.opts.Logger.Info("a remediation has ended", "name", w.r.Name, "phase", string(phase), "message", message)
	return 0, false, nil
}

// sameStanding reports whether two statuses say the same, whenever they were written.
func sameStanding(a, b *v1alpha1.RemediationStatus) bool {
	return a.Phase == b.Phase && a.Message == b.Message && sameResults(a, b) && reflect.DeepEqual(gatesOf(a), gatesOf(b))
}

// gatesOf are the gates in the way without times, which move with the clock.
func gatesOf(s *v1alpha1.RemediationStatus) []v1alpha1.GateStatus {
	out := make([]v1alpha1.GateStatus, len(s.Gates))
	for i, g := range s.Gates {
		g.Until = nil
		out[i] = g
	}
	return out
}
