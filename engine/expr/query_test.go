package expr

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestQuery(t *testing.T) {
	for src, want := range map[string]any{
		"name":                              "web",
		"request.object.spec.tier":          "front",
		"request.object.spec.ports[1]":      443.0,
		`map."a.b"`:                         "dotted",
		"empty":                             nil,
		"empty.below":                       nil,
		"n.below":                           nil,
		"nobody || 'x'":                     "x",
		"request.object.nobody || 'x'":      "x",
		"length(list)":                      2.0,
		"map.*":                             []any{"dotted", "found"}, // in the order of the keys
		"list[?@ == 'b']":                   []any{"b"},
		"sort_by([{a: `2`}, {a: `1`}], &a)": []any{map[string]any{"a": 1.0}, map[string]any{"a": 2.0}},
		"time_now_utc()":                    "2027-01-15T08:00:00Z",
		"map(&to_upper(@), list)":           []any{"A", "B"},
	} {
		q, err := Compile(src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		got, err := q.Search(environment())
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %#v, %v, want %#v", src, got, err, want)
		}
	}
}

func TestQueryThatIsWrong(t *testing.T) {
	for src, want := range map[string]string{
		"":                              `expression "": the expression is empty`,
		"a b":                           `expression "a b": at character 3: Unexpected token at the end of the expression: tUnquotedIdentifier`,
		"split(name)":                   `expression "split(name)": function split: want 2 arguments, got 1`,
		"&name":                         `expression "&name": &: an expression reference stands as an argument of a function only`,
		"[&name]":                       `expression "[&name]": &: an expression reference stands as an argument of a function only`,
		"map(&[&a], list)":              `expression "map(&[&a], list)": &: an expression reference stands as an argument of a function only`,
		"a || &b":                       `expression "a || &b": &: an expression reference stands as an argument of a function only`,
		strings.Repeat("a", MaxQuery+1): `expression "` + strings.Repeat("a", 64) + `...": the expression is 16385 bytes long, the limit is 16384`,
	} {
		_, err := Compile(src)
		var wrong *SyntaxError
		if !errors.As(err, &wrong) {
			t.Errorf("%.40s: got %v, want a *SyntaxError", src, err)
			continue
		}
		if wrong.Error() != want {
			t.Errorf("%.40s:\n got %s\nwant %s", src, wrong, want)
		}
	}
}

func TestQueryWithoutAClockIsAnError(t *testing.T) {
	q, err := Compile("time_now_utc()")
	if err != nil {
		t.Fatal(err)
	}
	env := environment()
	env.Now = nil
	if v, err := q.Search(env); err == nil {
		t.Errorf("got %v, want an error", v)
	}
}

func FuzzQuery(f *testing.F) {
	for _, s := range []string{"name", "request.object.spec.ports[0]", "list[?@ == 'b'] | [0]", "map.*", "[a, {b: n}]", "&a", "sort_by(@, &a)", "to_upper(name)", "`1`", "'x'", "[@,@]|[@,@]", "map(&[@,@], list)"} {
		f.Add(s)
	}
	env := environment()
	before, err := json.Marshal(env.Root)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, src string) {
		q, err := Compile(src)
		if err != nil {
			var wrong *SyntaxError
			if !errors.As(err, &wrong) {
				t.Errorf("got %v, want a *SyntaxError", err)
			}
			return
		}
		if _, err := q.Search(env); err != nil && err.Error() == "" {
			t.Error("an error without a text")
		}
		after, err := json.Marshal(env.Root)
		if err != nil || string(after) != string(before) {
			t.Fatalf("the document became %s, %v", after, err)
		}
	})
}
