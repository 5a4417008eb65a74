package live

import (
	"context"
	"reflect"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/util/workqueue"

	"github.com/holdfast-io/holdfast/engine"
)

// fieldManager marks our writes in managedFields.
const fieldManager = "holdfast-policies"

const (
	// Writes that fail are tried again after a tenth of a second, then twice as long, and so on.
	firstRetry, lastRetry = 100 * time.Millisecond, 30 * time.Second
	// A status that somebody else writes over again and again is put right ever more seldom.
	firstRepair, lastRepair = time.Second, 5 * time.Minute
)

// statuses is the work of the replica that writes the status of policies.
type statuses struct {
	source *Source
	queue  workqueue.TypedRateLimitingInterface[key]
	// wrote remembers, for each policy, what was written last.
	wrote map[key]written
	// answers are about rights of ours that were asked about lately.
	answers map[right]answer
}

// written is a status that was written once. Should it not be there any more, somebody else has written.
type written struct {
	generation int64
	verdict    verdict
	at         time.Time
	patience   time.Duration // before it is written again
	// stored is what the API server made of it: it may fill in defaults.
	stored any
}

// WriteStatuses writes the status of the policies, whenever it changes, until ctx ends. One replica does so
// at a time. It may be run again.
func (s *Source) WriteStatuses(ctx context.Context) error {
	w := &statuses{
		source: s, wrote: map[key]written{}, answers: map[right]answer{},
		queue: workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[key](firstRetry, lastRetry)),
	}
	s.mu.Lock()
	s.statuses = w
	for k := range s.entries {
		w.queue.Add(k)
	}
	s.mu.Unlock()
	var working sync.WaitGroup
	working.Go(func() { w.work(ctx) })
	<-ctx.Done()
	s.mu.Lock()
	s.statuses = nil
	s.mu.Unlock()
	w.queue.ShutDown()
	working.Wait()
	return nil
}

// Applied tells that the webhook configurations are made of the snapshot: it is one that was put in force.
// It does not block.
func (s *Source) Applied(snapshot *engine.Snapshot) {
	policies := snapshot.Policies()
	applied := make(map[string]string, len(policies))
	for _, p := range policies {
		applied[key{p.Kind, p.Namespace, p.Name}.String()] = p.Digest
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, e := range s.entries {
		if name := k.String(); s.statuses != nil && e.counts() && statusOf(k.kind) != noStatus && applied[name] == e.good.Policy.Digest && s.applied[name] != applied[name] {
			s.statuses.queue.Add(k)
		}
	}
	s.applied = applied
}

// refresh has the statuses of policies looked at.
func (s *Source) refresh(keys []key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.statuses == nil {
		return
	}
	for _, k := range keys {
		s.statuses.queue.Add(k)
	}
}

// work takes keys until the queue is shut down.
func (w *statuses) work(ctx context.Context) {
	for {
		k, end := w.queue.Get()
		if end {
			return
		}
		again, err := w.write(ctx, k)
		w.queue.Done(k)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			if !apierrors.IsConflict(err) { // of a conflict the watch tells
				w.source.opts.Logger.WarnContext(ctx, "the status of a policy could not be written; trying again", "policy", k.String(), "error", err)
			}
			w.queue.AddRateLimited(k)
		default:
			w.queue.Forget(k)
			if again > 0 {
				w.queue.AddAfter(k, again)
			}
		}
	}
}

// write brings one status to what it should be, if it can be told; else it says when to look again.
func (w *statuses) write(ctx context.Context, k key) (again time.Duration, err error) {
	s := w.source
	s.mu.Lock()
	e, watcher := s.entries[k], s.watchers[k.kind]
	var v verdict
	known := false
	if e != nil && statusOf(k.kind) != noStatus {
		v, known = s.judge(k, e)
	}
	s.mu.Unlock()
	if e == nil || watcher == nil || statusOf(k.kind) == noStatus {
		delete(w.wrote, k)
		return 0, nil
	}
	u := watcher.get(k)
	if u == nil || u.GetUID() != e.uid || u.GetGeneration() != e.generation {
		return 0, nil // a newer one is about to be taken up, which comes here again
	}
	before := w.wrote[k]
	if known && v.inForce != nil && statusOf(k.kind) == celStatus {
		if v.rights, again, err = w.rights(ctx, v.inForce.Policy); err != nil {
			return 0, err
		}
		v.ready = v.ready && v.rights.missing == ""
	}
	if !known {
		// What is said once it is known makes two writes of one.
		if before.generation != e.generation || before.verdict.ready {
			w.wrote[k] = written{generation: e.generation, at: time.Now()}
			return s.opts.Grace, nil
		}
		if left := s.opts.Grace - time.Since(before.at); left > 0 {
			return left, nil
		}
	}
	status, differs, err := v.status(k, u)
	if err != nil || !differs {
		return again, err
	}
	next := written{generation: e.generation, verdict: v, at: time.Now(), patience: firstRepair}
	if before.generation == e.generation && before.verdict == v {
		if onlyGeneration(k, u, status) || reflect.DeepEqual(u.Object["status"], before.stored) {
			return again, nil
		}
		if left := before.patience - time.Since(before.at); left > 0 {
			return left, nil
		}
		next.patience = min(2*before.patience, lastRepair)
	}
	if next.stored, err = w.put(ctx, watcher, u, status); err != nil {
		return 0, err
	}
	w.wrote[k] = next
	s.opts.Logger.InfoContext(ctx, "wrote the status of a policy", "policy", k.String(), "generation", e.generation, "ready", v.ready)
	return again, nil
}

// put writes through the status subresource, on the version that was read, and gives what is there then.
func (w *statuses) put(ctx context.Context, watcher *watcher, u *unstructured.Unstructured, status map[string]any) (any, error) {
	object := u.DeepCopy()
	object.Object["status"] = status
	now, err := w.source.opts.Client.Resource(watcher.resource).Namespace(u.GetNamespace()).
		UpdateStatus(ctx, object, metav1.UpdateOptions{FieldManager: fieldManager})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil // it has gone meanwhile
	case err != nil:
		return nil, err
	default:
		return now.Object["status"], nil
	}
}
