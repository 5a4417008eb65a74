package jmesfn

import (
	"errors"
	"io"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/kyverno/go-jmespath"
)

func TestNothingIsTakenFromTheMachine(t *testing.T) {
	caller := NewCaller(Env{})
	for expr, want := range map[string]string{
		"time_now()":     "function time_now: there is no clock here",
		"time_now_utc()": "function time_now_utc: there is no clock here",
		"time_since('', '2024-05-01T00:00:00Z', '')": "function time_since: there is no clock here",
		"random('[a-z]')": "function random: there is no source of randomness here",
	} {
		if _, err := jmespath.Search(expr, nil, jmespath.WithFunctionCaller(caller)); errorText(err) != want {
			t.Errorf("%s: got %q, want %q", expr, errorText(err), want)
		}
	}
	got, err := jmespath.Search("time_since('', '2024-05-01T00:00:00Z', '2024-05-01T01:00:00Z')", nil, jmespath.WithFunctionCaller(caller))
	if err != nil || got != "1h0m0s" {
		t.Errorf("a time_since with an end wants a clock: %v, %v", got, err)
	}
}

func TestRandomnessThatFails(t *testing.T) {
	broken := errors.New("no entropy")
	_, err := NewCaller(Env{Rand: failing{broken}}).CallFunction("random", []any{"a"}, nil)
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

var _ io.Reader = failing{}

// Constants of callers may be whole Go numbers; the answer has float64 only.
func TestWholeNumbers(t *testing.T) {
	caller := NewCaller(Env{})
	for name, c := range map[string]struct {
		args []any
		want any
	}{
		"add":               {[]any{int64(1), 2}, 3.0},
		"sum":               {[]any{[]any{int64(1), 2, 3.0}}, 6.0},
		"max":               {[]any{[]any{int64(1), 2}}, 2.0},
		"avg":               {[]any{[]any{int64(1), 2}}, 1.5},
		"contains":          {[]any{[]any{1.0}, 1}, true},
		"regex_match":       {[]any{"^80$", 80}, true},
		"to_string":         {[]any{80}, "80"},
		"to_number":         {[]any{int64(80)}, 80.0},
		"object_from_lists": {[]any{[]any{1}, []any{"a"}}, map[string]any{"1": "a"}},
		"type":              {[]any{int64(1)}, "number"},
	} {
		args := slices.Clone(c.args)
		got, err := caller.CallFunction(name, args, nil)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %v, %v, want %v", name, got, err, c.want)
		}
		if !reflect.DeepEqual(args, c.args) {
			t.Errorf("%s changed its arguments to %v", name, args)
		}
	}
}

func TestValuesThatAreNotJSON(t *testing.T) {
	_, err := NewCaller(Env{}).CallFunction("length", []any{[]string{"a"}}, nil)
	if want := "function length: argument 1 must be a string or an array or an object, not a Go value of type []string"; errorText(err) != want {
		t.Errorf("got %q", errorText(err))
	}
}

func TestCallersAreShared(t *testing.T) {
	ast, err := Prepare(parse(t, "sort_by(@, &add(n, `1`))[].n"))
	if err != nil {
		t.Fatal(err)
	}
	caller := NewCaller(Env{})
	in := []any{map[string]any{"n": 2.0}, map[string]any{"n": 1.0}}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 100 {
				got, err := jmespath.NewInterpreter().Execute(ast, in, jmespath.WithFunctionCaller(caller))
				if err != nil || !reflect.DeepEqual(got, []any{1.0, 2.0}) {
					t.Errorf("got %v, %v", got, err)
				}
			}
		})
	}
	group.Wait()
}
