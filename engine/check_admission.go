package engine

import (
	"errors"
	"fmt"

	"github.com/holdfast-io/holdfast/engine/cel"
)

// admissionCheck is the body of a ValidatingAdmissionPolicy, as one of its bindings puts it in force. It answers as the
// API server would, with one verdict: whether the write is refused, and why.
type admissionCheck struct {
	conditions *celConditions // nil: none
	rule       *cel.Rule
	reads      celReads
	params     *celParams // nil: none
	annotates  bool       // there are auditAnnotations
}

// under is the check with the parameters of a binding. A policy without a kind of parameters has none, whatever a binding
// says; a binding without a reference leaves params null.
func (k *admissionCheck) under(p *Policy, b *Binding) *admissionCheck {
	out := *k
	out.params = b.paramsFor(p)
	return &out
}

// paramsFor gives the parameters that the binding has for the policy, nil for none.
func (b *Binding) paramsFor(p *Policy) *celParams {
	if p.inTree.paramKind == nil || b.params == nil {
		return nil
	}
	params := *b.params
	params.kind = *p.inTree.paramKind
	return &params
}

// check judges the object by each parameter. One failure is enough, in whatever order they come; without one, an error
// is. Nil means that the conditions keep every parameter from having a say.
func (k *admissionCheck) check(x *scope) *Decision {
	params, err := x.e.admissionParams(x.rule.Policy, k.params)
	if err != nil {
		return x.rule.failed(err)
	}
	if len(params) == 0 {
		return x.rule.decide(Pass, "there is no parameter to judge by")
	}
	var worst *Decision
	for _, param := range params {
		d := k.judge(x, param)
		switch {
		case d == nil:
		case d.Status == Fail:
			return d
		case worst == nil || d.Status == Error:
			worst = d
		}
	}
	return worst
}

// judge gives the verdict by one parameter, nil if the conditions are not met.
func (k *admissionCheck) judge(x *scope, param map[string]any) *Decision {
	if k.conditions != nil {
		in := x.e.admissionInput(k.conditions.reads, param)
		met, _, err := k.conditions.rule.Match(x.e.ctx, in)
		if err != nil {
			return k.failed(x, k.conditions.reads, fmt.Errorf("matchConditions: %w", err))
		}
		if !met {
			return nil
		}
	}
	in := x.e.admissionInput(k.reads, param)
	d := k.verdict(x, k.rule.EvaluateEach(x.e.ctx, in))
	if !k.annotates || x.e.unasked() || d.Status == Skip {
		return d
	}
	notes, err := k.rule.Annotate(x.e.ctx, in)
	switch {
	case err == nil:
		d.Annotations = notes
	case d.Status == Pass, d.Status == Fail && x.rule.action.always == Audit:
		// it refuses the write whatever the binding's validationActions are
		return x.rule.failed(err)
	}
	return d
}

// verdict sums up the results of all validations. The first that is not true decides; where errors are ignored, the first
// that is false.
func (k *admissionCheck) verdict(x *scope, results []cel.Result) *Decision {
	var first *cel.Result
	for i := range results {
		res := &results[i]
		switch {
		case res.Outcome == cel.Pass:
		case first == nil:
			first = res
		case first.Outcome == cel.Error && res.Outcome == cel.Fail && x.rule.Policy.FailurePolicy == IgnoreOnError:
			first = res
		}
	}
	switch {
	case first == nil:
		return x.rule.decide(Pass, "")
	case first.Outcome == cel.Fail:
		return x.rule.decide(Fail, first.Message)
	default:
		return k.failed(x, k.reads, first.Err)
	}
}

// failed is the verdict where an expression has no result: with failurePolicy Fail the binding's validationActions say
// what becomes of the write. At rest it is none where the old object is read, which only an update has.
func (k *admissionCheck) failed(x *scope, reads celReads, err error) *Decision {
	if x.e.unasked() && reads.oldObject && errors.Is(err, cel.ErrExpression) {
		return x.rule.notAuditable("needs oldObject")
	}
	d := x.rule.failed(err)
	d.Action = x.rule.action.always
	return d
}
