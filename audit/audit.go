// Package audit finds drift: it lists and watches every type that the bundle's rules match, judges each
// object as it stands, and hands what it found to a Sink. It keeps a small record per object and never
// the object itself. It writes nothing to the cluster and decides nothing: engine judges, report writes,
// reconcile acts.
//
// What it has not seen is never called clean: Coverage says per type when it was listed, how many objects
// were judged, and what went wrong.
package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"

	"github.com/holdfast-io/holdfast/engine"
)

// Type is a kind of object that the cluster serves and that can be listed and watched.
type Type struct {
	Kind       schema.GroupVersionKind
	Resource   schema.GroupVersionResource
	Namespaced bool
	// Preferred says that the server prefers this version of the group.
	Preferred bool
}

// Discovery tells which types the cluster serves.
type Discovery interface {
	// Types lists them. A partial answer comes with an error that names what is missing.
	Types(ctx context.Context) ([]Type, error)
}

// Snapshots gives the bundle in force.
type Snapshots interface {
	Current() *engine.Snapshot
}

// Object names an audited object.
type Object struct {
	Kind            schema.GroupVersionKind
	Resource        schema.GroupVersionResource
	Namespace, Name string
	UID             string
	ResourceVersion string
	Generation      int64
}

// label names the type in metrics and logs: one resource may be audited in two versions.
func (t Type) label() string {
	r := t.Resource
	if r.Group == "" {
		return r.Resource + "." + r.Version
	}
	return r.Resource + "." + r.Version + "." + r.Group
}

func (o Object) String() string {
	if o.Namespace == "" {
		return o.Kind.Kind + "/" + o.Name
	}
	return o.Kind.Kind + "/" + o.Namespace + "/" + o.Name
}

// Sink takes what the auditor finds. Its methods return at once and may be called from several
// goroutines; for one object calls come in order.
type Sink interface {
	// Found replaces what was known of the object.
	Found(Finding)
	// Gone says that the object is no longer there, or that no rule matches it any more.
	Gone(Object)
	// Listed says that all objects of the type have been judged: what the sink knows of others of that
	// type is of objects which vanished unseen. seen holds the UIDs of those that are there, and that this auditor judges.
	Listed(t Type, seen func(uid string) bool)
	// Audited says, once the types of the cluster are known for the first time, which of them are looked at, or would be if
	// they were served: what the sink knows of other types is from before, when other policies were in force.
	Audited(looked func(schema.GroupVersionKind) bool)
}

// Options are what an Auditor needs.
type Options struct {
	Client dynamic.Interface
	// Metadata watches what rules look up, so that they are evaluated anew when it changes; without it they
	// are at each Resweep.
	Metadata  metadata.Interface
	Discovery Discovery
	Snapshots Snapshots
	// Inputs gives the look-ups and the clock of an evaluation.
	Inputs func() *engine.Inputs
	Sink   Sink
	Logger *slog.Logger
	// Metrics registers the auditor's metrics; nil for none.
	Metrics prometheus.Registerer
	// Tracer makes a span for each sweep of a type and for its phases; nil for none.
	Tracer trace.Tracer
	// PageSize is the number of objects of one list request: 500, as the API server's own clients use,
	// keeps one page of 10 kB objects at 5 MB.
	PageSize int64
	// Rediscover is how often the types are looked up again, for CRDs that come and go. Default 30 s.
	Rediscover time.Duration
	// Resweep is how often everything is listed, as the safety net, and judged anew if its verdict rests on
	// more than the object. Default 1 h.
	Resweep time.Duration
	// Clock is how often objects are judged anew that a rule judges by the clock, as time_now() tells it. Where the time is
	// known at which a verdict ends, as that of an exception, it is waited for. Default 5 min: such rules count in days
	// mostly, and many of these objects are listed for it, which takes a second for some 5,000.
	Clock time.Duration
	// WatchTimeout is how long one watch lasts, so that one that hangs is found out. Default 5 min, as client-go's.
	WatchTimeout time.Duration
	// Retry is the first wait after a failed list or watch; it doubles up to RetryMax.
	// Defaults 500 ms and 30 s.
	Retry, RetryMax time.Duration
	// Workers is how many objects are judged at a time. Default GOMAXPROCS, and at least 4: look-ups wait.
	Workers int
	// Ignore names namespaces whose objects are not audited.
	Ignore []string
	// Writes remembers who wrote what, as admission saw it; nil if nothing does.
	Writes Writes
	// Settle is how long findings are transient.
	Settle Settle
	// Mine tells which objects this auditor judges, by their namespace and UID, where several share the work; nil for all.
	Mine func(namespace, uid string) bool
}

// Validate fills in defaults and names the first field that is missing.
func (o *Options) Validate() error {
	switch {
	case o.Client == nil:
		return errors.New("audit options: Client is missing")
	case o.Discovery == nil:
		return errors.New("audit options: Discovery is missing")
	case o.Snapshots == nil:
		return errors.New("audit options: Snapshots is missing")
	case o.Inputs == nil:
		return errors.New("audit options: Inputs is missing")
	case o.Sink == nil:
		return errors.New("audit options: Sink is missing")
	case o.Logger == nil:
		return errors.New("audit options: Logger is missing")
	}
	if o.Tracer == nil {
		o.Tracer = noop.NewTracerProvider().Tracer("")
	}
	if o.PageSize == 0 {
		o.PageSize = 500
	}
	if o.Rediscover == 0 {
		o.Rediscover = 30 * time.Second
	}
	if o.Resweep == 0 {
		o.Resweep = time.Hour
	}
	if o.Clock == 0 {
		o.Clock = 5 * time.Minute
	}
	if o.WatchTimeout == 0 {
		o.WatchTimeout = 5 * time.Minute
	}
	if o.Retry == 0 {
		o.Retry = 500 * time.Millisecond
	}
	if o.RetryMax == 0 {
		o.RetryMax = 30 * time.Second
	}
	if o.Settle.Default == 0 {
		o.Settle.Default = defaultSettle
	}
	if o.Workers == 0 {
		o.Workers = max(4, runtime.GOMAXPROCS(0))
	}
	if o.Workers < 0 || o.PageSize < 0 || o.Rediscover < 0 || o.Resweep < 0 || o.Clock < time.Second || o.WatchTimeout < time.Second || o.Retry < 0 || o.RetryMax < o.Retry {
		return fmt.Errorf("audit options: workers, page size and times must be positive, Clock and WatchTimeout not below a second, and RetryMax not below Retry")
	}
	return nil
}
