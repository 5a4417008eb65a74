package audit

import (
	heaps "container/heap"
	"context"
	"path"
	"time"

	"github.com/holdfast-io/holdfast/engine"
)

// Settle says how long a finding is transient: the state of an object may be one that passes, because whoever made it is
// not done. The longest match is not looked for: the policy's own time goes first, then the first of the namespaces that
// matches, then the default.
type Settle struct {
	// Default is 10 s: a controller that completes what another one made does so within a second or two, and the rest is
	// for one that is slow. Below zero: findings are settled at once.
	Default time.Duration
	// Namespaces have times of their own.
	Namespaces []NamespaceSettle
}

// NamespaceSettle is the time of the namespaces whose names match, with wildcards.
type NamespaceSettle struct {
	Namespaces string
	Time       time.Duration
}

const defaultSettle = 10 * time.Second

// For gives the time of a policy in a namespace.
func (s *Settle) For(p *engine.Policy, namespace string) time.Duration {
	if p.Settle != nil {
		return *p.Settle
	}
	if namespace != "" {
		for _, n := range s.Namespaces {
			if ok, err := path.Match(n.Namespaces, namespace); ok && err == nil { // the pattern was checked
				return n.Time
			}
		}
	}
	return s.Default
}

// maxSettling is how many objects wait at a time. Each takes some 150 bytes, all 1.5 MB; and when all settle at once, they
// are read again by a few lists, not one by one.
const maxSettling = 10_000

// settling is the queue of objects whose findings have yet to settle, by the time of the first. One goroutine serves it.
type settling struct {
	order  waiting
	places map[subject]*waiter
	sooner chan struct{} // says that another one has come to be the first
}

type waiter struct {
	subject subject
	due     time.Time
	place   int // in the heap
}

func newSettling() settling {
	return settling{places: map[subject]*waiter{}, sooner: make(chan struct{}, 1)}
}

// room reports whether the object may wait.
func (s *settling) room(of subject) bool {
	return s.places[of] != nil || len(s.places) < maxSettling
}

// put has the object wait until then; with a zero time it waits no more.
func (s *settling) put(of subject, due time.Time) {
	w := s.places[of]
	switch {
	case due.IsZero() && w == nil:
		return
	case due.IsZero():
		heaps.Remove(&s.order, w.place)
		delete(s.places, of)
		return
	case w == nil:
		w = &waiter{subject: of, due: due}
		s.places[of] = w
		heaps.Push(&s.order, w)
	default:
		w.due = due
		heaps.Fix(&s.order, w.place)
	}
	if s.order[0] == w {
		select {
		case s.sooner <- struct{}{}:
		default: // it is known already
		}
	}
}

// settle has objects judged anew when it is time for their findings to settle, until the context ends.
func (h *history) settle(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.settling.sooner:
		case <-timer.C:
		}
		due, next := h.due(time.Now())
		for _, s := range due {
			s.watcher.recheck(s.id, settles)
		}
		if !next.IsZero() {
			timer.Reset(time.Until(next))
		}
	}
}

// due takes out whose time has come, and tells when the next one's does.
func (h *history) due(now time.Time) (due []subject, next time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.settling.order) > 0 {
		w := h.settling.order[0]
		if w.due.After(now) {
			return due, w.due
		}
		heaps.Pop(&h.settling.order)
		delete(h.settling.places, w.subject)
		due = append(due, w.subject)
	}
	return due, time.Time{}
}

// waiting is a heap, the first to settle on top.
type waiting []*waiter

func (w waiting) Len() int           { return len(w) }
func (w waiting) Less(i, j int) bool { return w[i].due.Before(w[j].due) }
func (w waiting) Swap(i, j int) {
	w[i], w[j] = w[j], w[i]
	w[i].place, w[j].place = i, j
}

// Push is called by package container/heap.
func (w *waiting) Push(x any) {
	added, _ := x.(*waiter)
	added.place = len(*w)
	*w = append(*w, added)
}

// Pop is called by package container/heap.
func (w *waiting) Pop() any {
	last := len(*w) - 1
	out := (*w)[last]
	(*w)[last] = nil
	*w = (*w)[:last]
	return out
}
