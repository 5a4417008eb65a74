package engine

import (
	"strings"
	"testing"
)

const (
	somePod    = "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}, spec: {replicas: 2, containers: [{name: web, image: nginx, args: [a]}, {name: log, image: busybox}]}}"
	someWidget = "{apiVersion: example.com/v1, kind: Widget, metadata: {name: w, namespace: shop}, spec: {color: blue, sizes: [1]}}"
)

func TestAMutatingPolicyChangesWhatItMatches(t *testing.T) {
	pods := onResources("", "pods")
	labelled := func(value string) string {
		return `Object{metadata: Object.metadata{labels: {"team": ` + value + `}}}`
	}
	plain := `{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}, spec: {containers: [{name: web, image: nginx, args: [a]}, {name: log, image: busybox}]}}`
	for name, c := range map[string]struct{ spec, object, want string }{
		"by an ApplyConfiguration": {pods + applying(labelled(`"blue"`)), plain,
			"a pass: mutated\n" + `[{"op":"add","path":"/metadata/labels/team","value":"blue"}]`},
		"by a JSONPatch": {pods + patching(`[JSONPatch{op: "add", path: "/metadata/labels/" + jsonpatch.escapeKey("x.io/team"), value: "blue"}]`), plain,
			"a pass: mutated\n" + `[{"op":"add","path":"/metadata/labels/x.io~1team","value":"blue"}]`},
		"by several mutations, each on what the one before made": {pods + applying(labelled(`"blue"`), `Object{metadata: Object.metadata{annotations: {"team": object.metadata.labels.team}}}`), plain,
			"a pass: mutated\n" + `[{"op":"add","path":"/metadata/annotations","value":{"team":"blue"}},{"op":"add","path":"/metadata/labels/team","value":"blue"}]`},
		"each of its containers by name": {pods + applying(`Object{spec: Object.spec{containers: object.spec.containers.map(c, Object.spec.containers{name: c.name, imagePullPolicy: "Always"})}}`), plain,
			"a pass: mutated\n" + `[{"op":"add","path":"/spec/containers/0/imagePullPolicy","value":"Always"},{"op":"add","path":"/spec/containers/1/imagePullPolicy","value":"Always"}]`},
		"with variables": {pods + "variables: [{name: first, expression: 'object.spec.containers[0]'}, {name: own, expression: variables.first.name}]\n" + applying(labelled("variables.own")), plain,
			"a pass: mutated\n" + `[{"op":"add","path":"/metadata/labels/team","value":"web"}]`},
		"where its conditions are met, which may read variables": {pods + "variables: [{name: app, expression: object.metadata.labels.app}]\nmatchConditions: [{name: c, expression: variables.app == 'web'}]\n" + applying(labelled(`"blue"`)), plain,
			"a pass: mutated\n" + `[{"op":"add","path":"/metadata/labels/team","value":"blue"}]`},
		"and not where they are not": {pods + "matchConditions: [{name: c, expression: object.metadata.labels.app == 'db'}]\n" + applying(labelled(`"blue"`)), plain,
			"a skip: matchConditions not met: c\nnull"},
		"and not what it does not match":  {onResources("apps", "deployments") + applying(labelled(`"blue"`)), plain, "null"},
		"and passes one that is as it is": {pods + applying(`Object{metadata: Object.metadata{labels: {"app": "web"}}}`), plain, "a pass: the object is as the rule wants it\nnull"},
		"by the name of its namespace":    {pods + applying(labelled("namespaceObject.metadata.name")), plain, "a pass: mutated\n" + `[{"op":"add","path":"/metadata/labels/team","value":"shop"}]`},
		"by who asks":                     {pods + applying(labelled("request.userInfo.username")), plain, "a pass: mutated\n" + `[{"op":"add","path":"/metadata/labels/team","value":"jane"}]`},
		"by lists of several types":       {pods + patching(`[JSONPatch{op: "add", path: "/spec/tolerations", value: [{"key": "a"}, {"key": "b", "tolerationSeconds": 1}]}]`), plain, "a pass: mutated\n" + `[{"op":"add","path":"/spec/tolerations","value":[{"key":"a"},{"key":"b","tolerationSeconds":1}]}]`},
		"a custom resource, whose maps are merged": {onResources("example.com", "widgets") + applying(`Object{spec: Object.spec{size: Object.spec.size{x: 1}}}`), someWidget,
			"a pass: mutated\n" + `[{"op":"add","path":"/spec/size","value":{"x":1}}]`},
		"not if a test of its JSONPatch fails": {pods + patching(`[JSONPatch{op: "test", path: "/metadata/labels/app", value: "db"}, JSONPatch{op: "remove", path: "/metadata/labels/app"}]`), plain,
			"a pass: the object is as the rule wants it\nnull"},
		"a list that is one value, if it may": {pods + "evaluation: {useServerSideApply: true}\n" + applying(`Object{spec: Object.spec{containers: [Object.spec.containers{name: "web", args: ["z"]}]}}`), plain,
			"a pass: mutated\n" + `[{"op":"replace","path":"/spec/containers/0/args/0","value":"z"}]`},

		"a list that is one value is an error": {pods + applying(`Object{spec: Object.spec{containers: [Object.spec.containers{name: "web", args: ["z"]}]}}`), plain,
			"a error: could not be evaluated: mutations[0]: error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.containers[0].args\nnull"},
		"a field of another kind is an error": {pods + applying(`Object{spec: Object.spec{replicas: 1}}`), plain,
			"a error: could not be evaluated: mutations[0]: error applying patch: failed to convert patch object to typed object: .spec.replicas: field not declared in schema\nnull"},
		"a value of a wrong type is an error": {pods + applying(`Object{spec: Object.spec{hostNetwork: "yes"}}`), plain,
			"a error: could not be evaluated: mutations[0]: error applying patch: failed to convert patch object to typed object: .spec.hostNetwork: expected boolean, got &{yes}\nnull"},
		"an absent field is an error, and nothing is changed": {pods + applying(labelled(`"blue"`), labelled("object.spec.gone")), plain,
			`a error: could not be evaluated: mutations[1]: expression 'Object{metadata: Object.metadata{labels: {"team": object.spec.gone}}}': no such key: gone` + "\nnull"},
		"a division by zero is an error": {pods + applying(`Object{spec: Object.spec{priority: 1 / (size(object.spec.containers) - 2)}}`), plain,
			"a error: could not be evaluated: mutations[0]: expression 'Object{spec: Object.spec{priority: 1 / (size(object.spec.containers) - 2)}}': division by zero\nnull"},
		"a path that is not there is an error": {pods + patching(`[JSONPatch{op: "add", path: "/metadata/annotations/a", value: "b"}]`), plain,
			"a error: could not be evaluated: mutations[0]: JSON Patch: operation 0 (add /metadata/annotations/a): the object has no such field: annotations\nnull"},
		"too much work is an error": {pods + applying(`Object{spec: Object.spec{priority: lists.range(100000).map(i, lists.range(100).size()).size()}}`), plain,
			"a error: could not be evaluated: mutations[0]: expression 'Object{spec: Object.spec{priority: lists.range(100000).map(i, lists.range(100).size()).size()}}': operation cancelled: actual cost limit exceeded\nnull"},
	} {
		t.Run(name, func(t *testing.T) {
			req := asking(t, c.object)
			before := jsonText(t, req.Object)
			m, err := mutatingSnapshot(t, "", c.spec).Mutate(t.Context(), req, world{}.inputs())
			if err != nil {
				t.Fatal(err)
			}
			same(t, "mutation", mutationText(t, m), c.want)
			same(t, "the object of the request", jsonText(t, req.Object), before)
		})
	}
}

func TestAnObjectThatGoesIsNotMutated(t *testing.T) {
	s := mutatingSnapshot(t, "", onResources("", "pods")+applying(`Object{metadata: Object.metadata{labels: {"a": "b"}}}`))
	req := asking(t, somePod)
	req.Operation, req.Object, req.OldObject = Delete, nil, req.Object
	m, err := s.Mutate(t.Context(), req, world{}.inputs())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "mutation", mutationText(t, m), "null")
}

func TestANamespacedMutatingPolicyRulesItsNamespace(t *testing.T) {
	s := mutatingSnapshot(t, "shop", onResources("", "configmaps")+applying(`Object{metadata: Object.metadata{labels: {"a": "b"}}}`))
	for namespace, want := range map[string]string{"shop": "a pass: mutated\n" + `[{"op":"add","path":"/metadata/labels","value":{"a":"b"}}]`, "bank": "null"} {
		m, err := s.Mutate(t.Context(), asking(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: "+namespace+"}}"), world{}.inputs())
		if err != nil {
			t.Fatal(err)
		}
		same(t, namespace, mutationText(t, m), want)
	}
}

func TestAuditAnnotationsOfAMutatingPolicyShowWhatItMade(t *testing.T) {
	s := mutatingSnapshot(t, "", onResources("", "configmaps")+"auditAnnotations: [{key: made, valueExpression: object.metadata.labels.a}]\n"+applying(`Object{metadata: Object.metadata{labels: {"a": "b"}}}`))
	m, err := s.Mutate(t.Context(), asking(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}"), world{}.inputs())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "annotation", m.Decisions[0].Annotations["made"], "b")
}

func TestAMutatingPolicyThatCannotBeIsRefused(t *testing.T) {
	pods, good := onResources("", "pods"), applying("Object{}")
	for name, c := range map[string]struct{ spec, want string }{
		"no mutations":                       {pods, "spec.mutations: is empty: expected at least one mutation"},
		"an unknown form":                    {pods + "mutations: [{patchType: Merge}]", `spec.mutations[0].patchType: unknown value "Merge": expected ApplyConfiguration or JSONPatch`},
		"a form without its expression":      {pods + "mutations: [{patchType: ApplyConfiguration}]", "spec.mutations[0].applyConfiguration: is missing: the patchType is ApplyConfiguration"},
		"the expression of another form":     {pods + "mutations: [{patchType: JSONPatch, applyConfiguration: {expression: 'Object{}'}}]", "spec.mutations[0].jsonPatch: is missing: the patchType is JSONPatch"},
		"an expression that does not parse":  {pods + applying("Object{"), "spec.mutations[0].applyConfiguration.expression: CEL at 1:8: Syntax error: mismatched input '<EOF>' expecting {'}', ',', '?', IDENTIFIER, ESC_IDENTIFIER}"},
		"an expression of a wrong type":      {pods + patching(`"x"`), "spec.mutations[0].jsonPatch.expression: gives string: expected list(JSONPatch)"},
		"a condition of a wrong type":        {pods + good + "matchConditions: [{name: c, expression: '1'}]", "spec.matchConditions[0].expression: gives int: expected bool"},
		"an unknown reinvocationPolicy":      {pods + good + "reinvocationPolicy: Always", `spec.reinvocationPolicy: unknown value "Always": expected Never or IfNeeded`},
		"an unknown failurePolicy":           {pods + good + "failurePolicy: Maybe", `spec.failurePolicy: unknown failurePolicy "Maybe": expected Fail or Ignore`},
		"a mutation of JSON":                 {pods + good + "evaluation: {mode: JSON}", `spec.evaluation.mode: is "JSON": expected Kubernetes, as a mutation is of an object`},
		"no door":                            {pods + good + "evaluation: {admission: {enabled: false}, background: {enabled: false}}", "spec.evaluation: is off at every door: expected one of admission, background and mutateExisting enabled"},
		"conditions on targets without any":  {pods + good + "targetMatchConditions: [{name: c, expression: 'true'}]", "spec.targetMatchConditions: has a meaning with targetMatchConstraints only"},
		"targets on a subresource":           {pods + good + "evaluation: {mutateExisting: {enabled: true}}\ntargetMatchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: ['*'], resources: [pods/status]}]}", "spec.targetMatchConstraints.resourceRules[0].resources: targetMatchConstraints on a subresource is not built yet"},
		"targets that cannot be listed":      {pods + good + "evaluation: {mutateExisting: {enabled: true}}\ntargetMatchConstraints: {resourceRules: [{apiGroups: ['*'], apiVersions: [v1], operations: ['*'], resources: [pods]}]}", `spec.targetMatchConstraints.resourceRules[0]: selects pods of the group "*" in version v1: expected targets without *, so that they can be listed`},
		"targets by an expression of a type": {pods + good + "evaluation: {mutateExisting: {enabled: true}}\ntargetMatchConstraints: {expression: \"'x'\"}", "spec.targetMatchConstraints.expression: gives string: expected an object or a list of objects"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tryMutating(t, "", "p", c.spec)
			if err == nil {
				t.Fatal("compiled")
			}
			same(t, "error", strings.TrimPrefix(err.Error(), "MutatingPolicy/p: "), c.want)
		})
	}
}

// A webhook is not to be asked about deletions, of which nothing is changed.
func TestAMutatingPolicyIsNotAskedAboutDeletions(t *testing.T) {
	for operations, want := range map[string]string{"'*'": "CREATE, UPDATE, CONNECT", "CREATE, DELETE": "CREATE", "DELETE": ""} {
		p, err := tryMutating(t, "", "p", strings.Replace(onResources("", "services"), "'*'", operations, 1)+applying("Object{}"))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, scope := range p.Rules[0].Scopes() {
			got += joinOperations(scope.Operations)
		}
		same(t, operations, got, want)
	}
}
