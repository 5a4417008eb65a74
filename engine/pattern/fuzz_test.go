package pattern_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"github.com/holdfast-io/holdfast/engine/expr"
	"github.com/holdfast-io/holdfast/engine/pattern"
)

// No pattern and no object may panic, change the object, or give an outcome that does not hang together.
func FuzzMatch(f *testing.F) {
	f.Add(`{"spec":{"containers":[{"(name)":"!x","image":"*:?*"}]}}`, `{"spec":{"containers":[{"name":"y","image":"a:b"}]}}`)
	f.Add(`{"=(metadata)":{"=(labels)":{"X(a*)":null,"(b?)":"x"}}}`, `{"metadata":{"labels":{"ab":"x","bc":"x"}}}`)
	f.Add(`{"^(l)":[{"<(a)":">1"}],"b":[["x"],["y"]]}`, `{"l":[{"a":2}],"b":[["x"]]}`)
	f.Add(`{"a":"{{ request.object.b }}","{{ request.object.k }}":"1Mi-1Gi"}`, `{"a":{"(c)":"x"},"b":{"(c)":"y"},"k":"(d)"}`)
	f.Add(`[null,5,true,"<1h"]`, `[null]`)
	functions := expr.NewFunctions()
	f.Fuzz(func(t *testing.T, patternText, objectText string) {
		var tree, value, before any
		if json.Unmarshal([]byte(patternText), &tree) != nil || json.Unmarshal([]byte(objectText), &value) != nil {
			return
		}
		if err := json.Unmarshal([]byte(objectText), &before); err != nil {
			t.Fatal(err)
		}
		p, err := pattern.Compile(tree, pattern.Options{Self: []string{"request", "object"}})
		if err != nil {
			var at *pattern.CompileError
			if !errors.As(err, &at) {
				t.Fatalf("%v is a %T", err, err)
			}
			return
		}
		env := &expr.Env{Root: map[string]any{"request": map[string]any{"object": value}}, Functions: functions}
		got := p.Match(env, value)
		if (got.Err != nil) != (got.Outcome == pattern.Error) {
			t.Fatalf("outcome %v with the error %v", got.Outcome, got.Err)
		}
		if (got.Message == "") != (got.Outcome == pattern.Pass || got.Outcome == pattern.Error && got.Path == "") {
			t.Fatalf("outcome %v with the message %q", got.Outcome, got.Message)
		}
		_ = got.Text()
		if !reflect.DeepEqual(value, before) {
			t.Fatal("the object changed")
		}
	})
}

func FuzzScalar(f *testing.F) {
	for _, seed := range [][2]string{{">1", "2"}, {"1Mi-1Gi", `"5Mi"`}, {"!a* & ?b | <10s", `"3s"`}, {"1e999-2", "null"}, {"-5--1", "-3"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, text, valueText string) {
		s, err := pattern.CompileScalar(text)
		if err != nil {
			t.Fatal(err)
		}
		if !s.Match(text) {
			t.Fatalf("%q does not match itself", text)
		}
		_ = s.Check()
		var value any
		if json.Unmarshal([]byte(valueText), &value) != nil {
			return
		}
		got := s.Match(value)
		if again := s.Match(value); got != again {
			t.Fatalf("%q on %s: got %v, then %v", text, valueText, got, again)
		}
		leaf, err := pattern.CompileScalar(value)
		if err == nil && value != nil && !leaf.Match(value) {
			t.Fatalf("%s does not match itself", valueText)
		}
	})
}
