package engine

import (
	"errors"
	"strings"
	"testing"
)

func TestCEL(t *testing.T) {
	const (
		pod   = "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}, spec: {hostNetwork: true, priority: 5}}"
		on    = "match: {any: [{resources: {kinds: [Pod]}}]}, "
		onAll = "match: {any: [{resources: {kinds: [Pod], operations: [CREATE, UPDATE, DELETE]}}]}, "
	)
	for name, c := range map[string]struct {
		rule string
		op   Operation
		old  string
		want string
		rest string // the verdict at rest, if it is another
	}{
		"an expression that is true":    {rule: on + "validate: {cel: {expressions: [{expression: object.spec.priority <= 5}]}}", want: "r pass"},
		"one that is false":             {rule: on + "validate: {cel: {expressions: [{expression: object.spec.priority < 5}]}}", want: "r fail: failed expression: object.spec.priority < 5"},
		"the rule's message":            {rule: on + "validate: {message: Too high., cel: {expressions: [{expression: object.spec.priority < 5}]}}", want: "r fail: Too high."},
		"the expression's message":      {rule: on + "validate: {message: Too high., cel: {expressions: [{expression: object.spec.priority < 5, message: Above 4.}]}}", want: "r fail: Above 4."},
		"a message that is made":        {rule: on + "validate: {cel: {variables: [{name: p, expression: object.spec.priority}], expressions: [{expression: variables.p < 5, messageExpression: '''is '' + string(variables.p)'}]}}", want: "r fail: is 5"},
		"a field that the object lacks": {rule: on + "validate: {cel: {expressions: [{expression: object.spec.hostPID == false}]}}", want: "r fail: expression 'object.spec.hostPID == false': no such key: hostPID"},
		"a condition that is not met":   {rule: on + "celPreconditions: [{name: labelled, expression: has(object.metadata.labels.tier)}], validate: {cel: {expressions: [{expression: 'false'}]}}", want: "r skip: celPreconditions not met: labelled"},
		"a condition without an answer": {rule: on + "celPreconditions: [{name: labelled, expression: object.metadata.none == 1}], validate: {cel: {expressions: [{expression: 'true'}]}}", want: "r fail: conditions: labelled: expression 'object.metadata.none == 1': no such key: none"},
		"preconditions of the older kind": {rule: on + "preconditions: {all: [{key: '{{ request.object.spec.hostNetwork }}', operator: Equals, value: false}]}, validate: {cel: {expressions: [{expression: 'false'}]}}",
			want: "r skip: preconditions not met"},
		"the request": {rule: on + "validate: {cel: {expressions: [{expression: \"request.operation == 'CREATE' && request.kind.kind == 'Pod' && request.name == 'web' && request.namespace == 'shop' && !has(request.subResource) && request.options == null && !request.dryRun\"}]}}",
			want: "r pass", rest: "r skip: not auditable: needs request.dryRun"},
		"the user": {rule: on + "validate: {cel: {expressions: [{expression: \"request.userInfo.username == 'jane' && 'dev' in request.userInfo.groups && !has(request.userInfo.extra)\"}]}}",
			want: "r pass", rest: "r skip: not auditable: needs request.userInfo"},
		"an old object that need not be there": {rule: on + "validate: {cel: {expressions: [{expression: object.spec.priority == 5 || oldObject == null}]}}", want: "r pass"},
		"the old object of a creation": {rule: on + "validate: {cel: {expressions: [{expression: object.spec.priority == oldObject.spec.priority}]}}",
			want: "r fail: expression 'object.spec.priority == oldObject.spec.priority': no such key: spec", rest: "r skip: not auditable: needs oldObject"},
		"the old object of an update":         {rule: on + "validate: {cel: {expressions: [{expression: object.spec.priority == oldObject.spec.priority}]}}", op: Update, old: pod, want: "r pass"},
		"a deletion has nothing to look at":   {rule: on + "validate: {cel: {expressions: [{expression: object.spec.priority < 5}]}}", op: Delete, want: ""},
		"unless it is named":                  {rule: onAll + "validate: {cel: {expressions: [{expression: object == null}]}}", op: Delete, want: "r pass"},
		"or the old object is read":           {rule: on + "validate: {cel: {expressions: [{expression: object != null || oldObject.spec.priority < 5, message: stay}]}}", op: Delete, want: "r fail: stay"},
		"an expression about nothing at all":  {rule: on + "validate: {cel: {expressions: [{expression: 'false', message: never}]}}", op: Delete, want: "r fail: never"},
		"the name of the namespace":           {rule: on + "validate: {cel: {expressions: [{expression: namespaceObject.metadata.name == 'shop'}]}}", want: "r pass"},
		"the labels of the namespace":         {rule: on + "validate: {cel: {expressions: [{expression: namespaceObject.metadata.labels.team == 'blue'}]}}", want: "r pass"},
		"a parameter":                         {rule: on + "validate: {cel: {paramKind: {apiVersion: v1, kind: ConfigMap}, paramRef: {name: a, parameterNotFoundAction: Deny}, expressions: [{expression: object.spec.priority <= int(params.data.max), messageExpression: '''above '' + params.data.max'}]}}", want: "r fail: above 4"},
		"a parameter of another namespace":    {rule: on + "validate: {cel: {paramKind: {apiVersion: v1, kind: ConfigMap}, paramRef: {name: a, namespace: bank, parameterNotFoundAction: Deny}, expressions: [{expression: object.spec.priority <= int(params.data.max)}]}}", want: "r pass"},
		"several parameters":                  {rule: on + "validate: {cel: {paramKind: {apiVersion: v1, kind: ConfigMap}, paramRef: {selector: {matchLabels: {a: b}}, parameterNotFoundAction: Deny}, expressions: [{expression: object.spec.priority <= int(params.data.max)}]}}", want: "r fail: failed expression: object.spec.priority <= int(params.data.max)"},
		"parameters that skip, and one not":   {rule: on + "celPreconditions: [{name: high, expression: int(params.data.max) > 4}], validate: {cel: {paramKind: {apiVersion: v1, kind: ConfigMap}, paramRef: {selector: {}, parameterNotFoundAction: Deny}, expressions: [{expression: object.spec.priority <= int(params.data.max)}]}}", want: "r pass"},
		"parameters that all skip":            {rule: on + "celPreconditions: [{name: high, expression: int(params.data.max) > 99}], validate: {cel: {paramKind: {apiVersion: v1, kind: ConfigMap}, paramRef: {selector: {}, parameterNotFoundAction: Deny}, expressions: [{expression: 'false'}]}}", want: "r skip: celPreconditions not met: high"},
		"a parameter that does not exist":     {rule: on + "validate: {cel: {paramKind: {apiVersion: v1, kind: ConfigMap}, paramRef: {name: z, parameterNotFoundAction: Deny}, expressions: [{expression: params.data.max == ''}]}}", want: "r error: could not be evaluated: the parameters: does not exist"},
		"one that need not":                   {rule: on + "validate: {cel: {paramKind: {apiVersion: v1, kind: ConfigMap}, paramRef: {name: z, parameterNotFoundAction: Allow}, expressions: [{expression: params.data.max == ''}]}}", want: "r pass: there is no parameter to judge by"},
		"parameters of which there are none":  {rule: on + "validate: {cel: {paramKind: {apiVersion: v1, kind: Secret}, paramRef: {selector: {matchLabels: {a: b}}, parameterNotFoundAction: Deny}, expressions: [{expression: params.data.max == ''}]}}", want: "r error: could not be evaluated: the parameters: no Secret with the labels a=b: does not exist"},
		"parameters of which none are needed": {rule: on + "validate: {cel: {paramKind: {apiVersion: v1, kind: Secret}, paramRef: {selector: {matchLabels: {a: b}}, parameterNotFoundAction: Allow}, expressions: [{expression: params.data.max == ''}]}}", want: "r pass: there is no parameter to judge by"},
	} {
		t.Run(name, func(t *testing.T) {
			config := func(namespace, top string) map[string]any {
				return object(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: "+namespace+"}, data: {max: '"+top+"'}}")
			}
			a := &archive{objects: map[string]map[string]any{
				"ConfigMap/shop/a": config("shop", "4"), "ConfigMap/shop/b": config("shop", "6"), "ConfigMap/bank/a": config("bank", "9"),
				"Namespace//shop": object(t, "{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {team: blue}}}"),
			}}
			s := snapshot(t, withoutAutogen("p", "{rules: [{name: r, "+c.rule+"}]}"))
			req := asking(t, pod)
			if c.op != "" {
				req.Operation = c.op
			}
			switch {
			case c.op == Delete:
				req.Object, req.OldObject = nil, req.Object
			case c.old != "":
				req.OldObject = object(t, c.old)
			}
			same(t, "at admission", lines(s.Validate(t.Context(), req, a.inputs())), c.want)
			if c.op != "" {
				return
			}
			if c.rest == "" {
				c.rest = c.want
			}
			same(t, "at rest", lines(s.Validate(t.Context(), resting(t, pod), a.inputs())), c.rest)
		})
	}
}

// What an expression does not read is not looked up: the name of a namespace is known.
func TestCELAsksForWhatItReads(t *testing.T) {
	for expression, want := range map[string]string{
		"namespaceObject.metadata.name == 'shop'":                "",
		"namespaceObject.metadata.labels.team == 'blue'":         "get Namespace//shop",
		"true || namespaceObject.metadata.labels.team == 'blue'": "",
	} {
		a := &archive{objects: map[string]map[string]any{"Namespace//shop": object(t, "{metadata: {labels: {team: blue}}}")}}
		s := snapshot(t, withoutAutogen("p", "{rules: [{name: r, "+onPods+"validate: {cel: {expressions: [{expression: \""+expression+"\"}]}}}]}"))
		same(t, expression, lines(s.Validate(t.Context(), asking(t, "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop}}"), a.inputs())), "r pass")
		same(t, expression+": asked", strings.Join(a.asked, "; "), want)
	}
}

// A namespace that cannot be looked up is an error, for the policy's failurePolicy to settle.
func TestCELLookupsThatFail(t *testing.T) {
	s := snapshot(t, withoutAutogen("p", "{rules: [{name: r, "+onPods+"validate: {cel: {expressions: [{expression: namespaceObject.metadata.labels.team == 'blue'}]}}}]}"))
	decisions := s.Validate(t.Context(), asking(t, "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop}}"), (&archive{}).inputs())
	same(t, "decision", lines(decisions), "r error: could not be evaluated: reading the namespace: does not exist")
	if !errors.Is(decisions[0].Err, ErrNotFound) {
		t.Errorf("got the error %v, want ErrNotFound", decisions[0].Err)
	}
}

// In a test without a cluster a namespace has its name and nothing else; elsewhere what is not known is an error.
func TestCELNamespaceWithoutACluster(t *testing.T) {
	s := snapshot(t, withoutAutogen("p", "{rules: [{name: r, "+onPods+"validate: {cel: {expressions: [{expression: has(namespaceObject.metadata.labels), message: no labels}]}}}]}"))
	req := asking(t, "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop}}")
	in := world{}.inputs()
	in.Lookups = NoLookups{}
	same(t, "without a test", lines(s.Validate(t.Context(), req, in)), "r error: could not be evaluated: reading the namespace: cannot be looked up here")
	in.Given = func(*Rule, int) map[string]any { return nil }
	same(t, "in a test", lines(s.Validate(t.Context(), req, in)), "r fail: no labels")
}

// GHSA-cvq5-hhx3-f99p: a namespaced policy has the parameters of its own namespace only.
func TestCELParametersStayInReach(t *testing.T) {
	const policy = "{apiVersion: kyverno.io/v1, kind: Policy, metadata: {name: p, namespace: shop}, spec: {rules: [{name: r, " + onPods +
		"validate: {cel: {paramKind: {apiVersion: v1, kind: ConfigMap}, paramRef: {name: a, namespace: bank}, expressions: [{expression: params.data.max == ''}]}}}]}}"
	_, err := tryCompile(t, policy)
	const want = "Policy/shop/p: spec.rules[0].validate.cel.paramRef.namespace: out of the policy's reach: namespace bank, for a policy of namespace shop"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestMatchConditions(t *testing.T) {
	for name, c := range map[string]struct{ conditions, want, rest string }{
		"met":                   {conditions: "{name: a, expression: object.metadata.name == 'web'}", want: "r fail: never; s pass"},
		"not met":               {conditions: "{name: a, expression: object.metadata.name == 'web'}, {name: b, expression: \"request.operation != 'CREATE'\"}", want: ""},
		"without an answer":     {conditions: "{name: a, expression: object.none == 1}", want: "r error: could not be evaluated: matchConditions: a: expression 'object.none == 1': no such key: none; s error: could not be evaluated: matchConditions: a: expression 'object.none == 1': no such key: none"},
		"about the user":        {conditions: "{name: a, expression: request.userInfo.username == 'jane'}", want: "r fail: never; s pass", rest: "r skip: not auditable: needs request.userInfo; s skip: not auditable: needs request.userInfo"},
		"about a user not here": {conditions: "{name: a, expression: request.userInfo.username == 'joe'}", want: "", rest: "r skip: not auditable: needs request.userInfo; s skip: not auditable: needs request.userInfo"},
	} {
		t.Run(name, func(t *testing.T) {
			const pod = "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop}}"
			s := snapshot(t, withoutAutogen("p", "{webhookConfiguration: {matchConditions: ["+c.conditions+"]}, rules: [{name: r, "+onPods+"validate: {message: never, deny: {}}}, {name: s, "+onPods+"validate: {pattern: {kind: Pod}}}]}"))
			same(t, "at admission", strings.ReplaceAll(lines(s.Validate(t.Context(), asking(t, pod), world{}.inputs())), "\n", "; "), c.want)
			if c.rest == "" {
				c.rest = c.want
			}
			same(t, "at rest", strings.ReplaceAll(lines(s.Validate(t.Context(), resting(t, pod), world{}.inputs())), "\n", "; "), c.rest)
		})
	}
}

func TestCELOfPodTemplates(t *testing.T) {
	s := snapshot(t, clusterPolicy("p", "{rules: [{name: r, "+onPods+"celPreconditions: [{name: labelled, expression: object.metadata.labels.x == 'on'}], validate: {cel: {variables: [{name: s, expression: object.spec}], expressions: [{expression: '!variables.s.hostNetwork && !object.spec.hostNetwork', message: never}]}}}]}"))
	for object, want := range map[string]string{
		"{apiVersion: v1, kind: Pod, metadata: {name: d, labels: {x: 'on'}}, spec: {hostNetwork: true}}":                                                                              "r fail: never",
		"{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {template: {metadata: {labels: {x: 'on'}}, spec: {hostNetwork: true}}}}":                                  "autogen-r fail: never",
		"{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {template: {metadata: {labels: {x: 'off'}}, spec: {hostNetwork: true}}}}":                                 "autogen-r skip: celPreconditions not met: labelled",
		"{apiVersion: batch/v1, kind: CronJob, metadata: {name: c}, spec: {jobTemplate: {spec: {template: {metadata: {labels: {x: 'on'}}, spec: {hostNetwork: false}}}}}}":            "autogen-cronjob-r pass",
		"{apiVersion: batch/v1, kind: CronJob, metadata: {name: c}, spec: {jobTemplate: {spec: {template: {metadata: {labels: {x: 'on'}}, spec: {hostNetwork: true, other: 1.5}}}}}}": "autogen-cronjob-r fail: never",
	} {
		same(t, object, lines(s.Validate(t.Context(), asking(t, object), world{}.inputs())), want)
	}
}

func TestWrongCELIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ spec, want string }{
		"an expression": {"{rules: [{name: r" + rest + "validate: {cel: {expressions: [{expression: 'true'}, {expression: object.spec ==}]}}}]}",
			"spec.rules[0].validate.cel.expressions[1].expression: CEL at 1:15: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"},
		"a variable": {"{rules: [{name: r" + rest + "validate: {cel: {variables: [{name: a, expression: objct}], expressions: [{expression: 'true'}]}}}]}",
			"spec.rules[0].validate.cel.variables[0].expression: CEL at 1:1: undeclared reference to 'objct': did you mean object?"},
		"a condition of a rule": {"{rules: [{name: r" + rest + "celPreconditions: [{name: a, expression: '1'}], validate: {cel: {expressions: [{expression: 'true'}]}}}]}",
			"spec.rules[0].celPreconditions[0].expression: gives int: expected bool"},
		"a condition of the policy": {"{webhookConfiguration: {matchConditions: [{name: a, expression: '1'}]}, rules: [{name: r" + rest + "validate: {deny: {}}}]}",
			"spec.webhookConfiguration.matchConditions[0].expression: gives int: expected bool"},
		"no expressions": {"{rules: [{name: r" + rest + "validate: {cel: {}}}]}", "spec.rules[0].validate.cel.expressions: is empty: expected at least one expression"},
		"the authorizer in a message": {"{rules: [{name: r" + rest + "validate: {cel: {expressions: [{expression: 'true', messageExpression: authorizer.requestResource.check('get').reason()}]}}}]}",
			"spec.rules[0].validate.cel.expressions[0].messageExpression: authorizer is not known to a messageExpression"},
		"parameters": {"{rules: [{name: r" + rest + "validate: {cel: {paramKind: {apiVersion: ''}, paramRef: {parameterNotFoundAction: Shrug}, expressions: [{expression: 'true'}]}}}]}",
			`spec.rules[0].validate.cel.paramKind.apiVersion: "" is no version: expected one like v1 or example.com/v1; spec.rules[0].validate.cel.paramKind.kind: is missing; spec.rules[0].validate.cel.paramRef: expected one of name and selector; spec.rules[0].validate.cel.paramRef.parameterNotFoundAction: unknown value "Shrug": expected Allow or Deny`},
	} {
		t.Run(name, func(t *testing.T) { refused(t, c.spec, c.want) })
	}
}
