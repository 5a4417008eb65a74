package killswitch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/holdfast-io/holdfast/reconcile/gate"
)

// Name of the ConfigMap.
const Name = "holdfast-stop"

// Keys of its data: who stopped everything, and why, in words.
const (
	keyBy     = "by"
	keyReason = "reason"
)

// Options are what a Watcher needs. All are required but Changed and Metrics.
type Options struct {
	Client coreclient.ConfigMapInterface
	// Changed is told how the switch stands when that is another than before; nil for nobody. It must not block.
	Changed func(gate.Switch)
	Logger  *slog.Logger
	Metrics prometheus.Registerer
}

// Watcher knows how the switch stands.
type Watcher struct {
	opts    Options
	running atomic.Bool
	state   atomic.Pointer[gate.Switch]
	told    *gate.Switch // what Changed was told last
}

// New makes a Watcher that does not know yet.
func New(opts Options) (*Watcher, error) {
	switch {
	case opts.Client == nil:
		return nil, errors.New("kill switch options: Client is missing")
	case opts.Logger == nil:
		return nil, errors.New("kill switch options: Logger is missing")
	}
	w := &Watcher{opts: opts}
	if opts.Metrics != nil {
		gauge := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "holdfast_reconcile_stopped",
			Help: "Whether everything is stopped by the kill switch: 1 if it is, or if it is not known how the switch stands; 0 where nobody follows it.",
		}, func() float64 {
			if s := w.State(); !w.running.Load() || s != nil && !s.Stopped {
				return 0
			}
			return 1
		})
		if err := opts.Metrics.Register(gauge); err != nil {
			return nil, fmt.Errorf("registering the metric of the kill switch: %w", err)
		}
	}
	return w, nil
}

// State is how the switch stands; nil while that is not known, which is to stop too.
func (w *Watcher) State() *gate.Switch { return w.state.Load() }

const (
	// retry is the pause after a failure: as long as it may take until everything is stopped.
	retry = time.Second
	// longest is how long a watch lasts before all is read anew, in case it has died without a word. The API server takes
	// seconds.
	longest = 60
)

// Run follows the switch until the context ends.
func (w *Watcher) Run(ctx context.Context) error {
	w.running.Store(true)
	defer w.running.Store(false)
	defer w.state.Store(nil)
	failing := false
	for ctx.Err() == nil {
		err := w.follow(ctx)
		if err == nil || ctx.Err() != nil {
			failing = false
			continue
		}
		w.state.Store(nil)
		if !failing {
			w.opts.Logger.Warn("Cannot tell how the kill switch stands: nothing is done until it can be told", "error", err)
		}
		failing = true
		select {
		case <-ctx.Done():
		case <-time.After(retry):
		}
	}
	return nil
}

// follow reads the switch and watches it until the watch ends.
func (w *Watcher) follow(ctx context.Context) error {
	only := fields.OneTermEqualSelector(metav1.ObjectNameField, Name).String()
	list, err := w.opts.Client.List(ctx, metav1.ListOptions{FieldSelector: only})
	if err != nil {
		return fmt.Errorf("reading ConfigMap %s: %w", Name, err)
	}
	var found *corev1.ConfigMap
	for i := range list.Items {
		if list.Items[i].Name == Name {
			found = &list.Items[i]
		}
	}
	seconds := int64(longest)
	changes, err := w.opts.Client.Watch(ctx, metav1.ListOptions{FieldSelector: only, ResourceVersion: list.ResourceVersion, TimeoutSeconds: &seconds})
	if err != nil {
		return fmt.Errorf("watching ConfigMap %s: %w", Name, err)
	}
	defer changes.Stop()
	w.set(found) // only now: what changes from here on is heard of
	for {
		select {
		case <-ctx.Done():
			return nil
		case event, open := <-changes.ResultChan():
			if !open {
				return nil
			}
			m, ok := event.Object.(*corev1.ConfigMap)
			switch {
			case !ok:
				return fmt.Errorf("watching ConfigMap %s: the watch has ended: %v", Name, event.Object)
			case m.Name != Name:
			case event.Type == watch.Deleted:
				w.set(nil)
			default:
				w.set(m)
			}
		}
	}
}

// set takes up how the switch stands. The list and the metadata of a ConfigMap tell who and since when, if nobody says.
func (w *Watcher) set(m *corev1.ConfigMap) {
	s := gate.Switch{}
	if m != nil {
		s = gate.Switch{Stopped: true, By: m.Data[keyBy], Reason: m.Data[keyReason], Since: m.CreationTimestamp.Time}
		if s.By == "" && len(m.ManagedFields) > 0 {
			s.By = m.ManagedFields[0].Manager
		}
	}
	w.state.Store(&s)
	if w.told != nil && *w.told == s {
		return
	}
	if s.Stopped {
		w.opts.Logger.Warn("Everything is stopped by the kill switch", "by", s.By, "reason", s.Reason)
	} else if w.told != nil {
		w.opts.Logger.Info("The kill switch is released")
	}
	if w.opts.Changed != nil && (s.Stopped || w.told != nil) {
		w.opts.Changed(s)
	}
	w.told = &s
}
