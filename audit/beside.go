package audit

import (
	"context"
	"errors"
	"math"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// sweep is one reading of all objects of a type.
type sweep struct {
	round   uint32
	began   time.Time
	pending sync.WaitGroup // of its tasks in the pool
	// beside is set where the watch goes on meanwhile and may be ahead of it.
	beside *beside
	// offered and judged count objects, for its span; the rest are as they were, or of others.
	offered, judged atomic.Int64
	tracer          trace.Tracer
	ctx             context.Context // of the span
	span            trace.Span
}

// beside is a sweep that runs while the watch goes on, so that what happens meanwhile is seen at once and does not wait
// for thousands of objects that are as they were.
type beside struct {
	sweep *sweep
	stop  context.CancelFunc
	done  chan error

	mu     sync.Mutex
	buried map[uid]struct{} // objects that were deleted since it began
}

// versionOf reads a resourceVersion: of two of one type, the greater number is the later one. 0 stands for one that is no
// number, as old aggregated APIs may have them.
// Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
func versionOf(text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// outrun reports whether the watch has told of something later than what the sweep found of an object: of a newer version
// than this one, or of its end.
func (s *sweep) outrun(id uid, judged, version uint64) bool {
	if s == nil || s.beside == nil {
		return false
	}
	s.beside.mu.Lock()
	defer s.beside.mu.Unlock()
	_, buried := s.beside.buried[id]
	return buried || version < judged
}

// bury notes that the watch told of the end of an object, for the sweep that may find it yet.
func (w *watcher) bury(id uid) {
	w.mu.Lock()
	b := w.beside
	w.mu.Unlock()
	if b != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.buried[id] = struct{}{}
	}
}

// begin counts another sweep, beside a watch if there is one. What asks for one, or for objects to be judged anew, gets it
// now.
func (w *watcher) begin(b *beside) *sweep {
	select {
	case <-w.again:
	default:
	}
	w.takeDirty(math.MaxInt)
	w.swept = time.Now()
	w.round++
	w.sweptBy.Store(w.rules.in(w.auditor.opts.Snapshots.Current(), w.typ))
	s := &sweep{round: w.round, began: w.swept, beside: b}
	s.trace(w.auditor.opts.Tracer, w.typ)
	return s
}

// finish lets go of what a sweep did not find, when all that it did find has been judged.
func (w *watcher) finish(s *sweep) {
	reported := s.enter(phaseReport)
	seen, lost := w.records.retain(s.round)
	for _, id := range lost {
		w.auditor.drop(subject{w, id})
	}
	w.auditor.listed(w.typ, seen)
	w.auditor.metrics.sweeps.WithLabelValues(w.typ.label()).Observe(time.Since(s.began).Seconds())
	w.auditor.book.update(w.typ, func(c *Coverage) {
		*c = Coverage{Type: w.typ, Watching: c.Watching, Listed: time.Now(), Heard: time.Now()}
	})
	w.counted()
	reported(nil)
	s.end(nil)
}

// beginBeside begins a sweep, while the watch goes on.
func (w *watcher) beginBeside(ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	b := &beside{stop: stop, done: make(chan error, 1), buried: map[uid]struct{}{}}
	b.sweep = w.begin(b)
	w.setBeside(b)
	go func() {
		judged := b.sweep.enter(phaseJudge)
		stream, _, err := w.readAll(ctx, b.sweep)
		if stream != nil {
			stream.Stop()
		}
		b.sweep.pending.Wait()
		if err == nil {
			err = ctx.Err() // objects may have been left out
		}
		judged(err)
		b.done <- err
	}()
}

func (w *watcher) setBeside(b *beside) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.beside = b
}

// besideEnd gives the channel that tells how the sweep beside the watch went; nil without one.
func (w *watcher) besideEnd() <-chan error {
	if w.beside == nil { // which only run's goroutine sets
		return nil
	}
	return w.beside.done
}

// doneBeside takes up that the sweep beside the watch has ended.
func (w *watcher) doneBeside(err error) error {
	b := w.beside
	b.stop()
	w.setBeside(nil)
	if err != nil {
		b.sweep.end(err)
		return err
	}
	w.finish(b.sweep)
	return nil
}

// errGivenUp is why a sweep beside a watch is not finished that has ended before it.
var errGivenUp = errors.New("the watch has ended")

// endBeside gives up the sweep beside a watch that has ended, and waits for its end.
func (w *watcher) endBeside() {
	if b := w.beside; b != nil {
		b.stop()
		<-b.done //nolint:errcheck // given up, whatever became of it
		b.sweep.end(errGivenUp)
		w.setBeside(nil)
	}
}
