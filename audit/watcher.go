package audit

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"
)

// watcher audits one type: it lists all objects, then watches, and lists again when the watch has lost
// its place, when the bundle changes and at every resweep.
type watcher struct {
	auditor *Auditor
	typ     Type
	again   chan struct{} // asks for a new sweep
	stop    context.CancelFunc
	done    chan struct{}
	records map[string]record // by UID; only run's goroutine touches it

	mu    sync.Mutex
	dirty map[string]struct{} // UIDs of objects to be judged anew
	wake  chan struct{}       // says that there are some

	swept     time.Time // when the last sweep began; only run's goroutine touches these
	rechecked time.Time
}

// record is all that is kept of an object: what was judged, by which bundle.
type record struct {
	object Object
	digest string
	// rests says that the verdict rests on more than the object.
	rests bool
}

// Objects whose surroundings change are judged anew at once, and then not more often than this: fewDirty of
// them in each recheckGap, one by one, or all by a sweep in each sweepGap.
const (
	fewDirty   = 64
	recheckGap = 500 * time.Millisecond
	sweepGap   = 10 * time.Second
)

var errResweep = errors.New("a new sweep is due")

func newWatcher(a *Auditor, t Type) *watcher {
	return &watcher{auditor: a, typ: t, again: make(chan struct{}, 1), done: make(chan struct{}), records: map[string]record{}, dirty: map[string]struct{}{}, wake: make(chan struct{}, 1)}
}

// recheck has an object judged anew, because something that its verdict rests on has changed.
func (w *watcher) recheck(uid string) {
	w.mu.Lock()
	w.dirty[uid] = struct{}{}
	w.mu.Unlock()
	w.recheckSoon()
}

func (w *watcher) recheckSoon() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// takeDirty gives some of the objects that are to be judged anew, limit at most, and whether there are more.
func (w *watcher) takeDirty(limit int) (uids []string, more bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for uid := range w.dirty {
		if len(uids) == limit {
			return uids, true
		}
		uids = append(uids, uid)
		delete(w.dirty, uid)
	}
	return uids, false
}

// recheckDirty fetches objects that are to be judged anew, and judges them. If there are many it asks for a
// sweep, which judges whatever rests on more than the object, but not for one after the other.
func (w *watcher) recheckDirty(ctx context.Context) error {
	uids, more := w.takeDirty(fewDirty)
	if more {
		if time.Since(w.swept) > sweepGap {
			return errResweep
		}
		w.recheckSoon()
	}
	for _, uid := range uids {
		known, ok := w.records[uid]
		if !ok {
			continue
		}
		u, err := w.auditor.opts.Client.Resource(w.typ.Resource).Namespace(known.object.Namespace).Get(ctx, known.object.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			continue // the watch tells of its end
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", known.object, err)
		}
		w.object(ctx, u)
	}
	return nil
}

func (w *watcher) resweep() {
	select {
	case w.again <- struct{}{}:
	default:
	}
}

func (w *watcher) run(ctx context.Context) {
	opts := &w.auditor.opts
	wait := opts.Retry
	for ctx.Err() == nil {
		started := time.Now()
		version, err := w.sweep(ctx)
		if err == nil {
			err = w.follow(ctx, version)
		}
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, errResweep) {
			wait = opts.Retry
			continue
		}
		if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
			// The server keeps changes for some minutes only. That is routine, but it must not be asked
			// over and over by a watch that it always finds too old.
			w.auditor.book.update(w.typ, func(c *Coverage) { c.Watching = false })
		} else {
			w.stale(err)
		}
		if time.Since(started) > opts.RetryMax {
			wait = opts.Retry
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = min(2*wait, opts.RetryMax)
	}
}

func (w *watcher) stale(err error) {
	w.auditor.metrics.failures.WithLabelValues(w.typ.label()).Inc()
	w.auditor.opts.Logger.Warn("The audit of a type is interrupted; its reports stay as they are", "resource", w.typ.label(), "error", err)
	w.auditor.book.stale(w.typ, err.Error())
}

// sweep lists and judges all objects.
func (w *watcher) sweep(ctx context.Context) (string, error) {
	select {
	case <-w.again: // what it asks for happens now
	default:
	}
	w.takeDirty(math.MaxInt)
	started := time.Now()
	w.swept = started
	opts := &w.auditor.opts
	seen := map[string]bool{}
	version, err := list(ctx, opts.Client, w.typ, opts.PageSize, func(u *unstructured.Unstructured) {
		if w.ignored(u) {
			return
		}
		seen[string(u.GetUID())] = true
		w.object(ctx, u)
	})
	if err == nil {
		err = ctx.Err() // objects may have been left out at the end
	}
	if err != nil {
		return "", err
	}
	for uid := range w.records {
		if !seen[uid] {
			w.drop(uid)
		}
	}
	opts.Sink.Listed(w.typ, func(uid string) bool { return seen[uid] })
	w.auditor.metrics.sweeps.WithLabelValues(w.typ.label()).Observe(time.Since(started).Seconds())
	w.auditor.book.update(w.typ, func(c *Coverage) {
		*c = Coverage{Type: w.typ, Listed: time.Now(), Objects: len(w.records)}
	})
	return version, nil
}

// follow watches from the version on. It takes up a watch that the server ended, which is routine, and
// answers with the reason for a new sweep otherwise.
func (w *watcher) follow(ctx context.Context, version string) error {
	due := time.NewTimer(w.auditor.opts.Resweep)
	defer due.Stop()
	for {
		stream, err := w.auditor.opts.Client.Resource(w.typ.Resource).Watch(ctx, metav1.ListOptions{
			ResourceVersion: version, AllowWatchBookmarks: true,
		})
		if err != nil {
			return fmt.Errorf("watching %s: %w", w.typ.label(), err)
		}
		w.auditor.book.update(w.typ, func(c *Coverage) {
			c.Watching, c.Stale, c.Error, c.StaleSince = true, false, "", time.Time{}
		})
		opened := time.Now()
		version, err = w.drain(ctx, stream, version, due.C)
		stream.Stop()
		if err != nil || ctx.Err() != nil {
			return err
		}
		if time.Since(opened) < time.Second {
			// A server that ends each watch at once is going down, or is not well.
			return fmt.Errorf("watching %s: the server ended the watch after %s", w.typ.label(), time.Since(opened).Round(time.Millisecond))
		}
	}
}

// drain takes the events of one watch until it ends, and answers the last version seen.
func (w *watcher) drain(ctx context.Context, stream watch.Interface, version string, due <-chan time.Time) (string, error) {
	var recheck <-chan time.Time
	w.recheckSoon() // for what was asked while nobody watched
	for {
		select {
		case <-ctx.Done():
			return version, nil
		case <-due:
			return version, errResweep
		case <-w.again:
			return version, errResweep
		case <-w.wake:
			if recheck == nil {
				recheck = time.After(time.Until(w.rechecked.Add(recheckGap)))
			}
		case <-recheck:
			recheck, w.rechecked = nil, time.Now()
			if err := w.recheckDirty(ctx); err != nil {
				return version, err
			}
		case event, open := <-stream.ResultChan():
			if !open {
				return version, nil
			}
			if event.Type == watch.Error {
				return version, fmt.Errorf("watching %s: %w", w.typ.label(), apierrors.FromObject(event.Object))
			}
			u, ok := event.Object.(*unstructured.Unstructured)
			if !ok {
				return version, fmt.Errorf("watching %s: the server sent a %T", w.typ.label(), event.Object)
			}
			version = u.GetResourceVersion()
			switch event.Type {
			case watch.Added, watch.Modified:
				if !w.ignored(u) {
					w.object(ctx, u)
				}
			case watch.Deleted:
				w.gone(u)
			}
			w.auditor.book.update(w.typ, func(c *Coverage) { c.Objects = len(w.records) })
		}
	}
}

// object judges one object, unless this very state of it has been judged by this very bundle and the verdict
// rests on nothing else.
func (w *watcher) object(ctx context.Context, u *unstructured.Unstructured) {
	opts := &w.auditor.opts
	s := opts.Snapshots.Current()
	uid := string(u.GetUID())
	if known, ok := w.records[uid]; ok && !known.rests && known.digest == s.Digest() && known.object.ResourceVersion == u.GetResourceVersion() {
		return
	}
	in := opts.Inputs()
	f, err := judge(ctx, s, in, w.typ, u, in.Now())
	if ctx.Err() != nil {
		return // look-ups were cut short: not a verdict
	}
	if err != nil {
		opts.Logger.Error("Judging an object failed", "object", f.Object.String(), "error", err)
	}
	w.auditor.metrics.judged.WithLabelValues(w.typ.label()).Inc()
	w.records[uid] = record{object: f.Object, digest: f.Digest, rests: f.Result.Unwatched || len(f.Result.Dependencies) > 0}
	w.auditor.dependents.set(subject{w, uid}, f.Result.Dependencies)
	opts.Sink.Found(f)
}

func (w *watcher) ignored(u *unstructured.Unstructured) bool {
	return u.GetNamespace() != "" && slices.Contains(w.auditor.opts.Ignore, u.GetNamespace())
}

func (w *watcher) gone(u *unstructured.Unstructured) {
	uid := string(u.GetUID())
	known, ok := w.records[uid]
	if !ok {
		return
	}
	w.drop(uid)
	w.auditor.opts.Sink.Gone(known.object)
}

// drop forgets an object.
func (w *watcher) drop(uid string) {
	delete(w.records, uid)
	w.auditor.dependents.forget(subject{w, uid})
}
