package lookup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"

	"github.com/holdfast-io/holdfast/engine"
)

const (
	// maxObject is the longest object that a rule may look up, about as long as the API server takes one.
	maxObject = 2 << 20
	// maxWatched is how much one watch may hold. With it a few large kinds fit into the memory that the chart
	// asks for; a kind that is larger is read when asked.
	maxWatched = 64 << 20
)

// watch keeps all objects of a resource, of one namespace or of all. It lasts until it is stopped or fails: when
// the right to it is taken away, the resource is gone, or it holds too much.
type watch struct {
	watchOptions
	informer cache.SharedIndexInformer
	stop     context.CancelFunc

	bytes   atomic.Int64  // of what is held
	first   atomic.Int64  // of what the first list has brought so far
	version atomic.Uint64 // moves with every change
	used    atomic.Int64  // when it was asked last, for those who make room

	failing sync.Once
	failed  chan struct{} // closed once failure is set
	failure error
	trouble atomic.Pointer[error] // the last error
	hurting sync.Once
	hurt    chan struct{} // closed with the first error
}

// watchOptions say what is watched.
type watchOptions struct {
	client    dynamic.Interface
	resource  schema.GroupVersionResource
	namespace string      // empty for all
	limit     int64       // of what is held, in bytes
	report    func(error) // is told of every interruption
}

// stored is one object of a watch, without what nobody looks up.
type stored struct {
	metav1.ObjectMeta // names, labels and the version only
	object            map[string]any
	size              int64
	tooLarge          bool // the object was let go
}

// newWatch starts a watch in a task.
func newWatch(run *tasks, o watchOptions) *watch {
	w := &watch{
		watchOptions: o, failed: make(chan struct{}), hurt: make(chan struct{}),
		informer: dynamicinformer.NewFilteredDynamicInformer(o.client, o.resource, o.namespace, 0,
			cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc}, nil).Informer(),
	}
	// The calls fail on an informer that runs already, which this one does not.
	_ = w.informer.SetTransform(w.keep)
	_ = w.informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector, err error) {
		w.report(err)
		w.trouble.Store(&err)
		w.hurting.Do(func() { close(w.hurt) })
		if apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) || apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err) {
			w.fail(err)
		}
	})
	_, _ = w.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { w.count(heldSize(object)) },
		UpdateFunc: func(before, after any) { w.count(heldSize(after) - heldSize(before)) },
		DeleteFunc: func(object any) { w.count(-heldSize(object)) },
	})
	// The stop of a task that begins at once may be needed before start has given it.
	ctx, stop := context.WithCancel(run.ctx)
	w.stop = stop
	run.start(func(context.Context) {
		defer stop()
		w.informer.RunWithContext(ctx)
	})
	return w
}

// fail ends the watch: it has no answers from now on.
func (w *watch) fail(err error) {
	w.failing.Do(func() {
		w.failure = err
		close(w.failed)
		w.stop()
	})
}

// keep makes of a watched object what is stored: no managedFields, and numbers as the engine has them.
func (w *watch) keep(object any) (any, error) {
	u, ok := object.(*unstructured.Unstructured)
	if !ok {
		return object, nil // stored already, or the tombstone of such
	}
	s := &stored{ObjectMeta: metav1.ObjectMeta{
		Namespace: u.GetNamespace(), Name: u.GetName(), ResourceVersion: u.GetResourceVersion(), Labels: u.GetLabels(),
	}}
	s.object = normalized(u)
	if s.size = sizeOf(s.object); s.size > maxObject {
		s.object, s.tooLarge = nil, true
	}
	if !w.informer.HasSynced() {
		// A list of everything must not fill the memory before it is counted.
		if first := w.first.Add(s.held()); first > w.limit {
			w.overfull(first)
		}
	}
	return s, nil
}

// normalized gives the object in the engine's model, without managedFields. The object is changed.
func normalized(u *unstructured.Unstructured) map[string]any {
	u.SetManagedFields(nil)
	return engine.Normalize(u.Object)
}

func (s *stored) held() int64 {
	if s.tooLarge {
		return 0
	}
	return s.size
}

func heldSize(object any) int64 {
	if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = gone.Obj
	}
	if s, ok := object.(*stored); ok {
		return s.held()
	}
	return 0
}

func (w *watch) count(change int64) {
	w.version.Add(1)
	if held := w.bytes.Add(change); held > w.limit {
		w.overfull(held)
	}
}

func (w *watch) overfull(held int64) {
	w.fail(tooLargef("the watch of %s holds %s: the limit is %s", w.resource.GroupResource(), megabytes(held), megabytes(w.limit)))
}

// wait waits for the first list. An error that is not ctx's is the failure of the watch.
func (w *watch) wait(ctx context.Context) error {
	select {
	case <-w.failed: // it wins over the list, which is there too once it has been
		return w.failure
	default:
	}
	select {
	case <-w.informer.HasSyncedChecker().Done():
		return nil
	case <-w.failed:
		return w.failure
	case <-ctx.Done():
		err := ctx.Err()
		if trouble := w.trouble.Load(); trouble != nil {
			err = errors.Join(err, *trouble)
		}
		return fmt.Errorf("waiting for the first list of %s: %w", w.resource.GroupResource(), err)
	}
}

// get gives a stored object, or nil.
func (w *watch) get(namespace, name string) *stored {
	key := name
	if namespace != "" {
		key = namespace + "/" + name
	}
	object, found, err := w.informer.GetStore().GetByKey(key)
	if err != nil || !found { // the store of an informer has no errors
		return nil
	}
	return object.(*stored)
}

// list gives the stored objects of a namespace, or all, sorted by namespace and name.
func (w *watch) list(namespace string, selector labels.Selector) ([]*stored, error) {
	objects := w.informer.GetStore().List()
	if namespace != "" && w.namespace == "" {
		var err error
		if objects, err = w.informer.GetIndexer().ByIndex(cache.NamespaceIndex, namespace); err != nil {
			return nil, err
		}
	}
	out := make([]*stored, 0, len(objects))
	for _, object := range objects {
		if s := object.(*stored); selector == nil || selector.Matches(labels.Set(s.Labels)) {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b *stored) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return out, nil
}

// value gives the object of a stored one, or says that it is too large.
func (s *stored) value(kind string) (map[string]any, error) {
	if s.tooLarge {
		return nil, objectTooLarge(kind, s.Namespace, s.Name, s.size)
	}
	return s.object, nil
}

func objectTooLarge(kind, namespace, name string, size int64) error {
	return tooLargef("%s is %s long: the limit of a look-up is %s", called(kind, namespace, name), megabytes(size), megabytes(maxObject))
}

// called names an object for an error.
func called(kind, namespace, name string) string {
	if namespace != "" {
		return kind + " " + namespace + "/" + name
	}
	return kind + " " + name
}
