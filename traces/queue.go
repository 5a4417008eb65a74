package traces

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// maxWaiting is how many spans wait for the collector: of 2 KiB at the most they are 4 MiB, and at ten traced reviews a
// second they last for half a minute, in which a collector restarts.
const maxWaiting = 2048

// Why spans are dropped, as metrics name it.
const (
	noRoom   = "no_room"  // too many waited
	unsent   = "unsent"   // the collector was away for too long, or answered an error
	refusals = "rejected" // the collector did not take them
)

// queue counts the spans that wait between their end and the collector's answer, and drops what is too much before the SDK's
// batches would in silence. The waiting are counted here because the SDK tells nobody.
type queue struct {
	waiting atomic.Int64
	failing atomic.Bool
	log     *slog.Logger
	sent    prometheus.Counter
	dropped *prometheus.CounterVec
}

func newQueue(o *Options) (*queue, error) {
	q := &queue{
		log: o.Logger,
		sent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_trace_spans_sent_total", Help: "Spans that the collector has taken.",
		}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_trace_spans_dropped_total",
			Help: "Spans that the collector never got: no_room (too many waited), unsent (it was away for too long, or answered an error), rejected (it did not take them).",
		}, []string{"reason"}),
	}
	for _, reason := range []string{noRoom, unsent, refusals} {
		q.dropped.WithLabelValues(reason)
	}
	if o.Metrics == nil {
		return q, nil
	}
	waiting := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "holdfast_trace_spans_waiting", Help: "Spans that wait for the collector.",
	}, func() float64 { return float64(q.waiting.Load()) })
	if err := errors.Join(o.Metrics.Register(q.sent), o.Metrics.Register(q.dropped), o.Metrics.Register(waiting)); err != nil {
		return nil, fmt.Errorf("registering the metrics of traces: %w", err)
	}
	return q, nil
}

// entrance lets spans into the batches as long as there is room.
type entrance struct {
	sdktrace.SpanProcessor
	queue *queue
}

// OnEnd implements sdktrace.SpanProcessor. It never waits.
func (e entrance) OnEnd(s sdktrace.ReadOnlySpan) {
	if e.queue.waiting.Add(1) > maxWaiting {
		e.queue.waiting.Add(-1)
		e.queue.dropped.WithLabelValues(noRoom).Inc()
		return
	}
	e.SpanProcessor.OnEnd(s)
}

// exit counts what becomes of batches.
type exit struct {
	sdktrace.SpanExporter
	queue *queue
}

// ExportSpans implements sdktrace.SpanExporter. There is no error: the SDK would tell the standard logger.
func (e exit) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	e.queue.left(len(spans), err)
	return nil
}

// left notes that spans wait no more.
func (q *queue) left(spans int, err error) {
	q.waiting.Add(-int64(spans))
	var some rejected
	switch {
	case err == nil:
		q.sent.Add(float64(spans))
		if q.failing.Swap(false) {
			q.log.Info("spans are sent again")
		}
		return
	case errors.As(err, &some):
		lost := min(int(some.spans), spans)
		q.sent.Add(float64(spans - lost))
		q.dropped.WithLabelValues(refusals).Add(float64(lost))
	default:
		q.dropped.WithLabelValues(unsent).Add(float64(spans))
	}
	if !q.failing.Swap(true) { // one line, however long it lasts: the metric tells the rest
		q.log.Warn("spans could not be sent to the collector; those that follow are tried", "error", err)
	}
}
