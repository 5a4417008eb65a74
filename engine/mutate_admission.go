package engine

import (
	"errors"
	"fmt"
	"slices"

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

// apply changes the object by each parameter, on what the one before made of it. As by an API server, with failurePolicy
// Ignore one that gives no result does not keep the others from being heeded, and when it is asked again, those that did
// not meet the conditions at first are left out.
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
	var ignored error
	_, again := x.e.seen[x.rule]
	for _, param := range params {
		if again && !slices.Contains(x.e.took[x.rule], parameterName(param)) {
			continue
		}
		made := k.by(x, sum.Object, param)
		switch {
		case made.Outcome == mutate.Error && x.rule.Policy.FailurePolicy == IgnoreOnError && errors.Is(made.Err, cel.ErrExpression):
			ignored = made.Err
		case made.Outcome == mutate.Error:
			return failed(made.Err)
		case made.Outcome == mutate.Applied:
			sum = mutate.Result{Outcome: mutate.Applied, Object: made.Object}
		case sum.Outcome == mutate.Skip && made.Outcome != mutate.Skip:
			sum = made
		}
	}
	if ignored != nil && sum.Outcome != mutate.Applied {
		return failed(ignored)
	}
	return sum
}

// by changes the object by one parameter, if that meets the conditions.
func (k *admissionChange) by(x *scope, object, param map[string]any) mutate.Result {
	met, err := k.meets(x, object, param)
	switch {
	case err != nil:
		return mutate.Result{Outcome: mutate.Error, Object: object, Err: err}
	case !met:
		return mutate.Result{Outcome: mutate.Skip, Object: object}
	}
	x.e.take(x.rule, parameterName(param))
	in := x.e.admissionInput(k.change.reads, param)
	in.Object = object
	return k.change.on(x, in)
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
