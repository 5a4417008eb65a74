package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/engine"
)

// Served knows what the API server serves.
type Served interface {
	// Known is false as long as the API server has not been asked.
	Known() bool
	// Serves reports whether a resource is served.
	Serves(schema.GroupVersionResource) bool
	// Changed receives after the answers have changed. The source is its only reader.
	Changed() <-chan struct{}
}

// Access tells what we may do with objects of a type, in whatever namespace; * stands for all groups or resources.
type Access interface {
	Allowed(ctx context.Context, verb string, resource schema.GroupResource) (bool, error)
}

// Options are what a Source needs.
type Options struct {
	Client dynamic.Interface
	Served Served
	// Store begins with the bundle of the files, which stays beneath the policies of the cluster.
	Store *bundle.Store
	// Changing is called before a new snapshot is put in force, with it. It must not block. Default: nobody is
	// told.
	Changing func(*engine.Snapshot)
	// Changed is called after a new snapshot was put in force. It must not block. Default: nobody is told.
	Changed func()
	// ExceptionNamespaces are those whose PolicyExceptions count. Default: none.
	ExceptionNamespaces engine.ExceptionNamespaces
	// Gather is the time between two snapshots: changes that come within it are taken up together. Default:
	// 50 ms, which takes up a folder that kubectl applies in few steps and is not noticed by a person.
	Gather time.Duration
	// Grace is how long the status of a new version says nothing while the webhook configurations are on
	// their way. Default: 3 s.
	Grace time.Duration
	// Access tells what we may do, for the status of policies in CEL. Default: nil, and their status says nothing of it.
	Access Access
	// Reconciles says that what rules want of other objects is carried out, which takes rights.
	Reconciles bool
	// Logger is required.
	Logger *slog.Logger
	// Metrics registers holdfast_policies and holdfast_policy_watch_failures_total; nil for none.
	Metrics prometheus.Registerer
}

// Validate fills in defaults and names the first field that is missing.
func (o *Options) Validate() error {
	switch {
	case o.Client == nil:
		return errors.New("live policy options: Client is missing")
	case o.Served == nil:
		return errors.New("live policy options: Served is missing")
	case o.Store == nil || o.Store.Current() == nil:
		return errors.New("live policy options: Store is missing, or empty")
	case o.Logger == nil:
		return errors.New("live policy options: Logger is missing")
	case o.Gather < 0 || o.Grace < 0:
		return fmt.Errorf("live policy options: Gather is %s and Grace is %s: expected positive times, or 0 for the defaults", o.Gather, o.Grace)
	}
	if o.Gather == 0 {
		o.Gather = 50 * time.Millisecond
	}
	if o.Grace == 0 {
		o.Grace = 3 * time.Second
	}
	if o.Changed == nil {
		o.Changed = func() {}
	}
	if o.Changing == nil {
		o.Changing = func(*engine.Snapshot) {}
	}
	return nil
}
