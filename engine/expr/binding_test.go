package expr

import (
	"errors"
	"reflect"
	"slices"
	"testing"
)

func TestBindings(t *testing.T) {
	b := (*Bindings)(nil).With("n", 1.0).With("list", []any{"a", "b"}).With("n", 2.0).With("o", map[string]any{"k": "v"})
	for src, want := range map[string]any{
		"$n":                                2.0,
		" $o.k ":                            "v",
		"$list[1]":                          "b",
		"list[?@ == $list[1]]":              []any{"b"},
		"request.object.spec | $o.k":        "v",
		"contains($list, list[0])":          true,
		"map(&join('-', [@, $o.k]), $list)": []any{"a-v", "b-v"},
		"{n: $n, s: '$n', t: `\"$n\"`}":     map[string]any{"n": 2.0, "s": "$n", "t": "$n"},
		`map."a.b" || $n`:                   "dotted",
		`"$n"`:                              nil, // a key that is called so
		"nobody || $n":                      2.0,
		"$list[*].{i: @, n: $n}":            []any{map[string]any{"i": "a", "n": 2.0}, map[string]any{"i": "b", "n": 2.0}},
	} {
		q, err := CompileBound(src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		env := environment()
		got, err := q.SearchBound(env, env.Root, b)
		if want == nil && errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %#v, %v, want %#v", src, got, err, want)
		}
	}
}

func TestBindingsAreListed(t *testing.T) {
	q, err := CompileBound("length($b) == $a && request.object.x == $b && '$c'")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := q.Bindings(), []string{"a", "b"}; !slices.Equal(got, want) {
		t.Errorf("bindings: got %v, want %v", got, want)
	}
	if got, want := q.References(), []string{"request.object.x"}; !slices.Equal(got, want) {
		t.Errorf("references: got %v, want %v", got, want)
	}
	if got, want := q.String(), "length($b) == $a && request.object.x == $b && '$c'"; got != want {
		t.Errorf("text: got %s, want %s", got, want)
	}
}

func TestBindingsThatAreWrong(t *testing.T) {
	for src, want := range map[string]string{
		"a.$b":  `expression "a.$b": at character 3: a binding is no field: it cannot follow a dot`,
		"$ + 1": `expression "$ + 1": at character 1: $ begins the name of a binding, and there is none`,
		"$a ==": `expression "$a ==": Incomplete expression`,
	} {
		if _, err := CompileBound(src); err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", src, err, want)
		}
	}
	q, err := CompileBound("a.b || $x")
	if err != nil {
		t.Fatal(err)
	}
	const want = "a.b || $x: $x is not bound to a value here"
	if _, err := q.SearchBound(environment(), map[string]any{}, (*Bindings)(nil).With("y", 1.0)); err == nil || err.Error() != want {
		t.Errorf("unbound:\n got %v\nwant %s", err, want)
	}
	if _, err := Compile("$x"); err == nil {
		t.Error("an expression without bindings reads one")
	}
}

// An expression keeps no value from one evaluation to the next.
func TestBindingsAreNotKept(t *testing.T) {
	q, err := CompileBound("[$x, $x]")
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []any{1.0, "two"} {
		got, err := q.SearchBound(environment(), map[string]any{}, (*Bindings)(nil).With("x", value))
		if want := []any{value, value}; err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	}
}
