package assert_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/holdfast-io/holdfast/engine/assert"
	"github.com/holdfast-io/holdfast/engine/expr"
)

func decode(t testing.TB, text string) any {
	t.Helper()
	var out any
	if err := yaml.Unmarshal([]byte(text), &out); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return out
}

// verdict evaluates a tree on a value with the binding $limit, which is 3.
func verdict(t testing.TB, tree, value string) string {
	t.Helper()
	compiled, err := assert.Compile(decode(t, tree))
	if err != nil {
		t.Fatal(err)
	}
	env := &expr.Env{Functions: expr.NewFunctions()}
	res := compiled.Evaluate(env, decode(t, value), (*expr.Bindings)(nil).With("limit", 3.0))
	if res.Outcome == assert.Error {
		return res.Err.Error()
	}
	lines := []string{res.Outcome.String()}
	for _, f := range res.Failures {
		lines = append(lines, f.String())
	}
	return strings.Join(lines, "; ")
}

func TestEvaluate(t *testing.T) {
	tests := map[string]struct{ tree, value, want string }{
		"fields that are equal":                       {"{a: {b: x, c: 1, d: true, e: null}}", "{a: {b: x, c: 1, d: true, e: null, f: more}}", "pass"},
		"fields that are not":                         {"{a: {b: x, c: 1}}", "{a: {b: v, c: 2}}", `fail; a.b must be "x"; a.c must be 1`},
		"a field that is missing":                     {"{a: {b: {c: x}}}", "{a: {}}", "fail; a.b is missing"},
		"a field below null":                          {"{a: {b: x}}", "{a: null}", "fail; a.b is missing"},
		"a field of a text":                           {"{a: {b: x}}", "{a: x}", "a.b: a field is asked of what is no object but a text"},
		"a text and a number":                         {"{a: '1'}", "{a: 1}", "a: a text is compared with a number"},
		"null and something":                          {"{a: null}", "{a: 1}", "fail; a must be null"},
		"an empty object asks for any value":          {"{a: {}}", "{a: 1}", "pass"},
		"an empty object asks for a value":            {"{a: {}}", "{a: null}", "fail; a is null: it must have a value"},
		"lists element by element":                    {"{a: [x, {b: y}]}", "{a: [x, {b: y, c: z}]}", "pass"},
		"lists of other length":                       {"{a: [x]}", "{a: [x, x]}", "fail; a has 2 elements: expected 1"},
		"a list and null":                             {"{a: [x]}", "{a: null}", "fail; a is null: it must be a list"},
		"a list and a text":                           {"{a: [x]}", "{a: x}", "a: a list is compared with a text"},
		"an expression as key":                        {"{(length(a)): 2}", "{a: [x, y]}", "pass"},
		"an expression as key that differs":           {"{\"(a > `1`)\": true}", "{a: 1}", "fail; (a > `1`) must be true"},
		"an expression on what is not there":          {"{(a.b.c): null}", "{}", "pass"},
		"an expression on the right":                  {"{a: (to_upper('x'))}", "{a: X}", "pass"},
		"an expression on the right, of the value":    {"{a: (to_upper(@))}", "{a: x}", "fail; a must be (to_upper(@))"},
		"an expression that names its language":       {"{'(jp:length(a))': 2}", "{a: [x, y]}", "pass"},
		"an expression that fails":                    {"{(length(a)): 1}", "{a: 1}", "(length(a)): length(a): function length: argument 1 must be a string or an array or an object, not a number"},
		"a list that an expression gives":             {"{a: '([`1`, `2`])'}", "{a: [1, 2]}", "pass"},
		"an object that an expression gives":          {"{a: '({b: `1`})'}", "{a: {b: 1, c: 2}}", "pass"},
		"a key in brackets, escaped":                  {`{\(a)\: x}`, "{(a): x}", "pass"},
		"a text in brackets, escaped":                 {`{a: \(x)\}`, "{a: (x)}", "pass"},
		"a text with brackets in it":                  {"{a: f(x)}", "{a: f(x)}", "pass"},
		"each element":                                {"{~.a: {b: x}}", "{a: [{b: x}, {b: v}, {}]}", `fail; ~.a[1].b must be "x"; ~.a[2].b is missing`},
		"each value of an object":                     {"{~.a: x}", "{a: {k: x, j: v}}", `fail; ~.a[j] must be "x"`},
		"each element of no list":                     {"{~.a: x}", "{a: x}", "~.a: ~ needs a list or an object, and this is a text"},
		"each element of a missing list":              {"{~.a: x}", "{}", "fail; ~.a is missing"},
		"each element of what an expression gives":    {"{'~.(a[?@ > `1`])': {(@ < `3`): true}}", "{a: [1, 2, 3]}", "fail; ~.(a[?@ > `1`])[1].(@ < `3`) must be true"},
		"each element with its index":                 {"{~i.a: ($i)}", "{a: [0, 1, 3]}", "fail; ~i.a[2] must be ($i)"},
		"each value with its key":                     {"{~k.a: {name: ($k)}}", "{a: {x: {name: x}, v: {name: z}}}", "fail; ~k.a[v].name must be ($k)"},
		"a binding that is given":                     {"{a: {(@ < $limit): true}}", "{a: 2}", "pass"},
		"what is bound above":                         {"{a->n: {b: {(@ == $n.c): true}}}", "{a: {b: 1, c: 1}}", "pass"},
		"what is bound beside":                        {"{a: {(@ == $n): true}, (b)->n: {}}", "{a: 1, b: 1}", "pass"},
		"what is bound beside, with space":            {"{a: ($n), b -> n: 1}", "{a: 1, b: 1}", "pass"},
		"a binding ends with what stands below":       {"{a->limit: 1, b: ($limit)}", "{a: 1, b: 1}", "pass"},
		"elements and bindings in one key":            {"{'~.(a)->all': {'(contains($all, @))': true}}", "{a: [1, 2]}", "pass"},
		"the whole value":                             {"x", "x", "pass"},
		"the whole value, which differs":              {"x", "v", `fail; the value must be "x"`},
		"a text that begins like a selection":         {"{a: ~1.2, b: 'x->y'}", "{a: ~1.2, b: 'x->y'}", "pass"},
		"a large number":                              {"{a: 9007199254740993}", "{a: 9007199254740993}", "pass"},
		"one key of an object of an expression lacks": {"{a: '({b: `1`, c: `2`})'}", "{a: {b: 1}}", "fail; a must be ({b: `1`, c: `2`})"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := verdict(t, tc.tree, tc.value); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestCompileErrors(t *testing.T) {
	tests := map[string]struct {
		tree, want string
		path       []any
	}{
		"an expression as key":       {"{a: [{(b ==): x}]}", `compiling the assertion at /a/0/(b ==): expression "b ==": at character 5: Incomplete expression`, []any{"a", 0, "(b ==)"}},
		"an expression on the right": {"{a: (nope())}", `compiling the assertion at /a: expression "nope()": unknown function "nope": did you mean "type"?`, []any{"a"}},
		"an unknown language":        {"{'(cel:a)': x}", `compiling the assertion at /(cel:a): unknown expression language "cel": expected jp, for JMESPath`, []any{"(cel:a)"}},
		"elements on the right":      {"{a: ~.(b)}", "compiling the assertion at /a: ~ selects elements: it belongs to a key", []any{"a"}},
		"a binding on the right":     {"{a: (b)->c}", "compiling the assertion at /a: -> binds what a key selects: it belongs to a key", []any{"a"}},
		"a selection of nothing":     {"{~.: x}", "compiling the assertion at /~.: names no field", []any{"~."}},
		"a name for two things":      {"{'~n.(a)->n': x}", "compiling the assertion at /~n.(a)->n: binds $n twice", []any{"~n.(a)->n"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := assert.Compile(decode(t, tc.tree))
			var problem *assert.CompileError
			if !errors.As(err, &problem) {
				t.Fatalf("got %v", err)
			}
			if err.Error() != tc.want || !slices.Equal(problem.Path, tc.path) {
				t.Errorf("got  %v at %v\nwant %s at %v", err, problem.Path, tc.want, tc.path)
			}
		})
	}
}

func TestWhatATreeReads(t *testing.T) {
	tests := map[string]struct{ tree, refs, bindings string }{
		"fields":                    {"{object: {a: ($x)}, ~.oldObject: {}, operation->o: {(@ == $o): true}}", "object oldObject operation", "x"},
		"expressions":               {"{(object.a == $y && length(oldObject.b) > `1`): true}", "object oldObject", "y"},
		"the whole":                 {"{(keys(@)): [a]}", "@", ""},
		"a list":                    {"[a]", "@", ""},
		"names bound on the way":    {"{object->o: {~i.a: {b: ($i), c: ($o), d: ($z)}}}", "object", "z"},
		"a name used after its end": {"{a: {b->n: x}, c: ($n)}", "a c", "n"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			tree, err := assert.Compile(decode(t, tc.tree))
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(tree.References(), " "); got != tc.refs {
				t.Errorf("references: got %s, want %s", got, tc.refs)
			}
			if got := strings.Join(tree.Bindings(), " "); got != tc.bindings {
				t.Errorf("bindings: got %s, want %s", got, tc.bindings)
			}
		})
	}
}

func TestUnboundNamesAreAnError(t *testing.T) {
	const want = "a: $nobody: $nobody is not bound to a value here"
	if got := verdict(t, "{a: ($nobody)}", "{a: 1}"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Whatever comes in, there is a verdict, and it is the same each time.
func FuzzEvaluate(f *testing.F) {
	f.Add("{a: {(b): c}}", "{a: {b: c}}")
	f.Add("{~i.a->n: {($n[$i]): (@)}}", "{a: [1, {x: y}]}")
	f.Add(`{\(a)\: [(x), "~.y"], "(jp:z)": null}`, `{(a): [x, y]}`)
	f.Fuzz(func(t *testing.T, tree, value string) {
		var doc, object any
		if yaml.Unmarshal([]byte(tree), &doc) != nil || yaml.Unmarshal([]byte(value), &object) != nil {
			return
		}
		compiled, err := assert.Compile(doc)
		if err != nil {
			return
		}
		env := &expr.Env{Functions: expr.NewFunctions()}
		first, again := compiled.Evaluate(env, object, nil), compiled.Evaluate(env, object, nil)
		if first.Outcome != again.Outcome || !slices.Equal(first.Failures, again.Failures) {
			t.Errorf("first %v, then %v", first, again)
		}
	})
}
