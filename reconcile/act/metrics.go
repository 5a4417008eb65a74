package act

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of the executor. Their labels are of few values.
type metrics struct {
	applies   *prometheus.CounterVec
	rollbacks *prometheus.CounterVec
	concluded *prometheus.CounterVec
	duration  prometheus.Histogram
	failures  prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		applies: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_remediation_applies_total",
			Help: "Writes of objects that Remediations want, by outcome (done, failed).",
		}, []string{"outcome"}),
		rollbacks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_remediation_rollbacks_total",
			Help: "Objects that were to be changed back, by outcome (done; refused, because others have changed the same since; failed).",
		}, []string{"outcome"}),
		concluded: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_remediation_concluded_total",
			Help: "Remediations that were carried out, by the phase in which they ended.",
		}, []string{"phase"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "holdfast_remediation_duration_seconds",
			Help: "Time from the proposal of a Remediation until one of its objects is healthy and as the rule wants it.",
			// From what is mended at once to what waits a week for an approval.
			Buckets: []float64{1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600, 7 * 24 * 3600},
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_remediation_failures_total",
			Help: "Attempts to carry on with a Remediation that came to nothing and will be made again.",
		}),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.applies, m.rollbacks, m.concluded, m.duration, m.failures} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("registering the metrics of carrying out: %w", err)
		}
	}
	return m, nil
}
