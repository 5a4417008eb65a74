package audit

import (
	"context"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/tools/cache"
)

// things watches the kinds that audited objects rest on, by the names of their objects and no more, and tells
// the dependents what changes.
type things struct {
	auditor *Auditor
	running map[schema.GroupVersionKind]context.CancelFunc
	group   sync.WaitGroup
}

// match starts and stops watches, so that the kinds are watched that somebody rests on. A kind that the
// cluster does not serve is left out until it does.
func (t *things) match(ctx context.Context, types []Type) {
	served := map[schema.GroupVersionKind]schema.GroupVersionResource{}
	for _, typ := range types {
		served[typ.Kind] = typ.Resource
	}
	keep := map[schema.GroupVersionKind]bool{}
	for _, kind := range t.auditor.dependents.watched() {
		resource, ok := served[kind]
		keep[kind] = ok
		if !ok || t.running[kind] != nil {
			continue
		}
		watchCtx, stop := context.WithCancel(ctx)
		t.running[kind] = stop
		t.group.Go(func() { t.watch(watchCtx, kind, resource) })
	}
	for kind, stop := range t.running {
		if !keep[kind] {
			stop()
			delete(t.running, kind)
		}
	}
}

// watch tells of changes until the context ends. What changed before the first list was read is not known:
// then all that rest on the kind are judged once more.
func (t *things) watch(ctx context.Context, kind schema.GroupVersionKind, resource schema.GroupVersionResource) {
	changed := t.auditor.dependents.changed
	informer := metadatainformer.NewFilteredMetadataInformer(t.auditor.opts.Metadata, resource, metav1.NamespaceAll, 0, cache.Indexers{}, nil).Informer()
	// These calls fail on an informer that runs already, which this one does not.
	_ = informer.SetTransform(onlyName)
	_ = informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector, err error) {
		t.auditor.opts.Logger.Warn("Watching what rules look up was interrupted", "resource", resource.String(), "error", err)
	})
	_, _ = informer.AddEventHandler(cache.ResourceEventHandlerDetailedFuncs{
		AddFunc: func(object any, initial bool) {
			if m, ok := object.(metav1.Object); ok && !initial {
				changed(kind, m.GetNamespace(), m.GetName())
			}
		},
		UpdateFunc: func(old, object any) {
			before, _ := old.(metav1.Object)
			if m, ok := object.(metav1.Object); ok && (before == nil || before.GetResourceVersion() != m.GetResourceVersion()) {
				changed(kind, m.GetNamespace(), m.GetName())
			}
		},
		DeleteFunc: func(object any) {
			if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
				object = gone.Obj
			}
			if m, ok := object.(metav1.Object); ok {
				changed(kind, m.GetNamespace(), m.GetName())
			}
		},
	})
	var synced sync.WaitGroup
	synced.Go(func() {
		if cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
			t.auditor.dependents.changedAll(kind)
		}
	})
	informer.RunWithContext(ctx)
	synced.Wait()
}

// onlyName leaves of an object what tells that it changed.
func onlyName(object any) (any, error) {
	if m, ok := object.(*metav1.PartialObjectMetadata); ok {
		return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
			Namespace: m.Namespace, Name: m.Name, UID: m.UID, ResourceVersion: m.ResourceVersion,
		}}, nil
	}
	return object, nil
}

// wait waits until every watch has ended, which their context makes them.
func (t *things) wait() { t.group.Wait() }
