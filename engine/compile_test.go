package engine

import (
	"errors"
	"testing"
)

const rest = ", " + "match: {any: [{resources: {kinds: [Pod]}}]}, "

// What is not built is refused by its name and place, never ignored.
func TestUnbuiltPartsAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ spec, want string }{
		"mutate.targets on a subresource": {
			"{rules: [{name: r" + rest + "mutate: {targets: [{apiVersion: apps/v1, kind: Deployment/scale}], patchStrategicMerge: {a: b}}}]}", "spec.rules[0].mutate.targets[0].kind: mutate.targets on a subresource is not built yet",
		},
	} {
		t.Run(name, func(t *testing.T) { refused(t, c.spec, c.want) })
	}
}

func refused(t *testing.T, spec, want string) {
	t.Helper()
	_, err := tryCompile(t, clusterPolicy("p", spec))
	var wrong *CompileError
	if !errors.As(err, &wrong) {
		t.Fatalf("got %v, want a *CompileError", err)
	}
	same(t, "error", wrong.Error(), "ClusterPolicy/p: "+want)
}

func TestWrongPoliciesAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ spec, want string }{
		"no rules":                   {"{}", "spec.rules: is empty: expected at least one rule"},
		"a rule without a name":      {"{rules: [{match: {any: [{resources: {kinds: [Pod]}}]}, validate: {deny: {}}}]}", "spec.rules[0].name: is missing"},
		"two rules of one name":      {"{rules: [{name: r" + rest + "validate: {deny: {}}}, {name: r" + rest + "validate: {deny: {}}}]}", `spec.rules[1].name: "r" stands twice: rule names are unique in a policy`},
		"a rule without match":       {"{rules: [{name: r, validate: {deny: {}}}]}", "spec.rules[0].match: is missing: expected any or all with what the rule selects"},
		"a match without kinds":      {"{rules: [{name: r, match: {any: [{resources: {names: [x]}}]}, validate: {deny: {}}}]}", "spec.rules[0].match: names no kinds: expected resources.kinds"},
		"both any and all":           {"{rules: [{name: r, match: {any: [{resources: {kinds: [Pod]}}], all: [{resources: {kinds: [Pod]}}]}, validate: {deny: {}}}]}", "spec.rules[0].match: has both any and all: expected one of them; spec.rules[0].match: names no kinds: expected resources.kinds"},
		"an empty filter":            {"{rules: [{name: r, match: {any: [{}, {resources: {kinds: [Pod]}}]}, validate: {deny: {}}}]}", "spec.rules[0].match.any[0]: selects nothing: expected resources, subjects, roles or clusterRoles"},
		"a rule without action":      {"{rules: [{name: r" + rest + "reportProperties: {}}]}", `spec.rules[0]: rule "r" has 0 of validate, mutate, generate and verifyImages: expected exactly one`},
		"a rule with two actions":    {"{rules: [{name: r" + rest + "validate: {deny: {}}, mutate: {patchStrategicMerge: {a: b}}}]}", `spec.rules[0]: rule "r" has 2 of validate, mutate, generate and verifyImages: expected exactly one`},
		"a validation without parts": {"{rules: [{name: r" + rest + "validate: {message: x}}]}", "spec.rules[0].validate: has 0 of pattern, anyPattern, deny, foreach, cel, podSecurity, assert and manifests: expected exactly one"},
		"an unknown action":          {"{validationFailureAction: Refuse, rules: [{name: r" + rest + "validate: {deny: {}}}]}", `spec.validationFailureAction: unknown action "Refuse": expected Enforce or Audit`},
		"an unknown failurePolicy":   {"{failurePolicy: Shrug, rules: [{name: r" + rest + "validate: {deny: {}}}]}", `spec.failurePolicy: unknown failurePolicy "Shrug": expected Fail or Ignore`},
		"a timeout without measure":  {"{webhookTimeoutSeconds: 31, rules: [{name: r" + rest + "validate: {deny: {}}}]}", "spec.webhookTimeoutSeconds: is 31: expected 1 to 30 seconds"},
		"an unknown applyRules":      {"{applyRules: Some, rules: [{name: r" + rest + "validate: {deny: {}}}]}", `spec.applyRules: unknown value "Some": expected All or One`},
		"an unknown operation":       {"{rules: [{name: r, match: {any: [{resources: {kinds: [Pod], operations: [PATCH]}}]}, validate: {deny: {}}}]}", `spec.rules[0].match.any[0].resources.operations[0]: unknown operation "PATCH": expected CREATE, UPDATE, DELETE or CONNECT`},
		"no role":                    {"{rules: [{name: r, match: {any: [{resources: {kinds: [Pod]}, roles: [admin]}]}, validate: {deny: {}}}]}", `spec.rules[0].match.any[0].roles[0]: "admin" is not a role: expected namespace:name`},
		"no kind of subject":         {"{rules: [{name: r, match: {any: [{resources: {kinds: [Pod]}, subjects: [{kind: Robot, name: x}]}]}, validate: {deny: {}}}]}", `spec.rules[0].match.any[0].subjects[0].kind: unknown kind of subject "Robot": expected User, Group or ServiceAccount`},
		"an unknown function":        {"{rules: [{name: r" + rest + "validate: {message: '{{ to_uper(request.name) }}', deny: {}}}]}", `spec.rules[0].validate.message: expression "to_uper(request.name)": unknown function "to_uper": did you mean "to_upper"?`},
		"a context without a source": {"{rules: [{name: r" + rest + "context: [{name: x}], validate: {deny: {}}}]}", "spec.rules[0].context[0]: has 0 sources: expected one of variable, configMap, apiCall, imageRegistry and globalReference"},
		"an empty variable":          {"{rules: [{name: r" + rest + "context: [{name: x, variable: {}}], validate: {deny: {}}}]}", "spec.rules[0].context[0].variable: is empty: expected value, jmesPath or default"},
		"an empty mutation":          {"{rules: [{name: r" + rest + "mutate: {}}]}", "spec.rules[0].mutate: has 0 of patchStrategicMerge, patchesJson6902 and foreach: expected exactly one"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, c.spec, c.want) })
	}
}
