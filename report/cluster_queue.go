package report

import (
	"sync"

	"k8s.io/client-go/util/workqueue"
)

// lanes is the order of writes: reports with failures overtake the others. It is a workqueue.Queue, which
// calls Touch, Push, Len and Pop under its own lock; mark comes from elsewhere.
type lanes struct {
	mu sync.Mutex
	// urgent are the items to be pushed into, or moved to, the first lane.
	urgent map[string]bool
	// lane of each item that waits. An item that has moved leaves a stale place in the second lane.
	lane   map[string]lane
	places [2][]string
}

type lane int

const (
	first lane = iota
	second
)

func newLanes() *lanes { return &lanes{urgent: map[string]bool{}, lane: map[string]lane{}} }

// mark says whether the item is urgent, before it is added to the queue.
func (l *lanes) mark(item string, urgent bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if urgent {
		l.urgent[item] = true
	} else {
		delete(l.urgent, item)
	}
}

// Touch moves an item that has become urgent.
func (l *lanes) Touch(item string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.urgent[item] && l.lane[item] == second {
		l.put(item, first)
	}
}

// Push adds an item at the end of its lane.
func (l *lanes) Push(item string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.urgent[item] {
		l.put(item, first)
	} else {
		l.put(item, second)
	}
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
				delete(l.urgent, item)
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
