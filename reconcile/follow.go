package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/holdfast-io/holdfast/engine"
)

// Some rules can be carried out for requests alone: they read who asks, or their policies are off in the
// background. The replica that admitted the request carries them out, once the write is there. What it has not
// done when it ends is lost; the next write of the object makes up for it.

// admitted is a request that rules follow.
type admitted struct {
	rules *engine.Snapshot
	req   *engine.Request
}

const (
	// maxAdmitted bounds the requests that wait: each holds its object.
	maxAdmitted = 1024
	// followers carry them out side by side, so that one whose write does not come holds up no other.
	followers = 8
	// writtenWithin is how long a write may take from its admission to the store.
	writtenWithin = 10 * time.Second
)

// attempts are the waits between tries of what a request has for consequences: 7 s in all.
func attempts() wait.Backoff {
	return wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Jitter: 0.1, Steps: 7}
}

// Admitted takes a request that was let pass. It returns at once; beyond what it can hold, requests are given
// up and counted.
func (k *Keeper) Admitted(rules *engine.Snapshot, req *engine.Request) {
	select {
	case k.admitted <- admitted{rules, req}:
	default:
		k.metrics.dropped.Inc()
		k.opts.Logger.Warn("too many requests wait for their consequences: this one has none", "request", requestText(req))
	}
}

// Follow carries out what follows from admitted requests, until the context ends. Every replica runs it.
func (k *Keeper) Follow(ctx context.Context) error {
	var running sync.WaitGroup
	for range followers {
		running.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case a := <-k.admitted:
					k.follow(ctx, a)
				}
			}
		})
	}
	running.Wait()
	return nil
}

func (k *Keeper) follow(ctx context.Context, a admitted) {
	there, err := k.awaitWrite(ctx, a.req)
	if err == nil && there {
		err = k.carryOutFor(ctx, a)
	}
	if err != nil && ctx.Err() == nil {
		k.metrics.dropped.Inc()
		k.opts.Logger.Error("what follows from a request could not be carried out, and is given up", "request", requestText(a.req), "error", err)
	}
}

// awaitWrite waits until what was admitted is done. It never is if somebody after us refuses it.
func (k *Keeper) awaitWrite(ctx context.Context, req *engine.Request) (bool, error) {
	if req.SubResource != "" || req.Operation == engine.Connect || req.Name == "" {
		return true, nil // it leaves nothing to wait for
	}
	resource, err := k.resource(req.Kind)
	if err != nil {
		return false, err
	}
	objects := k.opts.Client.Resource(resource).Namespace(req.Namespace)
	var last error
	err = wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, writtenWithin, true, func(ctx context.Context) (bool, error) {
		object, err := objects.Get(ctx, req.Name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			last = nil
			return req.Operation == engine.Delete, nil
		case err != nil:
			last = err
			return false, nil
		}
		last = nil
		switch req.Operation {
		case engine.Delete:
			return object.GetDeletionTimestamp() != nil || string(object.GetUID()) != uidOf(req.Old()), nil
		case engine.Update:
			return object.GetResourceVersion() != (&unstructured.Unstructured{Object: req.Old()}).GetResourceVersion(), nil
		default:
			return uidOf(req.Object) == "" || string(object.GetUID()) == uidOf(req.Object), nil
		}
	})
	if err != nil && last != nil {
		return false, fmt.Errorf("waiting for the write: %w", last)
	}
	return err == nil, nil
}

// carryOutFor evaluates and carries out, again where it fails: each time on what there is then.
func (k *Keeper) carryOutFor(ctx context.Context, a admitted) error {
	var errs []error
	err := wait.ExponentialBackoffWithContext(ctx, attempts(), func(ctx context.Context) (bool, error) {
		errs = nil
		if why := k.opts.Stopped(); why != "" {
			errs = append(errs, &putOff{why, glance})
			return false, nil
		}
		decisions := a.rules.Consequences(ctx, a.req, k.opts.Inputs())
		for i := range decisions {
			d := &decisions[i]
			if d.Status == engine.Error {
				errs = append(errs, fmt.Errorf("%s: %w", who(d.Rule), d.Err))
			}
			for j := range d.Changes {
				c := &d.Changes[j]
				if d.Status == engine.Skip || (c.Action == engine.UpdateObject && len(c.Patch) == 0) {
					continue
				}
				err := k.carryOut(ctx, c, d.Rule, triggerOf(a.req))
				if off := (*putOff)(nil); errors.As(err, &off) && off.again == 0 {
					continue // it is not to be made
				}
				if err != nil {
					errs = append(errs, err)
				}
			}
		}
		return len(errs) == 0, nil
	})
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	return nil
}

func triggerOf(req *engine.Request) Trigger {
	object := req.Object
	if object == nil {
		object = req.Old()
	}
	return Trigger{Kind: req.Kind, Namespace: req.Namespace, Name: req.Name, UID: uidOf(object)}
}

func uidOf(object map[string]any) string {
	return string((&unstructured.Unstructured{Object: object}).GetUID())
}

func requestText(req *engine.Request) string {
	return strings.TrimSpace(string(req.Operation) + " " + triggerOf(req).String() + " " + req.SubResource)
}
