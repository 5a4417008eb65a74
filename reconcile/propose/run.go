package propose

import (
	"context"
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"
)

// Run plans and proposes until the context ends. It must not be called while it runs.
func (p *Proposer) Run(ctx context.Context) error {
	defer p.reset()
	p.server = NewServer(p.opts.Server)
	queue := workqueue.NewTypedRateLimitingQueue(
		workqueue.NewTypedItemExponentialFailureRateLimiter[Object](p.opts.Retry, p.opts.RetryMax))
	p.mu.Lock()
	p.queue = queue
	for o, settles := range p.early {
		p.add(o, settles)
	}
	p.mu.Unlock()
	var running sync.WaitGroup
	for range p.opts.Workers {
		running.Go(func() {
			for p.next(ctx, queue) {
			}
		})
	}
	book := newBook(&p.opts, p.metrics)
	book.times = p.timesOf
	running.Go(func() { p.write(ctx, book) })
	replan := time.NewTicker(p.opts.Replan)
	defer replan.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-replan.C:
			p.server.Forget()
			p.replan()
		}
	}
	queue.ShutDown()
	running.Wait()
	return nil
}

// write brings the Remediations into line whenever something has changed and has then been quiet for a while, or at the
// latest after a longer one; and now and then without a change, because somebody may have deleted one. What fails is tried
// again.
func (p *Proposer) write(ctx context.Context, book *book) {
	since := time.Now() // of the first change that is not written: what is there from before may be outdated
	retry := p.opts.Retry
	timer := time.NewTimer(p.opts.Quiet)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.poke:
			if since.IsZero() {
				since = time.Now()
			}
			if time.Since(since) < p.opts.Longest {
				timer.Reset(p.opts.Quiet)
			}
			continue
		case <-timer.C:
		}
		if early := p.waiting() > 0 && !since.IsZero() && time.Since(since) < p.opts.Longest; early || !p.opts.Swept() || !p.opts.Remediations.Synced() {
			timer.Reset(p.opts.Quiet)
			continue
		}
		since = time.Time{}
		if err := book.write(ctx, p.planned(), p.opts.Snapshots.Current().Digest()); err != nil && ctx.Err() == nil {
			p.metrics.failures.Inc()
			p.opts.Logger.Warn("Could not bring the Remediations into line; it will be tried again", "error", err)
			timer.Reset(retry)
			retry = min(2*retry, p.opts.RetryMax)
			continue
		}
		retry = p.opts.Retry
		timer.Reset(p.opts.Replan)
	}
}
