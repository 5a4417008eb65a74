package webhook

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine"
)

// Snapshots hands out the compiled bundle.
type Snapshots interface {
	// Current gives the snapshot to decide with; nil as long as none is loaded.
	Current() *engine.Snapshot
}

// Kinds knows the API server's resources.
type Kinds interface {
	// KindOf gives the kind of a resource's objects, and false for a resource that is not known. Of a
	// subresource's request it is asked for the parent: rules name pods/exec as Pod/exec, while the
	// object that is sent is of kind PodExecOptions.
	KindOf(schema.GroupVersionResource) (schema.GroupVersionKind, bool)
}

// Options say what a Handler decides with and how much it takes on.
type Options struct {
	// Snapshots is asked at each request. Required.
	Snapshots Snapshots
	// Inputs are the look-ups and the clock of the rules. Lookups and Now are required.
	Inputs engine.Inputs
	// Kinds finds the parent's kind of a subresource. Default: nil, which takes the kind that was sent;
	// rules on subresources whose objects are of another kind then do not match.
	Kinds Kinds
	// Admitted is told of each write that was let pass and that rules follow (engine.Snapshot.Consequences), with
	// those rules. Whether it was carried out is not known yet. It must return at once. Default: nil, nobody.
	Admitted func(rules *engine.Snapshot, req *engine.Request)
	// Memory is told of each write that rules were asked about and let pass. Default: nil, nothing is remembered.
	Memory *Memory
	// Refused is told of each write that rules refuse, unless it is a dry run. It must return at once. Default: nil, nobody.
	Refused func(*Refusal)
	// Own tells whether a write is one that rules asked for, carried out by this program (engine.Request.Own). Default:
	// nil, none is.
	Own func(*engine.Request) bool
	// Returns tells whether an update is one by which this program takes back what it has changed: it is let pass, because
	// what it leads back to is what the rules are against. Default: nil, none is.
	Returns func(*engine.Request) bool
	// Spared is let pass unexamined. Default: nothing but the lifelines of a cluster.
	Spared Spared
	// Logger gets one line for each denial and each failure. Never an object. Default: none is written.
	Logger *slog.Logger
	// Metrics is where the holdfast_admission_* metrics are registered. Default: nowhere.
	Metrics prometheus.Registerer
	// Tracer makes a span for each review, below that of the API server, and one for each of its phases and slow rules. Default:
	// nil, none, which costs nothing.
	Tracer trace.Tracer
	// MaxBodyBytes is how long a review may be. Default: 16 MiB. The API server takes writes of 3 MiB; in
	// JSON an object that came as protobuf is up to 2.5 times as long, and an update sends two of them.
	MaxBodyBytes int64
	// MaxInFlight is how many reviews are in hand at once. Default: 256, above the 200 mutating requests
	// that one API server takes on by itself, so that only several of them together can reach it.
	MaxInFlight int
	// MaxInFlightBytes is how long the reviews in hand may be together. Default: 128 MiB. A decoded
	// object takes about five times its JSON, so that this keeps the handler below 1 GiB at the worst;
	// 256 reviews of the usual 10 KiB are far below.
	MaxInFlightBytes int64
}

const (
	defaultMaxBodyBytes     = 16 << 20
	defaultMaxInFlight      = 256
	defaultMaxInFlightBytes = 128 << 20
)

// Validate names the first option that cannot be used.
func (o Options) Validate() error {
	switch {
	case o.Snapshots == nil:
		return errors.New("webhook options: Snapshots is missing")
	case o.Inputs.Lookups == nil:
		return errors.New("webhook options: Inputs.Lookups is missing")
	case o.Inputs.Now == nil:
		return errors.New("webhook options: Inputs.Now is missing")
	case o.MaxBodyBytes < 0:
		return fmt.Errorf("webhook options: MaxBodyBytes is %d: expected a positive number, or 0 for the default", o.MaxBodyBytes)
	case o.MaxInFlight < 0:
		return fmt.Errorf("webhook options: MaxInFlight is %d: expected a positive number, or 0 for the default", o.MaxInFlight)
	case o.MaxInFlightBytes < 0:
		return fmt.Errorf("webhook options: MaxInFlightBytes is %d: expected a positive number, or 0 for the default", o.MaxInFlightBytes)
	case o.MaxInFlightBytes != 0 && o.MaxInFlightBytes < o.bodyLimit():
		return fmt.Errorf("webhook options: MaxInFlightBytes is %d: expected at least MaxBodyBytes, %d", o.MaxInFlightBytes, o.bodyLimit())
	}
	if err := o.Spared.Validate(); err != nil {
		return fmt.Errorf("webhook options: Spared: %w", err)
	}
	return nil
}

func (o Options) bodyLimit() int64 {
	if o.MaxBodyBytes == 0 {
		return defaultMaxBodyBytes
	}
	return o.MaxBodyBytes
}

func (o Options) withDefaults() Options {
	o.MaxBodyBytes = o.bodyLimit()
	if o.MaxInFlight == 0 {
		o.MaxInFlight = defaultMaxInFlight
	}
	if o.MaxInFlightBytes == 0 {
		o.MaxInFlightBytes = max(defaultMaxInFlightBytes, o.MaxBodyBytes)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}
