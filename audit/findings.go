package audit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// counts are how many findings there are, by policy and by namespace, transient ones and settled ones.
type counts struct {
	policies, namespaces map[string]*[2]int
}

func newCounts() counts {
	return counts{map[string]*[2]int{}, map[string]*[2]int{}}
}

func (c *counts) add(p *past) { c.change(p, 1) }

func (c *counts) remove(p *past) {
	if p != nil {
		c.change(p, -1)
	}
}

func (c *counts) change(p *past, by int) {
	for i := range p.failing {
		at := 1
		if p.failing[i].origin.State() == Transient {
			at = 0
		}
		count(c.policies, p.failing[i].rule.Value().policy, at, by)
		count(c.namespaces, p.namespace, at, by)
	}
}

func count(in map[string]*[2]int, name string, at, by int) {
	n := in[name]
	if n == nil {
		n = new([2]int)
		in[name] = n
	}
	if n[at] += by; *n == [2]int{} {
		delete(in, name)
	}
}

// findingMetrics tell of findings beyond single ones.
type findingMetrics struct {
	detection *prometheus.HistogramVec
}

// source is where the time of a write is known from, as metrics name it.
type source string

const (
	// fromAdmission: to the millisecond, by a clock of ours.
	fromAdmission source = "admission"
	// fromFields: from managedFields, cut to the second by the API server, so that it is up to a second too long.
	fromFields source = "managed_fields"
	// fromPolicy: from the policy that the object was there before.
	fromPolicy source = "policy"
)

func newFindingMetrics() *findingMetrics {
	return &findingMetrics{detection: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "holdfast_audit_detection_seconds",
		Help: "Time from the write that brought an object into a state that a rule is against, or from the policy that is newer, to its finding; by where the time of the write is known from.",
		// Around the second that it is to take at most; up to the hour of a sweep, which finds what the watch has missed.
		Buckets: []float64{.01, .025, .05, .1, .25, .5, .75, 1, 1.5, 2.5, 5, 15, 60, 300, 3600},
	}, []string{"source"})}
}

func (m *findingMetrics) register(reg prometheus.Registerer, h *history) error {
	if reg == nil {
		return nil
	}
	for _, c := range []prometheus.Collector{m.detection, findingCollector{h}} {
		if err := reg.Register(c); err != nil {
			return fmt.Errorf("registering the metrics of findings: %w", err)
		}
	}
	return nil
}

func (m *findingMetrics) detected(o *Origin, e *evidence) {
	from := fromFields
	switch {
	case o.Slip == SlipPolicyNewer:
		from = fromPolicy
	case e.admitted != nil:
		from = fromAdmission
	}
	m.detection.WithLabelValues(string(from)).Observe(o.Detected.Seconds())
}

// maxCounted bounds the names that a metric has; with two states, that makes 2,000 series, which is what one exporter of
// many a cluster has for its Pods. Those with the most findings are told, the others together.
const maxCounted = 1000

// beyond is the name of the others: no policy and no namespace can have it.
const beyond = "(others)"

var (
	policyFindingsDesc    = prometheus.NewDesc("holdfast_audit_findings", "Failed rules of objects, by policy and state: transient ones may pass by themselves, settled ones are to be taken for drift.", []string{"policy", "state"}, nil)
	namespaceFindingsDesc = prometheus.NewDesc("holdfast_audit_namespace_findings", "The same by namespace; empty for objects that are in none.", []string{"namespace", "state"}, nil)
	settlingDesc          = prometheus.NewDesc("holdfast_audit_settling", "Objects with findings that have yet to settle.", nil, nil)
)

// findingCollector shows the findings as they are when they are scraped.
type findingCollector struct{ history *history }

func (c findingCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- policyFindingsDesc
	ch <- namespaceFindingsDesc
	ch <- settlingDesc
}

func (c findingCollector) Collect(ch chan<- prometheus.Metric) {
	policies, namespaces, waiting := c.history.counted()
	for _, part := range []struct {
		desc *prometheus.Desc
		list []counted
	}{{policyFindingsDesc, policies}, {namespaceFindingsDesc, namespaces}} {
		for _, n := range part.list {
			for at, state := range []State{Transient, Settled} {
				ch <- prometheus.MustNewConstMetric(part.desc, prometheus.GaugeValue, float64(n.by[at]), n.name, string(state))
			}
		}
	}
	ch <- prometheus.MustNewConstMetric(settlingDesc, prometheus.GaugeValue, float64(waiting))
}

// Findings is how many rules objects fail, by state.
func (a *Auditor) Findings() map[State]int {
	policies, _, _ := a.history.counted()
	out := map[State]int{}
	for _, p := range policies {
		out[Transient] += p.by[0]
		out[Settled] += p.by[1]
	}
	return out
}

// counted is how many findings a policy or a namespace has, by state.
type counted struct {
	name string
	by   [2]int
}

func (h *history) counted() (policies, namespaces []counted, waiting int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return most(h.counts.policies), most(h.counts.namespaces), len(h.settling.places)
}

// most gives those with the most findings, and the sum of the others.
func most(in map[string]*[2]int) []counted {
	out := make([]counted, 0, len(in))
	for name, n := range in {
		out = append(out, counted{name, *n})
	}
	if len(out) <= maxCounted {
		return out
	}
	slices.SortFunc(out, func(a, b counted) int {
		return cmp.Or(cmp.Compare(b.by[0]+b.by[1], a.by[0]+a.by[1]), strings.Compare(a.name, b.name))
	})
	others := counted{name: beyond}
	for _, n := range out[maxCounted:] {
		others.by[0] += n.by[0]
		others.by[1] += n.by[1]
	}
	return append(out[:maxCounted], others)
}
