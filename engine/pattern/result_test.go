package pattern_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/holdfast-io/holdfast/engine/pattern"
)

func TestMessages(t *testing.T) {
	long := strings.Repeat("é", 60)
	tests := map[string]struct {
		pattern, object string
		message, text   string
		expected, found any
	}{
		"text": {`{"a":"!x"}`, `{"a":"x"}`,
			`must match "!x"`, `must match "!x", found "x"`, "!x", "x"},
		"a number":   {`{"a":5}`, `{"a":6}`, "must be 5", "must be 5, found 6", float64(5), float64(6)},
		"a fraction": {`{"a":0.5}`, `{"a":true}`, "must be 0.5", "must be 0.5, found true", 0.5, true},
		"a boolean":  {`{"a":true}`, `{"a":"true"}`, "must be true", `must be true, found "true"`, true, "true"},
		"null":       {`{"a":null}`, `{"a":{"b":1}}`, "must be empty", "must be empty, found an object", nil, object{"b": 1.0}},
		"an object":  {`{"a":{"b":"x"}}`, `{"a":["x"]}`, "must be an object", "must be an object, found a list of 1", nil, list{"x"}},
		"a list":     {`{"a":["x"]}`, `{"a":"x"}`, "must be a list", `must be a list, found "x"`, nil, "x"},
		"an element": {`{"a":["x*"]}`, `{"a":["x","y"]}`,
			`must match "x*"`, `must match "x*", found "y"`, "x*", "y"},
		"a missing key": {`{"a":"x"}`, `{}`,
			`is not set, and must match "x"`, `is not set, and must match "x"`, "x", nil},
		"a missing object": {`{"a":{"b":"x"}}`, `{}`,
			`is not set, and must be an object`, `is not set, and must be an object`, nil, nil},
		"a missing key within an object": {`{"a":{"b":"x"}}`, `{"a":{}}`,
			`is not set, and must match "x"`, `is not set, and must match "x"`, "x", nil},
		"a key within an object": {`{"a":{"b":"x"}}`, `{"a":{"b":"y"}}`,
			`must match "x"`, `must match "x", found "y"`, "x", "y"},
		"a star": {`{"a":{"b":"*"}}`, `{"a":{}}`, `must have the key "b"`, `must have the key "b"`, nil, nil},
		"a negation": {`{"X(a)":"x"}`, `{"a":"y"}`,
			"must not be set", `must not be set, found "y"`, nil, "y"},
		"an existence": {`{"^(a)":[{"b":"x"}]}`, `{"a":[{"b":"y"}]}`,
			"has no element that the pattern asks for", "has no element that the pattern asks for, found a list of 1", nil, list{object{"b": "y"}}},
		"an empty list": {`{"a":[]}`, `{"a":[]}`,
			"cannot match: the list in the pattern is empty", "cannot match: the list in the pattern is empty, found a list of 0", nil, list{}},
		"a condition":                  {`{"(a)":"x"}`, `{"a":"y"}`, `must match "x"`, `must match "x"`, "x", "y"},
		"a condition on a missing key": {`{"(a)":"x"}`, `{}`, "is not set", "is not set", nil, nil},
		"a long value": {`{"a":"x"}`, `{"a":"` + long + `"}`,
			`must match "x"`, `must match "x", found "` + long[:80] + `..."`, "x", long},
		"too few elements": {`{"a":[["x"],["y"]]}`, `{"a":[]}`,
			"must have at least 2 elements", "must have at least 2 elements", nil, list{}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := compile(t, tc.pattern).Match(nil, parse(t, tc.object))
			if got.Message != tc.message || got.Text() != tc.text {
				t.Errorf("got  %q, %q\nwant %q, %q", got.Message, got.Text(), tc.message, tc.text)
			}
			if !reflect.DeepEqual(got.Expected, tc.expected) || !reflect.DeepEqual(got.Found, tc.found) {
				t.Errorf("expected %#v, found %#v; want %#v, %#v", got.Expected, got.Found, tc.expected, tc.found)
			}
		})
	}
}

func TestPassSaysNothing(t *testing.T) {
	if got := compile(t, `{"a":"x"}`).Match(nil, object{"a": "x"}); !reflect.DeepEqual(got, pattern.Result{}) {
		t.Errorf("got %+v", got)
	}
}

// What a message is made of may be shown to anyone who may read the policy: no value of the object is in
// it, even where a variable brings one into the pattern.
func TestMessagesHoldNoValues(t *testing.T) {
	env := testEnv(t, `{"request":{"object":{"data":{"password":"hunter2","map":{"hunter2":"hunter2"},"list":["hunter2"]}}}}`)
	for _, leaf := range []string{"password", "map", "list"} {
		text := fmt.Sprintf("{{ request.object.data.%s }}", leaf)
		p, err := pattern.Compile(object{"data": object{"password": text}}, pattern.Options{})
		if err != nil {
			t.Fatal(err)
		}
		got := p.Match(env, object{"data": object{"password": "hunter3"}})
		if got.Outcome != pattern.Fail || strings.Contains(got.Message, "hunter") {
			t.Errorf("%s: got %v: %s", leaf, got.Outcome, got.Message)
		}
		if want := `must match "` + text + `"`; got.Message != want {
			t.Errorf("got %s, want %s", got.Message, want)
		}
	}
	got := compile(t, `{"{{ 'data' }}":{"password":"{{ request.object.data.password }}"}}`).
		Match(env, object{"data": object{"password": "hunter3"}})
	if want := "must match the pattern"; got.Message != want || got.Expected != "hunter2" {
		t.Errorf("got %s, expected %v; want %s", got.Message, got.Expected, want)
	}
}

func TestMismatchErrors(t *testing.T) {
	tests := map[string]struct{ pattern, object, want string }{
		"an anchored key that is nowhere": {`{"^(l)":[{"a":"x"}],"b":"y"}`, `{"b":"no"}`,
			`the object does not match the pattern, and a key that the pattern anchors is nowhere in it: must match "y"`},
		"a list that is too short": {`[["x"],["y"]]`, `[]`,
			`the object does not match the pattern: must have at least 2 elements`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := compile(t, tc.pattern).Match(nil, parse(t, tc.object))
			if !errors.Is(got.Err, pattern.ErrMismatch) || got.Err.Error() != tc.want {
				t.Errorf("got %v, want %s", got.Err, tc.want)
			}
		})
	}
}

func TestOutcomeNames(t *testing.T) {
	for outcome, want := range map[pattern.Outcome]string{pattern.Pass: "pass", pattern.Fail: "fail", pattern.Skip: "skip", pattern.Error: "error"} {
		if got := outcome.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
