package webhook

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// decision is what became of a review, as metrics name it.
type decision string

const (
	allowed    decision = "allowed"
	mutated    decision = "mutated"
	denied     decision = "denied"
	errored    decision = "errored"     // refused, because it could not be told
	failedOpen decision = "failed_open" // allowed, although a rule or all could not be evaluated
	spared     decision = "spared"      // never examined, whatever the policies say
	shed       decision = "shed"        // over the bounds
	invalid    decision = "invalid"     // not a review that can be answered
)

// failure is why a review or a rule was not evaluated, as metrics name it.
type failure string

const (
	failureReview   failure = "review"   // the body is no AdmissionReview, or the request lacks something
	failureTransfer failure = "transfer" // method, content type, length, or the connection broke
	failureRule     failure = "rule"
	failureDeadline failure = "deadline"
	failurePanic    failure = "panic"
	failureNotReady failure = "not_ready"
	failureKind     failure = "kind" // the parent's kind of a subresource is not known
)

// metrics of the handler. All labels are of bounded sets: kinds are those that the bundle names.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight prometheus.Gauge
	bytes    prometheus.Gauge
	shed     *prometheus.CounterVec
	errors   *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_admission_requests_total",
			Help: "Admission reviews answered, by what became of them. kind is one that the bundle names, else other.",
		}, []string{"webhook", "operation", "kind", "decision"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "holdfast_admission_duration_seconds",
			Help: "Time from the first byte of a review in the handler to its answer.",
			// From what a review costs that nobody matches to the longest timeout of the admission API.
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"webhook"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "holdfast_admission_in_flight", Help: "Admission reviews in hand.",
		}),
		bytes: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "holdfast_admission_in_flight_bytes", Help: "Length of the admission reviews in hand, together.",
		}),
		shed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_admission_shed_total",
			Help: "Admission reviews answered without an evaluation because too many were in hand, by the failurePolicy that settled them. Refused clients are told to try again after a second.",
		}, []string{"webhook", "failure_policy"}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_admission_errors_total",
			Help: "What could not be evaluated: reviews, or single rules of one (reason rule and deadline).",
		}, []string{"webhook", "reason"}),
	}
	if reg == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.requests, m.duration, m.inFlight, m.bytes, m.shed, m.errors} {
		errs = append(errs, reg.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("registering the admission metrics: %w", err)
	}
	return m, nil
}

// registrarMetrics of the webhook configurations.
type registrarMetrics struct {
	writes   *prometheus.CounterVec
	failures prometheus.Counter
	inSync   prometheus.Gauge
	unserved prometheus.Gauge
	forgiven prometheus.Gauge
}

func newRegistrarMetrics(reg prometheus.Registerer) (*registrarMetrics, error) {
	m := &registrarMetrics{
		writes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_webhook_configuration_writes_total",
			Help: "Writes of the webhook configurations, by kind and by what was done: created, updated because something of ours changed, repaired because somebody had edited or deleted it, removed because no rule needs it.",
		}, []string{"configuration", "change"}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_webhook_configuration_failures_total",
			Help: "Failed attempts to bring the webhook configurations to what they should be.",
		}),
		inSync: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "holdfast_webhook_configuration_in_sync",
			Help: "1 when the webhook configurations were right when last looked at, else 0.",
		}),
		unserved: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "holdfast_webhook_unserved_kinds",
			Help: "Kinds that policies select and the API server does not serve, so that it is not asked about them.",
		}),
		forgiven: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "holdfast_webhook_fail_not_yet_on",
			Help: "Webhook entries of policies with failurePolicy Fail that are registered with Ignore, because not every replica is ready yet.",
		}),
	}
	if reg == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.writes, m.failures, m.inSync, m.unserved, m.forgiven} {
		errs = append(errs, reg.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("registering the metrics of the webhook configurations: %w", err)
	}
	return m, nil
}
