package engine

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/holdfast-io/holdfast/engine/cel"
	"github.com/holdfast-io/holdfast/engine/merge"
	"github.com/holdfast-io/holdfast/engine/mutate"
)

// celChange is a changer whose patches are made by expressions, each on what the one before made.
type celChange struct {
	rule    *cel.Rule
	reads   celReads
	types   *merge.Types
	atomics merge.Atomics
}

func (k *celChange) apply(x *scope, target mutate.Target) mutate.Result {
	in := x.e.celInput(target.Object, k.reads)
	if x.rule.mutate.targets != nil { // the request is about another object
		in.Object, in.OldObject, in.Namespace = target.Object, nil, nil
	}
	return k.on(x, in)
}

// on changes the object of the input.
func (k *celChange) on(x *scope, in *cel.Input) mutate.Result {
	object := in.Object
	made := k.rule.Mutate(x.e.ctx, in, k.carryOut)
	switch {
	case made.Outcome == cel.Error:
		return mutate.Result{Outcome: mutate.Error, Object: object, Err: k.explain(x, &made)}
	case made.Outcome == cel.Skip:
		return mutate.Result{Outcome: mutate.Skip, Object: object, Message: "conditions not met: " + made.Condition}
	case reflect.DeepEqual(object, made.Object):
		return mutate.Result{Outcome: mutate.Unchanged, Object: object, Annotations: made.Annotations}
	}
	return mutate.Result{Outcome: mutate.Applied, Object: made.Object, Annotations: made.Annotations}
}

// carryOut applies the patch of one mutation, with the words of an API server where it cannot.
func (k *celChange) carryOut(object map[string]any, p cel.Patch) (map[string]any, error) {
	if p.Form == cel.ApplyConfiguration {
		merged, err := k.types.Merge(object, p.Object, k.atomics)
		if err != nil {
			return nil, fmt.Errorf("error applying patch: %w", err)
		}
		return merged, nil
	}
	patched, err := mutate.ApplyServerPatch(object, p.Operations)
	if err != nil {
		return nil, fmt.Errorf("JSON Patch: %w", err)
	}
	return patched, nil
}

// explain says which mutation has no result. At rest there is none to be had where the expressions read the old object,
// which only an update has.
func (k *celChange) explain(x *scope, made *cel.Mutated) error {
	switch {
	case errors.Is(made.Err, cel.ErrExpression) && x.e.unasked() && k.reads.oldObject:
		return fmt.Errorf("%w: needs oldObject", ErrNotAuditable)
	case made.Mutation >= 0:
		return fmt.Errorf("mutations[%d]: %w", made.Mutation, made.Err)
	default:
		return made.Err
	}
}
