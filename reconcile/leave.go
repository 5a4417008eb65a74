package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/reconcile/plan"
)

const (
	// glance is how often it is looked whether everything is stopped still: what waits goes on within this time.
	glance = 200 * time.Millisecond
	// lookAgain is how soon it is looked again at what is held: holds end, and Namespaces say otherwise, without a word to us.
	lookAgain = time.Minute
)

// putOff is why a change is not made now. That is no failure.
type putOff struct {
	why string
	// again is when to look again; zero where something has to change first of which we hear.
	again time.Duration
}

func (p *putOff) Error() string { return "not done: " + p.why }

// later takes apart what is put off, with when to look again, and what has failed.
func later(err error) (again time.Duration, failed error) {
	if several, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // of errors.Join, and not what something wraps
		var errs []error
		for _, one := range several.Unwrap() {
			soon, failed := later(one)
			if again == 0 || soon > 0 && soon < again {
				again = soon
			}
			errs = append(errs, failed)
		}
		return again, errors.Join(errs...)
	}
	if off := (*putOff)(nil); errors.As(err, &off) {
		return off.again, nil
	}
	return 0, err
}

// released waits as long as everything is stopped. It answers false at the end.
func (k *Keeper) released(ctx context.Context) bool {
	k.stopped.Add(1)
	defer k.stopped.Add(-1)
	for k.opts.Stopped() != "" {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(glance):
		}
	}
	return ctx.Err() == nil
}

// leave says why a change is not to be made, as a *putOff: everything is stopped; the policy, or the Namespace of the object, goes
// less far than to enforce; or somebody holds the object. Any other error means that this could not be found out.
func (k *Keeper) leave(ctx context.Context, c *engine.Change, r *engine.Rule) error {
	if why := k.opts.Stopped(); why != "" {
		return &putOff{why, glance}
	}
	if !plan.Kept(r.Policy) {
		return &putOff{fmt.Sprintf("%s goes only as far as its mode %q", who(r), r.Policy.Annotations[v1alpha1.AnnotationReconcile]), 0}
	}
	var namespace map[string]string
	if c.Namespace != "" {
		var err error
		if namespace, err = k.opts.Namespace(ctx, c.Namespace); err != nil {
			return fmt.Errorf("%s %s for %s: %w", c.Action, c, who(r), err)
		}
	}
	if mode := plan.NamespaceMode(namespace); !mode.Allows(v1alpha1.Enforce) {
		return &putOff{fmt.Sprintf("Namespace %s goes only as far as the mode %q", c.Namespace, mode), lookAgain}
	}
	now := k.opts.Inputs().Now()
	for _, of := range []struct {
		what        string
		annotations map[string]string
	}{
		{c.String(), (&unstructured.Unstructured{Object: c.Current}).GetAnnotations()}, {"Namespace " + c.Namespace, namespace},
	} {
		// One that cannot be read holds without an end.
		hold, held, _ := plan.HoldOf(of.annotations)
		if !held || !hold.Holds(now) {
			continue
		}
		off := &putOff{of.what + " is held", lookAgain}
		if hold.Reason != "" {
			off.why += ": " + hold.Reason
		}
		if left := hold.Until.Sub(now); !hold.Until.IsZero() && left < off.again {
			off.again = max(left, glance)
		}
		return off
	}
	return nil
}
