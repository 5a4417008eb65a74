package engine

import (
	"strings"
	"testing"
	"time"
)

// Regular expressions that take other engines an age: the matcher's steps are bounded by the length of the text times
// that of the pattern, and both are bounded, whoever wrote them.
func TestARegularExpressionBombIsBounded(t *testing.T) {
	const asks = "validate: {deny: {conditions: {any: [{key: \"{{ regex_match(%PATTERN, request.object.metadata.annotations.text) }}\", operator: Equals, value: true}]}}}}]}"
	long := strings.Repeat("a", 1<<20) + "!"
	for name, c := range map[string]struct{ pattern, inObject, text, want string }{
		"of the policy, that runs through all ways to cut a text": {"'^(a+)+$'", "", long, "r pass"},
		"the same, of the object":                                 {"request.object.metadata.annotations.pattern", "^(a|a)*$", long, "r pass"},
		"with a wide step for each letter":                        {"'^(.*a){20}$'", "", long[:1<<16], "r fail: rule r failed"},
		"with too many steps for so long a text": {
			"'^(.*a){100}$'", "", long,
			"r error: could not be evaluated: deny conditions: any[0]: key: regex_match('^(.*a){100}$', request.object.metadata.annotations.text): function regex_match: a text of 1048577 bytes is too long for this regular expression: too large",
		},
		"of the object, that grows when it is compiled": {
			"request.object.metadata.annotations.pattern", "((a{1,100}){1,100}){1,100}", "a",
			"r error: could not be evaluated: deny conditions: any[0]: key: regex_match(request.object.metadata.annotations.pattern, request.object.metadata.annotations.text): function regex_match: argument 1 is no valid regular expression (invalid repeat count)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := snapshot(t, withoutAutogen("p", "{rules: [{name: r, "+onPods+strings.Replace(asks, "%PATTERN", c.pattern, 1)))
			req := asking(t, "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, annotations: {}}}")
			meta := req.Object["metadata"].(map[string]any)
			meta["annotations"] = map[string]any{"text": c.text, "pattern": c.inObject}
			start := time.Now()
			same(t, "decisions", lines(s.Validate(t.Context(), req, world{}.inputs())), c.want)
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func TestARegularExpressionBombOfAPolicyIsRefusedAtLoad(t *testing.T) {
	refused(t, "{rules: [{name: r"+rest+"validate: {deny: {conditions: {any: [{key: \"{{ regex_match('(abcdefghijklmnopq){1,1000}', request.name) }}\", operator: Equals, value: true}]}}}}]}",
		`spec.rules[0].validate.deny.conditions.any[0].key: expression "regex_match('(abcdefghijklmnopq){1,1000}', request.name)": function regex_match: argument 1 is a regular expression that repeats too much: more than 10000 instructions: too large: "(abcdefghijklmnopq){1,1000}"`)
}

// A wildcard is matched in the length of the text times that of the pattern too.
func TestAWildcardBombIsBounded(t *testing.T) {
	s := snapshot(t, withoutAutogen("p", "{rules: [{name: r, "+onPods+"validate: {pattern: {metadata: {annotations: {text: '"+strings.Repeat("*a", 50)+"b'}}}}}]}"))
	req := asking(t, "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop}}")
	req.Object["metadata"].(map[string]any)["annotations"] = map[string]any{"text": strings.Repeat("a", 1<<18)}
	start := time.Now()
	same(t, "decisions", lines(s.Validate(t.Context(), req, world{}.inputs())), "r fail: failed at /metadata/annotations/text/")
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestAConfigMapOfFiveMegabytesIsAnError(t *testing.T) {
	config := map[string]any{"metadata": map[string]any{"name": "c"}, "data": map[string]any{"team": "blue", "blob": strings.Repeat("x", 5<<20)}}
	a := &archive{objects: map[string]map[string]any{"ConfigMap/shop/c": config}}
	s := snapshot(t, looking("{name: c, configMap: {name: c, namespace: shop}}, {name: x, variable: {jmesPath: c.data.team}}"))
	same(t, "decisions", lines(s.Validate(t.Context(), asking(t, twoContainers), a.inputs())),
		"r error: could not be evaluated: context variable c: its value is longer than 2097152 bytes: too large")
}
