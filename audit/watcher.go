package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/holdfast-io/holdfast/engine"
)

// watcher audits one type: it lists all objects, then watches, and lists again when the watch has lost
// its place, when the bundle changes and at every resweep.
type watcher struct {
	auditor *Auditor
	typ     Type
	again   chan struct{} // asks for a new sweep
	stop    context.CancelFunc
	done    chan struct{}
	records records
	rules   rules
	pending sync.WaitGroup // of tasks in the pool

	mu     sync.Mutex
	dirty  map[uid]reason // objects to be judged anew
	wake   chan struct{}  // says that there are some
	alarm  alarm          // of objects whose verdict rests on the time
	beside *beside        // the sweep that runs while the watch goes on, if there is one

	paged atomic.Bool // the server sends no objects as events

	// Only run's goroutine touches these.
	round    uint32    // counts the sweeps
	swept    time.Time // when the last sweep began
	sweptBy  atomic.Pointer[ruleSet]
	rechecks rechecks
}

var errResweep = errors.New("a new sweep is due")

func newWatcher(a *Auditor, t Type) *watcher {
	return &watcher{auditor: a, typ: t, again: make(chan struct{}, 1), done: make(chan struct{}), records: records{known: map[uid]record{}}, dirty: map[uid]reason{}, wake: make(chan struct{}, 1), alarm: newAlarm(a.wall)}
}

// bundleChanged asks for a new sweep if other rules judge the type than at the last.
func (w *watcher) bundleChanged(s *engine.Snapshot) {
	if w.rules.in(s, w.typ) != w.sweptBy.Load() {
		w.resweep()
	}
}

func (w *watcher) resweep() {
	select {
	case w.again <- struct{}{}:
	default:
	}
}

// run audits until the context ends, and answers when nothing that it began is still going on.
func (w *watcher) run(ctx context.Context) {
	defer w.pending.Wait()
	opts := &w.auditor.opts
	w.auditor.book.update(w.typ, func(*Coverage) {}) // that it is not seen yet
	w.alarm.setBack()                                // since now
	wait := opts.Retry
	for ctx.Err() == nil {
		started := time.Now()
		stream, version, err := w.sweep(ctx)
		if err == nil {
			err = w.follow(ctx, stream, version)
		}
		w.endBeside()
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

// sweep reads and judges all objects. It gives the version to watch from, and the watch if that is how it read them.
func (w *watcher) sweep(ctx context.Context) (watch.Interface, string, error) {
	s := w.begin(nil)
	judged := s.enter(phaseJudge)
	stream, version, err := w.readAll(ctx, s)
	if err != nil {
		judged(err)
		s.end(err)
		return nil, "", err
	}
	s.pending.Wait()
	err = ctx.Err()
	judged(err)
	if err != nil {
		s.end(err)
		if stream != nil {
			stream.Stop()
		}
		return nil, "", err // objects may have been left out
	}
	w.finish(s)
	return stream, version, nil
}

// readAll offers all objects, as events where the server sends them so, else in pages.
func (w *watcher) readAll(ctx context.Context, s *sweep) (stream watch.Interface, version string, err error) {
	opts := &w.auditor.opts
	listed := s.enter(phaseList)
	defer func() { listed(err) }()
	if w.streams() {
		stream, version, err := w.stream(ctx, s)
		if err == nil || ctx.Err() != nil {
			return stream, version, err
		}
		// A watch can be cut short where pages still come through: a server lets go of who is slow to read.
		w.paged.Store(errors.Is(err, errNoStreams))
		opts.Logger.Debug("Reading a type in pages", "resource", w.typ.label(), "reason", err)
	}
	version, err = list(ctx, opts.Client, w.typ, opts.PageSize, func(u *unstructured.Unstructured) { w.offer(ctx, u, s) })
	return nil, version, err
}

// follow watches from the version on, first by the watch that is open, if there is one. It takes up a watch that has
// ended, which is routine, and answers with the reason for a new sweep otherwise.
func (w *watcher) follow(ctx context.Context, stream watch.Interface, version string) error {
	opts := &w.auditor.opts
	due := time.NewTimer(opts.Resweep)
	defer due.Stop()
	timeout := int64(opts.WatchTimeout.Seconds())
	for {
		if stream == nil {
			var err error
			stream, err = opts.Client.Resource(w.typ.Resource).Watch(ctx, metav1.ListOptions{
				ResourceVersion: version, AllowWatchBookmarks: true, TimeoutSeconds: &timeout,
			})
			if err != nil {
				return fmt.Errorf("watching %s: %w", w.typ.label(), err)
			}
		}
		opened := time.Now()
		w.auditor.book.update(w.typ, func(c *Coverage) {
			c.Watching, c.Heard, c.Stale, c.Error, c.StaleSince = true, opened, false, "", time.Time{}
		})
		var err error
		version, err = w.drain(ctx, stream, version, due)
		stream.Stop()
		stream = nil
		if err != nil || ctx.Err() != nil {
			return err
		}
		if time.Since(opened) < time.Second {
			// A server that ends each watch at once is going down, or is not well.
			return fmt.Errorf("watching %s: the server ended the watch after %s", w.typ.label(), time.Since(opened).Round(time.Millisecond))
		}
	}
}

// overdue is how long after its time a watch may end that the server was asked to end. One that goes on has been
// forgotten somewhere on the way.
const overdue = 30 * time.Second

// drain takes the events of one watch until it ends, and answers the last version seen.
func (w *watcher) drain(ctx context.Context, stream watch.Interface, version string, due *time.Timer) (string, error) {
	defer w.rechecks.close()
	w.recheckSoon() // for what was asked while nobody watched
	over := time.NewTimer(w.auditor.opts.WatchTimeout + overdue)
	defer over.Stop()
	clock := time.NewTimer(w.alarm.wait())
	defer clock.Stop()
	for {
		again, ended := w.again, w.besideEnd()
		if ended != nil {
			again = nil // it waits until this sweep is done
		}
		select {
		case <-ctx.Done():
			return version, nil
		case <-over.C:
			return version, nil
		case <-due.C:
			w.resweep()
		case <-again:
			if versionOf(version) == 0 {
				return version, errResweep
			}
			w.beginBeside(ctx)
			due.Reset(w.auditor.opts.Resweep)
		case err := <-ended:
			if err := w.doneBeside(err); err != nil {
				return version, err
			}
		case <-w.rechecks.asked(w.wake):
			w.rechecks.soon()
		case <-w.rechecks.due:
			w.rechecks.begin(ctx, w)
		case err := <-w.rechecks.done:
			w.rechecks.ended()
			if err != nil {
				return version, err
			}
		case <-w.alarm.changed:
			clock.Reset(w.alarm.wait())
		case <-clock.C:
			w.ring()
			clock.Reset(w.alarm.wait())
		case event, open := <-stream.ResultChan():
			if !open {
				return version, nil
			}
			reached, _, err := w.take(ctx, event, nil)
			if err != nil {
				return version, fmt.Errorf("watching %s: %w", w.typ.label(), err)
			}
			version = reached
			w.auditor.book.correct(w.typ, func(c *Coverage) { c.Heard = time.Now() })
		}
	}
}

// offer hands an object to the pool that a sweep has found, or without one, that something happened to.
func (w *watcher) offer(ctx context.Context, u *unstructured.Unstructured, s *sweep) {
	t := task{ctx: ctx, watcher: w, object: u, why: changed, sweep: s}
	if s != nil {
		t.why, t.round = swept, s.round
		s.offered.Add(1)
	} else {
		t.round = w.round
	}
	w.submit(t)
}

// submit hands a task to the pool, unless its object is none of this auditor's business.
func (w *watcher) submit(t task) {
	if w.isMine(t.object) {
		w.auditor.pool.submit(t)
	}
}

// offerGone hands an object to the pool that was deleted.
func (w *watcher) offerGone(ctx context.Context, u *unstructured.Unstructured) {
	w.submit(task{ctx: ctx, watcher: w, object: u, deleted: true})
}

func (w *watcher) isMine(u *unstructured.Unstructured) bool {
	return w.auditor.mine(u.GetNamespace(), string(u.GetUID())) && !w.ignored(u)
}

func (w *watcher) ignored(u *unstructured.Unstructured) bool {
	return u.GetNamespace() != "" && slices.Contains(w.auditor.opts.Ignore, u.GetNamespace())
}
