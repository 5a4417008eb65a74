package propose

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/reconcile/trail"
)

// times say when an object was found at fault, and from when to when the last plan for it was made.
type times struct{ found, began, ended time.Time }

// timesOf gives the times of objects, by their UIDs.
func (p *Proposer) timesOf(r *v1alpha1.Remediation) map[string]times {
	out := map[string]times{}
	for i := range r.Spec.Plan.Targets {
		out[r.Spec.Plan.Targets[i].UID] = times{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for o, of := range p.known {
		if _, wanted := out[o.UID]; wanted {
			out[o.UID] = of.times
		}
	}
	return out
}

// proposing is the trace of a Remediation that is being made. Its first span is from the first finding to the proposal, and all
// others of the trace are below it: those that follow hours later, too.
type proposing struct {
	tracer trace.Tracer
	ctx    context.Context
	first  trace.Span
	step   trace.Span
	r      *v1alpha1.Remediation
	of     map[string]times
}

// maxFound bounds the objects that the span of the findings names.
const maxFound = 32

// begin begins the trace of a Remediation, and notes it there.
func (b *book) begin(ctx context.Context, r *v1alpha1.Remediation) *proposing {
	t := &proposing{tracer: b.opts.Tracer, r: r, of: b.times(r)}
	since := t.extreme(func(t times) time.Time { return t.found }, time.Time.Before)
	t.ctx, t.first = t.tracer.Start(ctx, "remediation", trace.WithNewRoot(), trace.WithTimestamp(since), trail.About(r))
	if t.first.IsRecording() {
		trail.Note(t.ctx, r)
	}
	_, t.step = t.tracer.Start(t.ctx, "propose")
	return t
}

// extreme finds the first, or the last, of the times that are known; now if none is.
func (t *proposing) extreme(of func(times) time.Time, better func(time.Time, time.Time) bool) time.Time {
	var out time.Time
	for _, one := range t.of {
		if at := of(one); !at.IsZero() && (out.IsZero() || better(at, out)) {
			out = at
		}
	}
	if out.IsZero() {
		return time.Now()
	}
	return out
}

// made ends the first spans, now that the Remediation is there.
func (t *proposing) made() {
	found := t.extreme(func(t times) time.Time { return t.found }, time.Time.Before)
	began := t.extreme(func(t times) time.Time { return t.began }, time.Time.Before)
	ended := t.extreme(func(t times) time.Time { return t.ended }, time.Time.After)
	_, finding := t.tracer.Start(t.ctx, "finding", trace.WithTimestamp(found))
	for i := range t.r.Spec.Plan.Targets[:min(len(t.r.Spec.Plan.Targets), maxFound)] {
		target := &t.r.Spec.Plan.Targets[i]
		at := t.of[target.UID].found
		if at.IsZero() {
			at = found
		}
		finding.AddEvent("found", trace.WithTimestamp(at), trail.Target(target))
	}
	finding.End(trace.WithTimestamp(began)) // what was to settle has settled
	_, planning := t.tracer.Start(t.ctx, "plan", trace.WithTimestamp(began), trace.WithAttributes(attribute.String("holdfast.risk", string(t.r.Spec.Plan.Risk.Level))))
	planning.End(trace.WithTimestamp(ended))
	t.step.End()
	t.first.End()
}

// superseded tells the trace of a Remediation that another plan fits now, or none.
func (b *book) superseded(ctx context.Context, e *entry) {
	_, span := b.opts.Tracer.Start(trail.Below(ctx, e.annotations), "outcome", trace.WithTimestamp(e.created.Time), trace.WithAttributes(attribute.String("holdfast.remediation", e.name)))
	trail.End(span, string(v1alpha1.PhaseSuperseded), nil)
}
