package propose

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/client-go/util/workqueue"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/reconcile/plan"
)

// next plans for one object. It answers false when there will be no more.
func (p *Proposer) next(ctx context.Context, queue workqueue.TypedRateLimitingInterface[Object]) bool {
	o, ended := queue.Get()
	if ended {
		return false
	}
	p.mu.Lock()
	p.busy++
	p.mu.Unlock()
	p.yield(ctx)
	defer func() {
		queue.Done(o)
		p.mu.Lock()
		p.busy--
		p.mu.Unlock()
	}()
	err := p.plan(ctx, o)
	switch {
	case err == nil:
		queue.Forget(o)
	case ctx.Err() == nil:
		p.metrics.failures.Inc()
		p.opts.Logger.Warn("Could not plan for an object; it will be tried again", "object", o.String(), "error", err)
		queue.AddRateLimited(o)
	}
	return true
}

// glance is how often a plan that waits looks whether it may go on.
const glance = 50 * time.Millisecond

// yield lets go first what is more urgent than a plan: each asks the API server for dry runs, which cost it as much as
// writes.
func (p *Proposer) yield(ctx context.Context) {
	for since := time.Now(); p.opts.Busy() && time.Since(since) < p.opts.Patience; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(glance):
		}
	}
}

// plan reads an object and plans for it.
func (p *Proposer) plan(ctx context.Context, o Object) error {
	p.mu.Lock()
	was, known := p.known[o]
	var origins map[string]v1alpha1.Origin
	early := false
	if known {
		origins = was.origins
		early = was.settles.After(p.opts.Inputs().Now())
	}
	p.mu.Unlock()
	if !known || early { // it comes again when it has settled
		return nil
	}
	began := time.Now()
	object, err := p.server.read(ctx, o)
	if errors.Is(err, engine.ErrNotFound) {
		return nil // Gone tells
	}
	if err != nil {
		return fmt.Errorf("reading it: %w", err)
	}
	namespace, err := p.server.Annotations(ctx, o.Namespace)
	if err != nil {
		return err
	}
	snapshot := p.opts.Snapshots.Current()
	planner, err := plan.New(plan.Options{Snapshot: snapshot, Inputs: p.opts.Inputs(), Server: p.server, Mode: p.opts.Mode, Others: p.opts.Others})
	if err != nil {
		return err
	}
	items, err := planner.Object(ctx, plan.Subject{Kind: o.Kind, Resource: o.Resource, Object: object, Namespace: namespace, Origins: origins})
	if err != nil {
		return err
	}
	p.keep(o, items, began)
	return nil
}

// keep remembers what is planned for an object since a time.
func (p *Proposer) keep(o Object, items []plan.Item, began time.Time) {
	items = items[:min(len(items), maxPerObject)]
	for i := range items {
		items[i].Planned = nil // it may hold values of a Secret, and a megabyte
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	was, known := p.known[o]
	if !known {
		return // it went while it was planned for
	}
	if room := maxItems - p.items + len(was.items); len(items) > room {
		p.dropped += len(items) - room
		items = items[:room]
	}
	p.items += len(items) - len(was.items)
	was.items = items
	was.times.began, was.times.ended = began, time.Now()
	p.changed()
}
