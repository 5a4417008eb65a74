package webhook

import (
	"context"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/holdfast-io/holdfast/engine"
)

// The phases of a review, in their order. The fourth is called validate or mutate, as the hook.
const (
	phaseRead   = "read"   // the body, and the envelope
	phaseMatch  = "match"  // which rules are asked
	phaseDecode = "decode" // the object
	phaseAnswer = "answer" // what is said to whom
)

const (
	// slowRule is from when on a rule has a span of its own: all of a review's together take less than a millisecond.
	slowRule = 5 * time.Millisecond
	// maxSlow bounds these spans: in a review that takes as long as it may, each of some dozens is slow.
	maxSlow = 32
)

// trail is the trace of one review: a span for it, and below that one for each phase, one after the other. It names objects,
// policies and rules, and shows neither an object nor a message, nor who asked. A nil trail is that of a review that is not
// traced, and costs nothing.
type trail struct {
	tracer trace.Tracer
	ctx    context.Context // of the review's span
	review trace.Span
	phase  trace.Span // the one that goes on, or nil
	below  context.Context
	name   string // of the phase
	slow   int
}

// trail begins the trace of a review, below the API server's span if there is one.
func (h *Handler) trail(r *http.Request, c *call) *trail {
	if h.opts.Tracer == nil {
		return nil
	}
	ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	ctx, span := h.opts.Tracer.Start(ctx, "admission "+c.hook.String(), trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(c.started))
	if !span.IsRecording() {
		return nil
	}
	if c.group != nil {
		span.SetAttributes(attribute.String("holdfast.group", c.group.String()))
	}
	return &trail{tracer: h.opts.Tracer, ctx: ctx, review: span}
}

// id is the trace's, by which logs lead to it; empty for none.
func (t *trail) id() string {
	if t == nil {
		return ""
	}
	return t.review.SpanContext().TraceID().String()
}

// enter ends the phase before, and begins one.
func (t *trail) enter(phase string) {
	if t == nil || t.name == phase {
		return
	}
	if t.phase != nil {
		t.phase.End()
	}
	t.name = phase
	t.below, t.phase = t.tracer.Start(t.ctx, phase)
}

// about says what the review is about.
func (t *trail) about(req *request) {
	if t == nil {
		return
	}
	t.review.SetAttributes(
		attribute.String("holdfast.review.uid", req.UID), attribute.String("holdfast.operation", string(req.Operation)),
		attribute.String("k8s.object.api_group", req.Kind.Group), attribute.String("k8s.object.kind", req.Kind.Kind), attribute.String("k8s.object.subresource", req.SubResource),
		attribute.String("k8s.namespace.name", req.Namespace), attribute.String("k8s.object.name", req.Name),
		attribute.Bool("holdfast.dry_run", req.DryRun != nil && *req.DryRun),
	)
}

// decided says what rules have to say.
func (t *trail) decided(rules *engine.Snapshot, f *findings) {
	if t == nil {
		return
	}
	t.review.SetAttributes(attribute.String("holdfast.bundle", rules.Digest()))
	for _, part := range []struct {
		key  string
		list []*engine.Decision
	}{{"holdfast.refused_by", f.denials}, {"holdfast.not_evaluated", append(f.blocking[:len(f.blocking):len(f.blocking)], f.open...)}} {
		var ids []string
		for _, d := range part.list[:min(len(part.list), maxListed)] {
			ids = append(ids, d.Rule.ID())
		}
		if ids != nil {
			t.review.SetAttributes(attribute.StringSlice(part.key, ids))
		}
	}
}

// rule tells of a rule if it was slow.
func (t *trail) rule(d *engine.Decision, began, ended time.Time) {
	if t == nil || ended.Sub(began) < slowRule || t.slow == maxSlow || t.below == nil {
		return
	}
	t.slow++
	_, span := t.tracer.Start(t.below, "rule", trace.WithTimestamp(began), trace.WithAttributes(
		attribute.String("holdfast.policy", d.Policy.ID()), attribute.String("holdfast.rule", d.Rule.Name), attribute.String("holdfast.status", d.Status.String())))
	span.End(trace.WithTimestamp(ended))
}

// end says what became of the review.
func (t *trail) end(c *call) {
	if t == nil {
		return
	}
	if t.phase != nil {
		t.phase.End()
	}
	t.review.SetAttributes(attribute.String("holdfast.decision", string(c.decision)))
	switch c.decision {
	case errored, failedOpen, shed, invalid:
		t.review.SetStatus(codes.Error, string(c.decision))
	}
	t.review.End()
}
