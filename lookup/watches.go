package lookup

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

const (
	// maxWatches bounds the kinds that are watched because a rule asked for them. Bundles use a handful; with more,
	// the one that nobody asked for in a while makes room, or the new one is read when asked.
	maxWatches = 32
	// idleAfter is how long nobody must have asked for a kind before it makes room.
	idleAfter = 10 * time.Minute
	// retryAfter is how long a watch that failed is not tried again: long enough that it costs nothing, short enough
	// that a right that was granted shows soon.
	retryAfter = time.Minute
)

// watches are those that rules have made necessary, by resource, each over all namespaces.
type watches struct {
	run    *tasks
	client dynamic.Interface
	report func(error)
	mu     sync.Mutex
	byKind map[schema.GroupVersionResource]*watch
	failed map[schema.GroupVersionResource]time.Time
}

func newWatches(run *tasks, client dynamic.Interface, report func(error)) *watches {
	return &watches{
		run: run, client: client, report: report,
		byKind: map[schema.GroupVersionResource]*watch{}, failed: map[schema.GroupVersionResource]time.Time{},
	}
}

// of gives the watch of a resource and starts it if need be; nil if there is to be none now.
func (w *watches) of(resource schema.GroupVersionResource) *watch {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if found := w.byKind[resource]; found != nil {
		select {
		case <-found.failed:
			delete(w.byKind, resource)
			w.failed[resource] = now
		default:
			found.used.Store(now.UnixNano())
			return found
		}
	}
	if at, ok := w.failed[resource]; ok && now.Sub(at) < retryAfter {
		return nil
	}
	delete(w.failed, resource)
	if len(w.byKind) >= maxWatches && !w.makeRoom(now) {
		return nil
	}
	made := newWatch(w.run, watchOptions{client: w.client, resource: resource, limit: maxWatched, report: w.report})
	made.used.Store(now.UnixNano())
	w.byKind[resource] = made
	return made
}

// makeRoom stops the watch that nobody has asked for the longest, if that is long enough.
func (w *watches) makeRoom(now time.Time) bool {
	var oldest *watch
	for _, candidate := range w.byKind {
		if oldest == nil || candidate.used.Load() < oldest.used.Load() {
			oldest = candidate
		}
	}
	if oldest == nil || now.Sub(time.Unix(0, oldest.used.Load())) < idleAfter {
		return false
	}
	oldest.fail(errStopped) // who waits for it still reads instead
	delete(w.byKind, oldest.resource)
	return true
}

// held sums what the watches hold.
func (w *watches) held() (kinds, objects int, bytes int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, one := range w.byKind {
		objects += len(one.informer.GetStore().ListKeys())
		bytes += one.bytes.Load()
	}
	return len(w.byKind), objects, bytes
}
