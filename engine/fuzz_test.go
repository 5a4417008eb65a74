package engine

import (
	"encoding/json"
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"

	"github.com/holdfast-io/holdfast/engine/expr"
)

// ruleOf compiles a policy with one rule whose part of this name is a JSON text; nil if it is none or is refused.
func ruleOf(t *testing.T, compiler *Compiler, part, text string) *Snapshot {
	t.Helper()
	var body any
	if json.Unmarshal([]byte(text), &body) != nil {
		return nil
	}
	document := map[string]any{
		"apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy", "metadata": map[string]any{"name": "p"},
		"spec": map[string]any{"rules": []any{map[string]any{
			"name": "r", "match": map[string]any{"any": []any{map[string]any{"resources": map[string]any{"kinds": []any{"*"}}}}}, part: body,
		}}},
	}
	raw, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	src := &kyvernov1.ClusterPolicy{}
	if json.Unmarshal(raw, src) != nil {
		return nil
	}
	p, err := compiler.Compile(src, document)
	if err != nil {
		return nil
	}
	s, err := NewSnapshot([]*Policy{p})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// judged evaluates a rule on an object at rest and on its creation, twice each: it changes neither, says the same
// the second time, and of a rule that can be audited the same at rest as at admission.
func judged(t *testing.T, s *Snapshot, objectText string) {
	t.Helper()
	var object, before map[string]any
	if json.Unmarshal([]byte(objectText), &object) != nil || object == nil {
		return
	}
	if err := json.Unmarshal([]byte(objectText), &before); err != nil {
		t.Fatal(err)
	}
	write := &Request{Operation: Create, Namespace: "shop", Name: "web", Object: object}
	write.Kind.Version, write.Kind.Kind = "v1", "Pod"
	audit := func() Mutation {
		m, err := s.Audit(t.Context(), write, world{}.inputs())
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	admit := func() string {
		m, err := s.Mutate(t.Context(), write, world{}.inputs())
		if err != nil {
			t.Fatal(err)
		}
		return lines(append(m.Decisions, s.Validate(t.Context(), write, world{}.inputs())...))
	}
	first := audit()
	if again := audit(); lines(first.Decisions) != lines(again.Decisions) || !reflect.DeepEqual(first.Object, again.Object) {
		t.Errorf("first %s, then %s", lines(first.Decisions), lines(again.Decisions))
	}
	admitted := admit()
	if again := admit(); admitted != again {
		t.Errorf("first %s, then %s", admitted, again)
	}
	if !reflect.DeepEqual(object, before) {
		t.Errorf("the object became %v", object)
	}
	if rule := first.Decisions; len(rule) == 1 && rule[0].Rule.Kind == Validate {
		if ok, _ := rule[0].Rule.Auditable(); ok && lines(rule) != admitted {
			t.Errorf("at rest %s, at admission %s", lines(rule), admitted)
		}
	}
}

var fuzzObjects = []string{
	`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","namespace":"shop","labels":{"app":"web"}},"spec":{"containers":[{"name":"a","image":"nginx:1","resources":{"limits":{"memory":"1Gi"},"requests":{"memory":"512Mi"}}},{"name":"b","image":"busybox"}]}}`,
	`{"spec":{"containers":[null,"x",{"name":1}]},"metadata":{"labels":{"{{ a }}":"$(x)"}}}`,
	`{}`,
}

// FuzzValidation reads any JSON as the validate part of a rule: lists of foreach, patterns with variables and
// references, conditions.
func FuzzValidation(f *testing.F) {
	for _, seed := range []string{
		`{"message":"{{ request.object.metadata.name }} of {{ images.containers.*.registry }}","pattern":{"spec":{"containers":[{"(image)":"*:*","=(name)":"?*"}]}}}`,
		`{"pattern":{"spec":{"containers":[{"resources":{"requests":{"memory":"$(<=./../../limits/memory)"},"limits":{"memory":"1Gi"}}}]}}}`,
		`{"anyPattern":[{"metadata":{"labels":{"a*":"{{ request.namespace }}"}}},{"X(spec)":null}]}`,
		`{"deny":{"conditions":{"any":[{"key":"{{ request.object.spec.containers[].image | length(@) }}","operator":"GreaterThan","value":1}]}}}`,
		`{"foreach":[{"list":"request.object.spec.containers","elementScope":false,"deny":{"conditions":{"all":[{"key":"{{ element.name }}-{{ elementIndex }}","operator":"In","value":["a-0"]}]}}}]}`,
		`{"foreach":[{"list":"request.object.spec.containers[].{n: name}","context":[{"name":"x","variable":{"jmesPath":"element.n","default":"y"}}],"foreach":[{"list":"keys(element0)","pattern":"?*"}]}]}`,
		`{"foreach":[{"list":"length(request.object.spec)","deny":{}}]}`,
		`{"foreach":[{"list":"{{ request.object.spec.list }}","preconditions":{"all":[{"key":"{{ element }}","operator":"AnyIn","value":"{{ x }}"}]},"anyPattern":[{"name":"a"}]}]}`,
		`{"podSecurity":{"level":"baseline","version":"latest","exclude":[{"controlName":"Capabilities","images":["*"]}]}}`,
	} {
		for _, object := range fuzzObjects {
			f.Add(seed, object)
		}
	}
	compiler, err := NewCompiler()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, validate, object string) {
		if s := ruleOf(t, compiler, "validate", validate); s != nil {
			judged(t, s, object)
		}
	})
}

// FuzzMutation reads any JSON as the mutate part of a rule: both kinds of patch, alone and in foreach.
func FuzzMutation(f *testing.F) {
	for _, seed := range []string{
		`{"patchStrategicMerge":{"metadata":{"labels":{"+(team)":"{{ request.namespace }}"}},"spec":{"containers":[{"(name)":"*","imagePullPolicy":"Always"}]}}}`,
		`{"patchesJson6902":"- {op: add, path: /metadata/labels/x, value: '{{ request.object.kind }}'}"}`,
		`{"foreach":[{"list":"request.object.spec.containers","patchStrategicMerge":{"spec":{"containers":[{"(name)":"{{ element.name }}","image":"r/{{ element.image }}"}]}}}]}`,
		`{"foreach":[{"list":"request.object.spec.containers","order":"Descending","patchesJson6902":"- {op: remove, path: '/spec/containers/{{ elementIndex }}'}"}]}`,
		`{"foreach":[{"list":"request.object.spec.containers","foreach":[{"list":"[element.name]","patchStrategicMerge":{"metadata":{"labels":{"{{ element }}":"{{ elementIndex0 }}"}}}}]}]}`,
		`{"patchesJson6902":"[{op: add, path: /spec/containers/-, value: {name: more}}]"}`,
	} {
		for _, object := range fuzzObjects {
			f.Add(seed, object)
		}
	}
	compiler, err := NewCompiler()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, mutate, object string) {
		if s := ruleOf(t, compiler, "mutate", mutate); s != nil {
			judged(t, s, object)
		}
	})
}

// FuzzReferences reads any JSON as a pattern: its references are resolved, or one is named that cannot be; the
// pattern itself is never changed, and one without references is handed on as it is.
func FuzzReferences(f *testing.F) {
	for _, seed := range []string{
		`{"resources":{"requests":{"memory":"$(<=./../../limits/memory)"},"limits":{"memory":"1Gi"}}}`,
		`{"metadata":{"name":"we$(/metadata/x)","=(x)":"b"}}`, `{"a":"\\$(b)","b":["$(./../1)",2]}`, `["$(/1)","$(/0)"]`,
		`{"a":"$(./../b) and $(./../c)","b":1.5,"c":true}`, `{"a":"$(>./../b)","b":null}`, `{"a":"$()","(b)":"$(/../../a)"}`, `"$(/)"`, `{"":"$(./..)","/":"$(//)"}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var doc, before any
		if json.Unmarshal([]byte(text), &doc) != nil {
			return
		}
		if err := json.Unmarshal([]byte(text), &before); err != nil {
			t.Fatal(err)
		}
		got, err := resolveReferences(doc)
		if !reflect.DeepEqual(doc, before) {
			t.Fatalf("the document became %v", doc)
		}
		if err != nil {
			var wrong *expr.TemplateError
			if !errors.As(err, &wrong) {
				t.Errorf("got a %T", err)
			}
			if err.Error() == "" || got != nil {
				t.Errorf("got %v and the error %q", got, err)
			}
			return
		}
		if !hasReference(doc) && !reflect.DeepEqual(got, doc) {
			t.Errorf("no reference, and it became %v", got)
		}
		if again, err := resolveReferences(doc); err != nil || !reflect.DeepEqual(got, again) {
			t.Errorf("first %v, then %v, %v", got, again, err)
		}
	})
}

// FuzzURL: no value of a variable changes which host is called, nor adds a part to the query.
func FuzzURL(f *testing.F) {
	for _, seed := range [][2]string{
		{"https://checks.example.com/v1/{{ v }}", "../../x?y=z#f"}, {"https://example.com/a?b={{ v }}&c=d", "1&admin=true"},
		{"http://example.com:8080/{{ v }}/{{ v }}?{{ v }}", "@evil.example.com/"}, {"/api/v1/namespaces/{{ v }}/pods?limit=1", "a/../../secrets"},
		{"https://example.com", "x"}, {"https://a@b/{{ v }}", "\\evil"}, {"{{ v }}", "https://evil"}, {"https://{{ v }}/", "evil"}, {"https://e.com/{{ v }}\t", "\n"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, source, value string) {
		compiled, _, err := compileURL(source)
		if err != nil {
			return
		}
		env := &expr.Env{Root: map[string]any{"v": value}, Functions: expr.NewFunctions()}
		got, err := compiled.render(env)
		if err != nil || checkHost(source) != nil {
			return
		}
		plain, err := compiled.render(env.With(map[string]any{"v": "x"}))
		if err != nil {
			return // an expression on the value
		}
		want, err := url.Parse(plain)
		if err != nil {
			return
		}
		u, err := url.Parse(got)
		if err != nil {
			t.Fatalf("%q with %q is %q: %v", source, value, got, err)
		}
		if u.Scheme != want.Scheme || u.Host != want.Host || u.User.String() != want.User.String() {
			t.Errorf("%q with %q calls %q", source, value, got)
		}
		if strings.Count(u.RawQuery, "&") != strings.Count(want.RawQuery, "&") || strings.Count(u.RawQuery, "=") != strings.Count(want.RawQuery, "=") || u.Fragment != want.Fragment {
			t.Errorf("%q with %q asks %q", source, value, got)
		}
	})
}
