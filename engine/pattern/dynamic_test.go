package pattern_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/holdfast-io/holdfast/engine/expr"
	"github.com/holdfast-io/holdfast/engine/pattern"
)

func testEnv(t testing.TB, root string) *expr.Env {
	t.Helper()
	return &expr.Env{Root: parse(t, root).(map[string]any), Functions: expr.NewFunctions()}
}

func TestMatchVariables(t *testing.T) {
	const root = `{
		"text": "x", "number": 5, "fraction": 0.5, "yes": true, "nothing": null, "star": "*", "empty": "",
		"operator": ">= 5", "mistake": ">abc", "list": ["x", "y"], "none": [], "key": "k",
		"map": {"b": "x", "c": ">1"}, "objects": [{"b": "x"}],
		"condition": {"(b)": "x", "c": "y"}, "brackets": {"f(b)": "x", "+(c)": "y"},
		"anchor": "(k)", "labels": {"a*": "x"}
	}`
	tests := map[string]matchTest{
		"text":                                   {`{"a":"{{ text }}"}`, `{"a":"x"}`, pattern.Pass, ""},
		"text that differs":                      {`{"a":"{{ text }}"}`, `{"a":"y"}`, pattern.Fail, "/a/"},
		"a number":                               {`{"a":"{{ number }}"}`, `{"a":5}`, pattern.Pass, ""},
		"a fraction":                             {`{"a":"{{ fraction }}"}`, `{"a":0.5}`, pattern.Pass, ""},
		"a boolean keeps its type":               {`{"a":"{{ yes }}"}`, `{"a":"true"}`, pattern.Fail, "/a/"},
		"null":                                   {`{"a":"{{ nothing }}"}`, `{"a":false}`, pattern.Pass, ""},
		"a star asks for the key":                {`{"a":"{{ star }}"}`, `{}`, pattern.Fail, "/"},
		"a star takes a map":                     {`{"a":"{{ star }}"}`, `{"a":{}}`, pattern.Pass, ""},
		"an operator in the value":               {`{"a":"{{ operator }}"}`, `{"a":4}`, pattern.Fail, "/a/"},
		"an operator before the value":           {`{"a":">{{ number }}"}`, `{"a":6}`, pattern.Pass, ""},
		"a range of values":                      {`{"a":"{{ fraction }}-{{ number }}"}`, `{"a":6}`, pattern.Fail, "/a/"},
		"a mistake in a value never holds":       {`{"a":"{{ mistake }} | z"}`, `{"a":"z"}`, pattern.Pass, ""},
		"a list of text: the first decides":      {`{"a":"{{ list }}"}`, `{"a":["x","x"]}`, pattern.Pass, ""},
		"a list of text, and text is there":      {`{"a":"{{ list }}"}`, `{"a":"x"}`, pattern.Fail, "/a/"},
		"an empty list":                          {`{"a":"{{ none }}"}`, `{"a":[]}`, pattern.Fail, "/a/"},
		"a map":                                  {`{"a":"{{ map }}"}`, `{"a":{"b":"x","c":2}}`, pattern.Pass, ""},
		"a map, and a leaf of it differs":        {`{"a":"{{ map }}"}`, `{"a":{"b":"x","c":1}}`, pattern.Fail, "/a/c/"},
		"a list of maps":                         {`{"a":"{{ objects }}"}`, `{"a":[{"b":"x"},{"b":"y"}]}`, pattern.Fail, "/a/1/b/"},
		"a map as an element":                    {`{"a":["{{ map }}"]}`, `{"a":[{"b":"x","c":2},{"b":"y"}]}`, pattern.Fail, "/a/1/b/"},
		"text as an element":                     {`{"a":["{{ text }}*"]}`, `{"a":["x","xy"]}`, pattern.Pass, ""},
		"a list as an element":                   {`{"a":["{{ list }}"]}`, `{"a":[["x"]]}`, pattern.Pass, ""},
		"a list as an element, and too few":      {`{"a":["{{ list }}","{{ list }}"]}`, `{"a":[["x"]]}`, pattern.Error, "/a/"},
		"a condition":                            {`{"(a)":"{{ text }}","b":"y"}`, `{"a":"z","b":"n"}`, pattern.Skip, "/a/"},
		"maps that must exist":                   {`{"^(a)":["{{ map }}"]}`, `{"a":[{},{"b":"x","c":2}]}`, pattern.Pass, ""},
		"text that must exist":                   {`{"^(a)":["{{ text }}"]}`, `{"a":["x"]}`, pattern.Fail, "/a/"},
		"a key":                                  {`{"{{ key }}":"x"}`, `{"k":"y"}`, pattern.Fail, "/k/"},
		"a key in an anchor":                     {`{"({{ key }})":"x","b":"y"}`, `{"k":"y"}`, pattern.Skip, "/k/"},
		"an anchor in a key's value":             {`{"{{ anchor }}":"x","b":"y"}`, `{"k":"y"}`, pattern.Skip, "/k/"},
		"a key and a leaf":                       {`{"{{ key }}":"{{ text }}"}`, `{"k":"x"}`, pattern.Pass, ""},
		"anchors in a value":                     {`{"a":"{{ condition }}"}`, `{"a":{"b":"no"}}`, pattern.Skip, "/a/b/"},
		"anchors in a value are looked at first": {`{"a":"x","z":"{{ condition }}"}`, `{"a":"no","z":{"b":"no"}}`, pattern.Skip, "/z/b/"},
		"keys with brackets in a value":          {`{"a":"{{ brackets }}"}`, `{"a":{"f(b)":"x","+(c)":"y"}}`, pattern.Pass, ""},
		"wildcards in the names of labels":       {`{"metadata":{"labels":"{{ labels }}"}}`, `{"metadata":{"labels":{"ab":"y"}}}`, pattern.Fail, "/metadata/labels/ab/"},
		"an escape is no variable":               {`{"a":"\\{{ text }}"}`, `{"a":"{{ text }}"}`, pattern.Pass, ""},
		"an escape beside a variable":            {`{"a":"\\{{ {{ text }} }}"}`, `{"a":"{{ x }}"}`, pattern.Pass, ""},
		"a value is not read as a variable":      {`{"a":"{{ join('', ['{', '{ text }', '}']) }}"}`, `{"a":"{{ text }}"}`, pattern.Pass, ""},
		"a missing variable is an error":         {`{"a":"{{ missing }}"}`, `{"a":"x"}`, pattern.Error, ""},
		"a missing variable behind a condition":  {`{"(a)":"x","b":"{{ missing }}"}`, `{"a":"no"}`, pattern.Error, ""},
		"a missing variable in a forbidden key":  {`{"X(a)":"{{ missing }}"}`, `{}`, pattern.Error, ""},
		"a missing variable in a key":            {`{"{{ missing }}":"x"}`, `{}`, pattern.Error, ""},
		"a default for a missing variable":       {`{"a":"{{ missing || 'x' }}"}`, `{"a":"x"}`, pattern.Pass, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := compile(t, tc.pattern).Match(testEnv(t, root), parse(t, tc.object))
			if got.Outcome != tc.want || got.Path != tc.path {
				t.Errorf("got %v at %q (%s, %v), want %v at %q", got.Outcome, got.Path, got.Text(), got.Err, tc.want, tc.path)
			}
		})
	}
}

func TestAMissingVariableIsNoMismatch(t *testing.T) {
	got := compile(t, `{"a":"{{ missing.b }}"}`).Match(testEnv(t, `{}`), object{"a": "x"})
	if !errors.Is(got.Err, expr.ErrNotFound) || errors.Is(got.Err, pattern.ErrMismatch) {
		t.Errorf("got %v", got.Err)
	}
}

// {{ @ }} is the value that the object has at the leaf's place, whatever the anchors around its keys.
func TestMatchSelf(t *testing.T) {
	tree := parse(t, `{"spec":{"=(ports)":[{"(name)":"{{ @ }}"}]}}`)
	p, err := pattern.Compile(tree, pattern.Options{Self: []string{"request", "object"}})
	if err != nil {
		t.Fatal(err)
	}
	if refs := p.References(); !slices.Equal(refs, []string{"request.object.spec.ports"}) {
		t.Errorf("references %q", refs)
	}
	env := testEnv(t, `{"request":{"object":{"spec":{"ports":[{"name":"http"}]}}}}`)
	for name, want := range map[string]pattern.Outcome{"http": pattern.Pass, "https": pattern.Skip} {
		if got := p.Match(env, object{"spec": object{"ports": list{object{"name": name}}}}); got.Outcome != want {
			t.Errorf("%s: got %v, %v, want %v", name, got.Outcome, got.Err, want)
		}
	}
}

func TestValuesFromVariablesAreBoundedInDepth(t *testing.T) {
	var deep any = "x"
	for range 2 * pattern.MaxDepth {
		deep = list{deep}
	}
	env := &expr.Env{Root: object{"deep": deep}, Functions: expr.NewFunctions()}
	got := compile(t, `{"a":"{{ deep }}"}`).Match(env, object{"a": deep})
	if got.Outcome != pattern.Error || got.Err == nil {
		t.Errorf("got %v, %v", got.Outcome, got.Err)
	}
}
