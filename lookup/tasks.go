package lookup

import (
	"context"
	"sync"
)

// tasks are goroutines that begin when somebody asks and end together.
type tasks struct {
	ctx     context.Context
	cancel  context.CancelFunc
	mu      sync.Mutex // held between the look at ctx and the start, so that none starts once close waits
	running sync.WaitGroup
}

func newTasks() *tasks {
	ctx, cancel := context.WithCancel(context.Background())
	return &tasks{ctx: ctx, cancel: cancel}
}

// start runs a task until it ends, it is stopped, or all are closed. Once closed it runs nothing.
func (t *tasks) start(run func(context.Context)) (stop context.CancelFunc) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ctx, stop := context.WithCancel(t.ctx)
	if ctx.Err() == nil {
		t.running.Go(func() {
			defer stop()
			run(ctx)
		})
	}
	return stop
}

// close ends all tasks and waits for them.
func (t *tasks) close() {
	t.mu.Lock()
	t.cancel()
	t.mu.Unlock()
	t.running.Wait()
}
