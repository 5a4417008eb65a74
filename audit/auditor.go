package audit

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine"
)

// Auditor watches and sweeps the types that the bundle matches. Make it with New, then
// Run it; when Run has returned it knows nothing any more, and may be run again.
type Auditor struct {
	opts    Options
	book    coverageBook
	metrics *metrics
	poke    chan struct{}
	types   chan struct{}
	// dependents and abandoned are made anew by each Run. Abandoned are types that are served no more and that
	// policies name still.
	dependents *dependents
	abandoned  map[Type]bool
	history    *history
	pool       *pool
	seed       engine.Seed
	// watching are the types with their watchers, for Recheck.
	watching sync.Map
}

// New checks the options and makes an Auditor.
func New(opts Options) (*Auditor, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	a := &Auditor{opts: opts, poke: make(chan struct{}, 1), types: make(chan struct{}, 1), dependents: newDependents(), seed: engine.NewSeed()}
	var err error
	found := newFindingMetrics()
	a.history = newHistory(&a.opts, found)
	if a.metrics, err = newMetrics(opts.Metrics, &a.book); err != nil {
		return nil, err
	}
	if err = found.register(opts.Metrics, a.history); err != nil {
		return nil, err
	}
	return a, nil
}

// bundleGap is the least time between two looks at a bundle that changes: policies come in dozens, and each look may list
// types anew.
const bundleGap = time.Second

// BundleChanged tells the auditor that Snapshots has a new bundle, so that it judges anew the objects of those types that
// other rules are for, or other exceptions from them. It does not wait.
func (a *Auditor) BundleChanged() {
	select {
	case a.poke <- struct{}{}:
	default: // one is waiting already
	}
}

// TypesChanged tells the auditor that Discovery has other types than before. It does not wait. What is not told, is
// found at the next Rediscover.
func (a *Auditor) TypesChanged() {
	select {
	case a.types <- struct{}{}:
	default: // one is waiting already
	}
}

// Coverage says what has been seen, per type, in a fixed order, and last what policies name and the cluster does not
// serve.
func (a *Auditor) Coverage() []Coverage { return append(a.book.list(), a.book.unservedList()...) }

// DiscoveryError is the last error of finding out which types the cluster serves, or empty.
func (a *Auditor) DiscoveryError() string {
	a.book.mu.Lock()
	defer a.book.mu.Unlock()
	return a.book.discovery
}

// Run audits until the context ends. It returns when all its goroutines have stopped, and must not be
// called while it runs.
func (a *Auditor) Run(ctx context.Context) error {
	defer a.book.reset()
	defer a.history.reset()
	defer a.watching.Clear()
	told := false
	a.dependents, a.abandoned = newDependents(), map[Type]bool{}
	a.pool = newPool(a.opts.Workers)
	defer a.pool.close()
	watchers := map[Type]*watcher{}
	things := &things{auditor: a, running: map[schema.GroupVersionKind]context.CancelFunc{}}
	defer things.wait()
	var running sync.WaitGroup
	defer running.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	running.Go(func() { a.history.settle(ctx) })

	ticker := time.NewTicker(a.opts.Rediscover)
	defer ticker.Stop()
	news := a.poke
	var later <-chan time.Time // when news of the bundle are taken again
	for {
		types, err := a.discover(ctx)
		a.matchWatchers(ctx, types, err, watchers, &running)
		if err == nil && !told {
			told = true
			a.opts.Sink.Audited(looked(types, a.opts.Snapshots.Current()))
		}
		if a.opts.Metadata != nil && len(types) > 0 {
			things.match(ctx, types)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case <-a.dependents.newKinds:
		case <-a.types:
		case <-later:
			news, later = a.poke, nil
		case <-news:
			news, later = nil, time.After(bundleGap)
			for _, w := range watchers {
				w.bundleChanged(a.opts.Snapshots.Current())
			}
		}
	}
}

// discover asks what the cluster serves. An error may come with a partial answer.
func (a *Auditor) discover(ctx context.Context) ([]Type, error) {
	types, err := a.opts.Discovery.Types(ctx)
	a.discovered(ctx, err)
	return types, err
}

// matchWatchers stops the watchers of types that are not wanted any more, then starts the missing ones:
// in this order, because a type that comes back in another form has the same reports.
func (a *Auditor) matchWatchers(ctx context.Context, types []Type, err error, watchers map[Type]*watcher, running *sync.WaitGroup) {
	if err != nil && len(types) == 0 {
		return // keep what runs: a server that is away has not lost its types
	}
	keep := map[Type]bool{}
	snapshot := a.opts.Snapshots.Current()
	for _, t := range wanted(types, snapshot) {
		t.Preferred = false // which version the server prefers is no part of what a type is
		keep[t] = true
	}
	if err == nil {
		a.book.setUnserved(unserved(types, snapshot))
		a.settle(keep)
	}
	for t, w := range watchers {
		if keep[t] || err != nil {
			continue // a type that is missing from a partial answer may still be there
		}
		w.stop()
		<-w.done
		delete(watchers, t)
		a.watching.Delete(t)
		found := w.records.clear()
		for _, id := range found {
			a.drop(subject{w, id})
		}
		if len(found) > 0 && lost(t, keep, snapshot) {
			a.abandon(t)
		} else {
			a.forget(t)
		}
	}
	for t := range keep {
		if watchers[t] != nil {
			continue
		}
		w := newWatcher(a, t)
		watchers[t] = w
		a.watching.Store(t, w)
		typeCtx, stop := context.WithCancel(ctx)
		w.stop = stop
		running.Go(func() {
			defer close(w.done)
			w.run(typeCtx)
		})
	}
}

func (a *Auditor) discovered(ctx context.Context, err error) {
	text := ""
	if err != nil && ctx.Err() == nil {
		text = err.Error()
		a.opts.Logger.Warn("Could not find out all the types that the cluster serves", "error", err)
	}
	a.book.mu.Lock()
	defer a.book.mu.Unlock()
	a.book.discovery = text
}

// drop forgets what is known of an object beyond its record.
func (a *Auditor) drop(s subject) {
	a.dependents.forget(s)
	a.history.forget(s)
}

// wall is the clock that rules go by, which somebody may set.
func (a *Auditor) wall() time.Time { return a.opts.Inputs().Now() }

// mine reports whether this auditor judges the object.
func (a *Auditor) mine(namespace, uid string) bool {
	return a.opts.Mine == nil || a.opts.Mine(namespace, uid)
}

// listed tells the sink which objects of the type are there.
func (a *Auditor) listed(t Type, found map[uid]struct{}) {
	a.opts.Sink.Listed(t, func(uid string) bool {
		_, ok := found[uidOf(uid)]
		return ok
	})
}

// Recheck has an object judged anew although nothing has changed: what was found of it is lost. It does not wait.
func (a *Auditor) Recheck(kind schema.GroupVersionKind, uid string) {
	a.watching.Range(func(t, w any) bool {
		if t.(Type).Kind != kind { //nolint:forcetypeassert // nothing else is put in
			return true
		}
		w.(*watcher).recheck(uidOf(uid), affected) //nolint:forcetypeassert // nothing else is put in
		return false
	})
}
