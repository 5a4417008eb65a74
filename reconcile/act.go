package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/holdfast-io/holdfast/engine"
)

// FieldManager is the name under which fields are written.
const FieldManager = "holdfast"

// recent is how old a write of a trigger may be, when the keeper starts, that it acts upon: what happened
// while no replica led is made up for, and what was taken away on purpose long ago stays away.
const recent = 10 * time.Minute

// act evaluates the trigger as it is now, and carries out what its rules want.
func (k *Keeper) act(ctx context.Context, t Trigger) error {
	resource, err := k.resource(t.Kind)
	if err != nil {
		return err
	}
	trigger, err := k.opts.Client.Resource(resource).Namespace(t.Namespace).Get(ctx, t.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || (err == nil && string(trigger.GetUID()) != t.UID) {
		return nil // Gone tells what follows from that
	}
	if err != nil {
		return fmt.Errorf("reading the trigger: %w", err)
	}
	state := stateOf(trigger)
	fresh := k.since().Sub(lastWrite(trigger)) < recent
	found, err := k.opts.Snapshots.Current().Audit(ctx, &engine.Request{
		Operation: engine.Create, Kind: t.Kind, Resource: resource, Namespace: t.Namespace, Name: t.Name,
		Object: engine.Normalize(trigger.Object),
	}, k.opts.Inputs())
	if err != nil {
		return fmt.Errorf("evaluating the trigger: %w", err)
	}
	var errs []error
	for i := range found.Decisions {
		d := &found.Decisions[i]
		once := deed{t.UID, d.Policy.Kind + "/" + d.Policy.Key() + "@" + d.Policy.Digest, d.Rule.Name}
		done := len(d.Changes) > 0
		for j := range d.Changes {
			c := &d.Changes[j]
			if !c.Synchronize && !k.due(once, state, fresh || c.Existing) {
				continue
			}
			if err := k.carryOut(ctx, c, d.Rule, t); err != nil {
				errs = append(errs, err)
				done = false
			}
		}
		if done {
			k.mu.Lock()
			k.acted[once] = state
			k.mu.Unlock()
		}
	}
	return errors.Join(errs...)
}

// due reports whether a rule without synchronize is to act on the trigger in this state. It acts once on each:
// what it made and somebody has taken away stays away until the trigger is written again.
func (k *Keeper) due(once deed, state string, now bool) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	acted, ok := k.acted[once]
	if ok {
		return acted != state
	}
	return now
}

// stateOf tells one write of the object from the next. The generation does not count writes of the status.
func stateOf(o *unstructured.Unstructured) string {
	if g := o.GetGeneration(); g > 0 {
		return "generation " + strconv.FormatInt(g, 10)
	}
	return o.GetResourceVersion()
}

// lastWrite is when the object was last written, as far as it tells.
func lastWrite(o *unstructured.Unstructured) time.Time {
	last := o.GetCreationTimestamp().Time
	for _, f := range o.GetManagedFields() {
		if f.Time != nil && f.Subresource == "" && f.Time.After(last) {
			last = f.Time.Time
		}
	}
	return last
}

// carryOut writes one change, over the very state that was evaluated.
func (k *Keeper) carryOut(ctx context.Context, c *engine.Change, r *engine.Rule, t Trigger) error {
	if err := k.leave(ctx, c, r); err != nil {
		return err
	}
	ended, err := k.intend(ctx, c, r, t)
	if err != nil {
		return fmt.Errorf("%s %s for %s: not done, because it could not be recorded: %w", c.Action, c, who(r), err)
	}
	if why := k.opts.Stopped(); why != "" { // the record may have taken its time
		ended(errors.New("not done: " + why))
		return &putOff{why, glance}
	}
	err = k.write(ctx, c)
	if err != nil && c.Action == engine.DeleteObject && apierrors.IsNotFound(err) {
		err = nil
	}
	ended(err)
	outcome := "done"
	if err != nil {
		outcome = "failed"
	}
	k.metrics.changes.WithLabelValues(string(c.Action), outcome).Inc()
	if err != nil {
		if apierrors.IsForbidden(err) {
			err = fmt.Errorf("%w (grant it to holdfast's ServiceAccount: chart value reconcile.rules)", err)
		}
		return fmt.Errorf("%s %s for %s: %w", c.Action, c, who(r), err)
	}
	k.mu.Lock()
	k.kinds[c.Kind] = true
	k.mu.Unlock()
	k.opts.Logger.Info("carried out what a rule wants", "action", string(c.Action), "object", c.String(), "policyKind", r.Policy.Kind, "policy", r.Policy.Key(), "rule", r.Name, "trigger", t.String())
	return nil
}

// who names a rule in a sentence.
func who(r *engine.Rule) string {
	text := "policy " + r.Policy.Key()
	if r.Name != "" {
		text += ", rule " + r.Name
	}
	return text
}

func (k *Keeper) write(ctx context.Context, c *engine.Change) error {
	resource, err := k.resource(c.Kind)
	if err != nil {
		return err
	}
	objects := k.opts.Client.Resource(resource).Namespace(c.Namespace)
	if c.Action == engine.DeleteObject {
		current := unstructured.Unstructured{Object: c.Current}
		uid, version := current.GetUID(), current.GetResourceVersion()
		return objects.Delete(ctx, c.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid, ResourceVersion: &version}})
	}
	wanted := &unstructured.Unstructured{Object: copyOf(c.Object)}
	wanted.SetGroupVersionKind(c.Kind)
	wanted.SetName(c.Name)
	wanted.SetNamespace(c.Namespace)
	switch {
	case c.ServerSideApply:
		raw, err := wanted.MarshalJSON()
		if err != nil {
			return fmt.Errorf("writing the object as JSON: %w", err)
		}
		force := true
		_, err = objects.Patch(ctx, c.Name, types.ApplyPatchType, raw, metav1.PatchOptions{FieldManager: FieldManager, Force: &force})
		return err
	case c.Action == engine.CreateObject:
		_, err = objects.Create(ctx, wanted, metav1.CreateOptions{FieldManager: FieldManager})
		return err
	default:
		current := unstructured.Unstructured{Object: c.Current}
		wanted.SetUID(current.GetUID())
		wanted.SetResourceVersion(current.GetResourceVersion())
		_, err = objects.Update(ctx, wanted, metav1.UpdateOptions{FieldManager: FieldManager})
		return err
	}
}

// copyOf copies what is going to be changed: the top of the object and its metadata. The rest is shared with
// the evaluation, and stays as it is.
func copyOf(object map[string]any) map[string]any {
	out := make(map[string]any, len(object)+2)
	for k, v := range object {
		out[k] = v
	}
	meta, _ := object["metadata"].(map[string]any)
	own := make(map[string]any, len(meta)+2)
	for k, v := range meta {
		own[k] = v
	}
	out["metadata"] = own
	return out
}
