package audit

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

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

var (
	policyFindingsDesc    = prometheus.NewDesc("holdfast_audit_findings", "Failed rules of objects, by policy and state: transient ones may pass by themselves, settled ones are to be taken for drift.", []string{"policy", "state"}, nil)
	namespaceFindingsDesc = prometheus.NewDesc("holdfast_audit_namespace_findings", "The same by namespace; empty for objects that are in none.", []string{"namespace", "state"}, nil)
	pairFindingsDesc      = prometheus.NewDesc("holdfast_audit_drift", "Settled findings by namespace and policy.", []string{"namespace", "policy"}, nil)
	unnamedDesc           = prometheus.NewDesc("holdfast_audit_findings_unnamed", "Policies, namespaces, and pairs of both, that have findings and are among the others in these metrics, because there are too many.", []string{"by"}, nil)
	settlingDesc          = prometheus.NewDesc("holdfast_audit_settling", "Objects with findings that have yet to settle.", nil, nil)
)

// findingCollector shows the findings as they are when they are scraped.
type findingCollector struct{ history *history }

func (c findingCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- policyFindingsDesc
	ch <- namespaceFindingsDesc
	ch <- pairFindingsDesc
	ch <- unnamedDesc
	ch <- settlingDesc
}

func (c findingCollector) Collect(ch chan<- prometheus.Metric) {
	policies, namespaces, pairs, waiting := c.history.counted()
	byPolicy, unnamedPolicies := most(policies, maxNamed, pair{policy: others})
	byNamespace, unnamedNamespaces := most(namespaces, maxNamed, pair{namespace: others})
	byPair, unnamedPairs := most(pairs, maxPairs, pair{others, others})
	for at, state := range []State{Transient, Settled} {
		for _, n := range byPolicy {
			ch <- prometheus.MustNewConstMetric(policyFindingsDesc, prometheus.GaugeValue, float64(n.by[at]), n.of.policy, string(state))
		}
		for _, n := range byNamespace {
			ch <- prometheus.MustNewConstMetric(namespaceFindingsDesc, prometheus.GaugeValue, float64(n.by[at]), n.of.namespace, string(state))
		}
	}
	for _, n := range byPair {
		ch <- prometheus.MustNewConstMetric(pairFindingsDesc, prometheus.GaugeValue, float64(n.by[1]), n.of.namespace, n.of.policy)
	}
	for by, n := range map[string]int{"policy": unnamedPolicies, "namespace": unnamedNamespaces, "pair": unnamedPairs} {
		ch <- prometheus.MustNewConstMetric(unnamedDesc, prometheus.GaugeValue, float64(n), by)
	}
	ch <- prometheus.MustNewConstMetric(settlingDesc, prometheus.GaugeValue, float64(waiting))
}
