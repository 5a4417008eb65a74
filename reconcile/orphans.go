package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine"
)

// release deletes what was generated for a trigger that is gone, or that the rule no longer matches.
func (k *Keeper) release(ctx context.Context, t Trigger) error {
	s := k.opts.Snapshots.Current()
	var errs []error
	served, _ := k.opts.Resource(t.Kind) // of a kind that is no longer served, the usual name is asked for
	for _, r := range keepers(s) {
		if r.Selects(&engine.Resource{Kind: t.Kind, Plural: served.Resource}) {
			errs = append(errs, k.deleteOrphans(ctx, s, nil, r, t.UID, t))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	k.mu.Lock()
	if k.lost[t.UID] { // if it is matched again, Found says so
		delete(k.known, t.UID)
		delete(k.lost, t.UID)
	}
	k.mu.Unlock()
	return nil
}

// sweep looks through everything that rules with synchronize have generated, those included that a bundle had
// which has been replaced.
func (k *Keeper) sweep(ctx context.Context) error {
	k.mu.Lock()
	before := k.before
	k.before = nil
	k.mu.Unlock()
	s := k.opts.Snapshots.Current()
	var errs []error
	now := map[string]*engine.Rule{}
	for _, r := range keepers(s) {
		now[ruleKey(r)] = r
		errs = append(errs, k.deleteOrphans(ctx, s, nil, r, "", Trigger{}))
	}
	var again []*engine.Snapshot
	for _, old := range before {
		var failed error
		for _, r := range keepers(old) {
			if n := now[ruleKey(r)]; n == nil || makesOthers(r, n) {
				failed = errors.Join(failed, k.deleteOrphans(ctx, s, old, r, "", Trigger{}))
			}
		}
		if failed != nil {
			again = append(again, old)
			errs = append(errs, failed)
		}
	}
	k.mu.Lock()
	k.before = append(again, k.before...)
	k.mu.Unlock()
	return errors.Join(errs...)
}

// makesOthers reports whether a rule made kinds that it makes no more since it was changed.
func makesOthers(before, now *engine.Rule) bool {
	old, _ := before.Generates()
	kinds, _ := now.Generates()
	return slices.ContainsFunc(old, func(kind schema.GroupVersionKind) bool { return !slices.Contains(kinds, kind) })
}

// keepers are the rules that keep what they generate.
func keepers(s *engine.Snapshot) []*engine.Rule {
	var out []*engine.Rule
	for _, p := range s.Policies() {
		for _, r := range p.Rules {
			if r.Synchronizes() {
				out = append(out, r)
			}
		}
	}
	return out
}

func ruleKey(r *engine.Rule) string { return r.Policy.Kind + "/" + r.Policy.Key() + "/" + r.Name }

// deleteOrphans deletes what the rule has generated, for one trigger or for all, and what is no longer wanted.
func (k *Keeper) deleteOrphans(ctx context.Context, s, before *engine.Snapshot, r *engine.Rule, uid string, t Trigger) error {
	var objects []map[string]any
	var errs []error
	for _, kind := range k.generated(r) {
		found, err := k.listGenerated(ctx, kind, r, uid)
		if err != nil {
			errs = append(errs, err)
		}
		objects = append(objects, found...)
	}
	orphans, err := s.Orphans(ctx, k.opts.Inputs(), engine.OrphanQuery{Objects: objects, Before: before})
	if err != nil {
		errs = append(errs, err)
	}
	for i := range orphans {
		o := &orphans[i]
		k.opts.Logger.Info("what was generated has lost what it was generated for", "object", o.Change.String(), "reason", o.Reason)
		if err := k.carryOut(ctx, &o.Change, o.Rule, t); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// generated lists the kinds that the rule makes. Where only variables tell, they are those that have been
// written since the keeper began.
func (k *Keeper) generated(r *engine.Rule) []schema.GroupVersionKind {
	kinds, open := r.Generates()
	if !open {
		return kinds
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	named := map[schema.GroupVersionKind]bool{}
	for _, kind := range kinds {
		named[kind] = true
	}
	for kind := range k.kinds {
		if !named[kind] {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

func (k *Keeper) listGenerated(ctx context.Context, kind schema.GroupVersionKind, r *engine.Rule, uid string) ([]map[string]any, error) {
	resource, ok := k.opts.Resource(kind)
	if !ok {
		return nil, nil // of what is not served, nothing is there
	}
	selector := labels.SelectorFromSet(r.GeneratedBy(uid)).String()
	list, err := k.opts.Client.Resource(resource).Namespace(r.Policy.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, fmt.Errorf("listing what rule %s generated: %w", ruleKey(r), err)
	}
	out := make([]map[string]any, len(list.Items))
	for i := range list.Items {
		out[i] = engine.Normalize(list.Items[i].Object)
	}
	return out, nil
}
