package app

import (
	"context"
	"log/slog"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"

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
	Admitted(rules *engine.Snapshot, req *engine.Request)
	Follow(ctx context.Context) error
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

func (noKeeper) Admitted(*engine.Snapshot, *engine.Request) {}

func (noKeeper) Follow(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// self is our username, as the API server knows it; empty if it does not tell.
func self(ctx context.Context, client kubernetes.Interface, log *slog.Logger) string {
	asked, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	review, err := client.AuthenticationV1().SelfSubjectReviews().Create(asked, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		log.Warn("could not find out who we are: rules may follow what rules have written, and change it, and what is changed back may be refused", "error", err)
		return ""
	}
	return review.Status.UserInfo.Username
}

// writtenBy tells the requests that are our own, by the field manager of a part of this program. Out of a cluster we may be
// the person who also writes by hand; in it, anybody may claim our name for fields. Where nobody knows who we are, no request
// is taken for one of ours.
func writtenBy(self, manager string) func(*engine.Request) bool {
	if self == "" {
		return nil
	}
	return func(req *engine.Request) bool {
		return req.User != nil && req.User.Username == self && req.Options["fieldManager"] == manager
	}
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
