package pattern_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/holdfast-io/holdfast/engine/pattern"
)

func TestCompileRefuses(t *testing.T) {
	const anchors = ": the anchors are (k), =(k), ^(k), X(k) and <(k)"
	tests := map[string]struct {
		pattern string
		path    []any
		want    string
	}{
		"an operator without an operand": {`{"a":[{"b":">="}]}`, []any{"a", 0, "b"},
			`compiling the pattern at /a/0/b/: the operator >= needs a number, a quantity or a duration, not ""`},
		"an operator with text": {`{"=(a)":"<many"}`, []any{"=(a)"},
			`compiling the pattern at /=(a)/: the operator < needs a number, a quantity or a duration, not "many"`},
		"an operator that is none": {`{"a":"!=x"}`, []any{"a"},
			`compiling the pattern at /a/: there is no operator !=: write "!x"`},
		"an operator in an element that does not count": {`["x",">x"]`, []any{1},
			`compiling the pattern at /1/: the operator > needs a number, a quantity or a duration, not "x"`},
		"an addition": {`{"a":{"+(b)":"x"}}`, []any{"a", "+(b)"},
			`compiling the pattern at /a/+(b)/: the anchor +(b) has a meaning in mutate rules only`},
		"an unknown anchor": {`{"~(b)":"x"}`, []any{"~(b)"},
			`compiling the pattern at /~(b)/: the key "~(b)" looks like an anchor and is none` + anchors},
		"an anchor in small letters": {`{"x(b)":"x"}`, []any{"x(b)"},
			`compiling the pattern at /x(b)/: the key "x(b)" looks like an anchor and is none` + anchors},
		"an anchor that is not closed": {`{"=(b":"x"}`, []any{"=(b"},
			`compiling the pattern at /=(b/: the key "=(b" looks like an anchor and is none` + anchors},
		"an anchor around nothing": {`{"()":"x"}`, []any{"()"},
			`compiling the pattern at /()/: the key "()" looks like an anchor and is none` + anchors},
		"an anchor in an anchor": {`{"=((b))":"x"}`, []any{"=((b))"},
			`compiling the pattern at /=((b))/: the key "=((b))" has one anchor inside another`},
		"white space in an anchor": {`{"=( b)":"x"}`, []any{"=( b)"},
			`compiling the pattern at /=( b)/: the anchor "=( b)" has white space inside its brackets`},
		"an existence without a list": {`{"^(b)":{"c":"x"}}`, []any{"^(b)"},
			`compiling the pattern at /^(b)/: the anchor ^(k) needs a list with at least one object`},
		"an existence with an empty list": {`{"^(b)":[]}`, []any{"^(b)"},
			`compiling the pattern at /^(b)/: the anchor ^(k) needs a list with at least one object`},
		"an existence with a variable for its list": {`{"^(b)":"{{ request.object.l }}"}`, []any{"^(b)"},
			`compiling the pattern at /^(b)/: the anchor ^(k) needs a list with at least one object`},
		"an existence with text in its list": {`{"^(b)":[{"c":"x"},"x"]}`, []any{"^(b)"},
			`compiling the pattern at /^(b)/: the anchor ^(k) needs a list of objects, and element 1 is none`},
		"a variable that does not parse":                   {`{"a":["{{ request. }}"]}`, []any{"a", 0}, ""},
		"a variable inside a variable that does not parse": {`{"a":"{{ b.{{ c. }} }}"}`, []any{"a"}, ""},
		"a variable in a key that does not parse":          {`{"a":{"{{ request. }}":"x"}}`, []any{"a", "{{ request. }}"}, ""},
		"a bad leaf beside a key with a variable": {`{"{{ request.object.k }}":"x","a":">x"}`, []any{"a"},
			`compiling the pattern at /a/: the operator > needs a number, a quantity or a duration, not "x"`},
		"the place itself, where there is none": {`{"a":"{{ @ }}"}`, []any{"a"}, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			p, err := pattern.Compile(parse(t, tc.pattern), pattern.Options{})
			if p != nil || err == nil {
				t.Fatal("the pattern compiles")
			}
			var at *pattern.CompileError
			if !errors.As(err, &at) {
				t.Fatalf("%v is a %T", err, err)
			}
			if !reflect.DeepEqual(at.Path, tc.path) {
				t.Errorf("path %v, want %v", at.Path, tc.path)
			}
			if tc.want != "" && err.Error() != tc.want {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
}

func TestCompileRefusesWhatJSONDoesNotHave(t *testing.T) {
	_, err := pattern.Compile(object{"a": object{"b": []string{"x"}}}, pattern.Options{})
	want := "compiling the pattern at /a/b/: a []string is no part of a pattern"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestCompileRefusesDepth(t *testing.T) {
	for name, wrap := range map[string]func(any) any{
		"maps":  func(v any) any { return object{"k": v} },
		"lists": func(v any) any { return list{v} },
	} {
		t.Run(name, func(t *testing.T) {
			var tree any = "x"
			for range 100_000 {
				tree = wrap(tree)
			}
			_, err := pattern.Compile(tree, pattern.Options{})
			var at *pattern.CompileError
			if !errors.As(err, &at) {
				t.Fatalf("got %v", err)
			}
			want := fmt.Sprintf("the pattern is nested more than %d deep", pattern.MaxDepth)
			if at.Err.Error() != want || len(at.Path) != pattern.MaxDepth+1 {
				t.Errorf("got %v at depth %d", at.Err, len(at.Path))
			}
		})
	}
}

func TestCompileAccepts(t *testing.T) {
	for name, text := range map[string]string{
		"every anchor":                      `{"(a)":"x","=(b)":1,"^(c)":[{"d":null}],"X(e)":true,"<(f)":0.5}`,
		"an object of variables to exist":   `{"^(c)":["{{ request.object.c }}"]}`,
		"brackets within a name":            `{"lim(its":{"mem)ory":"x"},"fun(x)":"y"}`,
		"a key with white space around":     `{" (a) ":"x"}`,
		"a text with brackets":              `{"a":"~(b)"}`,
		"a text that is nearly an operator": `{"a":">","b":"!","c":"=>5","d":"1 - 2"}`,
		"an escaped variable":               `{"a":"\\{{ x }}"}`,
		"null":                              `null`,
	} {
		t.Run(name, func(t *testing.T) { compile(t, text) })
	}
}

func TestWarnings(t *testing.T) {
	p := compile(t, `{
		"a": [],
		"b": [{"x": "y"}, {"x": "z"}],
		"c": ["ALL", "NET_RAW"],
		"d": [["x"], ["y"]],
		"^(e)": [{"x": "y"}, {"x": "z"}],
		"f": [{"x": "y"}]
	}`)
	var got []string
	for _, w := range p.Warnings() {
		got = append(got, w.Error())
	}
	want := []string{
		"compiling the pattern at /a/: an empty list in a pattern matches no list, not even an empty one",
		"compiling the pattern at /b/: only the first element of this list counts, and every element of the object's list must match it",
		"compiling the pattern at /c/: only the first element of this list counts, and every element of the object's list must match it",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestReferences(t *testing.T) {
	tests := map[string]struct {
		pattern string
		want    []string
	}{
		"none":            {`{"a":"x"}`, nil},
		"leaves and keys": {`{"{{ z }}":"x","a":["{{ request.userInfo.username }}","{{ b.c }} and {{ z.y }}"]}`, []string{"b", "request.userInfo", "z"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := compile(t, tc.pattern).References(); !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
