package app

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/reconcile/gate"
	"github.com/holdfast-io/holdfast/reconcile/propose"
)

// standings tells where the Remediations of our part stand. It is computed from them when somebody asks, on the replica that
// carries out.
type standings struct {
	gates                            *gates
	phases, waiting, stops, breakers *prometheus.Desc
}

func registerStandings(reg prometheus.Registerer, g *gates) error {
	s := &standings{
		gates:    g,
		phases:   prometheus.NewDesc("holdfast_remediations", "Remediations that have not ended, by phase.", []string{"phase"}, nil),
		waiting:  prometheus.NewDesc("holdfast_remediation_approval_age_seconds", "Time for which the oldest of the Remediations that wait for an approval has waited; 0 if none does.", nil, nil),
		stops:    prometheus.NewDesc("holdfast_remediation_stopped_targets", "Objects of Remediations that a gate stops at the last look, by gate and reason.", []string{"gate", "reason"}, nil),
		breakers: prometheus.NewDesc("holdfast_remediation_breakers", "Policies whose circuit breaker is not closed, by state (Open, HalfOpen).", []string{"state"}, nil),
	}
	if err := reg.Register(s); err != nil {
		return fmt.Errorf("registering the metrics of where Remediations stand: %w", err)
	}
	return nil
}

// Describe gives the metrics.
func (s *standings) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{s.phases, s.waiting, s.stops, s.breakers} {
		out <- d
	}
}

// open are the phases that a Remediation may be in before it ends.
func open() []v1alpha1.Phase {
	return []v1alpha1.Phase{
		v1alpha1.PhaseProposed, v1alpha1.PhaseBlocked, v1alpha1.PhaseConflict, v1alpha1.PhaseAwaitingApproval, v1alpha1.PhaseApproved,
		v1alpha1.PhaseRunning, v1alpha1.PhasePaused, v1alpha1.PhaseRollingBack,
	}
}

// Collect gives their values.
func (s *standings) Collect(out chan<- prometheus.Metric) {
	g := s.gates
	if !g.remediations.Synced() {
		return // another replica carries out
	}
	now := g.now()
	all := g.all()
	phases := map[v1alpha1.Phase]int{}
	type stop struct{ gate, reason string }
	stops := map[stop]int32{}
	var oldest time.Duration
	for i := range all {
		r := &all[i]
		if r.Labels[propose.LabelPart] != g.part || r.Status.Phase.Ended() {
			continue
		}
		phases[r.Status.Phase]++
		for _, st := range r.Status.Gates {
			stops[stop{st.Gate, st.Reason}] += st.Targets
		}
		if r.Status.Phase == v1alpha1.PhaseAwaitingApproval {
			oldest = max(oldest, now.Sub(r.CreationTimestamp.Time))
		}
	}
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	for _, phase := range open() {
		gauge(s.phases, float64(phases[phase]), string(phase))
	}
	gauge(s.waiting, oldest.Seconds())
	for st, n := range stops {
		gauge(s.stops, float64(n), st.gate, st.reason)
	}
	states := map[gate.BreakerState]int{}
	breakers, _ := g.breakers()
	for i := range breakers {
		states[breakers[i].State]++
	}
	for _, state := range []gate.BreakerState{gate.HalfOpen, gate.Open} {
		gauge(s.breakers, float64(states[state]), string(state))
	}
}
