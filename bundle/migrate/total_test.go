package migrate

import (
	"strings"
	"testing"
)

// What has no result in a rule of a ClusterPolicy is a failure; the translation asks for what may be absent.
func TestExpressionsWithoutAResultAreFalse(t *testing.T) {
	for name, c := range map[string]struct{ kind, expression, want string }{
		"what is sure to be there stays as it is": {"Pod", `object.metadata.name != 'x'`, `has(object.metadata.name) && object.metadata.name != "x"`},
		"what asks already stays as it is":        {"Pod", `!has(object.spec.hostIPC)  || object.spec.hostIPC == false`, `!has(object.spec.hostIPC)  || object.spec.hostIPC == false`},
		"what has a default stays as it is":       {"Pod", `object.spec.?hostIPC.orValue(false) == false`, `object.spec.?hostIPC.orValue(false) == false`},
		"a field is asked for":                    {"Pod", `object.spec.hostIPC == false`, `has(object.spec.hostIPC) && object.spec.hostIPC == false`},
		"a boolean field is asked for":            {"Pod", `!object.spec.hostIPC`, `has(object.spec.hostIPC) && !object.spec.hostIPC`},
		"in a loop, too":                          {"Pod", `object.spec.containers.all(c, c.image.startsWith('a/'))`, `has(object.spec.containers) && object.spec.containers.all(c, has(c.image) && c.image.startsWith("a/"))`},
		"a negated loop":                          {"Pod", `!object.spec.containers.exists(c, c.image == 'a')`, `has(object.spec.containers) && object.spec.containers.all(c, has(c.image) && c.image != "a")`},
		"an annotation by its key":                {"Pod", `object.metadata.annotations['a'] == 'b'`, `has(object.metadata.annotations) && "a" in object.metadata.annotations && object.metadata.annotations["a"] == "b"`},
		"a field of unknown type":                 {"example.com/v1/Widget", `object.spec.size > 3`, `has(object.spec) && type(object.spec) == map && has(object.spec.size) && type(object.spec.size) in [int, double] && object.spec.size > 3`},
	} {
		t.Run(name, func(t *testing.T) {
			r := translate(t, policyOf(c.kind, "validate: {cel: {expressions: [{expression: "+quote(c.expression)+"}]}}"))
			if !r.Translated() {
				t.Fatalf("stays: %s: %s %v", r.Path, r.Reason, r.Counterexample)
			}
			if got := strings.ReplaceAll(expressionsOf(r, "validations"), "\n", " "); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestConditionsBecomeExpressions(t *testing.T) {
	for name, c := range map[string]struct{ kind, rule, want, conditions string }{
		"a text with a fallback": {
			"Pod", "validate: {message: refused, deny: {conditions: {any: [{key: \"{{ request.object.metadata.labels.a || '' }}\", operator: Equals, value: b}]}}}",
			`object.metadata.?labels.?a.orValue("") != "b"`, "",
		},
		"a text that must be there": {
			"Ingress", "validate: {message: refused, deny: {conditions: {any: [{key: '{{ request.object.spec.ingressClassName }}', operator: NotEquals, value: nginx}]}}}",
			`object.spec.ingressClassName == "nginx"`, "",
		},
		"the length of a list": {
			"Service", "validate: {message: refused, deny: {conditions: {all: [{key: '{{ length(request.object.spec.externalIPs || `[]`) }}', operator: GreaterThan, value: 0}]}}}",
			`!(size(object.spec.?externalIPs.orValue([])) > 0)`, "",
		},
		"a precondition": {
			"Pod", "preconditions: {all: [{key: '{{ request.object.spec.restartPolicy || `\"Always\"` }}', operator: AnyIn, value: [Always, OnFailure]}]}, validate: {message: refused, pattern: {spec: {hostIPC: false}}}",
			`object.spec.?hostIPC.orValue(true) == false`, `(object.spec.?restartPolicy.orValue("") == "" ? "Always" in ["Always", "OnFailure"] : object.spec.?restartPolicy.orValue("") in ["Always", "OnFailure"])`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			policy := policyOf(c.kind, c.rule)
			m := parse(t, policy)
			rule := m["spec"].(map[string]any)["rules"].([]any)[0].(map[string]any)
			resources := rule["match"].(map[string]any)["any"].([]any)[0].(map[string]any)["resources"].(map[string]any)
			resources["operations"] = []any{"CREATE", "UPDATE"}
			result, err := migrator(t).Translate(t.Context(), m)
			if err != nil {
				t.Fatal(err)
			}
			r := &result.Rules[0]
			if !r.Translated() {
				t.Fatalf("stays: %s: %s %v", r.Path, r.Reason, r.Counterexample)
			}
			if got := expressionsOf(r, "validations"); got != c.want {
				t.Errorf("validations\n got %s\nwant %s", got, c.want)
			}
			if got := expressionsOf(r, "matchConditions"); got != c.conditions {
				t.Errorf("matchConditions\n got %s\nwant %s", got, c.conditions)
			}
		})
	}
}
