package jmesfn

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/kyverno/go-jmespath"
)

func searchPrepared(t *testing.T, expr string, on any) (any, error) {
	t.Helper()
	ready, err := Prepare(parse(t, expr))
	if err != nil {
		return nil, err
	}
	return jmespath.NewInterpreter().Execute(ready, on, jmespath.WithFunctionCaller(NewCaller(testEnv())))
}

func TestObjectProjectionsAreInOrder(t *testing.T) {
	on := map[string]any{
		"labels": map[string]any{"e": "5", "b": "2", "d": "4", "a": "1", "c": "3"},
		"deep":   map[string]any{"y": map[string]any{"n": 2.0}, "x": map[string]any{"n": 1.0}, "z": map[string]any{}},
	}
	for expr, want := range map[string]any{
		"labels.*":               []any{"1", "2", "3", "4", "5"},
		"labels.*.to_number(@)":  []any{1.0, 2.0, 3.0, 4.0, 5.0}, // the library asks about five nulls first
		"deep.*.n":               []any{1.0, 2.0},
		"*.e":                    []any{"5"},
		"missing.*":              nil,
		"length(labels).*":       nil,
		"merge(labels, null1).*": nil, // fails, which the library takes for null
		"deep.*.*":               []any{[]any{1.0}, []any{2.0}, []any{}},
	} {
		for range 5 {
			got, err := searchPrepared(t, expr, on)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("%s: got %v, %v, want %v", expr, got, err, want)
			}
		}
	}
}

// Flattening and filtering are the library's own, in results: errors on the left are null.
func TestRewritingChangesNoAnswer(t *testing.T) {
	on := map[string]any{
		"lists": []any{[]any{1.0, []any{2.0}}, nil, 3.0, []any{}, map[string]any{"a": 1.0}},
		"pods":  []any{map[string]any{"n": "a", "c": []any{1.0}}, map[string]any{"n": "b"}},
		"text":  "x",
	}
	for _, expr := range []string{
		"lists[]", "lists[][]", "text[]", "missing[]", "@[]", "pods[].c[]", "pods[].n", "[pods, pods][][].n", "lists[].to_string(@)",
		"keys(missing)[]", "keys(@)[]", "keys(missing)[?@ == 'x']", "keys(text)[?@ == 'x'].y", "sort(keys(@))[?@ != 'text']",
		"pods[?n == 'a'].c[]", "pods[?c[?@ == `1`]].n", "pods[::0][]", "pods[::0][?n]", "pods[?contains(n, 'a')].n", "to_upper(`1`)[] | type(@)",
		"pods[?to_number(n)[] == `null`].n", "map(&c[], pods)", "map(&keys(@)[?@ == 'n'], pods)", "missing[?a]", "text[?a]", "[?a]", "[].a",
	} {
		caller := jmespath.WithFunctionCaller(NewCaller(testEnv()))
		want, wantErr := jmespath.NewInterpreter().Execute(parse(t, expr), on, caller)
		got, err := searchPrepared(t, expr, on)
		if errorText(err) != errorText(wantErr) || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, %v, the library %v, %v", expr, got, err, want, wantErr)
		}
	}
}

func TestBoundsAreNotTakenForNull(t *testing.T) {
	on := map[string]any{"s": strings.Repeat(",", MaxItems)}
	const want = "function split: the result would have more than 100000 elements: too large"
	for _, expr := range []string{
		"split(s, ',')[]", "split(s, ',')[?@ == 'x']", "length(split(s, ',')[?@ == 'x'])", "merge({a: split(s, ',')}).*",
		"map(&split(s, ',')[?@ == 'x'], [@])", "missing || split(s, ',')[]",
	} {
		_, err := searchPrepared(t, expr, on)
		if errorText(err) != want {
			t.Errorf("%s: got error %q, want %q", expr, errorText(err), want)
		}
	}
}

func TestFlatteningIsBounded(t *testing.T) {
	list := make([]any, MaxItems/2+1)
	for i := range list {
		list[i] = 1.0
	}
	_, err := searchPrepared(t, "[@, @][]", list)
	if want := "the result would have more than 100000 elements: too large"; errorText(err) != want {
		t.Errorf("got error %q, want %q", errorText(err), want)
	}
	got, err := searchPrepared(t, "length([@, @][])", list[:MaxItems/2])
	if err != nil || got != float64(MaxItems) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestFanout(t *testing.T) {
	const refused = "the expression selects the same value more than 16384 times: too large"
	for name, c := range map[string]struct {
		expr string
		want string
	}{
		"fourteen doublings by nested projections": {"@" + strings.Repeat("[*].[@,@]", 14), ""},
		"fifteen":                             {"@" + strings.Repeat("[*].[@,@]", 15), refused},
		"a hundred":                           {"@" + strings.Repeat("[*].[@,@]", 100), refused},
		"doublings by flattening":             {"@" + strings.Repeat("|[@,@][]", 40), refused},
		"doublings by objects":                {"@" + strings.Repeat("|{a:@,b:@}", 40), refused},
		"doublings by values of objects":      {"@" + strings.Repeat("|{a:@,b:@}.*", 40), refused},
		"doublings in references":             {strings.Repeat("map(&[@,@], ", 40) + "@" + strings.Repeat(")", 40), refused},
		"doublings in a filter":               {"x[?[@,@]" + strings.Repeat("|[@,@]", 40) + "]", refused},
		"doublings in a comparison":           {"a == (@" + strings.Repeat("|[@,@]", 40) + ")", refused},
		"doublings behind a filter":           {"x[?a]" + strings.Repeat(".[@,@][?@]", 40), refused},
		"a long pipe of functions":            {"@" + strings.Repeat("|replace_all(@, 'a', 'b')", 100), ""},
		"a long pipe of lists with constants": {"@" + strings.Repeat("|[@, 'a'][]", 100), ""},
		"a wide object":                       {"{" + strings.Repeat("a: x, ", 100) + "b: y}", ""},
		"many conditions":                     {"a" + strings.Repeat(" || b && !c", 100), ""},
		"strings that are joined":             {"@" + strings.Repeat("|join('', [@, @])", 100), ""},
		"three kinds of containers":           {"[containers, initContainers, ephemeralContainers][].{n: name, i: image, s: [securityContext, resources][]}[?n].[n, i]", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Prepare(parse(t, c.expr))
			if errorText(err) != c.want {
				t.Fatalf("got %q, want %q", errorText(err), c.want)
			}
			if err != nil && !errors.Is(err, ErrTooLarge) {
				t.Fatal("the error does not wrap ErrTooLarge")
			}
		})
	}
}
