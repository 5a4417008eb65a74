package audit

import (
	"context"
	"hash/maphash"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// queued bounds the objects that wait for one goroutine of the pool. It evens out that some take longer than others,
// and keeps what waits of large objects (1 MiB at most) in tens of megabytes.
const queued = 32

// pool judges objects of all types. What happens to one object goes to one goroutine, which takes it in order.
type pool struct {
	seed   maphash.Seed
	queues []chan task
	group  sync.WaitGroup
}

// task is something that happened to an object.
type task struct {
	ctx     context.Context // of its watcher
	watcher *watcher
	object  *unstructured.Unstructured
	deleted bool
	why     reason
	round   uint32 // of the watcher's sweeps
	sweep   *sweep // that found it; nil for what a watch tells
}

func newPool(workers int) *pool {
	p := &pool{seed: maphash.MakeSeed(), queues: make([]chan task, workers)}
	for i := range p.queues {
		queue := make(chan task, queued)
		p.queues[i] = queue
		p.group.Go(func() {
			for t := range queue {
				t.do()
			}
		})
	}
	return p
}

// submit hands a task over; when all is busy it waits for room, or for the end of the context: then the task is not done.
func (p *pool) submit(t task) {
	t.watcher.pending.Add(1)
	if t.sweep != nil {
		t.sweep.pending.Add(1)
	}
	select {
	case p.queues[maphash.String(p.seed, string(t.object.GetUID()))%uint64(len(p.queues))] <- t:
	case <-t.ctx.Done():
		t.end()
	}
}

func (t *task) end() {
	if t.sweep != nil {
		t.sweep.pending.Done()
	}
	t.watcher.pending.Done()
}

func (t *task) do() {
	defer t.end()
	switch {
	case t.ctx.Err() != nil:
	case t.deleted:
		t.watcher.gone(t.object)
	default:
		t.watcher.object(t)
	}
}

// close ends the goroutines, once nobody submits any more.
func (p *pool) close() {
	for _, queue := range p.queues {
		close(queue)
	}
	p.group.Wait()
}
