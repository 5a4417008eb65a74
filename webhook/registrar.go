package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
)

// Registrar keeps the webhook configurations as the bundle needs them. Several may run with the same
// options: they write the same, and each finds the other's work done.
type Registrar struct {
	opts     RegistrarOptions
	metrics  *registrarMetrics
	kinds    [2]kindOfConfiguration
	kick     chan struct{}
	ready    chan struct{}
	once     sync.Once
	unserved atomic.Pointer[[]Unserved]
	failures workqueue.TypedRateLimiter[string]
	repairs  workqueue.TypedRateLimiter[string]
	repaired time.Time // when something was last put right
	failing  failing
}

// NewRegistrar makes a Registrar that has not written anything yet.
func NewRegistrar(opts RegistrarOptions) (*Registrar, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	m, err := newRegistrarMetrics(opts.Metrics)
	if err != nil {
		return nil, err
	}
	if opts.Name == "" {
		opts.Name = defaultName
	}
	if opts.Recheck == 0 {
		opts.Recheck = defaultRecheck
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	return &Registrar{
		opts: opts, metrics: m, kinds: configurationKinds(opts.Client, opts.Name),
		kick: make(chan struct{}, 1), ready: make(chan struct{}), failing: failing{replicas: opts.Replicas},
		failures: workqueue.NewTypedItemExponentialFailureRateLimiter[string](firstBackoff, lastBackoff),
		repairs:  workqueue.NewTypedItemExponentialFailureRateLimiter[string](firstBackoff, lastBackoff),
	}, nil
}

// Poke says that the bundle has changed. It never blocks.
func (r *Registrar) Poke() { signal(r.kick) }

// Ready is closed once the configurations have been right for the first time.
func (r *Registrar) Ready() <-chan struct{} { return r.ready }

// Unserved lists what policies select and the API server did not serve when last looked at.
func (r *Registrar) Unserved() []Unserved {
	if p := r.unserved.Load(); p != nil {
		return *p
	}
	return nil
}

// FailNotYetOn says why failures are ignored although policies have failurePolicy Fail, or nothing.
func (r *Registrar) FailNotYetOn() string { return r.failing.notYetOn() }

// Run keeps the configurations right until ctx ends. It is called once. Failures are logged and tried again;
// an error comes only from taking the configurations away at the end.
func (r *Registrar) Run(ctx context.Context) error {
	var watches sync.WaitGroup
	watching, stop := context.WithCancel(ctx)
	for _, k := range r.kinds {
		watches.Go(func() { k.watch(watching, r.Poke, r.opts.Logger) })
	}
	r.loop(ctx)
	stop()
	watches.Wait()
	if !r.opts.RemoveOnShutdown {
		return nil
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), removalTimeout)
	defer cancel()
	return r.remove(last)
}

func (r *Registrar) loop(ctx context.Context) {
	for {
		hold, again := r.reconcile(ctx)
		if hold > 0 {
			// Whatever happens meanwhile waits too: it would only be another round of the same fight.
			if !sleep(ctx, hold) {
				return
			}
			continue
		}
		timer := time.NewTimer(again)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-r.kick:
		case <-r.opts.Certificates.Changed():
		case <-r.opts.Resources.Changed():
		case <-r.failing.changed():
		case <-timer.C:
		}
		timer.Stop()
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

const loopKey = "configurations" // the rate limiters keep count by key

// reconcile brings both configurations to what they should be. It answers with how long to hold still
// before looking again, or, if that is 0, when to look again if nothing happens until then.
func (r *Registrar) reconcile(ctx context.Context) (hold, again time.Duration) {
	again = r.opts.Recheck
	changes, err := r.apply(ctx)
	if ctx.Err() != nil {
		return 0, again
	}
	now := time.Now()
	if err != nil {
		r.metrics.failures.Inc()
		r.metrics.inSync.Set(0)
		wait := r.failures.When(loopKey)
		if r.failures.NumRequeues(loopKey) > 1 || !retriable(err) {
			r.opts.Logger.Error("the webhook configurations could not be written; trying again", "error", err, "after", wait)
		}
		return wait, again
	}
	r.failures.Forget(loopKey)
	if slices.Contains(changes, repaired) {
		r.repaired = now
		return r.repairs.When(loopKey), again
	}
	if now.Sub(r.repaired) > peace {
		r.repairs.Forget(loopKey)
	}
	if slices.Contains(changes, waiting) {
		again = min(again, r.opts.RepairAfter)
	}
	return 0, again
}

// apply writes what differs, and says what it did.
func (r *Registrar) apply(ctx context.Context) ([]change, error) {
	snapshot, resources, bundle := r.opts.Snapshots.Current(), r.opts.Resources.Resources(), r.opts.Certificates.CABundle()
	if snapshot == nil || len(resources) == 0 || len(bundle) == 0 {
		return nil, nil // each of the three tells when it is there
	}
	owners, err := r.owners(ctx)
	if err != nil {
		return nil, fmt.Errorf("finding the owners of the webhook configurations: %w", err)
	}
	waits := r.failing.waitsFor()
	wanted, err := Configure(Wanted{
		Name: r.opts.Name, Snapshot: snapshot, Resources: resources, Endpoint: r.opts.Endpoint, CABundle: bundle,
		Spared: r.opts.Spared, Owners: owners, Forgiving: waits != "", Policies: r.opts.Policies, Guards: r.opts.Guards,
	})
	if err != nil {
		return nil, fmt.Errorf("building the webhook configurations: %w", err)
	}
	r.report(wanted.Unserved)
	var changes []change
	var errs []error
	for _, k := range r.kinds {
		c, err := k.apply(ctx, wanted, r.opts.RepairAfter)
		if c == stricter {
			r.opts.Logger.Info("failurePolicy Fail stays on, as it was found", "kind", k.label(), "name", r.opts.Name)
			r.failing.turnOn()
			return r.apply(ctx)
		}
		errs = append(errs, err)
		changes = append(changes, c)
		if err == nil && c != unchanged && c != waiting {
			r.metrics.writes.WithLabelValues(k.label(), c.String()).Inc()
			r.opts.Logger.Info("wrote a webhook configuration", "kind", k.label(), "name", r.opts.Name, "change", c.String(), "bundle", snapshot.Digest())
		}
	}
	if err := errors.Join(errs...); err != nil {
		return changes, err
	}
	if slices.Contains(changes, waiting) {
		return changes, nil
	}
	r.metrics.inSync.Set(1)
	r.metrics.forgiven.Set(float64(wanted.Forgiven))
	if wanted.Forgiven == 0 {
		waits = "" // for nothing
	}
	r.failing.tell(waits, r.opts.Logger)
	r.once.Do(func() { close(r.ready) })
	if r.opts.Applied != nil {
		r.opts.Applied(snapshot)
	}
	return changes, nil
}

func (r *Registrar) owners(ctx context.Context) ([]metav1.OwnerReference, error) {
	if r.opts.Owners == nil {
		return nil, nil
	}
	return r.opts.Owners(ctx)
}

// report tells of kinds that are not served, when they change.
func (r *Registrar) report(list []Unserved) {
	before := r.Unserved()
	if slices.EqualFunc(before, list, func(a, b Unserved) bool { return a.Kind == b.Kind && slices.Equal(a.Policies, b.Policies) }) {
		return
	}
	r.unserved.Store(&list)
	r.metrics.unserved.Set(float64(len(list)))
	for _, u := range list {
		r.opts.Logger.Warn("the API server does not serve a kind that policies select; it is left out until it appears", "kind", u.Kind, "policies", u.Policies)
	}
}

// remove takes away what points to us.
func (r *Registrar) remove(ctx context.Context) error {
	var errs []error
	for _, k := range r.kinds {
		removed, err := k.remove(ctx, r.opts.Endpoint)
		if err != nil {
			errs = append(errs, fmt.Errorf("taking the %s webhook configuration %s away: %w", k.label(), r.opts.Name, err))
		}
		if removed {
			r.opts.Logger.Info("took a webhook configuration away", "kind", k.label(), "name", r.opts.Name)
		}
	}
	return errors.Join(errs...)
}
