//go:build e2e

package app

// mapOn writes a MutatingAdmissionPolicy for what the rules select, with the rest of its spec.
func mapOn(name, rules, spec string) string {
	return "\n---\n{apiVersion: admissionregistration.k8s.io/v1, kind: MutatingAdmissionPolicy, metadata: {name: " + name + "}, spec: {matchConstraints: {resourceRules: [" + rules + "]}, " + spec + "}}"
}

// mapFor writes one for ConfigMaps that are written.
func mapFor(name, spec string) string {
	return mapOn(name, "{apiGroups: [''], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}", spec)
}

const deployments = "{apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}"

// mapBinding writes a binding of a policy, with the rest of its spec.
func mapBinding(name, policy, more string) string {
	return "\n---\n{apiVersion: admissionregistration.k8s.io/v1, kind: MutatingAdmissionPolicyBinding, metadata: {name: " + name + "}, spec: {policyName: " + policy + more + "}}"
}

// applies and patches are one mutation of a list, by an ApplyConfiguration and by a JSONPatch.
func applies(expression string) string {
	return "{patchType: ApplyConfiguration, applyConfiguration: {expression: \"" + expression + "\"}}"
}

func patches(expression string) string {
	return "{patchType: JSONPatch, jsonPatch: {expression: \"" + expression + "\"}}"
}

func once(mutations string) string {
	return "reinvocationPolicy: Never, mutations: [" + mutations + "]"
}
func ifNeeded(mutations string) string {
	return "reinvocationPolicy: IfNeeded, mutations: [" + mutations + "]"
}

const (
	// sidecar is a container with all that the server would fill in by itself.
	sidecar  = "Object.spec.template.spec.containers{name: 'sidecar', image: 'side:1', imagePullPolicy: 'IfNotPresent', terminationMessagePath: '/dev/termination-log', terminationMessagePolicy: 'File', resources: Object.spec.template.spec.containers.resources{}}"
	labelled = "Object{metadata: Object.metadata{labels: {'made': 'yes'}}}"
	robotMay = "authorizer.serviceAccount('$NS', 'robot').group('').resource('configmaps').namespace('$NS').check('update').allowed()"
)

// robot may update ConfigMaps of the namespace of the case.
const robot = `
{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: robot, namespace: $NS}, rules: [{apiGroups: [''], resources: [configmaps], verbs: [update]}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: robot, namespace: $NS}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: robot}, subjects: [{kind: ServiceAccount, name: robot, namespace: $NS}]}`

// mutatingParityCases are of MutatingAdmissionPolicies: the object that comes out is compared.
func mutatingParityCases() map[string]parityCase {
	return map[string]parityCase{
		"an apply configuration": {
			policies: mapFor("p", once(applies("Object{metadata: Object.metadata{labels: {'made': 'yes', 'size': string(object.data.n)}}, data: {'more': 'x'}}"))) + mapBinding("b", "p", ""),
			requests: []parityRequest{
				{what: "adds to maps", object: cm("a", data5)},
				{what: "replaces values", object: "{apiVersion: v1, kind: ConfigMap, metadata: {name: b, namespace: $NS, labels: {made: 'no', other: x}}, data: {'n': '5', more: z}}"},
				{what: "an update", object: cm("c", data5), old: cm("c", ", data: {'n': '1'}")},
				{what: "an error refuses", object: cm("d", "")},
				{what: "a deletion is left alone", object: cm("e", data5), remove: true},
			},
		},
		"an apply configuration of lists": {
			policies: mapOn("p", deployments, once(applies("Object{spec: Object.spec{replicas: object.spec.replicas + 1, template: Object.spec.template{spec: Object.spec.template.spec{containers: ["+sidecar+", Object.spec.template.spec.containers{name: 'c', image: 'nginx:9'}]}}}}"))) + mapBinding("b", "p", ""),
			requests: []parityRequest{{what: "by their keys", object: deploymentOf("a", "2", "nginx:1")}},
		},
		"a JSON patch": {
			policies: mapFor("p", once(patches("[JSONPatch{op: 'test', path: '/data/n', value: '5'}, JSONPatch{op: 'add', path: '/metadata/annotations', value: {'a/b': 'c'}}, JSONPatch{op: 'add', path: '/metadata/annotations/' + jsonpatch.escapeKey('b/c'), value: object.data.n + '!'}, JSONPatch{op: 'copy', from: '/data/n', path: '/data/copy'}, JSONPatch{op: 'move', from: '/data/old', path: '/data/new'}, JSONPatch{op: 'replace', path: '/data/n', value: '6'}, JSONPatch{op: 'remove', path: '/data/gone'}]"))) + mapBinding("b", "p", ""),
			requests: []parityRequest{
				{what: "all operations", object: cm("a", ", data: {'n': '5', old: x, gone: x}")},
				{what: "a test that fails", object: cm("d", ", data: {'n': '7', old: x, gone: x}")},
				{what: "a path that is not there", object: cm("b", ", data: {'n': '5', old: x}")},
				{what: "an object without the map", object: cm("c", "")},
			},
		},
		"a JSON patch of objects and lists": {
			policies: mapOn("p", deployments, once(patches("[JSONPatch{op: 'add', path: '/spec/template/spec/containers/-', value: "+sidecar+"}, JSONPatch{op: 'add', path: '/metadata/labels', value: {'a': 'b'}}]"))) + mapBinding("b", "p", ""),
			requests: []parityRequest{{what: "at the end of a list", object: deploymentOf("a", "2", "nginx:1")}},
		},
		"an empty JSON patch": {
			policies: mapFor("p", once(patches("has(object.data) ? [JSONPatch{op: 'add', path: '/data/x', value: 'y'}] : []"))) + mapBinding("b", "p", ""),
			requests: []parityRequest{{what: "nothing", object: cm("a", "")}, {what: "something", object: cm("b", data5)}},
		},
		"mutations one after the other": {
			policies: mapFor("p", "variables: [{name: size, expression: \"size(object.data)\"}], "+once(patches("[JSONPatch{op: 'add', path: '/data/first', value: string(variables.size)}]")+", "+applies("Object{data: {'second': string(variables.size)}}"))) + mapBinding("b", "p", ""),
			requests: []parityRequest{{what: "each sees what the one before made", object: cm("a", data5)}},
		},
		"match conditions of mutations": {
			policies: mapFor("p", "matchConditions: [{name: named, expression: object.metadata.name.startsWith('x')}, {name: sized, expression: int(object.data.n) > 1}], "+once(applies(labelled))) + mapBinding("b", "p", ""),
			requests: []parityRequest{
				{what: "met", object: cm("x1", data5)}, {what: "not met", object: cm("a", data5)},
				{what: "one false, one without a result", object: cm("b", "")}, {what: "one true, one without a result", object: cm("x2", "")},
			},
		},
		"errors of mutations that are ignored": {
			policies: mapFor("p", "failurePolicy: Ignore, "+once(applies("Object{data: {'twice': object.data.n + object.data.n}}"))) + mapBinding("b", "p", "") +
				mapFor("q", "failurePolicy: Ignore, matchConditions: [{name: sized, expression: int(object.data.n) > 1}], "+once(applies(labelled))) + mapBinding("c", "q", ""),
			requests: []parityRequest{{what: "none", object: cm("a", data5)}, {what: "all", object: cm("b", "")}},
		},
		"one of several mutations that is ignored": {
			policies: mapFor("p", "failurePolicy: Ignore, "+once(applies("Object{data: {'twice': object.data.n + object.data.n}}")+", "+applies(labelled))) + mapBinding("b", "p", ""),
			requests: []parityRequest{{what: "none", object: cm("a", data5)}, {what: "the first", object: cm("b", "")}},
		},
		"parameters of mutations": {
			policies: mapFor("p", kind+once(applies("Object{data: {params.data.key: params.data.value}}"))) +
				mapBinding("named", "p", ", paramRef: {name: one, parameterNotFoundAction: Deny}") +
				mapBinding("selected", "p", ", paramRef: {selector: {matchLabels: {is: param}}, parameterNotFoundAction: Deny}, matchResources: {objectSelector: {matchLabels: {all: '1'}}}") +
				mapBinding("none", "p", ", paramRef: {name: nothing, parameterNotFoundAction: Allow}") +
				mapBinding("denied", "p", ", paramRef: {name: nothing, parameterNotFoundAction: Deny}, matchResources: {objectSelector: {matchLabels: {denied: '1'}}}"),
			params: "{apiVersion: v1, kind: ConfigMap, metadata: {name: one, namespace: $NS}, data: {key: k1, value: v1}}\n---\n" +
				"{apiVersion: v1, kind: ConfigMap, metadata: {name: two, namespace: $NS, labels: {is: param}}, data: {key: k2, value: v2}}\n---\n" +
				"{apiVersion: v1, kind: ConfigMap, metadata: {name: three, namespace: $NS, labels: {is: param}}, data: {key: k3, value: v3}}",
			requests: []parityRequest{
				{what: "by name", object: cm("a", data5)},
				{what: "by selector too", object: "{apiVersion: v1, kind: ConfigMap, metadata: {name: b, namespace: $NS, labels: {all: '1'}}}"},
				{what: "one that is missing", object: "{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: $NS, labels: {denied: '1'}}}"},
			},
		},
		"the parameter null": {
			policies: mapFor("p", kind+once(applies("params == null ? Object{data: {'params': 'none'}} : Object{}"))) + mapBinding("b", "p", ""),
			requests: []parityRequest{{what: "without a reference", object: cm("a", data5)}},
		},
		"policies that build on one another": {
			// The server has its policies in no order of its own: what comes out must not depend on it.
			policies: mapFor("p", ifNeeded(applies("Object{data: {'seen': string(has(object.metadata.labels) && 'made' in object.metadata.labels)}}"))) + mapBinding("b", "p", "") +
				mapFor("q", once(applies(labelled))) + mapBinding("c", "q", ""),
			requests: []parityRequest{{what: "in any order", object: cm("a", data5)}},
		},
		"a mutation that never comes to rest": {
			policies: mapFor("p", ifNeeded(applies("Object{data: {'n': object.data.n + '+'}}"))) + mapBinding("b", "p", "") +
				mapFor("q", once(applies("Object{data: {'m': object.data.m + '+'}}"))) + mapBinding("c", "q", ""),
			requests: []parityRequest{{what: "is asked as often", object: cm("a", ", data: {'n': '5', m: '5'}")}},
		},
		"a mutation that does not rest by itself": {
			policies: mapFor("p", ifNeeded(applies("Object{data: {'n': object.data.n + '+'}}"))) + mapBinding("b", "p", ""),
			requests: []parityRequest{{what: "is asked as often", object: cm("a", data5)}},
		},
		"parameters of mutations that are ignored": {
			policies: mapFor("p", "failurePolicy: Ignore, "+kind+once(applies("Object{data: {params.data.key: params.data.value}}"))) +
				mapBinding("selected", "p", ", paramRef: {selector: {matchLabels: {is: param}}, parameterNotFoundAction: Deny}"),
			params: "{apiVersion: v1, kind: ConfigMap, metadata: {name: bad, namespace: $NS, labels: {is: param}}, data: {key: k2}}\n---\n" +
				"{apiVersion: v1, kind: ConfigMap, metadata: {name: good, namespace: $NS, labels: {is: param}}, data: {key: k3, value: v3}}",
			requests: []parityRequest{{what: "one of them", object: cm("a", data5)}},
		},
		"requests, namespaces and old objects": {
			policies: mapFor("p", once(applies("Object{data: {'op': request.operation, 'ns': request.namespace, 'env': namespaceObject.metadata.labels.env, 'old': oldObject == null ? 'none' : string(oldObject.data.n), 'dry': string(request.dryRun), 'user': string('system:authenticated' in request.userInfo.groups)}}"))) + mapBinding("b", "p", ""),
			requests: []parityRequest{{what: "a creation", object: cm("a", data5)}, {what: "an update", object: cm("b", data5), old: cm("b", ", data: {'n': '1'}")}},
		},
		"the authorizer of mutations": {
			policies: mapFor("p", "matchConditions: [{name: may, expression: \"authorizer.requestResource.check('create').allowed()\"}], "+once(applies("Object{data: {'robot': string("+robotMay+"), 'nobody': string(authorizer.serviceAccount('$NS', 'nobody').group('').resource('configmaps').namespace('$NS').check('update').allowed())}}"))) + mapBinding("b", "p", ""),
			params:   robot,
			requests: []parityRequest{{what: "of accounts", object: cm("a", data5)}},
		},
	}
}
