package propose

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/reconcile/plan"
)

// Snapshots gives the bundle in force.
type Snapshots interface {
	Current() *engine.Snapshot
}

// Access tells what we may do.
type Access interface {
	// Allowed reports whether we may do so in all namespaces.
	Allowed(ctx context.Context, verb string, resource schema.GroupResource) (bool, error)
}

// Options are what a Proposer needs.
type Options struct {
	// Server says how the API server is asked.
	Server ServerOptions
	// Remediations are those of the cluster, which somebody follows while the Proposer runs.
	Remediations *Remediations
	Snapshots    Snapshots
	// Inputs gives the look-ups and the clock of an evaluation.
	Inputs func() *engine.Inputs
	// Swept reports whether everything has been looked at once: until then nothing is proposed, because plans would grow
	// with every object that is found, and none is taken for outdated.
	Swept func() bool
	// Busy reports whether something waits for the API server that goes before plans, such as reports of drift; nil for
	// nothing.
	Busy func() bool
	// Patience is how long a plan waits for that at most. Default 5 s: under a load that never ends, the Workers still
	// plan for one object or so a second.
	Patience time.Duration
	// Mode is how far anything may go. Default: Propose.
	Mode v1alpha1.Mode
	// Strategy is in which steps plans are carried out, at most: policies can only narrow it. Default: plan.DefaultStrategy.
	Strategy v1alpha1.Strategy
	// Others says what becomes of changes that rules want of other objects.
	Others plan.Others
	// Part is the part of the objects that this Proposer plans for, where several share them; empty for all. It lets
	// Remediations of other parts be.
	Part    string
	Logger  *slog.Logger
	Metrics prometheus.Registerer // nil for none
	// Tracer makes the first spans of each Remediation: finding, plan and proposal; nil for none.
	Tracer trace.Tracer
	// Quiet is how long nothing must have happened before Remediations are written, and Longest how long they wait at
	// most. Defaults 2 s, in which the objects of one rollout are found, and 1 min.
	Quiet, Longest time.Duration
	// Replan is how often every object with a finding is planned for again: rights are granted, owners and Namespaces
	// change without a word to us. Default 10 min.
	Replan time.Duration
	// Workers is how many objects are planned for side by side. Default 4: each waits for the API server most of its
	// time.
	Workers int
	// Retry is the first wait after a failure; it doubles up to RetryMax. Defaults 500 ms and 5 min.
	Retry, RetryMax time.Duration
}

// Validate fills in defaults and names the first field that is missing.
func (o *Options) Validate() error {
	switch {
	case o.Server.Client == nil:
		return errors.New("propose options: Client is missing")
	case o.Server.Resource == nil:
		return errors.New("propose options: Resource is missing")
	case o.Server.Namespaced == nil:
		return errors.New("propose options: Namespaced is missing")
	case o.Remediations == nil:
		return errors.New("propose options: Remediations is missing")
	case o.Snapshots == nil:
		return errors.New("propose options: Snapshots is missing")
	case o.Inputs == nil:
		return errors.New("propose options: Inputs is missing")
	case o.Server.Access == nil:
		return errors.New("propose options: Access is missing")
	case o.Swept == nil:
		return errors.New("propose options: Swept is missing")
	case o.Logger == nil:
		return errors.New("propose options: Logger is missing")
	}
	if o.Tracer == nil {
		o.Tracer = noop.NewTracerProvider().Tracer("")
	}
	if o.Busy == nil {
		o.Busy = func() bool { return false }
	}
	for _, d := range []struct {
		field    *time.Duration
		standard time.Duration
	}{
		{&o.Quiet, 2 * time.Second}, {&o.Longest, time.Minute}, {&o.Replan, 10 * time.Minute},
		{&o.Retry, 500 * time.Millisecond}, {&o.RetryMax, 5 * time.Minute}, {&o.Patience, 5 * time.Second},
	} {
		if *d.field == 0 {
			*d.field = d.standard
		}
		if *d.field < 0 {
			return errors.New("propose options: times must be positive")
		}
	}
	if o.Longest < o.Quiet || o.RetryMax < o.Retry {
		return errors.New("propose options: Longest must not be below Quiet, nor RetryMax below Retry")
	}
	if o.Workers == 0 {
		o.Workers = 4
	}
	if o.Strategy == (v1alpha1.Strategy{}) {
		o.Strategy = plan.DefaultStrategy()
	}
	if o.Mode == "" {
		o.Mode = v1alpha1.Propose
	}
	return nil
}
