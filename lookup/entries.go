package lookup

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/engine/expr"
)

// maxEntries bounds the global context entries: each is a watch with maxWatched at most, or a call now and then.
const maxEntries = 128

// entries keeps the values of the global context entries.
type entries struct {
	run       *tasks
	objects   *objects
	call      caller
	report    func(error)
	logger    *slog.Logger
	functions *expr.Functions

	mu      sync.Mutex // held by set alone
	sources atomic.Pointer[map[string]kept]
	ready   atomic.Bool // all were settled once
}

// kept is an entry with what keeps its value.
type kept struct {
	entry *engine.GlobalContext
	source
}

func newEntries(run *tasks, objects *objects, call caller, report func(error), logger *slog.Logger) *entries {
	e := &entries{run: run, objects: objects, call: call, report: report, logger: logger, functions: expr.NewFunctions()}
	e.sources.Store(&map[string]kept{})
	return e
}

// set replaces the entries.
func (e *entries) set(wanted []*engine.GlobalContext) {
	e.mu.Lock()
	defer e.mu.Unlock()
	before, now := *e.sources.Load(), map[string]kept{}
	for _, entry := range wanted {
		if _, twice := now[entry.Name]; twice {
			continue // the first one counts, as nowhere two have one name
		}
		if old, ok := before[entry.Name]; ok && old.entry.Digest == entry.Digest {
			now[entry.Name] = old
			continue
		}
		now[entry.Name] = kept{entry, e.open(entry, len(now))}
	}
	e.sources.Store(&now)
	for name, old := range before {
		if still, ok := now[name]; !ok || still.source != old.source {
			old.stop()
		}
	}
}

// open begins to keep the value of an entry, the one after so many others.
func (e *entries) open(entry *engine.GlobalContext, others int) source {
	switch {
	case others >= maxEntries:
		return broken{entry.Name, fmt.Errorf("there are more than %d global context entries", maxEntries)}
	case entry.Call != nil:
		return newPolled(e.run, e.call, e.functions, entry, e.logger)
	case isSecret(entry.Resource.Resource):
		return &secrets{entry: entry, objects: e.objects, functions: e.functions}
	default:
		return newWatched(e.run, watchOptions{client: e.objects.client, limit: maxWatched, report: e.report}, e.functions, entry)
	}
}

// broken is an entry that has no value.
type broken struct {
	name string
	err  error
}

func (b broken) wait(context.Context) error              { return nil }
func (b broken) settled() bool                           { return true }
func (b broken) get(context.Context) (*projected, error) { return nil, b.err }
func (b broken) status() EntryStatus                     { return EntryStatus{Name: b.name, Error: b.err.Error()} }
func (b broken) held() (int, int64)                      { return 0, 0 }
func (b broken) stop()                                   {}

// value gives the value of an entry, or of a projection of it. A name with a dot is that of an entry if there is such
// a one.
func (e *entries) value(ctx context.Context, name string) (any, error) {
	sources := *e.sources.Load()
	entry, ofIt := name, ""
	found, ok := sources[entry]
	if !ok {
		entry, ofIt, _ = strings.Cut(name, ".")
		found, ok = sources[entry]
	}
	if !ok {
		return nil, fmt.Errorf("global context entry %s %w", entry, engine.ErrNotFound)
	}
	ctx, cancel := context.WithTimeout(ctx, e.objects.timeout)
	defer cancel()
	values, err := found.get(ctx)
	if err == nil {
		return values.get(entry, ofIt)
	}
	return nil, fmt.Errorf("global context entry %s: %w", entry, late(ctx, err, e.objects.timeout))
}

// settled says whether every entry has a value, or a reason why not: one that cannot be read makes its rules errors, and
// must not keep all others waiting. Once it is true it remains so, since an entry that comes later is waited for by
// those who ask for it.
func (e *entries) settled() bool {
	if e.ready.Load() {
		return true
	}
	for _, one := range *e.sources.Load() {
		if !one.settled() {
			return false
		}
	}
	e.ready.Store(true)
	return true
}

// wait waits until settled.
func (e *entries) wait(ctx context.Context) error {
	sources := *e.sources.Load()
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		// Why an entry has no value is told when it is asked for.
		_ = sources[name].wait(ctx)
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("reading global context entry %s: %w", name, err)
		}
	}
	return nil
}

func (e *entries) status() []EntryStatus {
	out := []EntryStatus{}
	for _, one := range *e.sources.Load() {
		out = append(out, one.status())
	}
	slices.SortFunc(out, func(a, b EntryStatus) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func (e *entries) held() (objects int, bytes int64) {
	for _, one := range *e.sources.Load() {
		n, size := one.held()
		objects, bytes = objects+n, bytes+size
	}
	return objects, bytes
}
