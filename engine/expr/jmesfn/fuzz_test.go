package jmesfn

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/kyverno/go-jmespath"
)

// checkModel fails on a value that encoding/json would not have made.
func checkModel(t *testing.T, v any) {
	switch v := v.(type) {
	case nil, bool, float64, string:
	case []any:
		for _, item := range v {
			checkModel(t, item)
		}
	case map[string]any:
		for _, item := range v {
			checkModel(t, item)
		}
	default:
		t.Errorf("a %T is no JSON value", v)
	}
}

// FuzzCall: no arguments make a function panic, change its arguments, answer differently the second time or
// answer with what is no JSON value.
func FuzzCall(f *testing.F) {
	specs := Specs()
	for i, spec := range specs {
		f.Add(uint8(i), `["a", "b"]`)
		for _, e := range spec.Examples {
			f.Add(uint8(i), fmt.Sprintf("[%q, 1, null, {}, []]", e.Expr))
		}
	}
	for _, args := range []string{
		`[]`, `[null]`, `[[1,2]]`, `["1Gi","1"]`, `["1E-2147483648","1"]`, `["1h","-1"]`, `["[a-z]*","x","$1"]`, `[{"a":1},"k","v"]`,
		`["1.2.3",">1.0.0 || || <2.0.0"]`, `["a: &x [*x]"]`, `[1e308,1e308]`, `[[{"a":[]}],{"a":[]}]`, `[9223372036854775807,-1]`,
	} {
		for i := range specs {
			f.Add(uint8(i), args)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, text string) {
		spec := specs[int(which)%len(specs)]
		read := func() []any {
			var args []any
			if json.Unmarshal([]byte(text), &args) != nil {
				args = []any{text}
			}
			return args
		}
		args := read()
		got, err := NewCaller(testEnv()).CallFunction(spec.Name, args, nil)
		if again := read(); err == nil && !reflect.DeepEqual(args, again) {
			t.Fatalf("%s changed %v to %v", spec.Name, again, args)
		}
		if err != nil {
			return
		}
		checkModel(t, got)
		again, err := NewCaller(testEnv()).CallFunction(spec.Name, read(), nil)
		if err != nil || !reflect.DeepEqual(got, again) {
			t.Fatalf("%s: first %v, then %v, %v", spec.Name, got, again, err)
		}
	})
}

// FuzzSearch: no expression makes Prepare or a function panic, change the document or answer differently the
// second time, and preparing changes no answer.
func FuzzSearch(f *testing.F) {
	for _, cases := range loadCases(f) {
		for _, c := range cases {
			f.Add(c.Eval, string(c.In))
		}
	}
	f.Fuzz(func(t *testing.T, expr, doc string) {
		if len(expr) > 1024 {
			return
		}
		ast, err := jmespath.NewParser().Parse(expr)
		if err != nil {
			return
		}
		ready, err := Prepare(ast)
		if err != nil {
			return
		}
		read := func() any {
			var v any
			if json.Unmarshal([]byte(doc), &v) != nil {
				return doc
			}
			return v
		}
		on := read()
		got, err := jmespath.NewInterpreter().Execute(ready, on, jmespath.WithFunctionCaller(NewCaller(testEnv())))
		if !reflect.DeepEqual(on, read()) {
			t.Fatalf("%s changed the document", expr)
		}
		again, againErr := jmespath.NewInterpreter().Execute(ready, on, jmespath.WithFunctionCaller(NewCaller(testEnv())))
		if errorText(err) != errorText(againErr) || !reflect.DeepEqual(got, again) {
			t.Fatalf("%s: first (%v, %v), then (%v, %v)", expr, got, err, again, againErr)
		}
		if rewritten(ast) {
			return
		}
		parsed, parsedErr := jmespath.NewInterpreter().Execute(ast, on, jmespath.WithFunctionCaller(NewCaller(testEnv())))
		if errorText(err) != errorText(parsedErr) || !reflect.DeepEqual(got, parsed) {
			t.Fatalf("%s: prepared (%v, %v), as parsed (%v, %v)", expr, got, err, parsed, parsedErr)
		}
	})
}

// rewritten finds what the library does otherwise (see rewrite.go), and expression references, which are never
// equal.
func rewritten(ast jmespath.ASTNode) bool {
	switch ast.NodeType {
	case jmespath.ASTValueProjection, jmespath.ASTFlatten, jmespath.ASTFilterProjection, jmespath.ASTExpRef:
		return true
	}
	return slices.ContainsFunc(ast.Children, rewritten)
}
