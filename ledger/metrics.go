package ledger

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	entries  *prometheus.CounterVec
	dropped  prometheus.Counter
	failures prometheus.Counter
	duration prometheus.Histogram
	intact   prometheus.Gauge
	verifyAt prometheus.Gauge
	// size is what was last read of the store.
	size atomic.Pointer[Size]
}

func newMetrics(reg prometheus.Registerer, r *Recorder) (*metrics, error) {
	m := &metrics{
		entries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_ledger_entries_total", Help: "Entries that were recorded, by kind.",
		}, []string{"kind"}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_ledger_dropped_total", Help: "Entries that were lost because too many waited. Their number is recorded.",
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_ledger_failures_total", Help: "Attempts to open or write the ledger that failed.",
		}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "holdfast_ledger_append_duration_seconds", Help: "Time of one transaction that writes entries, until they are on disk.",
			// From a fast disk's to commitWithin.
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
		intact: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "holdfast_ledger_intact", Help: "0 when the chain was found to be broken when it was last verified, or the file damaged since; else 1.",
		}),
		verifyAt: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "holdfast_ledger_last_verify_timestamp_seconds", Help: "When the chain was last verified; 0 for not since the start.",
		}),
	}
	m.intact.Set(1)
	for _, k := range Kinds() {
		m.entries.WithLabelValues(string(k))
	}
	if reg == nil {
		return m, nil
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	sized := func(of func(*Size) int64) func() float64 {
		return func() float64 {
			if s := m.size.Load(); s != nil {
				return float64(of(s))
			}
			return 0
		}
	}
	var errs []error
	for _, c := range []prometheus.Collector{
		m.entries, m.dropped, m.failures, m.duration, m.intact, m.verifyAt,
		gauge("holdfast_ledger_writing", "1 while the ledger can be written, else 0.", func() float64 {
			if r.failing() != nil {
				return 0
			}
			return 1
		}),
		gauge("holdfast_ledger_waiting", "Entries that wait to be written.", func() float64 { return float64(len(r.notes)) }),
		gauge("holdfast_ledger_lag_seconds", "Age of the oldest entry that could not be written yet; 0 for none.", r.lag),
		gauge("holdfast_ledger_size_entries", "Entries that the ledger holds, when last looked at.", sized(func(s *Size) int64 { return s.Entries })),
		gauge("holdfast_ledger_size_bytes", "Bytes that the ledger takes with its indexes, when last looked at.", sized(func(s *Size) int64 { return s.Bytes })),
		gauge("holdfast_ledger_head", "Number of the last entry, when last looked at. It never falls.", sized(func(s *Size) int64 { return s.Last.Seq })),
	} {
		errs = append(errs, reg.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("registering the metrics of the ledger: %w", err)
	}
	return m, nil
}

// written counts entries that one transaction has written.
func (m *metrics) written(entries []Entry, took time.Duration) {
	m.duration.Observe(took.Seconds())
	for i := range entries {
		m.entries.WithLabelValues(string(entries[i].Kind)).Inc()
	}
}

func (m *metrics) verified(at time.Time, intact float64) {
	m.intact.Set(intact)
	m.verifyAt.Set(float64(at.Unix()))
}

// lag is how old the oldest entry is that could not be written.
func (r *Recorder) lag() float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.oldest.IsZero() {
		return 0
	}
	return time.Since(r.oldest).Seconds()
}
