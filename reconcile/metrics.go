package reconcile

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of the keeper. Its labels are of few values.
type metrics struct {
	changes  *prometheus.CounterVec
	failures prometheus.Counter
	dropped  prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, k *Keeper) (*metrics, error) {
	m := &metrics{
		changes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_reconcile_changes_total",
			Help: "Writes of objects that generate rules and mutate rules with targets want, by action (create, update, delete) and outcome (done, failed).",
		}, []string{"action", "outcome"}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_reconcile_failures_total",
			Help: "Attempts to carry out what rules want of other objects that failed and will be made again.",
		}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_reconcile_dropped_total",
			Help: "Requests whose consequences were given up: too many waited, they failed again and again, or everything was stopped.",
		}),
	}
	if reg == nil {
		return m, nil
	}
	waiting := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "holdfast_reconcile_waiting",
		Help: "Triggers whose rules want changes of other objects that have not been carried out yet.",
	}, func() float64 { return float64(k.waiting()) })
	for _, c := range []prometheus.Collector{m.changes, m.failures, m.dropped, waiting} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("registering the metrics of reconciling: %w", err)
		}
	}
	return m, nil
}
