package audit

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Objects whose surroundings change are judged anew at once, and then not more often than this: fewDirty of
// them in each recheckGap, one by one, or all by a sweep in each sweepGap where they are a share of their type: to read
// one costs the server and us some four times as much as it does among all.
const (
	fewDirty   = 64
	dirtyShare = 4
	recheckGap = 500 * time.Millisecond
	sweepGap   = 10 * time.Second
)

// dirty is an object that is to be judged anew, and why.
type dirty struct {
	id  uid
	why reason
}

// recheck has an object judged anew, because something that its verdict rests on has changed, or its findings settle.
func (w *watcher) recheck(id uid, why reason) {
	w.mu.Lock()
	if before, asked := w.dirty[id]; !asked || before == settles {
		w.dirty[id] = why
	}
	w.mu.Unlock()
	w.recheckSoon()
}

func (w *watcher) recheckSoon() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// takeDirty gives some of the objects that are to be judged anew, limit at most, and how many are left.
func (w *watcher) takeDirty(limit int) (some []dirty, left int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, why := range w.dirty {
		if len(some) == limit {
			break
		}
		some = append(some, dirty{id, why})
		delete(w.dirty, id)
	}
	return some, len(w.dirty)
}

// rechecks are the objects of a watcher that are fetched to be judged anew, while its watch goes on: each costs a request,
// and what happens meanwhile must not wait for these.
type rechecks struct {
	due  <-chan time.Time
	last time.Time
	// done tells how the fetching ended that is under way; nil without one.
	done chan error
	stop context.CancelFunc
}

// asked is where the watcher is woken, while it may be.
func (r *rechecks) asked(wake chan struct{}) <-chan struct{} {
	if r.due != nil || r.done != nil {
		return nil // what is asked for meanwhile waits
	}
	return wake
}

// soon has objects fetched when the time for that has come.
func (r *rechecks) soon() { r.due = time.After(time.Until(r.last.Add(recheckGap))) }

// begin fetches objects that are to be judged anew, and has them judged. If they are many it asks for a sweep, which
// judges whatever rests on more than the object, but not for one after the other.
func (r *rechecks) begin(ctx context.Context, w *watcher) {
	r.due, r.last = nil, time.Now()
	some, left := w.takeDirty(fewDirty)
	if left > 0 {
		if dirtyShare*(len(some)+left) > w.records.len() && time.Since(w.swept) > sweepGap {
			w.resweep()
			return
		}
		w.recheckSoon()
	}
	if len(some) == 0 {
		return
	}
	fetching, stop := context.WithCancel(ctx)
	done, round := make(chan error, 1), w.round
	r.done, r.stop = done, stop
	go func() {
		for i, d := range some {
			if err := w.fetch(fetching, ctx, d, round); err != nil {
				for _, left := range some[i:] {
					w.recheck(left.id, left.why)
				}
				done <- err
				return
			}
		}
		done <- nil
	}()
}

// ended takes up that the fetching has ended.
func (r *rechecks) ended() {
	r.stop()
	r.done = nil
}

// close ends the fetching. What is left of it waits for the next watch.
func (r *rechecks) close() {
	if r.done != nil {
		r.stop()
		<-r.done //nolint:errcheck // what is left waits for the next watch
		r.done = nil
	}
}

// fetch reads an object and hands it to the pool, where it is judged by the watcher's context.
func (w *watcher) fetch(ctx, watching context.Context, d dirty, round uint32) error {
	known, ok := w.records.get(d.id)
	if !ok {
		return nil
	}
	u, err := w.auditor.opts.Client.Resource(w.typ.Resource).Namespace(known.namespace.Value()).Get(ctx, known.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil // the watch tells of its end
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", Object{Kind: w.typ.Kind, Namespace: known.namespace.Value(), Name: known.name}, err)
	}
	w.submit(task{ctx: watching, watcher: w, object: u, why: d.why, round: round})
	return nil
}
