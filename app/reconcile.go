package app

import (
	"context"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/audit"
	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/reconcile"
	"github.com/holdfast-io/holdfast/webhook"
)

// keeper carries out what rules want of other objects: a *reconcile.Keeper, or nobody.
type keeper interface {
	Found(reconcile.Trigger, []engine.Decision)
	Gone(reconcile.Trigger)
	Replaced(before *engine.Snapshot)
	Run(ctx context.Context) error
}

func (o *ServeOptions) keeper(opts reconcile.Options) (keeper, error) {
	if !o.Reconcile {
		return noKeeper{}, nil
	}
	return reconcile.New(opts)
}

// noKeeper leaves everything as it is.
type noKeeper struct{}

func (noKeeper) Found(reconcile.Trigger, []engine.Decision) {}

func (noKeeper) Gone(reconcile.Trigger) {}

func (noKeeper) Replaced(*engine.Snapshot) {}

func (noKeeper) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

func triggerOf(o audit.Object) reconcile.Trigger {
	return reconcile.Trigger{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name, UID: o.UID}
}

// replaced tells the keeper of each snapshot that has gone since it was last called.
func replaced(snapshots *bundle.Store, k keeper) func() {
	last := snapshots.Current()
	return func() {
		if now := snapshots.Current(); now != last {
			k.Replaced(last)
			last = now
		}
	}
}

// resourceOf finds the resource of a kind among what is served.
func resourceOf(served *webhook.Discovery) func(schema.GroupVersionKind) (schema.GroupVersionResource, bool) {
	return func(kind schema.GroupVersionKind) (schema.GroupVersionResource, bool) {
		resources := served.Resources()
		for i := range resources {
			r := &resources[i]
			if r.Kind == kind.Kind && r.Group == kind.Group && r.Version == kind.Version && r.SubResource == "" {
				return schema.GroupVersionResource{Group: r.Group, Version: r.Version, Resource: r.Name}, true
			}
		}
		return schema.GroupVersionResource{}, false
	}
}
