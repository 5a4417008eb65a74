package act

import (
	"errors"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/reconcile/trail"
)

// The spans below that of a Remediation, one for each target and, at the end, one for the whole.
const (
	spanApply    = "apply"
	spanVerify   = "verify"
	spanRollBack = "roll back"
	spanOutcome  = "outcome"
)

// send writes a target, in a span of its own.
func (w *working) send(span string, target int, wr *Write) (map[string]any, error) {
	ctx, writing := w.opts.Tracer.Start(trail.Below(w.ctx, w.r.Annotations), span, trail.About(w.r), trail.Target(w.target(target)))
	stored, err := w.opts.Objects.Write(ctx, wr)
	outcome := "done"
	switch {
	case errors.Is(err, ErrChanged):
		outcome = "changed meanwhile"
	case errors.Is(err, ErrRefused):
		outcome = "refused"
	case err != nil:
		outcome = "not known"
	}
	trail.End(writing, outcome, err)
	return stored, err
}

// looked tells how a target was found after its change, which was made at a time.
func (w *working) looked(target int, since time.Time, state v1alpha1.TargetState) {
	_, span := w.opts.Tracer.Start(trail.Below(w.ctx, w.r.Annotations), spanVerify, trace.WithTimestamp(since), trail.About(w.r), trail.Target(w.target(target)))
	var failed error
	if state == v1alpha1.TargetFailed {
		failed = errFailed
	}
	trail.End(span, string(state), failed)
}

// ended tells how the Remediation ended, in a span from its making on.
func (w *working) ended(phase v1alpha1.Phase) {
	_, span := w.opts.Tracer.Start(trail.Below(w.ctx, w.r.Annotations), spanOutcome, trace.WithTimestamp(w.r.CreationTimestamp.Time), trail.About(w.r))
	var failed error
	if phase == v1alpha1.PhaseFailed {
		failed = errFailed
	}
	trail.End(span, string(phase), failed)
}

// errFailed marks the spans of what has failed; the status says why.
var errFailed = errors.New("failed")
