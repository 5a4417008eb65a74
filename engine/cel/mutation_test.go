package cel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"github.com/holdfast-io/holdfast/engine/mutate"
)

const mutationPod = `
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  containers: [{name: web, image: "nginx:1.25"}, {name: proxy, image: "envoy:1"}]
`

func applies(expression string) Source {
	return Source{Mutations: []Mutation{{ApplyConfiguration, expression}}, Paths: Paths{Mutations: []any{"spec", "mutations"}}}
}

func patches(expression string) Source {
	return Source{Mutations: []Mutation{{JSONPatch, expression}}, Paths: Paths{Mutations: []any{"spec", "mutations"}}}
}

// recorded gives what a Source with one mutation asks for on the Pod, as JSON, or the error.
func recorded(t testing.TB, src Source) string {
	t.Helper()
	out := ""
	m := mustCompile(t, src).Mutate(t.Context(), &Input{Object: parse(t, mutationPod)}, func(object map[string]any, p Patch) (map[string]any, error) {
		var shown any = p.Object
		if p.Form == JSONPatch {
			shown = p.Operations
		}
		raw, err := json.Marshal(shown)
		out = string(raw)
		return object, err
	})
	if m.Err != nil {
		return "error: " + m.Err.Error()
	}
	return out
}

func TestAnApplyConfigurationGivesTheFieldsToMerge(t *testing.T) {
	tests := map[string]struct{ expression, want string }{
		"fields of any depth":                    {`Object{spec: Object.spec{replicas: 3, paused: true}}`, `{"spec":{"paused":true,"replicas":3}}`},
		"nothing":                                {`Object{}`, `{}`},
		"a map":                                  {`Object{metadata: Object.metadata{labels: {"team": object.metadata.name}}}`, `{"metadata":{"labels":{"team":"web"}}}`},
		"maps in maps":                           {`Object{spec: Object.spec{a: {"b": {"c": 1}}}}`, `{"spec":{"a":{"b":{"c":1}}}}`},
		"a list made from the object's":          {`Object{spec: Object.spec{containers: object.spec.containers.map(c, Object.spec.containers{name: c.name})}}`, `{"spec":{"containers":[{"name":"web"},{"name":"proxy"}]}}`},
		"what the object has, as it is":          {`Object{spec: Object.spec{containers: object.spec.containers + [dyn({"name": "x"})]}}`, `{"spec":{"containers":[{"image":"nginx:1.25","name":"web"},{"image":"envoy:1","name":"proxy"},{"name":"x"}]}}`},
		"an optional field that is there":        {`Object{spec: Object.spec{?replicas: object.?spec.?replicas}}`, `{"spec":{"replicas":2}}`},
		"an optional field that is absent":       {`Object{spec: Object.spec{?replicas: object.?spec.?gone}}`, `{"spec":{}}`},
		"a field of what was made":               {`Object{spec: Object.spec{replicas: Object.spec{n: 4}.n}}`, `{"spec":{"replicas":4}}`},
		"whether what was made has a field":      {`Object{spec: Object.spec{has: has(Object.spec{n: 4}.m)}}`, `{"spec":{"has":false}}`},
		"a comparison of what was made":          {`Object{spec: Object.spec{same: Object.spec{n: 4} == Object.spec{n: 4}, other: Object.spec{n: 4} == Object.spec{n: 5}}}`, `{"spec":{"other":false,"same":true}}`},
		"a choice":                               {`object.kind == "Pod" ? Object{spec: Object.spec{a: 1}} : Object{}`, `{"spec":{"a":1}}`},
		"a number with a fraction":               {`Object{spec: Object.spec{a: 1.5, b: 7u}}`, `{"spec":{"a":1.5,"b":7}}`},
		"a time, as text":                        {`Object{spec: Object.spec{a: timestamp("2026-01-02T03:04:05Z"), b: duration("90s")}}`, `{"spec":{"a":"2026-01-02T03:04:05Z","b":"90s"}}`},
		"bytes, as base64":                       {`Object{spec: Object.spec{a: b"abc"}}`, `{"spec":{"a":"YWJj"}}`},
		"an Object in the wrong place":           {`Object{spec: Object.status{}}`, `error: expression 'Object{spec: Object.status{}}': spec: type mismatch: unexpected type name "Object.status", expected "Object.spec", which matches field name path from root Object type`},
		"an Object in the wrong place in a list": {`Object{spec: Object.spec{containers: [Object.spec.volumes{}]}}`, `error: expression 'Object{spec: Object.spec{containers: [Object.spec.volumes{}]}}': spec: containers: element 0: type mismatch: unexpected type name "Object.spec.volumes", expected "Object.spec.containers", which matches field name path from root Object type`},
		"a JSONPatch as a value":                 {`Object{spec: JSONPatch{op: "add"}}`, `error: expression 'Object{spec: JSONPatch{op: "add"}}': spec: type mismatch: unexpected type name "JSONPatch", expected "Object.spec", which matches field name path from root Object type`},
		"null":                                   {`Object{spec: Object.spec{a: null}}`, `error: expression 'Object{spec: Object.spec{a: null}}': spec: a: null has no meaning in an ApplyConfiguration: to remove a field takes a JSONPatch`},
		"a map with other keys than texts":       {`Object{spec: Object.spec{a: {1: 2}}}`, `error: expression 'Object{spec: Object.spec{a: {1: 2}}}': spec: a: the key 1 is int: expected string`},
		"a value that JSON does not have":        {`Object{spec: Object.spec{a: 0.0 / 0.0}}`, `error: expression 'Object{spec: Object.spec{a: 0.0 / 0.0}}': spec: a: NaN is no number in JSON`},
		"a type":                                 {`Object{spec: Object.spec{a: type(1)}}`, `error: expression 'Object{spec: Object.spec{a: type(1)}}': spec: a: a value of the type type has no form in JSON`},
		"a quantity":                             {`Object{spec: Object.spec{a: quantity("1Gi")}}`, `error: expression 'Object{spec: Object.spec{a: quantity("1Gi")}}': spec: a: a value of the type kubernetes.Quantity has no form in JSON`},
		"an optional value as a value":           {`Object{spec: Object.spec{a: object.?spec}}`, `error: expression 'Object{spec: Object.spec{a: object.?spec}}': spec: a: a value of the type optional_type has no form in JSON`},
		"an absent field":                        {`Object{spec: Object.spec{a: object.spec.gone}}`, `error: expression 'Object{spec: Object.spec{a: object.spec.gone}}': no such key: gone`},
		"a division by zero":                     {`Object{spec: Object.spec{a: 1 / (object.spec.replicas - 2)}}`, `error: expression 'Object{spec: Object.spec{a: 1 / (object.spec.replicas - 2)}}': division by zero`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { same(t, test.expression, recorded(t, applies(test.expression)), test.want) })
	}
}

func TestAJSONPatchGivesOperations(t *testing.T) {
	tests := map[string]struct{ expression, want string }{
		"add":                       {`[JSONPatch{op: "add", path: "/a", value: 1}]`, `[{"op":"add","path":"/a","value":1}]`},
		"all operations":            {`[JSONPatch{op: "remove", path: "/a"}, JSONPatch{op: "move", from: "/a", path: "/b"}, JSONPatch{op: "test", path: "/c", value: null}]`, `[{"op":"remove","path":"/a"},{"op":"move","from":"/a","path":"/b"},{"op":"test","path":"/c","value":null}]`},
		"none":                      {`object.kind == "Pod" ? [] : [JSONPatch{op: "remove", path: "/a"}]`, `null`},
		"a key with a slash":        {`[JSONPatch{op: "remove", path: "/a/" + jsonpatch.escapeKey("x.io/y~z")}]`, `[{"op":"remove","path":"/a/x.io~1y~0z"}]`},
		"an Object as a value":      {`[JSONPatch{op: "add", path: "/spec", value: Object.spec{containers: [Object.spec.containers{name: "a"}]}}]`, `[{"op":"add","path":"/spec","value":{"containers":[{"name":"a"}]}}]`},
		"some left out":             {`object.spec.containers.map(c, c.name == "web" ? JSONPatch{op: "add", path: "/a", value: c.name} : null).filter(p, p != null)`, `[{"op":"add","path":"/a","value":"web"}]`},
		"lists joined":              {`[JSONPatch{op: "remove", path: "/a"}] + [JSONPatch{op: "remove", path: "/b"}]`, `[{"op":"remove","path":"/a"},{"op":"remove","path":"/b"}]`},
		"a null operation":          {`[object.kind == "x" ? JSONPatch{op: "remove", path: "/a"} : null]`, `error: expression '[object.kind == "x" ? JSONPatch{op: "remove", path: "/a"} : null]': operation 0 is null_type: expected JSONPatch`},
		"a value that is missing":   {`[JSONPatch{op: "add", path: "/a"}]`, `error: expression '[JSONPatch{op: "add", path: "/a"}]': operation 0 (add /a): value is missing`},
		"a path that is no text":    {`[JSONPatch{op: "remove", path: object.spec.replicas}]`, `error: expression '[JSONPatch{op: "remove", path: object.spec.replicas}]': path of a JSONPatch is int: expected string`},
		"a value in a wrong Object": {`[JSONPatch{op: "add", path: "/spec", value: Object.spec{a: Object.b{}}}]`, `error: expression '[JSONPatch{op: "add", path: "/spec", value: Object.spec{a: Object.b{}}}]': operation 0 (add /spec): value: a: type mismatch: unexpected type name "Object.b", expected "Object.spec.a", which matches field name path from root Object type`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { same(t, test.expression, recorded(t, patches(test.expression)), test.want) })
	}
}

func TestAMutationThatCannotBeIsRefusedAtLoad(t *testing.T) {
	tests := map[string]struct {
		src  Source
		want string
	}{
		"an ApplyConfiguration that gives a map": {applies(`{"spec": 1}`), "compiling CEL: /spec/mutations/0/applyConfiguration/expression: gives map(string, int): expected Object"},
		"an ApplyConfiguration of a part":        {applies(`Object.spec{a: 1}`), "compiling CEL: /spec/mutations/0/applyConfiguration/expression: gives Object.spec: expected Object"},
		"a JSONPatch outside of a list":          {patches(`JSONPatch{op: "add"}`), "compiling CEL: /spec/mutations/0/jsonPatch/expression: gives JSONPatch: expected list(JSONPatch)"},
		"an unknown field of a JSONPatch":        {patches("[JSONPatch{\n  opp: 'add'}]"), "compiling CEL: /spec/mutations/0/jsonPatch/expression: CEL at 2:6: undefined field 'opp'"},
		"a wrong type of a field":                {patches(`[JSONPatch{op: 1}]`), "compiling CEL: /spec/mutations/0/jsonPatch/expression: CEL at 1:14: expected type of field 'op' is 'string' but provided type is 'int'"},
		"an unknown type":                        {applies(`Objekt{}`), "compiling CEL: /spec/mutations/0/applyConfiguration/expression: CEL at 1:7: undeclared reference to 'Objekt': did you mean object?"},
		"an empty expression":                    {applies(" "), "compiling CEL: /spec/mutations/0/applyConfiguration/expression: is empty: expected a CEL expression"},
		"a type of mutations without mutations":  {one(`Object{} == Object{}`), "compiling CEL: /0/expression: CEL at 1:7: undeclared reference to 'Object': did you mean object?; /0/expression: CEL at 1:19: undeclared reference to 'Object': did you mean object?"},
		"the same value too many times": {applies(`Object{a: Object.a{` + strings.TrimSuffix(strings.Repeat("x: object, ", 1001), ", ") + `}}`),
			"compiling CEL: /spec/mutations/0/applyConfiguration/expression: holds the same value more than 1000 times: comparing it would take too long"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := NewCompiler().Compile(test.src)
			if err == nil {
				t.Fatal("compiled")
			}
			same(t, "error", err.Error(), test.want)
		})
	}
}

// apply carries out JSONPatches alone.
func apply(object map[string]any, p Patch) (map[string]any, error) {
	return mutate.ApplyPatch(object, p.Operations)
}

func TestMutationsFollowOneAnother(t *testing.T) {
	src := withVariables(Source{Language: Kyverno, Mutations: []Mutation{
		{JSONPatch, `[JSONPatch{op: "replace", path: "/spec/replicas", value: object.spec.replicas + 1}]`},
		{JSONPatch, `[JSONPatch{op: "add", path: "/seen", value: [object.spec.replicas, variables.early, variables.late, oldObject.n]}]`},
	}}, "early", "object.spec.replicas", "late", "object.spec.replicas")
	src.Conditions = []admissionregistrationv1.MatchCondition{{Name: "two", Expression: "variables.early == 2"}}
	src.Annotations = []admissionregistrationv1.AuditAnnotation{{Key: "n", ValueExpression: "string(object.spec.replicas)"}}
	rule := mustCompile(t, src)
	object := parse(t, mutationPod)
	before := text(t, object)

	got := rule.Mutate(t.Context(), &Input{Object: object, OldObject: was(map[string]any{"n": 9.0})}, apply)

	if got.Outcome != Pass || got.Err != nil {
		t.Fatalf("got %s: %v", got.Outcome, got.Err)
	}
	// a variable keeps what it was when it was first read
	same(t, "seen", text(t, got.Object["seen"]), "[3,2,3,9]")
	same(t, "annotations", text(t, got.Annotations), `{"n":"3"}`)
	same(t, "the object that came in", text(t, object), before)

	src.Language = Kubernetes
	got = mustCompile(t, src).Mutate(t.Context(), &Input{Object: object, OldObject: was(map[string]any{"n": 9.0})}, apply)
	same(t, "seen in an API server's own policy", text(t, got.Object["seen"]), "[3,3,3,9]")

	object["spec"] = map[string]any{"replicas": 5.0}
	got = rule.Mutate(t.Context(), &Input{Object: object}, apply)
	same(t, "a condition that is not met", got.Outcome.String()+" "+got.Condition, "skip two")
}

func TestAMutationThatFailsChangesNothing(t *testing.T) {
	refuse := errors.New("refused")
	good := Mutation{JSONPatch, `[JSONPatch{op: "add", path: "/a", value: 1}]`}
	ended, end := context.WithCancel(t.Context())
	end()
	tests := map[string]struct {
		ctx   context.Context
		src   Source
		apply Apply
		want  string
	}{
		"the expression has no result": {t.Context(), Source{Mutations: []Mutation{good, {JSONPatch, `[JSONPatch{op: "add", path: "/b", value: object.gone}]`}}}, apply,
			`error 1: true expression '[JSONPatch{op: "add", path: "/b", value: object.gone}]': no such key: gone`},
		"the patch does not apply": {t.Context(), Source{Mutations: []Mutation{good, good}}, func(map[string]any, Patch) (map[string]any, error) { return nil, refuse },
			"error 0: true refused"},
		"a condition has no result": {t.Context(), Source{Mutations: []Mutation{good}, Conditions: []admissionregistrationv1.MatchCondition{{Name: "c", Expression: "object.gone == 1"}}}, apply,
			"error -1: true conditions: c: expression 'object.gone == 1': no such key: gone"},
		"an annotation has no result": {t.Context(), Source{Mutations: []Mutation{good}, Annotations: []admissionregistrationv1.AuditAnnotation{{Key: "k", ValueExpression: "string(object.gone)"}}}, apply,
			"error -1: true audit annotation k: expression 'string(object.gone)': no such key: gone"},
		"the time is over": {ended, Source{Mutations: []Mutation{good}}, apply, "error 0: false not evaluated in time: context canceled"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := mustCompile(t, test.src).Mutate(test.ctx, &Input{Object: map[string]any{}}, test.apply)
			if got.Object != nil {
				t.Errorf("it gives an object: %v", got.Object)
			}
			same(t, "result", fmt.Sprintf("%s %d: %t %v", got.Outcome, got.Mutation, errors.Is(got.Err, ErrExpression), got.Err), test.want)
		})
	}
}

func TestMutationsAreBounded(t *testing.T) {
	large := make([]any, 1000)
	for i := range large {
		large[i] = float64(i)
	}
	object := map[string]any{"large": large, "long": strings.Repeat("y", 1<<20)}
	tests := map[string]struct {
		src  Source
		want string
	}{
		"a value that stands many times":   {patches(`[JSONPatch{op: "add", path: "/a", value: [` + strings.TrimSuffix(strings.Repeat("object.large,", 200), ",") + `]}]`), "the patch holds more than 100000 values"},
		"a value in many operations":       {patches(`lists.range(200).map(i, JSONPatch{op: "add", path: "/a", value: object.large})`), "the patch holds more than 100000 values"},
		"a long text that stands often":    {applies(`Object{a: [object.long, object.long, object.long, object.long, object.long]}`), "the texts of the patch are longer than 4194304 bytes"},
		"many operations":                  {withVariables(patches("variables.some + variables.some"), "some", `lists.range(6000).map(i, JSONPatch{op: "remove", path: "/a"})`), "there are more than 10000 operations"},
		"more work than an expression may": {patches(`lists.range(30000).map(i, lists.range(30000).map(j, i + j).size()).map(i, JSONPatch{op: "remove", path: "/a"})`), "cost limit exceeded"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := mustCompile(t, test.src).Mutate(t.Context(), &Input{Object: object}, func(object map[string]any, _ Patch) (map[string]any, error) { return object, nil })
			if !errors.Is(got.Err, ErrExpression) || !strings.Contains(got.Err.Error(), test.want) {
				t.Errorf("got %v, want: %s", got.Err, test.want)
			}
		})
	}
}

// BenchmarkMutate shows what the evaluation of one mutation costs, without the merge.
func BenchmarkMutate(b *testing.B) {
	for name, src := range map[string]Source{
		"an ApplyConfiguration": applies(`Object{spec: Object.spec{containers: object.spec.containers.map(c, Object.spec.containers{name: c.name, imagePullPolicy: "Always"})}}`),
		"a JSONPatch":           patches(`[JSONPatch{op: "add", path: "/metadata/labels/team", value: "shop"}]`),
	} {
		b.Run(name, func(b *testing.B) {
			rule := mustCompile(b, src)
			in := &Input{Object: parse(b, benchPod)}
			b.ReportAllocs()
			for b.Loop() {
				m := rule.Mutate(b.Context(), in, func(object map[string]any, _ Patch) (map[string]any, error) { return object, nil })
				if m.Err != nil {
					b.Fatal(m.Err)
				}
			}
		})
	}
}
