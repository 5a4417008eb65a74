package webhook

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-io/holdfast/engine"
)

// timing measures how long the rules of each policy take.
//
// One review in timedEvery is measured: two looks at the clock and an observation for each of some thirty rules would
// be a few per cent of what a review costs.
type timing struct {
	rules   *prometheus.HistogramVec
	unnamed prometheus.Gauge
	reviews atomic.Uint64
	named   map[string]bool // the policies that have values; follow's own
}

const (
	timedEvery = 8
	// maxTimed bounds the policies that are told apart: with eleven series each, of one webhook, the metric has 1,100.
	maxTimed = 100
	// otherPolicies is the name of those beyond: no policy can have it.
	otherPolicies = "(others)"
)

func newTiming(reg prometheus.Registerer) (*timing, error) {
	t := &timing{
		rules: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "holdfast_admission_policy_duration_seconds",
			Help: "Time of a rule of the policy that had something to say, in one review of eight. The first hundred policies, the rest as (others).",
			// From a pattern to a look-up that ends with the review.
			Buckets: []float64{.00001, .0001, .001, .005, .025, .1, 1, 10},
		}, []string{"webhook", "policy"}),
		unnamed: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "holdfast_admission_policies_unnamed",
			Help: "Policies that are among the others in the times of policies, because there are too many.",
		}),
		named: map[string]bool{},
	}
	if reg == nil {
		return t, nil
	}
	if err := errors.Join(reg.Register(t.rules), reg.Register(t.unnamed)); err != nil {
		return nil, fmt.Errorf("registering the metrics of policies' times: %w", err)
	}
	return t, nil
}

// follow gives where the times of each policy go, of the hooks that it has rules for. Policies that are no more lose
// their values. One caller at a time.
func (t *timing) follow(policies []*engine.Policy) map[*engine.Policy][2]prometheus.Observer {
	observers := make(map[*engine.Policy][2]prometheus.Observer, len(policies))
	named := map[string]bool{}
	for i, p := range policies {
		name := otherPolicies
		if i < maxTimed {
			name = p.ID()
		}
		named[name] = true
		var of [2]prometheus.Observer
		for _, hook := range []Hook{Validate, Mutate} {
			if slices.ContainsFunc(p.Rules, func(r *engine.Rule) bool { return r.Kind == hook.rules() }) {
				of[hook] = t.rules.WithLabelValues(hook.String(), name)
			}
		}
		observers[p] = of
	}
	for name := range t.named {
		if !named[name] {
			t.rules.DeletePartialMatch(prometheus.Labels{"policy": name})
		}
	}
	t.named = named
	t.unnamed.Set(float64(max(0, len(policies)-maxTimed)))
	return observers
}

// stopwatch measures the rules of one review.
type stopwatch struct {
	hook      Hook
	observers map[*engine.Policy][2]prometheus.Observer // nil for none
	trail     *trail                                    // nil for none
	began     time.Time
}

// inputs gives what the rules of a review are to be evaluated with: measured, if it is its turn or traced.
func (h *Handler) inputs(c *call, v *view) *engine.Inputs {
	turn := h.timing.reviews.Add(1)%timedEvery == 0
	if !turn && c.trail == nil {
		return &h.opts.Inputs
	}
	in, w := h.opts.Inputs, &stopwatch{hook: c.hook, trail: c.trail}
	if turn {
		w.observers = v.times
	}
	in.Watch = w
	return &in
}

// Began implements engine.Watch.
func (s *stopwatch) Began(*engine.Rule) { s.began = time.Now() }

// Decided implements engine.Watch.
func (s *stopwatch) Decided(d *engine.Decision) {
	ended := time.Now()
	if o := s.observers[d.Policy][s.hook]; o != nil {
		o.Observe(ended.Sub(s.began).Seconds())
	}
	s.trail.rule(d, s.began, ended)
}
