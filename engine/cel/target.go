package cel

import (
	"context"
	"fmt"

	"github.com/google/cel-go/common/types"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
)

// Selected is what came of a Source's Target.
type Selected struct {
	// Outcome is Pass, Skip where a condition is not met, or Error.
	Outcome Outcome
	// Objects are those that the expression gives: the one object, the elements of a list, or what a list of an API
	// server has as its items; none for null. They are not to be changed.
	Objects []map[string]any
	// Condition is the name of the condition that is not met.
	Condition string
	// Err is the cause of an Error. It wraps ErrExpression if an expression is to blame.
	Err error
}

// Targets evaluates the Source's Target, if the conditions are met.
func (r *Rule) Targets(ctx context.Context, in *Input) Selected {
	e := r.begin(ctx, in)
	met, name, err := e.match()
	switch {
	case err != nil:
		return Selected{Outcome: Error, Err: fmt.Errorf("conditions: %w", err)}
	case !met:
		return Selected{Outcome: Skip, Condition: name}
	}
	e.budget = celconfig.RuntimeCELCostBudget
	v, err := e.run(r.target)
	if err != nil {
		return Selected{Outcome: Error, Err: err}
	}
	made, err := newJSONWriter().value(v, "")
	if err != nil {
		return Selected{Outcome: Error, Err: r.target.failed(err)}
	}
	objects, err := objectsOf(made)
	if err != nil {
		return Selected{Outcome: Error, Err: r.target.failed(err)}
	}
	return Selected{Outcome: Pass, Objects: objects}
}

func objectsOf(v any) ([]map[string]any, error) {
	if o, ok := v.(map[string]any); ok {
		items, isList := o["items"]
		if !isList {
			return []map[string]any{o}, nil
		}
		v = items
	}
	switch list := v.(type) {
	case nil:
		return nil, nil
	case []any:
		out := make([]map[string]any, len(list))
		for i, item := range list {
			ok := false
			if out[i], ok = item.(map[string]any); !ok {
				return nil, fmt.Errorf("element %d is no object", i)
			}
		}
		return out, nil
	default:
		return nil, fmt.Errorf("it gives %T: expected an object or a list of objects", v)
	}
}

func (s *session) compileTarget() {
	if s.src.Target == "" {
		return
	}
	e, ok := s.compile(s.src.Target, s.src.Paths.Target)
	if !ok {
		return
	}
	switch e.output.Kind() {
	case types.BoolKind, types.BytesKind, types.DoubleKind, types.DurationKind, types.IntKind, types.StringKind, types.TimestampKind, types.TypeKind, types.UintKind:
		s.problem(s.src.Paths.Target, fmt.Sprintf("gives %s: expected an object or a list of objects", e.output))
		return
	}
	s.use(e.reading)
	s.rule.target = &e.program
}
