package app

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	informers "k8s.io/client-go/informers/apps/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// replicas knows whether all replicas of the Deployment that answers admission reviews are ready.
type replicas struct {
	client          kubernetes.Interface
	namespace, name string
	log             *slog.Logger
	missing         atomic.Pointer[string]
	changes         chan struct{}
}

func newReplicas(client kubernetes.Interface, namespace, name string, log *slog.Logger) *replicas {
	r := &replicas{client: client, namespace: namespace, name: name, log: log, changes: make(chan struct{}, 1)}
	r.set("the Deployment " + namespace + "/" + name + " has not been read yet")
	return r
}

// Missing says what is missing until all are ready, or nothing.
func (r *replicas) Missing() string { return *r.missing.Load() }

// Changed receives after Missing has changed.
func (r *replicas) Changed() <-chan struct{} { return r.changes }

func (r *replicas) set(missing string) {
	if before := r.missing.Swap(&missing); before == nil || *before != missing {
		signal(r.changes)
	}
}

// missingReplicas says which replicas of a Deployment are missing, if any. One that is not up to date counts as missing: it
// is about to go.
func missingReplicas(d *appsv1.Deployment) string {
	want := int32(1) // the API's default
	if d.Spec.Replicas != nil {
		want = *d.Spec.Replicas
	}
	name := d.Namespace + "/" + d.Name
	s := &d.Status
	ready := fmt.Sprintf("%d of %d replicas of the Deployment %s are ready and up to date", min(s.ReadyReplicas, s.UpdatedReplicas), want, name)
	switch {
	case want == 0:
		return "the Deployment " + name + " is scaled to 0"
	case s.ObservedGeneration < d.Generation:
		return "the Deployment " + name + " has changed, which its status does not show yet"
	case s.UpdatedReplicas < want, s.ReadyReplicas < want:
		return ready
	case s.Replicas > want:
		return fmt.Sprintf("%s, and %d is to go", ready, s.Replicas-want)
	default:
		return ""
	}
}

// run follows the Deployment until ctx ends.
func (r *replicas) run(ctx context.Context) error {
	set := func(o any) {
		if d, ok := o.(*appsv1.Deployment); ok {
			r.set(missingReplicas(d))
		}
	}
	informer := informers.NewFilteredDeploymentInformer(r.client, r.namespace, 0, cache.Indexers{}, func(o *metav1.ListOptions) {
		o.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, r.name).String()
	})
	none := fmt.Sprintf("there is no Deployment %s/%s", r.namespace, r.name)
	// Both calls fail on an informer that runs already, which this one does not.
	_ = informer.SetWatchErrorHandlerWithContext(func(ctx context.Context, _ *cache.Reflector, err error) {
		r.log.WarnContext(ctx, "The Deployment whose replicas answer admission reviews cannot be watched", "deployment", r.name, "error", err)
	})
	_, _ = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    set,
		UpdateFunc: func(_, o any) { set(o) },
		DeleteFunc: func(any) { r.set(none) },
	})
	listed := make(chan struct{})
	go func() {
		defer close(listed)
		if cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) && len(informer.GetStore().ListKeys()) == 0 {
			r.set(none)
		}
	}()
	informer.RunWithContext(ctx)
	<-listed
	return nil
}
