package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	policiesv1beta1 "github.com/kyverno/api/api/policies.kyverno.io/v1beta1"
	"sigs.k8s.io/yaml"
)

// onPayloads writes a ValidatingPolicy named p around what stands in its spec beside the mode.
func onPayloads(spec string) string {
	return "{apiVersion: policies.kyverno.io/v1, kind: ValidatingPolicy, metadata: {name: p}, spec: {evaluation: {mode: JSON}, " + spec + "}}"
}

// payload reads JSON.
func payload(t testing.TB, text string) any {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	return value
}

func TestPayloads(t *testing.T) {
	valid := func(expression string) string {
		return "validations: [{expression: \"" + expression + "\", message: refused}]"
	}
	for name, c := range map[string]struct {
		policy, payload string
		exceptions      []string
		want            string
	}{
		"an object that is in order":             {policy: valid("object.version == '1.5.9'"), payload: `{"version": "1.5.9"}`, want: " pass"},
		"an object that is not":                  {policy: valid("object.version == '1.5.9'"), payload: `{"version": "1.5.8"}`, want: " fail: refused"},
		"a list":                                 {policy: valid("object.all(o, o.size < 3)"), payload: `[{"size": 1}, {"size": 2}]`, want: " pass"},
		"a list with one that is not":            {policy: valid("object.all(o, o.size < 3)"), payload: `[{"size": 1}, {"size": 4}]`, want: " fail: refused"},
		"an empty list":                          {policy: valid("object.size() > 0"), payload: `[]`, want: " fail: refused"},
		"a text":                                 {policy: valid("object.startsWith('a')"), payload: `"abc"`, want: " pass"},
		"a number":                               {policy: valid("object > 3"), payload: `7`, want: " pass"},
		"a boolean":                              {policy: valid("object == true"), payload: `false`, want: " fail: refused"},
		"nothing":                                {policy: valid("object == null"), payload: `null`, want: " pass"},
		"a field that is not there":              {policy: valid("object.version == 'a'"), payload: `{}`, want: " error: could not be evaluated: expression 'object.version == 'a'': no such key: version"},
		"a field of what has none":               {policy: valid("object.version == 'a'"), payload: `[]`, want: " error: could not be evaluated: expression 'object.version == 'a'': unsupported index type 'string' in list"},
		"variables":                              {policy: "variables: [{name: v, expression: object.version}], " + valid("variables.v == 'a'"), payload: `{"version": "a"}`, want: " pass"},
		"a message that is evaluated":            {policy: "validations: [{expression: 'false', messageExpression: \"'not ' + object.version\"}]", payload: `{"version": "a"}`, want: " fail: not a"},
		"conditions that are met":                {policy: "matchConditions: [{name: c, expression: has(object.version)}], " + valid("false"), payload: `{"version": "a"}`, want: " fail: refused"},
		"conditions that are not":                {policy: "matchConditions: [{name: c, expression: has(object.version)}], " + valid("false"), payload: `{}`, want: " skip: matchConditions not met: c"},
		"conditions without result":              {policy: "matchConditions: [{name: c, expression: object.version == 'a'}], " + valid("true"), payload: `{}`, want: " error: could not be evaluated: matchConditions: c: expression 'object.version == 'a'': no such key: version"},
		"who asks is not known":                  {policy: valid("request.userInfo.username == 'jane'"), payload: `{}`, want: " skip: not auditable: needs request.userInfo"},
		"there is no operation":                  {policy: valid("request.operation == 'CREATE'"), payload: `{}`, want: " error: could not be evaluated: expression 'request.operation == 'CREATE'': no such key: operation"},
		"there is no namespace":                  {policy: valid("namespaceObject == null && !has(oldObject.metadata)"), payload: `{"metadata": {"namespace": "team-a"}}`, want: " pass"},
		"what looks like an object of a cluster": {policy: valid("object.metadata.name == 'a'"), payload: `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}`, want: " pass"},
		"an exception":                           {policy: valid("false"), payload: `{"name": "a"}`, exceptions: []string{exceptionInCEL("x", conditionInCEL("object.name == 'a'"))}, want: " skip: excused by PolicyException team-a/x"},
		"an exception for another":               {policy: valid("false"), payload: `{"name": "b"}`, exceptions: []string{exceptionInCEL("x", conditionInCEL("object.name == 'a'"))}, want: " fail: refused"},
		"an exception for payloads":              {policy: valid("false"), payload: `{}`, exceptions: []string{exceptionInCEL("x", "evaluationMode: JSON")}, want: " skip: excused by PolicyException team-a/x"},
		"an exception for objects":               {policy: valid("false"), payload: `{}`, exceptions: []string{exceptionInCEL("x", "evaluationMode: Kubernetes")}, want: " fail: refused"},
		"an exception that has expired":          {policy: valid("false"), payload: `{}`, exceptions: []string{exceptionInCEL("x", "expiresAt: '2020-01-01T00:00:00Z'")}, want: " fail: refused"},
		"a value that is allowed":                {policy: valid("object.size in exceptions.allowedValues"), payload: `{"size": "xl"}`, exceptions: []string{exceptionInCEL("x", "allowedValues: [xl]")}, want: " pass"},
		"an exception without result":            {policy: valid("true"), payload: `{}`, exceptions: []string{exceptionInCEL("x", conditionInCEL("object.name == 'a'"))}, want: " error: could not be evaluated: PolicyException team-a/x: matchConditions: c: expression 'object.name == 'a'': no such key: name"},
		"exceptions come before conditions that read them": {
			policy: "matchConditions: [{name: c, expression: '!(object.size in exceptions.allowedValues)'}], " + valid("false"), payload: `{"size": "xl"}`,
			exceptions: []string{exceptionInCEL("x", "allowedValues: [xl]")}, want: " skip: matchConditions not met: c",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := excusing(t, mustCompileValidating(t, onPayloads(c.policy)), c.exceptions...)[0]
			value := payload(t, c.payload)
			same(t, "decisions", lines(s.Payload(t.Context(), value, world{}.inputs())), c.want)
			if after, _ := json.Marshal(value); string(after) != strings.ReplaceAll(strings.ReplaceAll(c.payload, ": ", ":"), ", ", ",") {
				t.Errorf("the payload was changed to %s", after)
			}
		})
	}
}

// What is for payloads is for nothing else, and the other way about.
func TestPoliciesOnPayloadsStandAtNoDoor(t *testing.T) {
	s, err := NewSnapshot([]*Policy{
		mustCompileValidating(t, onPayloads(refusesPodsInCEL)), mustCompileValidating(t, strings.Replace(inCEL(refusesPodsInCEL), "name: p", "name: q", 1)),
		mustCompile(t, withoutAutogen("r", refusesPods)),
	})
	if err != nil {
		t.Fatal(err)
	}
	pod := onPod(asking(t, excusedPod))
	same(t, "admission", lines(s.Validate(t.Context(), pod, world{}.inputs())), "r fail: rule r failed\n fail: refused")
	m, err := s.Audit(t.Context(), onPod(resting(t, excusedPod)), world{}.inputs())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "audit", lines(m.Decisions), "r fail: rule r failed\n fail: refused")
	decisions := s.Payload(t.Context(), pod.Object, world{}.inputs())
	if len(decisions) != 1 || decisions[0].Policy.Name != "p" {
		t.Errorf("of a payload: %s", lines(decisions))
	}
	if none := s.Where(func(p *Policy) bool { return p.Name != "p" }).Payload(t.Context(), pod.Object, world{}.inputs()); len(none) > 0 {
		t.Errorf("of a part without it: %s", lines(none))
	}
}

func TestModesOfPolicies(t *testing.T) {
	for mode, want := range map[string]string{
		"JSON": "", "Kubernetes": "",
		"HTTP":  "ValidatingPolicy/p: spec.evaluation.mode: the evaluation mode HTTP is not built yet",
		"Envoy": "ValidatingPolicy/p: spec.evaluation.mode: the evaluation mode Envoy is not built yet",
		"json":  `ValidatingPolicy/p: spec.evaluation.mode: unknown mode "json": expected Kubernetes, JSON, HTTP or Envoy`,
	} {
		src := &policiesv1beta1.ValidatingPolicy{}
		text := strings.Replace(inCEL("evaluation: {mode: "+mode+"}, "+refusesPodsInCEL), "'false'", "'true'", 1)
		if mode == "HTTP" {
			text = strings.Replace(text, "'true'", "http.Allowed().Response()", 1) // of a library that is not there
		}
		if err := yaml.UnmarshalStrict([]byte(text), src); err != nil {
			t.Fatal(err)
		}
		compiler, err := NewCompiler()
		if err != nil {
			t.Fatal(err)
		}
		p, err := compiler.CompileValidating(src)
		if got := fmt.Sprint(err); (want != "" || err != nil) && got != want {
			t.Errorf("%s: got %s, want %s", mode, got, want)
		}
		if mode == "JSON" {
			same(t, "warnings", strings.Join(p.Warnings, "\n"), "spec.matchConstraints: is ignored: a payload is no resource")
			if len(p.Rules) != 1 {
				t.Errorf("%d rules: a payload has no controllers", len(p.Rules))
			}
		}
	}
}

// The time for a payload is what its context has, however much there is to do.
func TestALongPayload(t *testing.T) {
	list := make([]any, 300_000)
	for i := range list {
		list[i] = map[string]any{"name": fmt.Sprint(i)}
	}
	long := excusing(t, mustCompileValidating(t, onPayloads("validations: [{expression: object.size() == 300000}]")))[0]
	same(t, "what takes no time", lines(long.Payload(t.Context(), list, world{}.inputs())), " pass")
	endless := excusing(t, mustCompileValidating(t, onPayloads("validations: [{expression: 'object.all(a, object.all(b, a.name != b.name || true))'}]")))[0]
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	same(t, "what does", lines(endless.Payload(ctx, list, world{}.inputs())), " error: could not be evaluated: not evaluated in time: context deadline exceeded")
}

func TestTimeForAPayloadThatIsOver(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := excusing(t, mustCompileValidating(t, onPayloads("validations: [{expression: 'true'}]")))[0]
	same(t, "decisions", lines(s.Payload(ctx, nil, world{}.inputs())), " error: could not be evaluated: not evaluated in time: context canceled")
}
