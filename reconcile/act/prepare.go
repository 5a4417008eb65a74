package act

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/engine/mutate"
	"github.com/holdfast-io/holdfast/reconcile/plan"
)

// prepared is a target that is as it was planned, with the change of it as it is now.
type prepared struct {
	target  int
	object  map[string]any
	ops     []mutate.Operation
	outcome map[string]any // what the API server says that it would store
}

func (w *working) target(i int) *v1alpha1.Target { return &w.r.Spec.Plan.Targets[i] }

func kindOf(t *v1alpha1.Target) schema.GroupVersionKind {
	return schema.FromAPIVersionAndKind(t.APIVersion, t.Kind)
}

// read reads a target; engine.ErrNotFound if it is gone, or another has its name.
func (e *Executor) read(ctx context.Context, t *v1alpha1.Target) (map[string]any, error) {
	object, err := e.opts.Objects.Get(ctx, kindOf(t), t.Namespace, t.Name)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", t, err)
	}
	if uid := metaText(object, "uid"); uid != t.UID {
		return nil, fmt.Errorf("%s has been deleted, and another has its name (UID %s): %w", t, uid, engine.ErrNotFound)
	}
	return object, nil
}

func metaText(object map[string]any, key string) string {
	meta, _ := object["metadata"].(map[string]any)
	s, _ := meta[key].(string)
	return s
}

// look reads a target. gone says why there is none.
func (w *working) look(i int) (object map[string]any, gone string, err error) {
	object, err = w.read(w.ctx, w.target(i))
	switch {
	case errors.Is(err, engine.ErrNotFound), errors.Is(err, plan.ErrForbidden):
		return nil, err.Error(), nil
	default:
		return object, "", err
	}
}

// prepare plans for a target again, as it is now. why says why it is to be left alone.
func (w *working) prepare(i int, object map[string]any) (p prepared, why string, err error) {
	t := w.target(i)
	resource, _ := w.opts.Resource(kindOf(t))
	server := &watched{Server: w.opts.Objects}
	planner, err := plan.New(plan.Options{Snapshot: w.opts.Snapshots.Current(), Inputs: w.opts.Inputs(), Server: server, Mode: v1alpha1.Enforce})
	if err != nil {
		return p, "", fmt.Errorf("planning again: %w", err)
	}
	items, err := planner.Object(w.ctx, plan.Subject{Kind: kindOf(t), Resource: resource, Object: object})
	if err != nil {
		return p, "", fmt.Errorf("planning again: %w", err)
	}
	item := same(items, &w.r.Spec.Plan, t)
	if item == nil {
		return p, fmt.Sprintf("%s: the rule finds nothing wrong there any more, or is not the one that it was", t), nil
	}
	if o := item.Target.Obstacle; o != nil {
		return p, fmt.Sprintf("%s: %s: %s", t, o.Reason, o.Message), nil
	}
	planned, err := digestOf(w.r, t)
	if err != nil {
		return p, "", err
	}
	again, err := digestOf(w.r, &item.Target)
	if err != nil {
		return p, "", err
	}
	change, outcome := server.of(item.Planned)
	if planned != again || change == nil {
		return p, fmt.Sprintf("%s has changed, and another change would mend it now", t), nil
	}
	return prepared{i, object, change.Patch, outcome}, "", nil
}

// same finds what is planned for the rule and the object of a target.
func same(items []plan.Item, p *v1alpha1.Plan, t *v1alpha1.Target) *plan.Item {
	for i := range items {
		it := &items[i]
		if samePolicy(it.Policy, &p.Policy) && it.Rule == p.Policy.Rule && it.Target.UID == t.UID {
			return it
		}
	}
	return nil
}

// digestOf is the digest of the plan as if it were about this target alone.
func digestOf(r *v1alpha1.Remediation, t *v1alpha1.Target) (string, error) {
	p := v1alpha1.Plan{Policy: r.Spec.Plan.Policy, Strategy: r.Spec.Plan.Strategy, Targets: []v1alpha1.Target{*t}}
	return plan.Digest(&p)
}

// watched remembers what a planner tries.
type watched struct {
	plan.Server
	changes  []*plan.Change
	outcomes []map[string]any
}

// Try hands on, and remembers.
func (s *watched) Try(ctx context.Context, c *plan.Change) (map[string]any, error) {
	stored, err := s.Server.Try(ctx, c)
	if err == nil {
		s.changes, s.outcomes = append(s.changes, c), append(s.outcomes, stored)
	}
	return stored, err
}

// of finds the change that leads to the planned object: the very map, because two rules may want the same.
func (s *watched) of(planned map[string]any) (*plan.Change, map[string]any) {
	for i, c := range s.changes {
		if reflect.ValueOf(c.Object).Pointer() == reflect.ValueOf(planned).Pointer() {
			return c, s.outcomes[i]
		}
	}
	return nil, nil
}
