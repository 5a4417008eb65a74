package live

import (
	"context"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/holdfast-io/holdfast/engine"
)

// Source keeps the policies of the cluster in force. Make it with New, then Run it once.
type Source struct {
	opts     Options
	compiler *engine.Compiler
	metrics  *metrics
	base     map[key]content // of the bundle's files
	kick     chan struct{}
	ready    chan struct{}
	once     sync.Once

	mu       sync.Mutex
	watchers map[string]*watcher // by the name of the kind
	entries  map[key]*entry
	statuses *statuses // of the replica that writes them, else nil
	// applied is what the webhook configurations are made of, as names with digests.
	applied map[string]string
}

// New checks the options.
func New(opts Options) (*Source, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	compiler, err := engine.NewCompiler()
	if err != nil {
		return nil, err
	}
	s := &Source{
		opts: opts, compiler: compiler, base: contentOfSnapshot(opts.Store.Current()),
		kick: make(chan struct{}, 1), ready: make(chan struct{}),
		watchers: map[string]*watcher{}, entries: map[key]*entry{}, applied: map[string]string{},
	}
	if s.metrics, err = newMetrics(opts.Metrics, s); err != nil {
		return nil, err
	}
	return s, nil
}

// Ready is closed once all policies that were there at the start are in force, or known to be broken.
func (s *Source) Ready() <-chan struct{} { return s.ready }

// Unready says what Ready waits for, or nothing.
func (s *Source) Unready() string {
	select {
	case <-s.ready:
		return ""
	default:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(s.watchers)) {
		if w := s.watchers[name]; w.holdsUp() {
			text := "the policies of the cluster have not been read yet: " + w.resource.GroupResource().String()
			if failure := w.failure.Load(); failure != nil {
				text += ": " + *failure
			}
			return text
		}
	}
	return "the policies of the cluster have not been read yet"
}

func (s *Source) poke() {
	select {
	case s.kick <- struct{}{}:
	default: // one is waiting already
	}
}

// Run keeps up with the cluster until ctx ends.
func (s *Source) Run(ctx context.Context) error {
	defer s.endWatchers()
	for {
		s.followTypes(ctx)
		if s.synced() {
			s.rebuild(ctx)
			s.once.Do(func() { close(s.ready) })
		}
		// A change by itself is taken up at once; those that follow it closely, together.
		timer := time.NewTimer(s.opts.Gather)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.opts.Served.Changed():
		case <-s.kick:
		}
	}
}

// followTypes watches the types that are served, and forgets those that are no more.
func (s *Source) followTypes(ctx context.Context) {
	if !s.opts.Served.Known() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range kinds() {
		resource, served := k.served(s.opts.Served.Serves)
		w := s.watchers[k.name]
		if w != nil && (!served || w.resource != resource) {
			s.opts.Logger.Info("a type of policies is served no more", "resource", w.resource.String())
			w.end()
			delete(s.watchers, k.name)
			w = nil
		}
		if served && w == nil {
			s.opts.Logger.Info("watching a type of policies", "resource", resource.String())
			w = newWatcher(s.opts.Client, resource, s.poke, func(err error) {
				s.metrics.failures.WithLabelValues(resource.Resource).Inc()
				s.opts.Logger.Warn("the watch on policies was interrupted; those that are known stay in force", "resource", resource.String(), "error", err)
			})
			w.start(ctx, s.poke)
			s.watchers[k.name] = w
		}
	}
}

func (s *Source) endWatchers() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.watchers {
		w.end()
	}
}

// synced says whether everything that was there has been read. After the first time, a new type is taken up
// as it comes.
func (s *Source) synced() bool {
	select {
	case <-s.ready:
		return true
	default:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.watchers {
		if w.holdsUp() {
			return false
		}
	}
	return s.opts.Served.Known()
}

// rebuild takes up what has changed, and puts a new snapshot in force if that makes a difference.
func (s *Source) rebuild(ctx context.Context) {
	entries, changed := s.read()
	if len(changed) == 0 && len(entries) == len(s.entries) {
		return
	}
	snapshot, err := engine.Assemble(s.merge(entries))
	if err != nil { // no two have one name, so that this does not happen; were it to, what is in force must stay
		s.opts.Logger.ErrorContext(ctx, "the policies of the cluster cannot be put in force; those before stay", "error", err)
		return
	}
	for _, k := range changed {
		s.tell(ctx, k, s.entries[k], entries[k])
	}
	s.mu.Lock()
	s.entries = entries
	s.mu.Unlock()
	if before := s.opts.Store.Current(); before.Digest() != snapshot.Digest() {
		s.opts.Changing(snapshot)
		s.opts.Store.Swap(snapshot)
		s.opts.Logger.InfoContext(ctx, "policies of the cluster have changed", "policies", len(snapshot.Policies()), "digest", snapshot.Digest(), "before", before.Digest())
		s.opts.Changed()
	}
	s.refresh(changed)
}

// read gives the entries of all objects, and which of them are new.
func (s *Source) read() (entries map[key]*entry, changed []key) {
	type job struct {
		key    key
		before *entry
		object *unstructured.Unstructured
		after  *entry
	}
	var jobs []*job
	entries = map[key]*entry{}
	s.mu.Lock()
	watchers := maps.Clone(s.watchers)
	s.mu.Unlock()
	for name, w := range watchers {
		for _, u := range w.objects() {
			k := key{name, u.GetNamespace(), u.GetName()}
			before := s.entries[k]
			if before != nil && before.uid == u.GetUID() && before.version == u.GetResourceVersion() {
				entries[k] = before
				continue
			}
			jobs = append(jobs, &job{key: k, before: before, object: u})
		}
	}
	var workers errgroup.Group
	workers.SetLimit(runtime.GOMAXPROCS(0))
	for _, j := range jobs {
		workers.Go(func() error {
			j.after = next(s.compiler, j.before, j.object)
			j.after.kept = s.keeps(j.key)
			return nil
		})
	}
	_ = workers.Wait() // none of them fails
	for _, j := range jobs {
		entries[j.key] = j.after
		changed = append(changed, j.key)
	}
	return entries, changed
}

// tell logs what became of a policy, when that is another thing than before.
func (s *Source) tell(ctx context.Context, k key, before, after *entry) {
	if before != nil && before.content == after.content {
		return
	}
	switch state := after.state(); state {
	case InForce:
		s.opts.Logger.InfoContext(ctx, "took up a policy of the cluster", "policy", k.String(), "generation", after.generation)
		for _, w := range after.good.Warnings {
			s.opts.Logger.WarnContext(ctx, "a policy of the cluster has a remark", "policy", k.String(), "remark", w.String())
		}
	default:
		level := slog.LevelError
		if state == Uncounted { // that is as somebody chose
			level = slog.LevelWarn
		}
		s.opts.Logger.Log(ctx, level, "a policy of the cluster is not in force as it stands", "policy", k.String(), "generation", after.generation,
			"state", string(state), "problem", after.message(k))
	}
}
