package report

import (
	"sync"

	"k8s.io/client-go/util/workqueue"
)

// lanes is the order of writes: each lane goes before those behind it. It is a workqueue.Queue, which calls Touch, Push,
// Len and Pop under its own lock; mark comes from elsewhere.
type lanes struct {
	mu sync.Mutex
	// marked are the lanes of items to be pushed into, or moved to; the last one for the others.
	marked map[string]lane
	// lane of each item that waits. An item that has moved leaves a stale place in its old lane.
	lane   map[string]lane
	places [last + 1][]string
}

type lane int

const (
	// news: something happened to the object just now, and somebody may be waiting to see what that did. A sweep of a large
	// cluster fills the other lanes for minutes.
	news lane = iota
	// failing: something in the report needs somebody.
	failing
	last
)

func newLanes() *lanes { return &lanes{marked: map[string]lane{}, lane: map[string]lane{}} }

// mark says which lane the item belongs to, before it is added to the queue.
func (l *lanes) mark(item string, to lane) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if to == last {
		delete(l.marked, item)
	} else {
		l.marked[item] = to
	}
}

// of gives the lane that an item belongs to.
func (l *lanes) of(item string) lane {
	if to, ok := l.marked[item]; ok {
		return to
	}
	return last
}

// Touch moves an item forward that belongs into an earlier lane by now.
func (l *lanes) Touch(item string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at, waits := l.lane[item]; waits && l.of(item) < at {
		l.put(item, l.of(item))
	}
}

// Push adds an item at the end of its lane.
func (l *lanes) Push(item string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.put(item, l.of(item))
}

func (l *lanes) put(item string, at lane) {
	l.lane[item] = at
	l.places[at] = append(l.places[at], item)
}

// Len is the number of items that wait.
func (l *lanes) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.lane)
}

// Pop takes the first item of the first lane that has one. There must be one.
func (l *lanes) Pop() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for at := range l.places {
		for len(l.places[at]) > 0 {
			item := l.places[at][0]
			l.places[at] = l.places[at][1:]
			if where, waits := l.lane[item]; waits && where == lane(at) {
				delete(l.lane, item)
				delete(l.marked, item)
				if len(l.lane) == 0 { // after a sweep of thousands, what held them is let go of
					l.lane, l.places = map[string]lane{}, [last + 1][]string{}
				}
				if len(l.marked) == 0 {
					l.marked = map[string]lane{}
				}
				return item
			}
		}
	}
	panic("report: Pop of an empty queue")
}

func newQueue(order *lanes, o WriterOptions) workqueue.TypedRateLimitingInterface[string] {
	queue := workqueue.NewTypedWithConfig(workqueue.TypedQueueConfig[string]{Queue: order})
	delaying := workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[string]{Queue: queue})
	return workqueue.NewTypedRateLimitingQueueWithConfig(
		workqueue.NewTypedItemExponentialFailureRateLimiter[string](o.Retry, o.RetryMax),
		workqueue.TypedRateLimitingQueueConfig[string]{DelayingQueue: delaying})
}
