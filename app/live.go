package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/bundle/live"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/lookup"
	"github.com/holdfast-io/holdfast/webhook"
)

// policySource keeps the policies of the cluster in force: a *live.Source, or nobody.
type policySource interface {
	Run(ctx context.Context) error
	WriteStatuses(ctx context.Context) error
	// Ready is closed once the policies that were there at the start have been taken up.
	Ready() <-chan struct{}
	// Unready says what Ready waits for, or nothing.
	Unready() string
	// Report is nil where there is nothing to tell.
	Report() *live.Report
}

// livePolicies is what a live.Source is put together from.
type livePolicies struct {
	clients   *cluster
	served    *webhook.Discovery
	snapshots *bundle.Store
	// lookups get the global context entries of each snapshot before it is in force.
	lookups *lookup.Cluster
	changed func()
	log     *slog.Logger
	metrics prometheus.Registerer
}

// repairAfter is how long a replica leaves a webhook configuration as another one wrote it: by then it has
// heard of the same policies. Watches bring them within a tenth of a second.
const repairAfter = time.Second

// policies makes the source of the cluster's policies.
func (o *ServeOptions) policies(l livePolicies) (policySource, error) {
	if !o.LivePolicies {
		return noPolicies{}, nil
	}
	source, err := live.New(live.Options{
		Client: l.clients.dynamic, Served: policyTypes{l.served, l.served.Subscribe()}, Store: l.snapshots,
		Changing: func(next *engine.Snapshot) { l.lookups.SetEntries(next.GlobalContexts()) }, Changed: l.changed,
		ExceptionNamespaces: o.exceptionNamespaces(), Access: ownAccess{l.clients.kube}, Reconciles: o.Reconcile,
		Logger: l.log, Metrics: l.metrics,
	})
	if err != nil {
		return nil, err
	}
	return source, nil
}

// exceptionNamespaces are those whose exceptions count: by default our own, where nobody writes but who runs us.
func (o *ServeOptions) exceptionNamespaces() engine.ExceptionNamespaces {
	if len(o.ExceptionNamespaces) == 0 {
		return engine.ExceptionNamespaces{o.Namespace}
	}
	return o.ExceptionNamespaces
}

// policyTypes tells which types of policies are served.
type policyTypes struct {
	discovery *webhook.Discovery
	changed   <-chan struct{}
}

func (p policyTypes) Known() bool { return len(p.discovery.Resources()) > 0 }

func (p policyTypes) Serves(r schema.GroupVersionResource) bool {
	_, ok := p.discovery.KindOf(r)
	return ok
}

func (p policyTypes) Changed() <-chan struct{} { return p.changed }

// noPolicies leaves the policies of the cluster alone.
type noPolicies struct{}

func (noPolicies) Run(context.Context) error { return nil }

func (noPolicies) WriteStatuses(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

func (noPolicies) Ready() <-chan struct{} {
	ready := make(chan struct{})
	close(ready)
	return ready
}

func (noPolicies) Unready() string { return "" }

func (noPolicies) Report() *live.Report { return nil }

// follow tells each of those who want to know of every piece of news, until ctx ends.
func follow(ctx context.Context, news <-chan struct{}, tell ...func()) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-news:
			for _, t := range tell {
				t()
			}
		}
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // one is waiting already
	}
}
