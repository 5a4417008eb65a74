package cel

import (
	"strings"
	"testing"
)

// The functions that are bound again mean what they mean to an API server; property_test.go compares values, this the
// functions.
func TestBoundFunctions(t *testing.T) {
	for expression, want := range map[string]string{
		"lists.range(3) == [0, 1, 2] && lists.range(0) == []":                                "pass",
		"lists.range(-1) == []":                                                              "lists.range: size must be non-negative, got -1",
		"'abab'.replace('a', 'c') == 'cbcb' && 'abab'.replace('a', '', 1) == 'bab'":          "pass",
		"'ab'.replace('', '-') == '-a-b-' && 'aaa'.replace('a', 'b', 0) == 'aaa'":            "pass",
		"'aaa'.replace('a', 'b', -1) == 'bbb' && 'é'.replace('', '-') == '-é-'":              "pass",
		"['a', 'b'].join() == 'ab' && ['a', 'b'].join(', ') == 'a, b' && [].join('x') == ''": "pass",
		"object.list.join() == ''":                                                           "no such overload: join(list)",
		"[[1], [2, 3]].flatten() == [1, 2, 3] && [1, [2, [3]]].flatten(2) == [1, 2, 3]":      "pass",
		"object.list.flatten() == [1, 2, 3]":                                                 "pass",
		"[dyn(1)].flatten(-1) == []":                                                         "level must be non-negative",
		"object.flatten() == []":                                                             "no such overload: map(dyn, dyn).flatten()",
	} {
		t.Run(expression, func(t *testing.T) {
			if strings.Contains(expression, "[1, [2") {
				expression = strings.Replace(expression, "[1, [2, [3]]]", "[dyn(1), dyn([2, [3]])]", 1)
				expression = strings.Replace(expression, "dyn([2, [3]])", "dyn([dyn(2), dyn([3])])", 1)
			}
			if want != "pass" {
				want = "error 0: expression '" + expression + "': " + want
			}
			got := mustCompile(t, one(expression)).Evaluate(t.Context(), &Input{Object: parse(t, "{list: [1, [2, 3]]}")})
			same(t, "result", line(got), want)
		})
	}
}

// GHSA-r2rj-wwm5-x6mq: nothing grows without bound before anybody looks at its size.
func TestNothingGrowsWithoutBound(t *testing.T) {
	doubled := withVariables(one("variables.v39 != null"), "v0", "object.list")
	for i := 1; i < 40; i++ {
		last := "variables.v" + string(rune('0'+(i-1)/10)) + string(rune('0'+(i-1)%10))
		last = strings.Replace(last, "v0", "v", 1)
		name := strings.Replace("v"+string(rune('0'+i/10))+string(rune('0'+i%10)), "v0", "v", 1)
		doubled.Variables = append(doubled.Variables, withVariables(Source{}, name, last+" + "+last).Variables...)
	}
	for name, c := range map[string]struct {
		src  Source
		want string // the end of the error
	}{
		"a range":                    {one("lists.range(1000000000000) != []"), "a list of 1000000000000 elements is longer than 1000000"},
		"a replacement":              {one("object.text.replace('a', object.text) != ''"), "a text of 100000000 bytes is longer than 4194304"},
		"joined texts":               {one("lists.range(1000).map(i, object.text).join() != ''"), "a text of 4200000 bytes is longer than 4194304"},
		"flattened lists":            {one("lists.range(2000).map(i, object.list).flatten() != []"), "a flat list has more than 1000000 elements"},
		"a text that doubles itself": {one("[string(object.text)]" + strings.Repeat(".map(a, a + a)", 30) + " != []"), "actual cost limit exceeded"},
		"a list that is too long":    {one("5 in [object.list].map(a, lists.range(1000).map(i, a).flatten())[0] + [1]"), "the expressions of the rule cost more than an evaluation may"},
	} {
		t.Run(name, func(t *testing.T) {
			numbers := make([]any, 1000)
			for i := range numbers {
				numbers[i] = float64(i)
			}
			in := &Input{Object: map[string]any{"text": strings.Repeat("a", 10_000), "list": numbers}}
			got := mustCompile(t, c.src).Evaluate(t.Context(), in)
			if got.Err == nil || !strings.HasSuffix(got.Err.Error(), c.want) {
				t.Errorf("got %s, want an error that ends with %s", line(got), c.want)
			}
		})
	}
	t.Run("variables that double one another", func(t *testing.T) {
		_, err := NewCompiler().Compile(doubled)
		const want = "holds the same value more than 1000 times: comparing it would take too long"
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	})
}

func TestNesting(t *testing.T) {
	const want = "compiling CEL: /0/expression: holds the same value more than 1000 times: comparing it would take too long"
	for expression, ok := range map[string]bool{
		"[object]" + strings.Repeat(".map(a, [a, a])", 8) + " == [oldObject]":                                      true,
		"[object]" + strings.Repeat(".map(a, [a, a])", 10) + " == [oldObject]":                                     false,
		"[object]" + strings.Repeat(".map(a, {'x': a, 'y': a})", 10) + " == [oldObject]":                           false,
		"[object]" + strings.Repeat(".map(a, a.?x.orValue([a, a]))", 10) + " == [oldObject]":                       false,
		"[object]" + strings.Repeat(".transformList(i, a, [a, a])", 10) + " == [oldObject]":                        false,
		"object.list.map(a, a.x + a.y + a.z).filter(a, size(a) > 1).all(a, a != [] && a != [1])":                   true,
		strings.Repeat("object.a == object.b || ", 2000) + "true":                                                  true,
		strings.Repeat("(object.a == object.b ? object.c : ", 100) + "object" + strings.Repeat(")", 100) + " == 1": true,
	} {
		_, err := NewCompiler().Compile(one(expression))
		switch {
		case ok && err != nil:
			t.Errorf("%.60s: %v", expression, err)
		case !ok && (err == nil || err.Error() != want):
			t.Errorf("%.60s: got %v, want %s", expression, err, want)
		}
	}
}
