package approval

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/reconcile/trail"
)

// errNotDone marks the spans of decisions that do not count; the log says why.
var errNotDone = errors.New("not done")

// trace tells the trace of a Remediation that somebody has decided about it. Who that is stands in its spec and in the log.
func (h *Handler) trace(ctx context.Context, req *admissionv1.AdmissionRequest, outcome string, began time.Time) {
	var old v1alpha1.Remediation
	if req.Operation != admissionv1.Update || json.Unmarshal(req.OldObject.Raw, &old) != nil {
		return // nothing has been proposed that this could be about
	}
	_, span := h.opts.Tracer.Start(trail.Below(ctx, old.Annotations), "approval", trace.WithTimestamp(began), trail.About(&old),
		trace.WithAttributes(attribute.String("holdfast.review.uid", string(req.UID))))
	var failed error
	if outcome != "stamped" {
		failed = errNotDone
	}
	trail.End(span, outcome, failed)
}
