package live

import (
	"context"
	"sync"
	"sync/atomic"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"
)

// watcher holds the objects of one type, as long as the type is served.
type watcher struct {
	resource schema.GroupVersionResource
	informer cache.SharedIndexInformer
	stop     context.CancelFunc
	running  sync.WaitGroup
	// failure is the error of the last list or watch, nil when it worked.
	failure atomic.Pointer[string]
}

// newWatcher prepares a watch that calls poke after each change, and failed at each failure.
func newWatcher(client dynamic.Interface, resource schema.GroupVersionResource, poke func(), failed func(error)) *watcher {
	w := &watcher{resource: resource}
	objects := client.Resource(resource)
	lists := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			return objects.List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			events, err := objects.Watch(ctx, o)
			if err == nil {
				w.failure.Store(nil)
			}
			return events, err
		},
	}
	w.informer = cache.NewSharedIndexInformerWithOptions(cache.ToListWatcherWithWatchListSemantics(lists, client),
		&unstructured.Unstructured{}, cache.SharedIndexInformerOptions{ObjectDescription: resource.String()})
	// These calls fail on an informer that runs already, which this one does not.
	_ = w.informer.SetTransform(func(o any) (any, error) {
		if u, ok := o.(*unstructured.Unstructured); ok {
			u.SetManagedFields(nil) // the half of many objects, and never read
		}
		return o, nil
	})
	_ = w.informer.SetWatchErrorHandlerWithContext(func(ctx context.Context, _ *cache.Reflector, err error) {
		if ctx.Err() != nil {
			return
		}
		text := err.Error()
		w.failure.Store(&text)
		failed(err)
	})
	_, _ = w.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { poke() },
		UpdateFunc: func(any, any) { poke() },
		DeleteFunc: func(any) { poke() },
	})
	return w
}

// start watches until end or the end of ctx, and calls poke when all that was there has been read.
func (w *watcher) start(ctx context.Context, poke func()) {
	ctx, w.stop = context.WithCancel(ctx)
	w.running.Go(func() { w.informer.RunWithContext(ctx) })
	w.running.Go(func() {
		if cache.WaitForCacheSync(ctx.Done(), w.informer.HasSynced) {
			poke()
		}
	})
}

// end stops the watch and waits for it.
func (w *watcher) end() {
	w.stop()
	w.running.Wait()
}

// holdsUp reports whether the start has to wait for what is watched. The API server's own policies concern the audit
// alone, so that who may not read them can answer requests all the same; the log and the metrics tell.
func (w *watcher) holdsUp() bool {
	return !w.informer.HasSynced() && (w.resource.Group != admissionGroup || w.failure.Load() == nil)
}

func (w *watcher) objects() []*unstructured.Unstructured {
	list := w.informer.GetStore().List()
	out := make([]*unstructured.Unstructured, 0, len(list))
	for _, o := range list {
		if u, ok := o.(*unstructured.Unstructured); ok {
			out = append(out, u)
		}
	}
	return out
}

// get gives one object, nil when it is not there.
func (w *watcher) get(k key) *unstructured.Unstructured {
	id := k.name
	if k.namespace != "" {
		id = k.namespace + "/" + k.name
	}
	o, _, err := w.informer.GetStore().GetByKey(id)
	if err != nil {
		return nil
	}
	u, _ := o.(*unstructured.Unstructured)
	return u
}
