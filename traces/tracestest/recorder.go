// Package tracestest keeps the spans that code under test makes. Spans flow in; the tree of them, as text, flows out.
package tracestest

import (
	"slices"
	"strings"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// Recorder keeps all spans.
type Recorder struct {
	spans *tracetest.SpanRecorder
	sdk   *sdktrace.TracerProvider
}

// New makes an empty one.
func New() *Recorder {
	spans := tracetest.NewSpanRecorder()
	return &Recorder{spans, sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))}
}

// Tracer makes spans that are kept.
func (r *Recorder) Tracer() trace.Tracer { return r.sdk.Tracer("test") }

// Ended are the spans that have ended, in that order.
func (r *Recorder) Ended() []sdktrace.ReadOnlySpan { return r.spans.Ended() }

// Named gives the spans of a name, and their attributes by key.
func (r *Recorder) Named(name string) (spans []sdktrace.ReadOnlySpan, attributes []map[string]string) {
	for _, s := range r.spans.Ended() {
		if s.Name() != name {
			continue
		}
		of := map[string]string{}
		for _, a := range s.Attributes() {
			of[string(a.Key)] = a.Value.String()
		}
		spans, attributes = append(spans, s), append(attributes, of)
	}
	return spans, attributes
}

// Tree writes the spans that have ended as PARENT > NAME, in the order in which they were made. The parent is an ID if it is none
// of ours, and nothing if there is none.
func (r *Recorder) Tree() string {
	ended := map[trace.SpanID]bool{}
	for _, s := range r.spans.Ended() {
		ended[s.SpanContext().SpanID()] = true
	}
	names := map[trace.SpanID]string{}
	for _, s := range r.spans.Started() {
		names[s.SpanContext().SpanID()] = s.Name()
	}
	var out []string
	for _, s := range r.spans.Started() {
		if !ended[s.SpanContext().SpanID()] {
			continue
		}
		parent, known := names[s.Parent().SpanID()]
		if !known && s.Parent().IsValid() {
			parent = s.Parent().SpanID().String()
		}
		out = append(out, parent+" > "+s.Name())
	}
	return strings.Join(out, "\n")
}

// Traces are the IDs of all traces, each once, in order.
func (r *Recorder) Traces() []string {
	var out []string
	for _, s := range r.spans.Ended() {
		out = append(out, s.SpanContext().TraceID().String())
	}
	slices.Sort(out)
	return slices.Compact(out)
}
