package jmesfn

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/kyverno/go-jmespath"
	"sigs.k8s.io/yaml"
)

// testCase is one entry of testdata/functions: an expression, what it is evaluated on, and its result or its
// error. Cases with a clock give a result that depends on testEnv.
type testCase struct {
	It    string          `json:"it"`
	Eval  string          `json:"eval"`
	In    json.RawMessage `json:"in,omitempty"`
	Want  json.RawMessage `json:"want,omitempty"`
	Error string          `json:"error,omitempty"`
	Clock bool            `json:"clock,omitempty"`
}

// input is what the expression is evaluated on: an empty object where the case names nothing.
func (c testCase) input(t testing.TB) any {
	if len(c.In) == 0 {
		return map[string]any{}
	}
	return decode(t, c.In)
}

func (c testCase) want(t testing.TB) any {
	if len(c.Want) == 0 {
		return nil // "want: null" reads as nothing
	}
	return decode(t, c.Want)
}

// testEnv is a clock that stands still, two hours east of UTC, and the same random bytes each time.
func testEnv() Env {
	return Env{
		Now:  func() time.Time { return time.Date(2024, 5, 1, 14, 0, 0, 0, time.FixedZone("", 2*60*60)) },
		Rand: rand.NewChaCha8([32]byte{}),
	}
}

func loadCases(t testing.TB) map[string][]testCase {
	t.Helper()
	files, err := filepath.Glob("testdata/functions/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases found: %v", err)
	}
	all := map[string][]testCase{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var cases []testCase
		if err := yaml.UnmarshalStrict(text, &cases); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".yaml")] = cases
	}
	return all
}

func decode(t testing.TB, text []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// search evaluates an expression the two ways there are, as parsed and prepared, and fails if they differ.
func search(t testing.TB, expr string, on any) (any, error) {
	t.Helper()
	ast, err := jmespath.NewParser().Parse(expr)
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	env := testEnv()
	got, gotErr := jmespath.NewInterpreter().Execute(ast, on, jmespath.WithFunctionCaller(NewCaller(env)))

	ready, err := Prepare(ast)
	if err != nil {
		// A bad literal is found earlier, and quoted.
		if gotErr == nil || !strings.HasPrefix(err.Error(), gotErr.Error()) {
			t.Fatalf("%s: preparing says %v, evaluating %v", expr, err, gotErr)
		}
		return got, gotErr
	}
	env = testEnv()
	again, againErr := jmespath.NewInterpreter().Execute(ready, on, jmespath.WithFunctionCaller(NewCaller(env)))
	if !reflect.DeepEqual(got, again) || errorText(gotErr) != errorText(againErr) {
		t.Fatalf("%s: as parsed (%v, %v), prepared (%v, %v)", expr, got, gotErr, again, againErr)
	}
	return got, gotErr
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestFunctions(t *testing.T) {
	for file, cases := range loadCases(t) {
		t.Run(file, func(t *testing.T) {
			for _, c := range cases {
				t.Run(c.It, func(t *testing.T) {
					on := c.input(t)
					got, err := search(t, c.Eval, on)
					if errorText(err) != c.Error {
						t.Fatalf("%s\n got error %q\nwant error %q", c.Eval, errorText(err), c.Error)
					}
					if err == nil && !reflect.DeepEqual(got, c.want(t)) {
						t.Fatalf("%s\n got %#v\nwant %s", c.Eval, got, c.Want)
					}
					if !reflect.DeepEqual(on, c.input(t)) {
						t.Fatalf("%s changed its input to %v", c.Eval, on)
					}
				})
			}
		})
	}
}

// Every function has a case that it answers, one of a wrong kind of argument and one of a wrong number.
func TestFunctionsAreAllTested(t *testing.T) {
	type seen struct{ answer, kind, count bool }
	found := map[string]seen{"x509_decode": {answer: true}} // in x509_test.go
	for _, cases := range loadCases(t) {
		for _, c := range cases {
			name, _, _ := strings.Cut(c.It, " ")
			s := found[name]
			prefix := "function " + name + ": "
			s.answer = s.answer || c.Error == ""
			s.kind = s.kind || strings.HasPrefix(c.Error, prefix+"argument ") && strings.Contains(c.Error, ", not ")
			s.count = s.count || strings.HasPrefix(c.Error, prefix+"want ")
			found[name] = s
		}
	}
	for _, spec := range Specs() {
		s := found[spec.Name]
		s.kind = s.kind || len(spec.Args) == 0
		if s != (seen{true, true, true}) {
			t.Errorf("%s: cases seen: %+v", spec.Name, s)
		}
		delete(found, spec.Name)
	}
	for name := range found {
		t.Errorf("cases for %q, which is no function", name)
	}
}

func TestExamples(t *testing.T) {
	for _, spec := range Specs() {
		if len(spec.Examples) == 0 && spec.Name != "x509_decode" { // a certificate is no short example
			t.Errorf("%s has no example", spec.Name)
		}
		for _, e := range spec.Examples {
			t.Run(e.Expr, func(t *testing.T) {
				got, err := search(t, e.Expr, map[string]any{})
				if err != nil {
					t.Fatal(err)
				}
				want := decode(t, []byte(e.Result))
				if !e.Varies && !reflect.DeepEqual(got, want) {
					t.Fatalf("got %#v, want %s", got, e.Result)
				}
				if kind := typeOf(got); kind&spec.Returns == 0 && kind != typeOf(want) {
					t.Fatalf("got a %s, which is no %s", kind, spec.Returns)
				}
			})
		}
	}
}
