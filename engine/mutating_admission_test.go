package engine

import (
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
)

func mutatingAdmission(more string) string {
	return "{metadata: {name: p}, spec: {matchConstraints: {resourceRules: [" + deploymentRule + "]}, " + more + "}}"
}

// mutatesBy is the mutations of a policy: one ApplyConfiguration for each expression.
func mutatesBy(expressions ...string) string {
	var list []string
	for _, e := range expressions {
		list = append(list, "{patchType: ApplyConfiguration, applyConfiguration: {expression: '"+e+"'}}")
	}
	return "reinvocationPolicy: Never, mutations: [" + strings.Join(list, ", ") + "]"
}

func tryMutatingAdmission(t testing.TB, text string) (*Policy, error) {
	t.Helper()
	var src admissionregistrationv1.MutatingAdmissionPolicy
	return decodeStrictly(t, text, &src).CompileMutatingAdmission(&src)
}

// mutatingBound is a snapshot of one policy with bindings, whose specs are given behind the name of the policy.
func mutatingBound(t testing.TB, policy string, bindings ...string) *Snapshot {
	t.Helper()
	p, err := tryMutatingAdmission(t, policy)
	if err != nil {
		t.Fatalf("%v in:\n%s", err, policy)
	}
	p.Admission = true // as in a test of the policy: the API server is not here
	contents := Contents{Policies: []*Policy{p}}
	for i, more := range bindings {
		var src admissionregistrationv1.MutatingAdmissionPolicyBinding
		b, err := decodeStrictly(t, "{metadata: {name: b"+string(rune('0'+i))+"}, spec: {policyName: p"+more+"}}", &src).CompileMutatingBinding(&src)
		if err != nil {
			t.Fatal(err)
		}
		contents.Bindings = append(contents.Bindings, b)
	}
	s, err := Assemble(contents)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestMutatingAdmissionPolicies(t *testing.T) {
	const byParam = `Object{spec: Object.spec{replicas: object.spec.replicas + int(params.data.more)}}`
	params := &archive{objects: map[string]map[string]any{
		"ConfigMap/shop/a": object(t, "{metadata: {name: a, namespace: shop, labels: {use: x}}, data: {more: '3'}}"),
		"ConfigMap/shop/b": object(t, "{metadata: {name: b, namespace: shop, labels: {use: x}}, data: {more: '4'}}"),
		"ConfigMap/bank/c": object(t, "{metadata: {name: c, namespace: bank, labels: {use: x}}, data: {more: '50'}}"),
	}}
	const kind = "paramKind: {apiVersion: v1, kind: ConfigMap}, "
	replicas := func(n string) string {
		return "pp pass: mutated\n" + `[{"op":"replace","path":"/spec/replicas","value":` + n + `}]`
	}
	for name, c := range map[string]struct {
		policy   string
		bindings []string
		want     string
	}{
		"a policy without bindings does nothing": {mutatesBy(`Object{spec: Object.spec{replicas: 5}}`), nil, "null"},
		"one binding":                            {mutatesBy(`Object{spec: Object.spec{replicas: 5}}`), []string{""}, replicas("5")},
		"a Deployment that is as it is wanted":   {mutatesBy(`Object{spec: Object.spec{replicas: 1}}`), []string{""}, "pp pass: the object is as the rule wants it\nnull"},
		"two bindings, each on what the one before made": {mutatesBy(`Object{spec: Object.spec{replicas: object.spec.replicas + 1}}`), []string{"", ""},
			"pp pass: mutated\npp pass: mutated\n" + `[{"op":"replace","path":"/spec/replicas","value":3}]`},
		"a binding for another namespace":     {mutatesBy(`Object{spec: Object.spec{replicas: 5}}`), []string{", matchResources: {namespaceSelector: {matchLabels: {tier: gold}}}"}, "null"},
		"variables are those of the mutation": {"variables: [{name: now, expression: object.spec.replicas}], " + mutatesBy(`Object{spec: Object.spec{replicas: variables.now + 1}}`, `Object{spec: Object.spec{replicas: variables.now + 10}}`), []string{""}, replicas("12")},
		"conditions that are not met":         {"matchConditions: [{name: c, expression: object.spec.replicas > 1}], " + mutatesBy(`Object{spec: Object.spec{replicas: 5}}`), []string{""}, "pp skip: matchConditions not met\nnull"},
		"a parameter by its name":             {kind + mutatesBy(byParam), []string{", paramRef: {name: a, parameterNotFoundAction: Deny}"}, replicas("4")},
		"each of several parameters":          {kind + mutatesBy(byParam), []string{", paramRef: {selector: {matchLabels: {use: x}}, parameterNotFoundAction: Deny}"}, replicas("8")},
		"parameters that the conditions read": {kind + "matchConditions: [{name: c, expression: 'int(params.data.more) > 3'}], " + mutatesBy(byParam), []string{", paramRef: {selector: {matchLabels: {use: x}}, parameterNotFoundAction: Deny}"}, replicas("5")},
		"a parameter that is not there": {kind + mutatesBy(byParam), []string{", paramRef: {name: z, parameterNotFoundAction: Deny}"},
			"pp error: could not be evaluated: the parameters: does not exist\nnull"},
		"a parameter that may be missing": {kind + mutatesBy(byParam), []string{", paramRef: {name: z, parameterNotFoundAction: Allow}"},
			"pp skip: there is no parameter to mutate by\nnull"},
		"an expression without a result": {mutatesBy(`Object{spec: Object.spec{replicas: object.spec.gone}}`), []string{""},
			"pp error: could not be evaluated: mutations[0]: expression 'Object{spec: Object.spec{replicas: object.spec.gone}}': no such key: gone\nnull"},
		"one without a result, which is ignored": {"failurePolicy: Ignore, " + mutatesBy(`Object{spec: Object.spec{replicas: object.spec.gone}}`, `Object{spec: Object.spec{replicas: 7}}`), []string{""}, replicas("7")},
		"all without a result, which is ignored": {"failurePolicy: Ignore, " + mutatesBy(`Object{spec: Object.spec{replicas: object.spec.gone}}`), []string{""},
			"pp error: could not be evaluated: mutations[0]: expression 'Object{spec: Object.spec{replicas: object.spec.gone}}': no such key: gone\nnull"},
		"a parameter without a result, which is ignored": {kind + "failurePolicy: Ignore, " + mutatesBy(`Object{spec: Object.spec{replicas: object.spec.replicas + int(params.metadata.name == "a" ? params.data.none : params.data.more)}}`),
			[]string{", paramRef: {selector: {matchLabels: {use: x}}, parameterNotFoundAction: Deny}"}, replicas("5")},
		"one that is asked again": {strings.Replace(mutatesBy(`Object{spec: Object.spec{replicas: object.spec.replicas + 1}}`), "Never", "IfNeeded", 1), []string{""}, replicas("3")},
		"one that is asked again by those parameters alone that met its conditions": {kind + "matchConditions: [{name: c, expression: 'params.metadata.name == \"b\" || object.spec.replicas > 1'}], " + strings.Replace(mutatesBy(byParam), "Never", "IfNeeded", 1),
			[]string{", paramRef: {selector: {matchLabels: {use: x}}, parameterNotFoundAction: Deny}"}, replicas("9")},
		"a condition without a result": {"matchConditions: [{name: c, expression: object.spec.gone > 1}], " + mutatesBy(`Object{}`), []string{""},
			"pp error: could not be evaluated: matchConditions: c: expression 'object.spec.gone > 1': no such key: gone\nnull"},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := mutatingBound(t, mutatingAdmission(c.policy), c.bindings...).Mutate(t.Context(), toDeployments(asking(t, deploymentOf("1", "app: web"))), params.inputs())
			if err != nil {
				t.Fatal(err)
			}
			same(t, "mutation", mutationText(t, m), c.want)
		})
	}
}

// The API server mutates what is written; what was there before its policy is drift.
func TestAnAuditFindsWhatAMutatingAdmissionPolicyWouldChange(t *testing.T) {
	for name, c := range map[string]struct{ policy, want string }{
		"drift":     {mutatesBy(`Object{spec: Object.spec{replicas: 5}}`), "pp fail: the object differs from what the rule wants at /spec/replicas\n" + `[{"op":"replace","path":"/spec/replicas","value":5}]`},
		"none":      {mutatesBy(`Object{spec: Object.spec{replicas: 1}}`), "pp pass\nnull"},
		"no rest":   {mutatesBy(`Object{spec: Object.spec{replicas: object.spec.replicas + 1}}`), "pp error: could not be evaluated: the rule never comes to rest: applied to its own result it changes /spec/replicas again\n" + `[{"op":"replace","path":"/spec/replicas","value":2}]`},
		"an update": {"matchConditions: [{name: c, expression: oldObject.spec.replicas > 1}], " + mutatesBy(`Object{spec: Object.spec{replicas: 5}}`), "pp skip: not auditable: needs oldObject\nnull"},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := mutatingBound(t, mutatingAdmission(c.policy), "").Audit(t.Context(), resting(t, deploymentOf("1", "app: web")), world{}.inputs())
			if err != nil {
				t.Fatal(err)
			}
			same(t, "audit", mutationText(t, m), c.want)
		})
	}
}

func TestMutatingAdmissionPoliciesThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ policy, want string }{
		"no mutations":                        {"reinvocationPolicy: Never", "spec.mutations: is empty: expected at least one mutation"},
		"params without a paramKind":          {mutatesBy(`Object{spec: Object.spec{replicas: params.n}}`), "spec.mutations[0].applyConfiguration.expression: CEL at 1:36: params is read, but there is no parameter: expected paramKind and paramRef"},
		"a function of Kyverno's":             {mutatesBy(`Object{a: resource.Get("v1", "pods", "a", "b")}`), "spec.mutations[0].applyConfiguration.expression: CEL at 1:11: undeclared reference to 'resource'; spec.mutations[0].applyConfiguration.expression: CEL at 1:23: undeclared reference to 'Get'"},
		"a policy that no binding could hold": {"reinvocationPolicy: Sometimes, mutations: [{patchType: JSONPatch, jsonPatch: {expression: '[]'}}]", `spec.reinvocationPolicy: unknown value "Sometimes": expected Never or IfNeeded`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tryMutatingAdmission(t, mutatingAdmission(c.policy))
			if err == nil {
				t.Fatal("compiled")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}
