package propose

import (
	"fmt"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/reconcile/plan"
)

// metrics of the proposer. Its labels are of few values.
type metrics struct {
	plans    *prometheus.CounterVec
	failures prometheus.Counter
	pending  *prometheus.GaugeVec
	targets  *prometheus.GaugeVec
	mu       sync.Mutex
}

func newMetrics(reg prometheus.Registerer, p *Proposer) (*metrics, error) {
	m := &metrics{
		plans: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_remediation_plans_total",
			Help: "Remediations that were proposed, and that were superseded because their plan no longer fits, by outcome (proposed, superseded).",
		}, []string{"outcome"}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_remediation_plan_failures_total",
			Help: "Attempts to plan for an object, or to write Remediations, that failed and will be made again.",
		}),
		pending: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "holdfast_remediation_pending",
			Help: "Remediations whose plan fits and that have not ended, by the mode that they go as far as.",
		}, []string{"mode"}),
		targets: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "holdfast_remediation_targets",
			Help: "Objects in pending Remediations, by the obstacle that keeps them from being changed (none for no obstacle).",
		}, []string{"obstacle"}),
	}
	if reg == nil {
		return m, nil
	}
	waiting := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "holdfast_remediation_waiting",
		Help: "Objects with findings that wait to be planned for.",
	}, func() float64 { return float64(p.waiting()) })
	dropped := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "holdfast_remediation_dropped",
		Help: "Planned changes that there was no room for since this replica began to plan.",
	}, func() float64 {
		p.mu.Lock()
		defer p.mu.Unlock()
		return float64(p.dropped)
	})
	for _, c := range []prometheus.Collector{m.plans, m.failures, m.pending, m.targets, waiting, dropped} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("registering the metrics of remediations: %w", err)
		}
	}
	return m, nil
}

// count tells what is pending.
func (m *metrics) count(wanted []plan.Proposal) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pending.Reset()
	m.targets.Reset()
	for _, mode := range v1alpha1.Modes()[1:] {
		m.pending.WithLabelValues(string(mode)).Set(0)
	}
	for i := range wanted {
		m.pending.WithLabelValues(string(wanted[i].Mode)).Inc()
		targets := wanted[i].Remediation.Spec.Plan.Targets
		for j := range targets {
			obstacle := "none"
			if o := targets[j].Obstacle; o != nil {
				obstacle = string(o.Reason)
			}
			m.targets.WithLabelValues(obstacle).Inc()
		}
	}
}
