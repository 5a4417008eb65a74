package act

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/engine/mutate"
	"github.com/holdfast-io/holdfast/reconcile/plan"
)

// FieldManager is the name under which objects are changed, so that everybody sees which fields are Holdfast's doing.
const FieldManager = "holdfast-reconcile"

// BackManager is the name under which objects are changed back. What is changed back is what a rule is against, so that
// admission must know these writes from others.
const BackManager = "holdfast-rollback"

// Objects reads and writes the objects of the cluster.
type Objects interface {
	plan.Server
	// Write makes a change over the very state that was read, and gives what is stored then. The error is ErrChanged or
	// ErrRefused if nothing was written by it; after any other it may have been.
	Write(ctx context.Context, w *Write) (map[string]any, error)
}

// Write is a change of one object.
type Write struct {
	Kind            schema.GroupVersionKind
	Namespace, Name string
	Object          map[string]any // as it was read
	Patch           []mutate.Operation
	// Manager is FieldManager, or BackManager on the way back.
	Manager string
}

// What Objects.Write wraps when nothing was written.
var (
	// ErrChanged: somebody has written the object since, or it is gone.
	ErrChanged = errors.New("the object has changed meanwhile")
	// ErrRefused: the API server does not take the change.
	ErrRefused = errors.New("the API server refuses the change")
)

// Book keeps the Remediations.
type Book interface {
	// Follow calls look for each Remediation that may have something to be done, those that are there and then each that is
	// new or asked something of, until the context ends.
	Follow(ctx context.Context, look func(name string))
	// Read gives a Remediation as it is now; engine.ErrNotFound if it is gone.
	Read(ctx context.Context, name string) (*v1alpha1.Remediation, error)
	// Write writes the status over the very state that was read, and sets the resourceVersion that this gives. The error is
	// ErrChanged if somebody else has written.
	Write(ctx context.Context, r *v1alpha1.Remediation) error
	// Generation is the newest generation of the spec that is known of; it costs nothing.
	Generation(name string) int64
}

// Gates say what may be done now. They are asked before every write, and remember nothing of it.
type Gates interface {
	// Apply says whether a target may be changed, which has just been read; the object is nil if it is gone.
	Apply(ctx context.Context, r *v1alpha1.Remediation, target int, object map[string]any) (Verdict, error)
	// Undo says whether what was changed may be changed back, because somebody asks for it (spec.rollback) or because too
	// much has failed.
	Undo(ctx context.Context, r *v1alpha1.Remediation, why Why) (Verdict, error)
	// Stopped says why nothing at all may be written; empty if it may. It costs nothing.
	Stopped() string
}

// Why is the reason for a change back.
type Why uint8

// The reasons.
const (
	// Failed: more targets have failed than the strategy allows.
	Failed Why = iota
	// Asked: somebody asks for it.
	Asked
)

// Way is what a verdict comes to.
type Way uint8

// The ways.
const (
	// Go on.
	Go Way = iota
	// Wait until it is looked at again: nothing is done with this Remediation.
	Wait
	// Skip this target; others may go on.
	Skip
	// End the Remediation here.
	End
)

// Verdict is what Gates say.
type Verdict struct {
	Way Way
	// Phase and Message say where a Remediation stands that waits or ends. Phase is empty to leave it as it is.
	Phase   v1alpha1.Phase
	Message string
	// Gates stand in the way.
	Gates []v1alpha1.GateStatus
	// Again is when to look again at the latest; zero for the usual time.
	Again time.Time
}

// Journal keeps the record of what is done. A Deed is one attempt.
type Journal interface {
	// Intend records what is about to be written, and returns when that is on disk. With an error nothing is written.
	Intend(ctx context.Context, deeds []Deed) error
	// Settle records what became of it, and returns when that is on disk.
	Settle(ctx context.Context, outcomes []Outcome) error
	// Recall tells what is on record of a deed.
	Recall(ctx context.Context, d Deed) (Record, error)
	// Conclude records how a Remediation ended, once for each phase, and returns when that is on disk.
	Conclude(ctx context.Context, r *v1alpha1.Remediation) error
}

// Deed is one attempt to change an object, or to change it back. The number tells it from the others of the target.
type Deed struct {
	Remediation *v1alpha1.Remediation
	Target      *v1alpha1.Target
	Number      int32
	// Back says that it is the way back.
	Back bool
}

// Outcome is what became of a deed. Err is nil if it was done.
type Outcome struct {
	Deed
	Err error
}

// Record is what a Journal holds of a deed.
type Record struct{ Intended, Settled bool }

// NoJournal keeps no record.
type NoJournal struct{}

// Intend lets everything be done.
func (NoJournal) Intend(context.Context, []Deed) error { return nil }

// Settle forgets it.
func (NoJournal) Settle(context.Context, []Outcome) error { return nil }

// Recall remembers nothing.
func (NoJournal) Recall(context.Context, Deed) (Record, error) { return Record{}, nil }

// Conclude forgets it.
func (NoJournal) Conclude(context.Context, *v1alpha1.Remediation) error { return nil }

// Snapshots gives the bundle in force.
type Snapshots interface {
	Current() *engine.Snapshot
}

// Options are what an Executor needs.
type Options struct {
	Objects   Objects
	Book      Book
	Gates     Gates
	Journal   Journal
	Snapshots Snapshots
	// Inputs gives the look-ups and the clock of an evaluation.
	Inputs func() *engine.Inputs
	// Resource gives the resource of a kind, and whether the cluster serves it.
	Resource func(schema.GroupVersionKind) (schema.GroupVersionResource, bool)
	// Leads reports whether this process may still act, by its own clock: nothing is written or recorded once it does not. nil
	// for one that nobody takes the place of.
	Leads func() bool
	// Tell says on an object what was done with it; nil for nobody.
	Tell    func(t *v1alpha1.Target, what Event, message string)
	Logger  *slog.Logger
	Metrics prometheus.Registerer // nil for none
	// Tracer makes the spans of what is done, in the trace of each Remediation; nil for none.
	Tracer trace.Tracer
	// Workers is how many Remediations are carried out side by side. Default 4: each waits for the API server, for health
	// and for its pauses most of its time.
	Workers int
	// Attempts is how often a write is tried that comes to nothing, before the target counts as failed. Default 5.
	Attempts int
	// Retry is the wait after the first failure; it doubles up to RetryMax. Defaults 500 ms and 1 min.
	Retry, RetryMax time.Duration
	// Poll is how often a target is looked at whose health is awaited. Default 1 s.
	Poll time.Duration
	// Again is how often a Remediation is looked at that gates keep waiting: windows open, budgets fill, holds end. Default
	// 15 s.
	Again time.Duration
}

// Event is what was done with an object.
type Event uint8

// The events.
const (
	Changed Event = iota
	ChangeFailed
	ChangedBack
)

// Validate fills in defaults and names the first field that is missing.
func (o *Options) Validate() error {
	for _, f := range []struct {
		name    string
		missing bool
	}{
		{"Objects", o.Objects == nil}, {"Book", o.Book == nil}, {"Gates", o.Gates == nil}, {"Journal", o.Journal == nil},
		{"Snapshots", o.Snapshots == nil}, {"Inputs", o.Inputs == nil}, {"Resource", o.Resource == nil}, {"Logger", o.Logger == nil},
	} {
		if f.missing {
			return fmt.Errorf("act options: %s is missing", f.name)
		}
	}
	for _, d := range []struct {
		field    *time.Duration
		standard time.Duration
	}{{&o.Retry, 500 * time.Millisecond}, {&o.RetryMax, time.Minute}, {&o.Poll, time.Second}, {&o.Again, 15 * time.Second}} {
		if *d.field == 0 {
			*d.field = d.standard
		}
		if *d.field < 0 {
			return errors.New("act options: times must be positive")
		}
	}
	if o.Workers < 0 || o.Attempts < 0 || o.RetryMax < o.Retry {
		return errors.New("act options: Workers and Attempts must be positive, and RetryMax not below Retry")
	}
	if o.Workers == 0 {
		o.Workers = 4
	}
	if o.Attempts == 0 {
		o.Attempts = 5
	}
	if o.Tracer == nil {
		o.Tracer = noop.NewTracerProvider().Tracer("")
	}
	if o.Tell == nil {
		o.Tell = func(*v1alpha1.Target, Event, string) {}
	}
	return nil
}
