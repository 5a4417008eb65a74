package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	oteltrace "go.opentelemetry.io/otel/trace"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/audit"
	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/events"
	"github.com/holdfast-io/holdfast/reconcile/act"
	"github.com/holdfast-io/holdfast/reconcile/approval"
	"github.com/holdfast-io/holdfast/reconcile/gate"
	"github.com/holdfast-io/holdfast/reconcile/propose"
	"github.com/holdfast-io/holdfast/webhook"
)

// executor carries Remediations out: an *act.Executor, or nobody.
type executor interface {
	Run(ctx context.Context) error
}

// noExecutor leaves Remediations to be read.
type noExecutor struct{}

func (noExecutor) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// executorParts are what an executor is put together from.
type executorParts struct {
	clients   *cluster
	served    *webhook.Discovery
	snapshots *bundle.Store
	inputs    func() *engine.Inputs
	matches   *matches
	auditor   func() *audit.Auditor
	leads     func() bool
	stopped   func() *gate.Switch
	keys      approval.Keys
	part      string
	// remediations are all of the cluster.
	remediations *propose.Remediations
	book         *act.ClusterBook
	record       *chronicle
	recorder     *events.Recorder
	log          *slog.Logger
	metrics      prometheus.Registerer
	tracer       oteltrace.Tracer // nil for none
}

// matches counts what rules match, if anything may be changed.
func (o *ServeOptions) matches() *matches {
	if !v1alpha1.Mode(o.ReconcileMode).Allows(v1alpha1.Approve) {
		return nil
	}
	return newMatches()
}

// gates makes what stands before a change; nil where nothing is ever proposed.
func (o *ServeOptions) gates(p executorParts) (*gates, error) {
	if o.ReconcileMode == Mode(v1alpha1.Report) {
		return nil, nil //nolint:nilnil // gates that are not there
	}
	settings, err := o.Gates.settings()
	if err != nil {
		return nil, err
	}
	g := &gates{
		settings: settings, mode: v1alpha1.Mode(o.ReconcileMode), part: p.part, snapshots: p.snapshots, remediations: p.remediations,
		namespaces: p.clients.metadata, keys: p.keys, stopped: p.stopped, now: time.Now,
		present: present{p.inputs, resourceOf(p.served), o.Settle.audit()},
		matched: func(policy *v1alpha1.PolicyReference) (int, bool) {
			if p.matches == nil || !swept(p.auditor()) {
				return 0, false
			}
			return p.matches.of(policy), true
		},
	}
	return g, registerStandings(p.metrics, g)
}

// executor makes the one that carries out. In the mode propose it changes nothing but, if somebody asks for that, back what was
// changed in another mode.
func (o *ServeOptions) executor(p executorParts, g *gates) (executor, error) {
	if g == nil {
		return noExecutor{}, nil
	}
	if p.record == nil && v1alpha1.Mode(o.ReconcileMode).Allows(v1alpha1.Approve) {
		p.log.Warn("objects may be changed, and no record is kept of it: there is no ledger")
	}
	return act.New(act.Options{
		Objects: act.NewServer(proposedOn(p.clients, p.served)), Book: p.book, Gates: g, Journal: p.record.deeds(), Snapshots: p.snapshots,
		Inputs: p.inputs, Resource: resourceOf(p.served), Leads: p.leads, Tell: tellChanges(p.recorder), Logger: p.log, Metrics: p.metrics, Tracer: p.tracer,
	})
}

// tellChanges tells on an object what was done with it.
func tellChanges(recorder *events.Recorder) func(*v1alpha1.Target, act.Event, string) {
	reasons := map[act.Event]events.Reason{act.Changed: events.Remediated, act.ChangeFailed: events.RemediationFailed, act.ChangedBack: events.RolledBack}
	return func(t *v1alpha1.Target, what act.Event, message string) {
		recorder.Tell(events.Event{
			Object: corev1.ObjectReference{APIVersion: t.APIVersion, Kind: t.Kind, Namespace: t.Namespace, Name: t.Name, UID: types.UID(t.UID)},
			Reason: reasons[what], Message: message,
		})
	}
}
