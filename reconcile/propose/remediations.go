package propose

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
)

// Remediations are those of a cluster, in one watch for all who go by them: who proposes, who carries out, and who keeps the
// record. What is long and does not count for these (patches, diffs) is left out; whoever needs it reads a Remediation anew.
// What is given is to be read only.
type Remediations struct {
	client  dynamic.Interface
	log     *slog.Logger
	changes atomic.Int64
	fresh   fresh
	// informer is there while they are followed.
	informer atomic.Pointer[cache.SharedIndexInformer]

	mu        sync.Mutex
	listeners []func(before, after *unstructured.Unstructured)
}

// NewRemediations makes a watch of a cluster's Remediations, which nobody follows before Run.
func NewRemediations(client dynamic.Interface, log *slog.Logger) *Remediations {
	return &Remediations{client: client, log: log}
}

// Listen has a function called with each change: before is nil for what is new, or new to us, and after for what is gone. It must
// return at once.
func (r *Remediations) Listen(f func(before, after *unstructured.Unstructured)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.listeners = append(r.listeners, f)
}

// Run follows them until the context ends. It must not be called while it runs.
func (r *Remediations) Run(ctx context.Context) error {
	informer := dynamicinformer.NewFilteredDynamicInformer(r.client, v1alpha1.Remediations(), metav1.NamespaceAll, 0, cache.Indexers{}, nil).Informer()
	// These calls fail on an informer that runs already, which this one does not.
	_ = informer.SetTransform(brief)
	_ = informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector, err error) {
		r.log.Debug("Watching Remediations was interrupted", "error", err)
	})
	_, _ = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(is any) { r.changed(nil, is) },
		UpdateFunc: r.changed,
		DeleteFunc: func(was any) {
			if last, unseen := was.(cache.DeletedFinalStateUnknown); unseen {
				was = last.Obj
			}
			r.changed(was, nil)
		},
	})
	r.informer.Store(&informer)
	defer r.informer.Store(nil)
	informer.RunWithContext(ctx)
	return nil
}

// changed tells the listeners.
func (r *Remediations) changed(was, is any) {
	r.changes.Add(1)
	before, _ := was.(*unstructured.Unstructured)
	after, _ := is.(*unstructured.Unstructured)
	switch {
	case after != nil:
		r.fresh.heard(after.GetName(), after.GetUID(), after.GetResourceVersion())
	case before != nil:
		r.fresh.gone(before.GetName())
	}
	r.mu.Lock()
	listeners := r.listeners
	r.mu.Unlock()
	for _, listen := range listeners {
		listen(before, after)
	}
}

// brief leaves out what is long and does not count here.
func brief(object any) (any, error) {
	u, ok := object.(*unstructured.Unstructured)
	if !ok {
		return object, nil
	}
	u.SetManagedFields(nil)
	targets, _, _ := unstructured.NestedSlice(u.Object, "spec", "plan", "targets")
	for _, t := range targets {
		if t, ok := t.(map[string]any); ok {
			for _, long := range []string{"patch", "inverse", "diff", "repairs"} {
				delete(t, long)
			}
		}
	}
	if len(targets) > 0 {
		_ = unstructured.SetNestedSlice(u.Object, targets, "spec", "plan", "targets") // of what was just there
	}
	return u, nil
}

// Synced reports whether all Remediations are known. They are not while nobody follows them, nor while the cluster does not
// define them.
func (r *Remediations) Synced() bool {
	informer := r.informer.Load()
	return informer != nil && (*informer).HasSynced()
}

// Changes counts what has become known: as long as it is the same, List and All give the same.
func (r *Remediations) Changes() int64 { return r.changes.Load() }

// List gives them as they came.
func (r *Remediations) List() []*unstructured.Unstructured {
	informer := r.informer.Load()
	if informer == nil {
		return nil
	}
	var out []*unstructured.Unstructured
	for _, object := range (*informer).GetStore().List() {
		if u, ok := object.(*unstructured.Unstructured); ok {
			out = append(out, u)
		}
	}
	return out
}

// Get gives one by its name; nil if it is not known.
func (r *Remediations) Get(name string) *unstructured.Unstructured {
	informer := r.informer.Load()
	if informer == nil {
		return nil
	}
	object, _, _ := (*informer).GetStore().GetByKey(name) // of a store in memory
	u, _ := object.(*unstructured.Unstructured)
	return u
}

// Wrote has All give a Remediation as it was written just now: the watch may tell of it late.
func (r *Remediations) Wrote(written *v1alpha1.Remediation) {
	r.fresh.wrote(written)
	r.changes.Add(1)
}

// All gives them as their type has it, with what was written here a moment ago.
func (r *Remediations) All() []v1alpha1.Remediation {
	var out []v1alpha1.Remediation
	for _, u := range r.List() {
		if written := r.fresh.instead(u.GetName(), u.GetUID(), u.GetResourceVersion()); written != nil {
			out = append(out, *written)
			continue
		}
		var one v1alpha1.Remediation
		if runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &one) == nil {
			out = append(out, one)
		}
	}
	return out
}
