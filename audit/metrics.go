package audit

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of the auditor. The label resource is bounded by the types that the cluster serves.
type metrics struct {
	judged    *prometheus.CounterVec
	unchanged *prometheus.CounterVec
	failures  *prometheus.CounterVec
	sweeps    *prometheus.HistogramVec
}

func newMetrics(reg prometheus.Registerer, book *coverageBook) (*metrics, error) {
	m := &metrics{
		judged: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_audit_objects_judged_total",
			Help: "Objects that the auditor evaluated.",
		}, []string{"resource"}),
		unchanged: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_audit_objects_unchanged_total",
			Help: "Objects that were not evaluated, because in what rules read of them nothing had changed.",
		}, []string{"resource"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_audit_failures_total",
			Help: "Lists and watches that failed.",
		}, []string{"resource"}),
		sweeps: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "holdfast_audit_sweep_duration_seconds",
			Help:    "Time to list and evaluate all objects of a type.",
			Buckets: prometheus.ExponentialBuckets(0.01, 4, 8), // 10 ms to 164 s
		}, []string{"resource"}),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.judged, m.unchanged, m.failures, m.sweeps, coverageCollector{book}} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("registering the auditor's metrics: %w", err)
		}
	}
	return m, nil
}

// coverageCollector shows the coverage as it is when it is scraped.
type coverageCollector struct{ book *coverageBook }

var (
	objectsDesc = prometheus.NewDesc("holdfast_audit_objects", "Objects that the auditor knows.", []string{"resource"}, nil)
	failedDesc  = prometheus.NewDesc("holdfast_audit_objects_failed", "Objects of which something could not be evaluated.", []string{"resource"}, nil)
	heardDesc   = prometheus.NewDesc("holdfast_audit_last_heard_timestamp_seconds", "When the server last sent anything about the type, as Unix time; 0 for never.", []string{"resource"}, nil)
	listedDesc  = prometheus.NewDesc("holdfast_audit_last_list_timestamp_seconds", "When the type was last listed in full, as Unix time; 0 for never.", []string{"resource"}, nil)
	staleDesc   = prometheus.NewDesc("holdfast_audit_stale", "1 when what is known of the type may be out of date.", []string{"resource"}, nil)
)

func (c coverageCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- objectsDesc
	ch <- failedDesc
	ch <- heardDesc
	ch <- listedDesc
	ch <- staleDesc
}

func (c coverageCollector) Collect(ch chan<- prometheus.Metric) {
	for _, t := range c.book.list() {
		resource := t.Type.label()
		stale := 0.0
		if t.Stale {
			stale = 1
		}
		ch <- prometheus.MustNewConstMetric(objectsDesc, prometheus.GaugeValue, float64(t.Objects), resource)
		ch <- prometheus.MustNewConstMetric(failedDesc, prometheus.GaugeValue, float64(t.Failed), resource)
		ch <- prometheus.MustNewConstMetric(heardDesc, prometheus.GaugeValue, unixTime(t.Heard), resource)
		ch <- prometheus.MustNewConstMetric(listedDesc, prometheus.GaugeValue, unixTime(t.Listed), resource)
		ch <- prometheus.MustNewConstMetric(staleDesc, prometheus.GaugeValue, stale, resource)
	}
}

// unixTime is 0 for never.
func unixTime(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixNano()) / 1e9
}
