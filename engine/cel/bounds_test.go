package cel

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
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
	packed := bomb(t)
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
		"a format":                   {one("lists.range(500).map(i, '%s').join().format(lists.range(500).map(i, object.text)) != ''"), "the result can be longer than 4194304 bytes"},
		"a format of digits":         {one("lists.range(10).map(i, '%.900000f').join().format(lists.range(10).map(i, 0.5)) != ''"), "the result can be longer than 4194304 bytes"},
		"a replaced expression":      {kyverno("regex.replace(object.text, '.', object.text) != ''"), "the result can be longer than 4194304 bytes"},
		"a replacement with groups":  {kyverno("regex.replace(object.text, '.*', lists.range(1000).map(i, '\\\\0').join()) != ''"), "the result can be longer than 4194304 bytes"},
		"what gzip holds":            {kyverno("gzip.decompress(base64.decode(object.bomb)) != ''"), "gzip.decompress: the text is longer than 4194304 bytes"},
		"what YAML's aliases hold":   {kyverno("yaml.parse(object.laughs) != null"), "yaml.parse: the text is no valid YAML"},
		"a value written as JSON":    {kyverno("json.marshal(lists.range(1000).map(i, object.text)) != ''"), "json.marshal: the value is too large"},
		"a random text":              {kyverno("random('(a{1000})+') != ''"), "random: the result would be longer than 2097152 bytes: too large"},
		"a pattern of nothing":       {kyverno("random('((a{0}){1000}){1000}') != ''"), "random: the pattern is no valid regular expression (invalid repeat count)"},
		"a long reference":           {kyverno("parseImageReference(object.text) != null"), "parseImageReference: a reference of 10000 bytes is longer than 1024"},
		"objects to generate":        {kyverno("generator.Apply('', lists.range(5001).map(i, {'kind': 'A'}))"), "generator.Apply: the expressions of the rule generate more than 5000 objects"},
		"objects one by one":         {kyverno("lists.range(5001).all(i, generator.Apply('', [{'kind': 'A'}]))"), "generator.Apply: the expressions of the rule generate more than 5000 objects"},
		"large objects one by one":   {kyverno("lists.range(2000).all(i, generator.Apply('', [{'data': object.text}]))"), "generator.Apply: object 0: the value is too large"},
		"a body":                     {kyverno("http.Post('https://a', lists.range(1000).map(i, object.text)) != null"), "http.Post: the body: the value is too large"},
		"look-ups in a loop":         {kyverno("lists.range(101).all(i, resource.Get('v1', 'pods', 'a', string(i)) == dyn(null))"), "the expressions of the rule look up more than 100 things"},
		"flattened lists":            {one("lists.range(2000).map(i, object.list).flatten() != []"), "a flat list has more than 1000000 elements"},
		"a text that doubles itself": {one("[string(object.text)]" + strings.Repeat(".map(a, a + a)", 30) + " != []"), "actual cost limit exceeded"},
		"a list that is too long":    {one("5 in [object.list].map(a, lists.range(1000).map(i, a).flatten())[0] + [1]"), "the expressions of the rule cost more than an evaluation may"},
	} {
		t.Run(name, func(t *testing.T) {
			numbers := make([]any, 1000)
			for i := range numbers {
				numbers[i] = float64(i)
			}
			in := &Input{World: shop(), Object: map[string]any{
				"text": strings.Repeat("a", 10_000), "list": numbers, "bomb": packed, "laughs": laughs,
			}}
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

// bomb is 64 MiB in 64 KiB, in base64.
func bomb(t *testing.T) string {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	for range 64 {
		if _, err := w.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(out.Bytes())
}

// laughs is a list of ten lists of ten lists and so on, in a few lines. What is larger, the YAML library refuses itself.
const laughs = `
a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]
b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]
c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]
d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]
e: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]
f: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e]
`

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
