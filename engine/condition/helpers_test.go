package condition_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast-io/holdfast/engine/condition"
	"github.com/holdfast-io/holdfast/engine/expr"
)

type (
	list   = []any
	object = map[string]any
)

func one(key any, operator string, value any) object {
	return object{"key": key, "operator": operator, "value": value}
}

func environment(root object) *expr.Env {
	return &expr.Env{Root: root, Functions: expr.NewFunctions()}
}

func compile(t testing.TB, raw any) *condition.Conditions {
	t.Helper()
	c, err := condition.Compile(raw)
	if err != nil {
		t.Fatalf("Compile(%v): %v", raw, err)
	}
	return c
}

// ask evaluates one comparison in each way that it can be written: both sides in the policy, either
// in a variable, both in variables. All must agree.
func ask(t testing.TB, key any, operator string, value any) (bool, error) {
	t.Helper()
	env := environment(object{"k": key, "v": value})
	type answer struct {
		met  bool
		text string
	}
	var first *answer
	var firstErr error
	for _, k := range []any{"{{ k }}", key} {
		for _, v := range []any{"{{ v }}", value} {
			if k == nil {
				continue // a null key cannot be written
			}
			res, err := compile(t, list{one(k, operator, v)}).Evaluate(env)
			got := answer{met: res.Met}
			if err != nil {
				got.text = err.Error()
			}
			if first == nil {
				first, firstErr = &got, err
			} else if got != *first {
				t.Fatalf("%#v %s %#v: %+v by variables and %+v with key %#v, value %#v", key, operator, value, *first, got, k, v)
			}
		}
	}
	return first.met, firstErr
}

// check asks a comparison that has an answer.
func check(t testing.TB, key any, operator string, value any, want bool) {
	t.Helper()
	got, err := ask(t, key, operator, value)
	if err != nil {
		t.Errorf("%#v %s %#v: %v", key, operator, value, err)
	} else if got != want {
		t.Errorf("%#v %s %#v = %v, want %v", key, operator, value, got, want)
	}
}

func compileRapid(t *rapid.T, raw object) *condition.Conditions {
	c, err := condition.Compile(list{raw})
	if err != nil {
		t.Fatalf("Compile(%v): %v", raw, err)
	}
	return c
}
