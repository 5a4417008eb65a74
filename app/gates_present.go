package app

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/audit"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/reconcile/gate"
	"github.com/holdfast-io/holdfast/reconcile/plan"
)

// present finds out about an object as it is now what the gates go by.
type present struct {
	inputs   func() *engine.Inputs
	resource func(schema.GroupVersionKind) (schema.GroupVersionResource, bool)
	settle   audit.Settle
}

// add says of the facts' object until when it may be in a passing state, and, where there are exceptions at all, which one
// excuses it from the rule.
func (p *present) add(ctx context.Context, s *engine.Snapshot, f *gate.Facts) error {
	ref := &f.Remediation.Spec.Plan.Policy
	policy := policyOfSnapshot(s, ref)
	if f.Object == nil || policy == nil {
		return nil // other gates stop it
	}
	t, object := f.Target, &unstructured.Unstructured{Object: f.Object}
	if seen, generation, says := gate.Observed(f.Object); !says || seen < generation {
		if last := lastWritten(object); last != nil {
			f.Settles = last.Time.Add(p.settle.For(policy, t.Namespace))
		}
	}
	if len(s.Exceptions()) == 0 {
		return nil
	}
	kind := schema.FromAPIVersionAndKind(t.APIVersion, t.Kind)
	resource, _ := p.resource(kind)
	found, err := s.Audit(ctx, &engine.Request{
		Operation: engine.Create, Kind: kind, Resource: resource, Namespace: t.Namespace, Name: t.Name, Object: f.Object,
	}, p.inputs())
	if err != nil {
		return fmt.Errorf("judging %s: %w", t, err)
	}
	for i := range found.Decisions {
		if d := &found.Decisions[i]; d.Policy == policy && plan.AuthorsRule(d.Rule) == ref.Rule && len(d.Exceptions) > 0 && d.Status != engine.Fail {
			f.Exception = d.Exceptions[0]
		}
	}
	return nil
}
