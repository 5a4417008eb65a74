package act

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine"
)

// Executor carries out Remediations. Make it with New, then Run it.
type Executor struct {
	opts    Options
	metrics *metrics
	// deciding is held from asking the gates until what they let pass is marked: budgets and breakers count what all are about
	// to do.
	deciding sync.Mutex
}

// New checks the options and makes an Executor.
func New(opts Options) (*Executor, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	m, err := newMetrics(opts.Metrics)
	if err != nil {
		return nil, err
	}
	if opts.Leads != nil {
		opts.Objects, opts.Journal = fencedObjects{opts.Objects, opts.Leads}, fencedJournal{opts.Journal, opts.Leads}
	}
	return &Executor{opts: opts, metrics: m}, nil
}

// Run carries out until the context ends. It must not be called while it runs.
func (e *Executor) Run(ctx context.Context) error {
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[string](e.opts.Retry, e.opts.RetryMax))
	var running sync.WaitGroup
	for range e.opts.Workers {
		running.Go(func() {
			for e.take(ctx, queue) {
			}
		})
	}
	e.opts.Book.Follow(ctx, queue.Add)
	<-ctx.Done()
	queue.ShutDown()
	running.Wait()
	return nil
}

// take works on one Remediation. It answers false when there will be no more.
func (e *Executor) take(ctx context.Context, queue workqueue.TypedRateLimitingInterface[string]) bool {
	name, ended := queue.Get()
	if ended {
		return false
	}
	defer queue.Done(name)
	if ctx.Err() != nil {
		return true
	}
	after, err := e.work(ctx, name)
	switch {
	case err == nil:
		queue.Forget(name)
		if after > 0 {
			queue.AddAfter(name, after)
		}
	case ctx.Err() == nil:
		e.metrics.failures.Inc()
		e.opts.Logger.Warn("Could not carry on with a remediation; it will be tried again", "name", name, "error", err)
		queue.AddRateLimited(name)
	}
	return true
}

// work does what can be done of a Remediation now, and says after which time to look again; zero when something has to
// change first.
func (e *Executor) work(ctx context.Context, name string) (time.Duration, error) {
	for ctx.Err() == nil {
		r, err := e.opts.Book.Read(ctx, name)
		if errors.Is(err, engine.ErrNotFound) {
			return 0, nil
		}
		if err != nil {
			return 0, fmt.Errorf("reading it: %w", err)
		}
		after, more, err := e.step(ctx, r)
		if err != nil || !more {
			return after, err
		}
	}
	return 0, nil
}

// step does the next step. It says whether there is more to do at once, and otherwise after which time to look again.
func (e *Executor) step(ctx context.Context, r *v1alpha1.Remediation) (after time.Duration, more bool, err error) {
	m := next(r, e.now())
	before := r.Status.DeepCopy()
	w := &working{Executor: e, ctx: ctx, r: r, before: before}
	switch m.step {
	case stepFind:
		return w.find(m.targets)
	case stepUndo:
		return w.undo(m.targets, m.why)
	case stepVerify:
		return w.verify(m.targets)
	case stepApply:
		return w.apply(m.targets)
	case stepPause:
		return w.pause("paused by hand (spec.paused)", 0)
	case stepWait:
		return max(m.until.Sub(e.now()), time.Millisecond), false, nil
	case stepConclude:
		phase, message := ending(r)
		return w.conclude(phase, message)
	default:
		return 0, false, nil
	}
}

// working is one step with one Remediation.
type working struct {
	*Executor
	ctx    context.Context
	r      *v1alpha1.Remediation
	before *v1alpha1.RemediationStatus // as it was read or last written
	// news are told once what they are about is on record: until then it may be looked at again, and told again.
	news []func()
}

// tell gives out the news.
func (w *working) tell() {
	for _, n := range w.news {
		n()
	}
	w.news = nil
}

// save writes the status.
func (w *working) save() error {
	ctx, cancel := detached(w.ctx)
	defer cancel()
	return w.write(ctx, w.r, w.before)
}

// begun reports whether anything has been done.
func (w *working) begun() bool { return len(w.r.Status.Results) > 0 }

// saveIf writes the status if it says something else than before.
func (w *working) saveIf() error {
	if sameStanding(&w.r.Status, w.before) {
		return nil
	}
	return w.save()
}
