// Package events tells people in the cluster what became of an object, where they look for it: as Events on the object.
// What happened flows in, and Events flow out, similar ones joined in one that counts them.
//
// Who tells never waits: there is a limit to how much is told at all, and what is beyond it, or finds the queue full, is
// left out and counted. Events are for people; nothing in this program rests on them, and what they tell stands in reports,
// metrics and logs as well. The values of Secrets never come here: who tells leaves them out.
package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/klog/v2"
)

// Reason says in one word what happened.
type Reason string

// The reasons.
const (
	// Denied: rules refused a write of the object.
	Denied Reason = "PolicyDenied"
	// Violation: the object is not as rules want it.
	Violation Reason = "PolicyViolation"
	// Remediated: the object was changed, to what a rule wants.
	Remediated Reason = "Remediated"
	// RemediationFailed: such a change was refused, or has not done any good.
	RemediationFailed Reason = "RemediationFailed"
	// RolledBack: such a change was taken back.
	RolledBack Reason = "RemediationRolledBack"
)

// kind is the type of Events with this reason.
func (r Reason) kind() string {
	if r == Remediated {
		return corev1.EventTypeNormal
	}
	return corev1.EventTypeWarning
}

// Event is something that happened to an object.
type Event struct {
	// Object is where it is told: it need not exist. Without a namespace it is told in namespace default, as the API has
	// it.
	Object corev1.ObjectReference
	Reason Reason
	// Message is cut at maxMessage bytes.
	Message string
}

// Options are what a Recorder needs.
type Options struct {
	Client kubernetes.Interface
	Logger *slog.Logger
	// Metrics registers the metrics of Events; nil for none.
	Metrics prometheus.Registerer
	// PerSecond is how many are told in the long run, and Burst at once. Defaults 5 and 50: a write each, beside the
	// hundreds of a busy cluster. Of one object client-go tells 25, then one in five minutes.
	PerSecond float32
	Burst     int
}

// Validate fills in defaults and names the first field that is missing.
func (o *Options) Validate() error {
	switch {
	case o.Client == nil:
		return errors.New("events options: Client is missing")
	case o.Logger == nil:
		return errors.New("events options: Logger is missing")
	case o.PerSecond < 0 || o.Burst < 0:
		return errors.New("events options: PerSecond and Burst must be positive")
	}
	if o.PerSecond == 0 {
		o.PerSecond = 5
	}
	if o.Burst == 0 {
		o.Burst = 50
	}
	return nil
}

// Recorder writes Events while it runs. What it is told before or after that, is lost.
type Recorder struct {
	opts     Options
	limit    flowcontrol.PassiveRateLimiter
	metrics  *metrics
	running  chan struct{} // closed when it does
	recorder record.EventRecorder
}

// component names this program in its Events.
const component = "holdfast"

// maxMessage is what the API takes of the message of an Event in its newer form, events.k8s.io/v1.
const maxMessage = 1024

// New checks the options.
func New(o Options) (*Recorder, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	m, err := newMetrics(o.Metrics)
	if err != nil {
		return nil, err
	}
	return &Recorder{opts: o, limit: flowcontrol.NewTokenBucketPassiveRateLimiter(o.PerSecond, o.Burst), metrics: m, running: make(chan struct{})}, nil
}

// Tell hands over an Event and returns at once. A Recorder that is nil tells nothing.
func (r *Recorder) Tell(e Event) {
	if r == nil || about(e.Object, "", "Event") || about(e.Object, "events.k8s.io", "Event") {
		return // an Event about an Event that was refused would be refused, and so on
	}
	select {
	case <-r.running:
	default:
		return
	}
	if !r.limit.TryAccept() {
		r.metrics.events.WithLabelValues(string(e.Reason), string(dropped)).Inc()
		return
	}
	object := e.Object
	r.recorder.Event(&object, e.Reason.kind(), string(e.Reason), shorten(e.Message)) // drops when its queue is full
}

// about reports whether the object is of the kind.
func about(o corev1.ObjectReference, group, kind string) bool {
	of, _, _ := strings.Cut(o.APIVersion, "/")
	if of == o.APIVersion {
		of = ""
	}
	return o.Kind == kind && of == group
}

func shorten(s string) string {
	const more = "…"
	if len(s) <= maxMessage {
		return s
	}
	return strings.ToValidUTF8(s[:maxMessage-len(more)], "") + more
}

// Run writes Events until the context ends. It is called once.
//
// They are written by the older API, the core group's, because client-go joins and counts similar ones for that alone. Both
// APIs show the same objects.
func (r *Recorder) Run(ctx context.Context) error {
	logger := logr.FromSlogHandler(r.opts.Logger.Handler())
	broadcaster := record.NewBroadcaster(record.WithContext(klog.NewContext(ctx, logger)))
	writing := broadcaster.StartRecordingToSink(counting{&typedcorev1.EventSinkImpl{Interface: r.opts.Client.CoreV1().Events("")}, r.metrics})
	r.recorder = broadcaster.NewRecorder(runtime.NewScheme(), corev1.EventSource{Component: component})
	close(r.running)
	<-ctx.Done()
	broadcaster.Shutdown()
	writing.Stop()
	return nil
}

// counting counts what becomes of the Events that are written.
type counting struct {
	record.EventSink
	metrics *metrics
}

func (c counting) Create(e *corev1.Event) (*corev1.Event, error) {
	out, err := c.EventSink.Create(e)
	c.metrics.count(e, err)
	return out, err //nolint:wrapcheck // client-go reads it
}

func (c counting) Patch(e *corev1.Event, data []byte) (*corev1.Event, error) {
	out, err := c.EventSink.Patch(e, data)
	c.metrics.count(e, err)
	return out, err //nolint:wrapcheck // client-go reads it
}

// outcome is what became of an Event, as metrics name it.
type outcome string

const (
	written outcome = "written"
	failed  outcome = "failed"
	dropped outcome = "dropped" // over the limit
)

type metrics struct{ events *prometheus.CounterVec }

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{events: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "holdfast_events_total",
		Help: "Events about objects, by what became of them: written, failed (and perhaps tried again), dropped because there were too many.",
	}, []string{"reason", "outcome"})}
	if reg == nil {
		return m, nil
	}
	if err := reg.Register(m.events); err != nil {
		return nil, fmt.Errorf("registering the metrics of Events: %w", err)
	}
	return m, nil
}

func (m *metrics) count(e *corev1.Event, err error) {
	became := written
	if err != nil {
		became = failed
	}
	m.events.WithLabelValues(e.Reason, string(became)).Inc()
}
