package audit

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// The phases of a sweep, each of which has a span below the sweep's. Objects are judged while others are still read, so that
// the first two overlap.
const (
	phaseList   = "list"   // all objects are read
	phaseJudge  = "judge"  // those that have to be are judged
	phaseReport = "report" // what is known of others is let go, and the sink told
)

// trace begins the span of a sweep. It names the type, and no object.
func (s *sweep) trace(tracer trace.Tracer, t Type) {
	s.tracer = tracer
	s.ctx, s.span = tracer.Start(context.Background(), "sweep", trace.WithAttributes(
		attribute.String("holdfast.resource", t.label()), attribute.Int64("holdfast.round", int64(s.round)),
		attribute.Bool("holdfast.beside_watch", s.beside != nil)))
}

// enter begins the span of a phase. The answer ends it.
func (s *sweep) enter(phase string) func(error) {
	_, span := s.tracer.Start(s.ctx, phase)
	return func(err error) { end(span, err) }
}

// end ends the span of the sweep. With an error it was not finished.
func (s *sweep) end(err error) {
	s.span.SetAttributes(attribute.Int64("holdfast.objects", s.offered.Load()), attribute.Int64("holdfast.judged", s.judged.Load()))
	end(s.span, err)
}

func end(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
	}
	span.End()
}
