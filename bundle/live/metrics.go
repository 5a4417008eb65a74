package live

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	failures *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer, s *Source) (*metrics, error) {
	m := &metrics{failures: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "holdfast_policy_watch_failures_total",
		Help: "Lists and watches of the cluster's policies that failed.",
	}, []string{"resource"})}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.failures, collector{s}} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("registering the metrics of the cluster's policies: %w", err)
		}
	}
	return m, nil
}

// collector shows the policies as they are when it is scraped.
type collector struct{ source *Source }

var policiesDesc = prometheus.NewDesc("holdfast_policies",
	"Policies, exceptions and global context entries by where they come from (bundle, cluster) and what became of them: in_force; outdated: the present version does not compile and the one before is in force; broken: nothing of it is in force; hidden: one of the other source goes before it; uncounted: an exception of a namespace whose exceptions do not count.",
	[]string{"source", "state"}, nil)

func (c collector) Describe(ch chan<- *prometheus.Desc) { ch <- policiesDesc }

func (c collector) Collect(ch chan<- prometheus.Metric) {
	for source, states := range c.source.counts() {
		for state, n := range states {
			ch <- prometheus.MustNewConstMetric(policiesDesc, prometheus.GaugeValue, float64(n), source, string(state))
		}
	}
}

// counts gives the number of policies by source and state, with a zero for what there is none of: an alert
// asks for it.
func (s *Source) counts() map[string]map[State]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]map[State]int{
		"bundle":  {InForce: 0, Hidden: 0},
		"cluster": {InForce: 0, Outdated: 0, Broken: 0, Hidden: 0, Uncounted: 0},
	}
	for k := range s.base {
		state := InForce
		if e := s.entries[k]; e != nil && e.counts() {
			state = Hidden
		}
		out["bundle"][state]++
	}
	for _, e := range s.entries {
		out["cluster"][e.state()]++
	}
	return out
}
