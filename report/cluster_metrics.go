package report

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// operation is what is done to a report, and outcome is what became of it, as metrics name them.
type (
	operation string
	outcome   string
)

const (
	operationList   operation = "list"
	operationApply  operation = "apply"
	operationDelete operation = "delete"

	outcomeDone outcome = "done"
	// outcomeGone: the object or its namespace is no longer there, so no report is needed.
	outcomeGone outcome = "gone"
	// outcomeNoCRD: the cluster does not serve policy reports.
	outcomeNoCRD outcome = "no_crd"
	outcomeError outcome = "error"
)

type writerMetrics struct {
	writes  *prometheus.CounterVec
	errors  prometheus.Counter
	omitted prometheus.Counter
}

func newWriterMetrics(reg prometheus.Registerer, pending func() float64) (*writerMetrics, error) {
	m := &writerMetrics{
		writes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_report_writes_total",
			Help: "Requests about reports in the cluster, by operation and outcome: done, gone (nothing to report on any more), no_crd (the cluster does not serve them), error.",
		}, []string{"operation", "outcome"}),
		errors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_report_write_errors_total",
			Help: "Requests about reports that failed and are tried again.",
		}),
	}
	m.omitted = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "holdfast_report_results_omitted_total",
		Help: "Results that did not fit into their report when it was written.",
	})
	if reg == nil {
		return m, nil
	}
	waiting := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "holdfast_report_pending",
		Help: "Reports that differ from what is known of their objects.",
	}, pending)
	for _, c := range []prometheus.Collector{m.writes, m.errors, m.omitted, waiting} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("registering the report writer's metrics: %w", err)
		}
	}
	return m, nil
}

func (m *writerMetrics) count(op operation, result outcome) {
	m.writes.WithLabelValues(string(op), string(result)).Inc()
	if result == outcomeError || result == outcomeNoCRD {
		m.errors.Inc()
	}
}
