package lookup

import (
	"context"
	"sync"
	"time"

	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/engine/expr"
)

// watched is an entry whose value is the list of a resource's objects. The list and the projections are made when
// somebody asks and something has changed since.
type watched struct {
	entry     *engine.GlobalContext
	run       *tasks
	options   watchOptions
	functions *expr.Functions

	mu      sync.Mutex
	watch   *watch
	retry   time.Time // when a watch that failed is tried again
	made    *projected
	version uint64 // of the watch when made was
	ended   bool
}

func newWatched(run *tasks, o watchOptions, functions *expr.Functions, entry *engine.GlobalContext) *watched {
	o.resource, o.namespace = entry.Resource.Resource, entry.Resource.Namespace
	return &watched{entry: entry, run: run, options: o, functions: functions, watch: newWatch(run, o)}
}

// current is the watch: another one some time after one has failed.
func (w *watched) current() *watch {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.watch.failed:
		now := time.Now()
		switch {
		case w.ended:
		case w.retry.IsZero():
			w.retry = now.Add(retryAfter)
		case now.After(w.retry):
			w.retry, w.made = time.Time{}, nil
			w.watch = newWatch(w.run, w.options)
		}
	default:
	}
	return w.watch
}

func (w *watched) wait(ctx context.Context) error {
	current := w.current()
	select {
	case <-current.hurt: // it is tried again, but nobody has to wait for that
	case <-current.failed:
	case <-current.informer.HasSyncedChecker().Done():
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

func (w *watched) settled() bool {
	current := w.current()
	select {
	case <-current.hurt:
	case <-current.failed:
	case <-current.informer.HasSyncedChecker().Done():
	default:
		return false
	}
	return true
}

func (w *watched) get(ctx context.Context) (*projected, error) {
	current := w.current()
	if err := current.wait(ctx); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	version := current.version.Load() // before the list, so that what comes meanwhile makes another
	if w.made != nil && w.version == version && current == w.watch {
		return w.made, nil
	}
	found, err := current.list("", nil)
	if err != nil {
		return nil, err
	}
	list := make([]any, len(found))
	for i, s := range found {
		if list[i], err = s.value(w.options.resource.GroupResource().String()); err != nil {
			return nil, err
		}
	}
	w.made, w.version = project(w.entry, list, w.functions), version
	return w.made, nil
}

func (w *watched) status() EntryStatus {
	s := EntryStatus{Name: w.entry.Name}
	current := w.current()
	select {
	case <-current.failed:
		s.Error = current.failure.Error()
	default:
		if trouble := current.trouble.Load(); trouble != nil && !current.informer.HasSynced() {
			s.Error = (*trouble).Error()
		}
	}
	return s
}

func (w *watched) held() (objects int, bytes int64) {
	current := w.current()
	return len(current.informer.GetStore().ListKeys()), current.bytes.Load()
}

func (w *watched) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	w.watch.fail(errStopped)
}

// secrets is an entry whose value is the list of Secrets: read when asked, for their values are not kept in memory.
type secrets struct {
	entry     *engine.GlobalContext
	objects   *objects
	functions *expr.Functions
}

func (s *secrets) wait(context.Context) error { return nil }
func (s *secrets) settled() bool              { return true }
func (s *secrets) status() EntryStatus        { return EntryStatus{Name: s.entry.Name} }
func (s *secrets) held() (int, int64)         { return 0, 0 }
func (s *secrets) stop()                      {}

func (s *secrets) get(ctx context.Context) (*projected, error) {
	ctx, cancel := context.WithTimeout(ctx, s.objects.timeout)
	defer cancel()
	r := &mapped{GroupVersionResource: s.entry.Resource.Resource, kind: "Secret", namespaced: true}
	found, err := s.objects.listLive(ctx, r, s.entry.Resource.Namespace, nil)
	if err != nil {
		return nil, err
	}
	list := make([]any, len(found))
	for i := range found {
		list[i] = found[i]
	}
	return project(s.entry, list, s.functions), nil
}
