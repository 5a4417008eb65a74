package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/util/workqueue"

	"github.com/holdfast-io/holdfast/engine"
)

// Trigger names an object that rules match.
type Trigger struct {
	Kind            schema.GroupVersionKind
	Namespace, Name string // Namespace is empty for cluster-scoped objects
	UID             string
}

// Snapshots gives the bundle in force.
type Snapshots interface {
	Current() *engine.Snapshot
}

// Options are what a Keeper needs.
type Options struct {
	Client dynamic.Interface
	// Resource gives the resource of a kind, and whether the cluster serves it.
	Resource  func(schema.GroupVersionKind) (schema.GroupVersionResource, bool)
	Snapshots Snapshots
	// Inputs gives the look-ups and the clock of an evaluation.
	Inputs func() *engine.Inputs
	// Journal keeps the record of what is done. Default: nil, there is none.
	Journal Journal
	// Stopped says why nothing at all may be written; empty if it may. It costs nothing. Default: nil, nothing ever stops it.
	Stopped func() string
	// Namespace gives the annotations of a Namespace as they are now, and none of one that is not there. Default: nil,
	// Namespaces have none.
	Namespace func(ctx context.Context, name string) (map[string]string, error)
	Logger    *slog.Logger
	Metrics   prometheus.Registerer // nil for none
	// Sweep is how often everything that was generated is looked through for what has lost its trigger, as the
	// safety net. Default 1 h.
	Sweep time.Duration
	// Retry is the first wait after a failure; it doubles up to RetryMax. Defaults 200 ms and 5 min.
	Retry, RetryMax time.Duration
}

// Validate fills in defaults and names the first field that is missing.
func (o *Options) Validate() error {
	switch {
	case o.Client == nil:
		return errors.New("reconcile options: Client is missing")
	case o.Resource == nil:
		return errors.New("reconcile options: Resource is missing")
	case o.Snapshots == nil:
		return errors.New("reconcile options: Snapshots is missing")
	case o.Inputs == nil:
		return errors.New("reconcile options: Inputs is missing")
	case o.Logger == nil:
		return errors.New("reconcile options: Logger is missing")
	}
	if o.Stopped == nil {
		o.Stopped = func() string { return "" }
	}
	if o.Namespace == nil {
		o.Namespace = func(context.Context, string) (map[string]string, error) { return nil, nil }
	}
	if o.Sweep == 0 {
		o.Sweep = time.Hour
	}
	if o.Retry == 0 {
		o.Retry = 200 * time.Millisecond
	}
	if o.RetryMax == 0 {
		o.RetryMax = 5 * time.Minute
	}
	if o.Sweep < 0 || o.Retry < 0 || o.RetryMax < o.Retry {
		return errors.New("reconcile options: times must be positive, and RetryMax not below Retry")
	}
	return nil
}

// Keeper carries out changes. Make it with New, then Run it. Its other methods return at once, may be called
// at any time, and from several goroutines.
type Keeper struct {
	opts    Options
	metrics *metrics
	// stopped counts the workers that have a task in hand and wait for the kill switch.
	stopped atomic.Int32
	// admitted are requests that rules follow, on the way from Admitted to Follow.
	admitted chan admitted

	mu sync.Mutex
	// queue is there while the keeper runs; early are tasks of just before.
	queue   workqueue.TypedRateLimitingInterface[task]
	early   map[task]bool
	started time.Time
	// known are triggers, by UID, for which rules with synchronize generate, with what they keep; lost are those for
	// which they do no more, until what they made is gone.
	known map[string]string
	lost  map[string]bool
	// acted says on which state of a trigger a rule without synchronize has acted.
	acted map[deed]string
	// kinds are those that have been written.
	kinds map[schema.GroupVersionKind]bool
	// before are bundles that have been replaced, and whose leavings have not been looked for yet.
	before []*engine.Snapshot
}

// task is something to be looked into; equal ones are looked into once.
type task struct {
	trigger Trigger // zero: everything that was generated
	orphans bool    // whether what was generated for it is still wanted; else, what is to be changed for it
}

// deed is what a rule does once for each state of its trigger.
type deed struct{ uid, policy, rule string }

// New checks the options and makes a Keeper.
func New(opts Options) (*Keeper, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	k := &Keeper{opts: opts}
	var err error
	if k.metrics, err = newMetrics(opts.Metrics, k); err != nil {
		return nil, err
	}
	k.admitted = make(chan admitted, maxAdmitted)
	k.reset()
	return k, nil
}

// reset forgets everything: nobody tells what happens while the keeper does not run.
func (k *Keeper) reset() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.queue, k.early = nil, map[task]bool{}
	k.known, k.lost = map[string]string{}, map[string]bool{}
	k.acted, k.kinds, k.before = map[deed]string{}, map[schema.GroupVersionKind]bool{}, nil
}

// begin makes the queue, and puts into it what was found before it was there.
func (k *Keeper) begin() workqueue.TypedRateLimitingInterface[task] {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.started = k.opts.Inputs().Now()
	k.queue = workqueue.NewTypedRateLimitingQueue(
		workqueue.NewTypedItemExponentialFailureRateLimiter[task](k.opts.Retry, k.opts.RetryMax))
	for t := range k.early {
		k.queue.Add(t)
	}
	return k.queue
}

// add asks for a task. The lock must be held.
func (k *Keeper) add(t task) {
	if k.queue == nil {
		k.early[t] = true
		return
	}
	k.queue.Add(t)
}

// since is when the keeper began to run.
func (k *Keeper) since() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.started
}

// waiting is how many tasks wait.
func (k *Keeper) waiting() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.queue == nil {
		return len(k.early)
	}
	return k.queue.Len() + int(k.stopped.Load())
}

// Found tells what an evaluation of the trigger has come to.
func (k *Keeper) Found(t Trigger, decisions []engine.Decision) {
	changes, keeps, what := false, false, ""
	for i := range decisions {
		d := &decisions[i]
		changes = changes || len(d.Changes) > 0
		keeps = keeps || (d.Rule.Synchronizes() && (d.Status == engine.Pass || d.Status == engine.Fail))
		if d.Keeps != "" {
			what += ruleKey(d.Rule) + " " + d.Keeps + "\n"
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if changes {
		k.add(task{trigger: t})
	}
	before, known := k.known[t.UID]
	if keeps {
		k.known[t.UID] = what
		delete(k.lost, t.UID)
	} else if known {
		k.lost[t.UID] = true
	}
	if known && (!keeps || what != before) {
		k.add(task{trigger: t, orphans: true})
	}
}

// Gone tells that the trigger is no longer there.
func (k *Keeper) Gone(t Trigger) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for d := range k.acted {
		if d.uid == t.UID {
			delete(k.acted, d)
		}
	}
	if _, known := k.known[t.UID]; known {
		k.lost[t.UID] = true
		k.add(task{trigger: t, orphans: true})
	}
}

// Replaced tells that another bundle has taken the place of this one, whose rules may have left something. It
// is for whoever runs at that time.
func (k *Keeper) Replaced(before *engine.Snapshot) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.queue != nil {
		k.before = append(k.before, before)
		k.queue.Add(task{orphans: true})
	}
}

// Run carries out changes until the context ends. It must not be called while it runs.
func (k *Keeper) Run(ctx context.Context) error {
	defer k.reset()
	queue := k.begin()
	var running sync.WaitGroup
	const workers = 2 // one may wait for a slow answer
	for range workers {
		running.Go(func() {
			for k.next(ctx, queue) {
			}
		})
	}
	queue.Add(task{orphans: true}) // what lost its trigger while nobody watched
	sweep := time.NewTicker(k.opts.Sweep)
	defer sweep.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-sweep.C:
			queue.Add(task{orphans: true})
		}
	}
	queue.ShutDown()
	running.Wait()
	return nil
}

// next takes one task from the queue. It answers false when there will be no more.
func (k *Keeper) next(ctx context.Context, queue workqueue.TypedRateLimitingInterface[task]) bool {
	t, ended := queue.Get()
	if ended {
		return false
	}
	defer queue.Done(t)
	if !k.released(ctx) {
		return true // it has ended
	}
	var err error
	switch {
	case t.trigger == Trigger{}:
		err = k.sweep(ctx)
	case t.orphans:
		err = k.release(ctx, t.trigger)
	default:
		err = k.act(ctx, t.trigger)
	}
	again, err := later(err)
	if err == nil {
		queue.Forget(t)
		if again > 0 {
			queue.AddAfter(t, again)
		}
		return true
	}
	if ctx.Err() != nil {
		return true
	}
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		// Somebody was quicker than what look-ups show: it is seen soon.
		queue.AddRateLimited(t)
		return true
	}
	k.metrics.failures.Inc()
	k.opts.Logger.Warn("What rules want of other objects could not be carried out; it will be tried again", "trigger", t.trigger.String(), "error", err)
	queue.AddRateLimited(t)
	return true
}

// String names the trigger: Namespace/shop, ConfigMap/shop/settings.
func (t Trigger) String() string {
	switch {
	case t == Trigger{}:
		return "all that was generated"
	case t.Namespace == "":
		return t.Kind.Kind + "/" + t.Name
	default:
		return t.Kind.Kind + "/" + t.Namespace + "/" + t.Name
	}
}

func (k *Keeper) resource(kind schema.GroupVersionKind) (schema.GroupVersionResource, error) {
	r, ok := k.opts.Resource(kind)
	if !ok {
		return r, fmt.Errorf("the cluster does not serve %s", kind)
	}
	return r, nil
}
