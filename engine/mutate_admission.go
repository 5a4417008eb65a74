package engine

import (
	"errors"
	"fmt"

	"github.com/holdfast-io/holdfast/engine/cel"
	"github.com/holdfast-io/holdfast/engine/mutate"
)

// admissionChange is the change of a MutatingAdmissionPolicy, as one of its bindings puts it in force.
type admissionChange struct {
	conditions *celConditions // nil: none
	change     *celChange
	params     *celParams // nil: none
}

// under is the change with the parameters of a binding.
func (k *admissionChange) under(p *Policy, b *Binding) *admissionChange {
	out := *k
	out.params = b.paramsFor(p)
	return &out
}

// apply changes the object by each parameter, on what the one before made of it.
func (k *admissionChange) apply(x *scope, target mutate.Target) mutate.Result {
	failed := func(err error) mutate.Result {
		return mutate.Result{Outcome: mutate.Error, Object: target.Object, Err: err}
	}
	params, err := x.e.admissionParams(x.rule.Policy, k.params)
	if err != nil {
		return failed(err)
	}
	sum := mutate.Result{Outcome: mutate.Skip, Object: target.Object, Message: "matchConditions not met"}
	if len(params) == 0 {
		sum.Message = "there is no parameter to mutate by"
	}
	for _, param := range params {
		met, err := k.meets(x, sum.Object, param)
		if err != nil {
			return failed(err)
		}
		if !met {
			continue
		}
		in := x.e.admissionInput(k.change.reads, param)
		in.Object = sum.Object
		made := k.change.on(x, in)
		switch {
		case made.Outcome == mutate.Error:
			return failed(made.Err)
		case made.Outcome == mutate.Applied:
			sum = mutate.Result{Outcome: mutate.Applied, Object: made.Object}
		case sum.Outcome == mutate.Skip:
			sum = made
		}
	}
	return sum
}

func (k *admissionChange) meets(x *scope, object, param map[string]any) (bool, error) {
	if k.conditions == nil {
		return true, nil
	}
	in := x.e.admissionInput(k.conditions.reads, param)
	in.Object = object
	met, _, err := k.conditions.rule.Match(x.e.ctx, in)
	switch {
	case errors.Is(err, cel.ErrExpression) && x.e.unasked() && k.conditions.reads.oldObject:
		return false, fmt.Errorf("%w: needs oldObject", ErrNotAuditable)
	case err != nil:
		return false, fmt.Errorf("matchConditions: %w", err)
	}
	return met, nil
}
