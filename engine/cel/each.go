package cel

import (
	"context"
	"errors"

	celconfig "k8s.io/apiserver/pkg/apis/cel"
)

// EvaluateEach judges the input by every validation, as an API server does: the results are in the order of the
// validations, and one that is false or has no result does not end the rest. What ends it is too much work, or an error
// from outside: then there is one result, an error. The conditions are not looked at.
func (r *Rule) EvaluateEach(ctx context.Context, in *Input) []Result {
	e := r.begin(ctx, in)
	e.budget = celconfig.RuntimeCELCostBudget
	results := make([]Result, len(r.validations))
	for i := range r.validations {
		v := &r.validations[i]
		ok, err := e.isTrue(&v.program)
		switch {
		case err != nil && (e.exhausted || !errors.Is(err, ErrExpression)):
			return []Result{{Outcome: Error, Expression: i, Err: err}}
		case err != nil:
			results[i] = Result{Outcome: Error, Expression: i, Err: err}
		case ok:
			results[i] = Result{Outcome: Pass, Expression: i}
		default:
			results[i] = Result{Outcome: Fail, Expression: i, Reason: v.reason}
		}
	}
	for i := range results { // what is left of the budget is for the messages
		if results[i].Outcome == Fail {
			results[i].Message = e.message(&r.validations[i])
		}
	}
	return results
}
