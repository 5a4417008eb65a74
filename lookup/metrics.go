package lookup

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// question is what is looked up, as metrics name it.
type question string

const (
	ofNamespace     question = "namespace"
	ofRoles         question = "roles"
	ofObject        question = "object"
	ofList          question = "list"
	ofAPICall       question = "api_call"
	ofServiceCall   question = "service_call"
	ofGlobalContext question = "global_context"
	ofImage         question = "image"
	ofAccess        question = "access"
)

// metrics of look-ups. Their labels are the words of question and outcome: nothing that a policy or a request says.
type metrics struct {
	requests      *prometheus.CounterVec
	duration      *prometheus.HistogramVec
	watchFailures prometheus.Counter
}

func newMetrics() *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_lookup_requests_total",
			Help: "Look-ups of rules, by what was looked up and how it ended: found, missing, forbidden, refused, too_large, timeout or error.",
		}, []string{"question", "outcome"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "holdfast_lookup_duration_seconds",
			Help: "Time of a look-up.",
			// From what memory answers to the longest timeout of the admission API.
			Buckets: []float64{.000001, .00001, .0001, .001, .005, .01, .05, .1, .5, 1, 2.5, 5, 10, 30},
		}, []string{"question"}),
		watchFailures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "holdfast_lookup_watch_failures_total",
			Help: "Interruptions of the watches that look-ups are answered from.",
		}),
	}
	return m
}

// register makes the metrics, and what the cluster's caches hold, readable.
func (m *metrics) register(reg prometheus.Registerer, c *Cluster) error {
	if reg == nil {
		return nil
	}
	var errs []error
	for _, collector := range []prometheus.Collector{m.requests, m.duration, m.watchFailures, newCaches(c)} {
		errs = append(errs, reg.Register(collector))
	}
	return errors.Join(errs...)
}

// observe counts a look-up that ends; it is deferred.
func (m *metrics) observe(what question, begun time.Time, err *error) {
	m.requests.WithLabelValues(string(what), outcome(*err)).Inc()
	m.duration.WithLabelValues(string(what)).Observe(time.Since(begun).Seconds())
}

// caches shows what is held in memory.
type caches struct {
	cluster                          *Cluster
	objects, bytes, watched, entries *prometheus.Desc
}

func newCaches(c *Cluster) *caches {
	return &caches{
		cluster: c,
		objects: prometheus.NewDesc("holdfast_lookup_cache_objects", "Objects and images in memory for look-ups.", []string{"cache"}, nil),
		bytes:   prometheus.NewDesc("holdfast_lookup_cache_bytes", "About how long these are as JSON.", []string{"cache"}, nil),
		watched: prometheus.NewDesc("holdfast_lookup_watched_kinds", "Kinds that are watched because rules look them up.", nil, nil),
		entries: prometheus.NewDesc("holdfast_lookup_global_context_entries", "Global context entries, by whether they could be read at the last attempt.", []string{"state"}, nil),
	}
}

// Describe is part of prometheus.Collector.
func (c *caches) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.objects, c.bytes, c.watched, c.entries} {
		out <- d
	}
}

// Collect is part of prometheus.Collector.
func (c *caches) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	kinds, n, size := c.cluster.objects.watches.held()
	gauge(c.watched, float64(kinds))
	gauge(c.objects, float64(n), "watches")
	gauge(c.bytes, float64(size), "watches")
	n, size = c.cluster.entries.held()
	gauge(c.objects, float64(n), "global_context")
	gauge(c.bytes, float64(size), "global_context")
	n, size = c.cluster.images.held()
	gauge(c.objects, float64(n), "images")
	gauge(c.bytes, float64(size), "images")
	read, failing := 0, 0
	for _, s := range c.cluster.entries.status() {
		if s.Error == "" {
			read++
		} else {
			failing++
		}
	}
	gauge(c.entries, float64(read), "read")
	gauge(c.entries, float64(failing), "failing")
}
