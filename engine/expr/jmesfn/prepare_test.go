package jmesfn

import (
	"reflect"
	"testing"

	"github.com/kyverno/go-jmespath"
)

func parse(t testing.TB, expr string) jmespath.ASTNode {
	t.Helper()
	ast, err := jmespath.NewParser().Parse(expr)
	if err != nil {
		t.Fatal(err)
	}
	return ast
}

func TestPrepareCompilesLiterals(t *testing.T) {
	for _, expr := range []string{
		"regex_match('^a', @)", "regex_replace_all('a', @, 'b')", "regex_replace_all_literal('a', @, 'b')",
		"pattern_match('a*', @)", "random('[a-z]{3}')",
	} {
		ast := parse(t, expr)
		ready, err := Prepare(ast)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := ready.Children[0].Value.(prepared); !ok {
			t.Errorf("%s: the pattern is still %#v", expr, ready.Children[0].Value)
		}
		if !reflect.DeepEqual(ast, parse(t, expr)) {
			t.Errorf("%s: the original was changed", expr)
		}
	}
	ready, err := Prepare(parse(t, "semver_compare(@, '>1.0.0')"))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := ready.Children[1].Value.(prepared); !ok {
		t.Errorf("the range is still %#v", ready.Children[1].Value)
	}
}

func TestPrepareReachesEverywhere(t *testing.T) {
	on := map[string]any{"list": []any{"ab", "b"}}
	got, err := search(t, "list[?regex_match('^a', @)] | {x: map(&pattern_match('a*', @), @)}", on)
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]any{"x": []any{true}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestPrepareRefuses(t *testing.T) {
	for expr, want := range map[string]string{
		"regex_match('a[', @)":                    `function regex_match: argument 1 is no valid regular expression (missing closing ]): "a["`,
		"x[?regex_match('*', @)]":                 `function regex_match: argument 1 is no valid regular expression (missing argument to repetition operator): "*"`,
		"map(&regex_replace_all('(', @, ''), @)":  `function regex_replace_all: argument 1 is no valid regular expression (missing closing )): "("`,
		"semver_compare('1.0.0', 'new')":          `function semver_compare: argument 2 is no valid version range: "new"`,
		"random('')":                              `function random: argument 1 must not be empty: ""`,
		"to_uper(@)":                              `unknown function "to_uper": did you mean "to_upper"?`,
		"a.b[*].regexmatch('a', @)":               `unknown function "regexmatch": did you mean "regex_match"?`,
		"time_now_utcc()":                         `unknown function "time_now_utcc": did you mean "time_now_utc"?`,
		"xyzzy_frobnicate()":                      `unknown function "xyzzy_frobnicate"`,
		"split(@)":                                `function split: want 2 arguments, got 1`,
		"{a: [time_now(@)]}":                      `function time_now: want no arguments, got 1`,
		"merge()":                                 `function merge: want at least 1 argument, got 0`,
		"a || (b && !starts_with('a', 'b', 'c'))": `function starts_with: want 2 arguments, got 3`,
	} {
		if _, err := Prepare(parse(t, expr)); errorText(err) != want {
			t.Errorf("%s\n got %q\nwant %q", expr, errorText(err), want)
		}
	}
}

// A pattern that is no literal is compiled when it is met.
func TestPatternsFromTheDocument(t *testing.T) {
	ready, err := Prepare(parse(t, "regex_match(p, s) && pattern_match(g, s) && semver_compare('1.2.3', r)"))
	if err != nil {
		t.Fatal(err)
	}
	on := map[string]any{"p": "^a", "s": "abc", "g": "a*", "r": ">1.0.0"}
	got, err := jmespath.NewInterpreter().Execute(ready, on, jmespath.WithFunctionCaller(NewCaller(Env{})))
	if err != nil || got != true {
		t.Errorf("got %v, %v", got, err)
	}
}
