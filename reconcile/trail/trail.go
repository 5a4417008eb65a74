// Package trail joins the spans of a Remediation, from its finding to its outcome: what lies hours apart, and in several
// processes, is one trace. The annotation holdfast.dev/traceparent of the Remediation says which, in the words of W3C's header
// of that name. Who makes a Remediation notes it there; who works on it makes spans below.
//
// Spans name objects, policies and rules, and say neither what is in an object nor who did something. What people write into
// the annotation leads to a trace of another name, and nothing else.
//
// Source: https://www.w3.org/TR/trace-context/#traceparent-header
package trail

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
)

// header is the key of a traceparent among headers.
const header = "traceparent"

// Note writes the trace of the context's span into a Remediation, if there is one.
func Note(ctx context.Context, r *v1alpha1.Remediation) {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	if carrier[header] == "" {
		return
	}
	if r.Annotations == nil {
		r.Annotations = map[string]string{}
	}
	r.Annotations[v1alpha1.AnnotationTraceparent] = carrier[header]
}

// Below gives a context whose spans are below the one that is noted in a Remediation's annotations; one of its own where none is.
func Below(ctx context.Context, annotations map[string]string) context.Context {
	ctx = trace.ContextWithSpanContext(ctx, trace.SpanContext{})
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{header: annotations[v1alpha1.AnnotationTraceparent]})
}

// ID is the trace of a Remediation; empty for none.
func ID(annotations map[string]string) string {
	sc := trace.SpanContextFromContext(Below(context.Background(), annotations))
	if !sc.IsValid() {
		return ""
	}
	return sc.TraceID().String()
}

// About are the attributes of spans of a Remediation.
func About(r *v1alpha1.Remediation) trace.SpanStartEventOption {
	p := &r.Spec.Plan.Policy
	return trace.WithAttributes(
		attribute.String("holdfast.remediation", r.Name), attribute.String("holdfast.policy", p.Key()), attribute.String("holdfast.rule", p.Rule),
		attribute.String("holdfast.plan", r.Spec.PlanDigest), attribute.Int("holdfast.targets", len(r.Spec.Plan.Targets)))
}

// Target are the attributes of one object of a plan.
func Target(t *v1alpha1.Target) trace.SpanStartEventOption {
	return trace.WithAttributes(
		attribute.String("k8s.object.kind", t.Kind), attribute.String("k8s.namespace.name", t.Namespace), attribute.String("k8s.object.name", t.Name))
}

// End ends a span with what became of it. An error says that there is one, and not which: what an API server says may quote
// the object.
func End(span trace.Span, outcome string, err error) {
	span.SetAttributes(attribute.String("holdfast.outcome", outcome))
	if err != nil {
		span.SetStatus(codes.Error, outcome)
	}
	span.End()
}
