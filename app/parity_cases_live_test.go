//go:build e2e

package app

import "strings"

// parityCase is policies of the API server's own with what they are asked. All texts are YAML, $NS the namespace of the
// case, which has the labels parity (of the case) and env: dev.
type parityCase struct {
	policies string // and bindings
	params   string // objects that are there
	requests []parityRequest
}

// parityRequest is a dry run: an update if there is an old object, a deletion, or else a creation.
type parityRequest struct {
	what   string
	object string
	old    string
	remove bool
	as     string // who asks; empty for the one who runs the test
}

// vap writes a ValidatingAdmissionPolicy for ConfigMaps, with the rest of its spec.
func vap(name, spec string) string { return vapOn(name, configMaps, spec) }

const configMaps = "{apiGroups: [''], apiVersions: [v1], operations: [CREATE, UPDATE, DELETE], resources: [configmaps]}"

func vapOn(name, rules, spec string) string {
	return "\n---\n{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicy, metadata: {name: " + name + "}, spec: {matchConstraints: {resourceRules: [" + rules + "]}, " + spec + "}}"
}

// binding writes a binding of a policy, with the rest of its spec.
func binding(name, policy, actions, more string) string {
	return "\n---\n{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicyBinding, metadata: {name: " + name + "}, spec: {policyName: " + policy + ", validationActions: [" + actions + "]" + more + "}}"
}

// cm writes a ConfigMap of the case.
func cm(name, more string) string {
	return "{apiVersion: v1, kind: ConfigMap, metadata: {name: " + name + ", namespace: $NS}" + more + "}"
}

const (
	data5  = ", data: {'n': '5'}"
	atMost = "validations: [{expression: int(object.data.n) <= int(params.data.max), messageExpression: \"'above ' + params.data.max\"}]"
	kind   = "paramKind: {apiVersion: v1, kind: ConfigMap}, "
)

func parityCases() map[string]parityCase {
	return map[string]parityCase{
		"one validation": {
			policies: vap("p", "validations: [{expression: int(object.data.n) <= 3, message: too many}]") + binding("b", "p", "Deny", ""),
			requests: []parityRequest{
				{what: "in order", object: cm("a", ", data: {'n': '2'}")},
				{what: "not in order", object: cm("b", data5)},
				{what: "an absent field", object: cm("c", "")},
				{what: "not a number", object: cm("d", ", data: {'n': x}")},
				{what: "an update", object: cm("e", data5), old: cm("e", ", data: {'n': '1'}")},
				{what: "a deletion, where the object is null", object: cm("f", ", data: {'n': '1'}"), remove: true},
			},
		},
		"errors that are ignored": {
			policies: vap("p", "failurePolicy: Ignore, validations: [{expression: int(object.data.n) <= 3}, {expression: object.metadata.name != 'never', message: never}]") + binding("b", "p", "Deny", ""),
			requests: []parityRequest{
				{what: "an error", object: cm("a", "")},
				{what: "an error before a failure", object: cm("never", "")},
				{what: "a failure without a message", object: cm("c", data5)},
			},
		},
		"errors before failures": {
			policies: vap("p", "validations: [{expression: int(object.data.n) <= 3}, {expression: object.metadata.name != 'never', message: never, reason: Forbidden}]") + binding("b", "p", "Deny", ""),
			requests: []parityRequest{{what: "an error first", object: cm("never", "")}, {what: "two failures", object: cm("never", data5)}},
		},
		"actions": {
			policies: vap("p", "validations: [{expression: int(object.data.n) <= 3, message: too many}, {expression: int(object.data.n) <= 4, message: far too many}]") +
				binding("warns", "p", "Warn", "") + binding("audits", "p", "Audit", ""),
			requests: []parityRequest{{what: "a failure", object: cm("a", data5)}, {what: "an error", object: cm("b", "")}, {what: "in order", object: cm("c", ", data: {'n': '1'}")}},
		},
		"several bindings": {
			policies: vap("p", kind+atMost) +
				binding("low", "p", "Deny", ", paramRef: {name: low, parameterNotFoundAction: Deny}, matchResources: {objectSelector: {matchLabels: {size: small}}}") +
				binding("high", "p", "Warn", ", paramRef: {name: high, namespace: $NS, parameterNotFoundAction: Deny}, matchResources: {excludeResourceRules: ["+configMaps[:len(configMaps)-1]+", resourceNames: [free]}]}"),
			params: cm("low", ", data: {max: '2'}") + "\n---\n" + cm("high", ", data: {max: '4'}"),
			requests: []parityRequest{
				{what: "both", object: "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: $NS, labels: {size: small}}, data: {'n': '5'}}"},
				{what: "one", object: "{apiVersion: v1, kind: ConfigMap, metadata: {name: b, namespace: $NS, labels: {size: small}}, data: {'n': '3'}}"},
				{what: "the other", object: cm("c", data5)},
				{what: "left out", object: cm("free", data5)},
				{what: "labels that were there", object: cm("d", data5), old: "{apiVersion: v1, kind: ConfigMap, metadata: {name: d, namespace: $NS, labels: {size: small}}, data: {'n': '1'}}"},
			},
		},
		"parameters by selector": {
			policies: vap("p", kind+"matchConditions: [{name: judged, expression: \"params.data.max != '0'\"}], "+atMost) + binding("b", "p", "Deny", ", paramRef: {selector: {matchLabels: {is: param}}, parameterNotFoundAction: Deny}"),
			params: "{apiVersion: v1, kind: ConfigMap, metadata: {name: one, namespace: $NS, labels: {is: param}}, data: {max: '4'}}\n---\n" +
				"{apiVersion: v1, kind: ConfigMap, metadata: {name: two, namespace: $NS, labels: {is: param}}, data: {max: '7'}}\n---\n" +
				"{apiVersion: v1, kind: ConfigMap, metadata: {name: three, namespace: $NS, labels: {is: param}}, data: {max: '0'}}",
			requests: []parityRequest{
				{what: "in order", object: cm("a", ", data: {'n': '4'}")}, {what: "by one of them", object: cm("b", data5)}, {what: "an error", object: cm("c", "")},
			},
		},
		"parameters that are missing": {
			policies: vap("p", kind+atMost) + binding("allows", "p", "Deny", ", paramRef: {name: none, parameterNotFoundAction: Allow}") +
				binding("denies", "p", "Audit", ", paramRef: {selector: {matchLabels: {no: body}}, parameterNotFoundAction: Deny}, matchResources: {objectSelector: {matchLabels: {ask: '1'}}}") +
				vap("q", "failurePolicy: Ignore, "+kind+atMost) + binding("ignored", "q", "Deny", ", paramRef: {name: none, parameterNotFoundAction: Deny}"),
			requests: []parityRequest{
				{what: "none need be", object: cm("a", data5)},
				{what: "none, whatever the action", object: "{apiVersion: v1, kind: ConfigMap, metadata: {name: b, namespace: $NS, labels: {ask: '1'}}, data: {'n': '5'}}"},
			},
		},
		"parameters without a reference, and the other way round": {
			policies: vap("p", kind+"validations: [{expression: params == null, message: there is one}]") + binding("b", "p", "Deny", "") +
				vap("q", "validations: [{expression: int(object.data.n) <= 3, message: too many}]") + binding("c", "q", "Warn", ", paramRef: {name: none, parameterNotFoundAction: Deny}"),
			requests: []parityRequest{{what: "null", object: cm("a", data5)}},
		},
		"parameters of a kind that nobody serves": {
			policies: vap("p", "paramKind: {apiVersion: example.com/v1, kind: Nothing}, validations: [{expression: 'true'}]") +
				binding("b", "p", "Audit", ", paramRef: {name: x, parameterNotFoundAction: Allow}, matchResources: {objectSelector: {matchLabels: {ask: '1'}}}") +
				vap("q", "failurePolicy: Ignore, paramKind: {apiVersion: example.com/v1, kind: Nothing}, validations: [{expression: 'true'}]") +
				binding("c", "q", "Deny", ", paramRef: {name: x, parameterNotFoundAction: Deny}"),
			requests: []parityRequest{{what: "an error of the policy, which is ignored for one of them", object: "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: $NS, labels: {ask: '1'}}}"}},
		},
		"match conditions": {
			policies: vap("p", "matchConditions: [{name: named, expression: object.metadata.name.startsWith('x')}, {name: sized, expression: int(object.data.n) > 1}], validations: [{expression: 'false', message: never}]") + binding("b", "p", "Deny", ""),
			requests: []parityRequest{
				{what: "met", object: cm("x1", data5)}, {what: "not met", object: cm("a", data5)},
				{what: "one false, one without a result", object: cm("b", "")}, {what: "one true, one without a result", object: cm("x2", "")},
			},
		},
		"match conditions that are ignored": {
			policies: vap("p", "failurePolicy: Ignore, matchConditions: [{name: sized, expression: int(object.data.n) > 1}], validations: [{expression: 'false', message: never}]") + binding("b", "p", "Deny", ""),
			requests: []parityRequest{{what: "met", object: cm("a", data5)}, {what: "without a result", object: cm("b", "")}},
		},
		"messages": {
			policies: vap("p", "variables: [{name: size, expression: \"int(object.data.n)\"}], validations: [{expression: \"object.metadata.name != 'lines'\", message: plain, messageExpression: \"'a\\\\nb'\"}, {expression: \"object.metadata.name != 'blank'\", messageExpression: \"' '\"}, {expression: \"object.metadata.name != 'errs'\", message: '  fallback  ', messageExpression: 'string(object.data.none)'}, "+
				"{expression: \"object.metadata.name != 'long'\", message: short, messageExpression: \"lists.range(3000).map(i, string(i)).join(',')\"}, {expression: variables.size <= 3, messageExpression: \"'is ' + string(variables.size)\"}]") + binding("b", "p", "Deny", ""),
			requests: []parityRequest{
				{what: "of several lines", object: cm("lines", data5)}, {what: "blank", object: cm("blank", data5)}, {what: "without a result", object: cm("errs", data5)},
				{what: "too long", object: cm("long", data5)}, {what: "from a variable", object: cm("a", data5)},
			},
		},
		"cost": {
			policies: vap("p", "variables: [{name: l, expression: \"lists.range(100)\"}], validations: [{expression: \"object.metadata.name != 'cheap'\", message: cheap}, {expression: \"object.metadata.name == 'cheap' || variables.l.all(a, variables.l.all(b, variables.l.all(c, a + b + c >= 0)))\", message: dear}]") + binding("b", "p", "Deny", ""),
			requests: []parityRequest{{what: "too much for a call", object: cm("a", data5)}, {what: "a failure before", object: cm("cheap", data5)}},
		},
		"the cost of all together": {
			policies: vap("p", "failurePolicy: Ignore, variables: [{name: l, expression: \"lists.range(80)\"}], validations: [{expression: \"object.metadata.name != 'dear'\", message: dear}"+
				strings.Repeat(", {expression: \"variables.l.all(a, variables.l.all(b, variables.l.map(c, c + a + b).size() > 0))\"}", 20)+"]") + binding("b", "p", "Deny", ""),
			requests: []parityRequest{{what: "a failure before", object: cm("dear", data5)}},
		},
		"divisions": {
			policies: vap("p", "validations: [{expression: 10 / (int(object.data.n) - 5) > 1, message: small}]") + binding("b", "p", "Deny", ""),
			requests: []parityRequest{{what: "by zero", object: cm("a", data5)}, {what: "by another", object: cm("b", ", data: {'n': '6'}")}, {what: "a small result", object: cm("c", ", data: {'n': '99'}")}},
		},
		"old objects": {
			policies: vap("p", "validations: [{expression: \"oldObject == null || object == null || int(object.data.n) >= int(oldObject.data.n)\", message: fewer}, {expression: \"request.operation != 'DELETE' || oldObject.metadata.name != 'kept'\", message: stays}]") + binding("b", "p", "Deny", ""),
			requests: []parityRequest{
				{what: "a creation", object: cm("a", data5)}, {what: "fewer", object: cm("b", ", data: {'n': '1'}"), old: cm("b", data5)}, {what: "more", object: cm("c", ", data: {'n': '9'}"), old: cm("c", data5)},
				{what: "a deletion", object: cm("d", ""), remove: true}, {what: "a deletion that is refused", object: cm("kept", ""), remove: true},
			},
		},
		"requests": {
			policies: vap("p", "validations: [{expression: \"request.name != 'name' && request.namespace == '$NS' && request.kind.kind == 'ConfigMap' && request.resource.resource == 'configmaps' && request.requestKind.version == 'v1' && request.dryRun && !has(request.subResource) || request.subResource == ''\", message: request}, "+
				"{expression: \"request.userInfo.username != '' && 'system:authenticated' in request.userInfo.groups && !('nobody' in request.userInfo.groups)\", message: user}, {expression: \"request.operation == 'DELETE' || has(request.options) && 'All' in request.options.dryRun\", message: options}]") + binding("b", "p", "Deny", ""),
			requests: []parityRequest{{what: "as they are", object: cm("a", "")}, {what: "another", object: cm("name", "")}, {what: "a deletion", object: cm("b", ""), remove: true}},
		},
		"namespace objects": {
			policies: vap("p", "validations: [{expression: \"namespaceObject.metadata.labels.env == 'dev' && namespaceObject.metadata.name == '$NS' && namespaceObject.status.phase == 'Active'\", message: namespace}, {expression: \"object == null || object.metadata.name != 'absent' || namespaceObject.metadata.labels.absent == ''\"}]") + binding("b", "p", "Deny", ", matchResources: {namespaceSelector: {matchExpressions: [{key: env, operator: In, values: [dev]}]}}") +
				vap("q", "validations: [{expression: 'false', message: never}]") + binding("c", "q", "Deny", ", matchResources: {namespaceSelector: {matchExpressions: [{key: env, operator: NotIn, values: [dev]}]}}"),
			requests: []parityRequest{{what: "as they are", object: cm("a", "")}, {what: "an absent label", object: cm("absent", "")}},
		},
		"namespaces themselves": {
			policies: vapOn("p", "{apiGroups: [''], apiVersions: [v1], operations: ['*'], resources: [namespaces], scope: Cluster}", "validations: [{expression: \"namespaceObject == null\", message: in a namespace}, {expression: \"request.namespace == request.name\", message: not in itself}, {expression: \"object.metadata.name != '$NS-bad'\", message: bad}]") + binding("b", "p", "Deny", "") +
				vapOn("q", "{apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*'], scope: Namespaced}", "validations: [{expression: 'false', message: never}]") + binding("c", "q", "Deny", ""),
			requests: []parityRequest{
				{what: "in order", object: "{apiVersion: v1, kind: Namespace, metadata: {name: $NS-good}}"}, {what: "not in order", object: "{apiVersion: v1, kind: Namespace, metadata: {name: $NS-bad}}"},
				{what: "what is in one", object: cm("a", "")},
			},
		},
		"parameters of a namespace": {
			policies: vapOn("p", "{apiGroups: [''], apiVersions: [v1], operations: ['*'], resources: [namespaces]}", kind+"validations: [{expression: object.metadata.name != params.data.name, message: taken}]") +
				binding("named", "p", "Deny", ", paramRef: {name: names, namespace: $NS, parameterNotFoundAction: Deny}") +
				binding("own", "p", "Warn", ", paramRef: {name: names, parameterNotFoundAction: Allow}"),
			params:   cm("names", ", data: {name: $NS-taken}"),
			requests: []parityRequest{{what: "free", object: "{apiVersion: v1, kind: Namespace, metadata: {name: $NS-free}}"}, {what: "taken", object: "{apiVersion: v1, kind: Namespace, metadata: {name: $NS-taken}}"}},
		},
		"audit annotations": {
			policies: vap("p", "validations: [{expression: \"object.metadata.name != 'bad'\", message: bad}], auditAnnotations: [{key: k, valueExpression: string(object.data.n)}]") + binding("b", "p", "Audit", ""),
			requests: []parityRequest{{what: "with a value", object: cm("a", data5)}, {what: "without a result", object: cm("b", "")}, {what: "of a failure", object: cm("bad", data5)}, {what: "without a result, of a failure", object: cm("bad", "")}},
		},
		"libraries": {
			policies: vap("p", "validations: [{expression: \"quantity(object.data.q).isGreaterThan(quantity('1Gi'))\", message: small}, {expression: \"object.data.ip == '' || isIP(object.data.ip) && cidr('10.0.0.0/8').containsIP(ip(object.data.ip))\", message: outside}, "+
				"{expression: \"semver(object.data.v).isLessThan(semver('2.0.0'))\", message: new}, {expression: \"url(object.data.u).getScheme() == 'https'\", message: plain}, {expression: \"object.?data.?x.orValue('none') == 'none'\", message: x}, {expression: \"format.named('dns1123Label').value().validate(object.data.l).hasValue() == false\", message: label}, {expression: \"object.metadata.name.matches('^[a-z]+$') && object.data.u.split('/').size() > 2\", message: name}]") + binding("b", "p", "Deny", ""),
			requests: []parityRequest{
				{what: "in order", object: cm("a", ", data: {q: 2Gi, ip: 10.1.2.3, v: 1.2.3, u: 'https://a/b', l: ok}")},
				{what: "small", object: cm("a", ", data: {q: 2Mi, ip: '', v: 1.2.3, u: 'https://a/b', l: ok}")},
				{what: "outside", object: cm("a", ", data: {q: 2Gi, ip: 11.1.2.3, v: 1.2.3, u: 'https://a/b', l: ok}")},
				{what: "new", object: cm("a", ", data: {q: 2Gi, ip: '', v: 2.2.3, u: 'https://a/b', l: ok}")},
				{what: "plain", object: cm("a", ", data: {q: 2Gi, ip: '', v: 1.2.3, u: 'http://a/b', l: ok}")},
				{what: "x", object: cm("a", ", data: {q: 2Gi, ip: '', v: 1.2.3, u: 'https://a/b', l: ok, x: set}")},
				{what: "label", object: cm("a", ", data: {q: 2Gi, ip: '', v: 1.2.3, u: 'https://a/b', l: 'No_'}")},
				{what: "name", object: cm("a1", ", data: {q: 2Gi, ip: '', v: 1.2.3, u: 'https://a/b', l: ok}")},
				{what: "no quantity", object: cm("a", ", data: {q: x, ip: '', v: 1.2.3, u: 'https://a/b', l: ok}")},
			},
		},
		"Deployments": {
			policies: vapOn("p", "{apiGroups: [apps], apiVersions: [v1], operations: [CREATE], resources: [deployments]}",
				"variables: [{name: containers, expression: object.spec.template.spec.containers}, {name: images, expression: \"variables.containers.map(c, c.image)\"}], validations: [{expression: object.spec.replicas <= 3, messageExpression: \"'replicas: ' + string(object.spec.replicas)\"}, {expression: \"variables.images.all(i, !i.endsWith(':latest'))\", message: latest}, {expression: \"variables.containers.all(c, c.terminationMessagePath == '/dev/termination-log')\", message: defaults}, {expression: \"has(object.metadata.creationTimestamp) && object.metadata.generation == 1\", message: system fields}]") + binding("b", "p", "Deny", ""),
			requests: []parityRequest{
				{what: "in order", object: deploymentOf("a", "3", "nginx:1")}, {what: "many", object: deploymentOf("b", "4", "nginx:1")}, {what: "latest", object: deploymentOf("c", "1", "nginx:latest")},
			},
		},
		"the authorizer": {
			policies: vap("p", "variables: [{name: may, expression: \"authorizer.group('').resource('secrets').namespace('$NS').check('get')\"}], matchConditions: [{name: may, expression: \"!authorizer.group('').resource('configmaps').namespace('$NS').name('exempt').check('patch').allowed() || request.userInfo.username != 'jane'\"}], "+
				"validations: [{expression: \"object == null || object.metadata.name != 'requested' || authorizer.requestResource.check('delete').allowed()\", message: delete}, {expression: \"variables.may.allowed() && !variables.may.errored() && variables.may.error() == ''\", messageExpression: \"'may not: ' + variables.may.reason()\"}, "+
				"{expression: \"object == null || object.metadata.name != 'paths' || authorizer.path('/metrics').check('get').allowed()\", message: paths}]") + binding("b", "p", "Deny", ""),
			params: duties,
			requests: []parityRequest{
				{what: "an administrator", object: cm("a", "")}, {what: "one who may", object: cm("b", ""), as: "jane"}, {what: "one who may not", object: cm("c", ""), as: "joe"},
				{what: "what is requested", object: cm("requested", "")}, {what: "what is requested by one who may not", object: cm("requested", ""), as: "jane"},
				{what: "a path", object: cm("paths", "")}, {what: "a path that is closed", object: cm("paths", ""), as: "jane"},
			},
		},
		"the authorizer in annotations": {
			policies: vap("p", "variables: [{name: may, expression: \"authorizer.group('').resource('secrets').namespace('$NS').check('get').allowed()\"}], validations: [{expression: variables.may}], auditAnnotations: [{key: may, valueExpression: \"object.metadata.name == 'asks' ? string(variables.may) : 'unasked'\"}]") + binding("b", "p", "Deny", ""),
			requests: []parityRequest{{what: "one that is not asked", object: cm("a", "")}, {what: "one that is asked", object: cm("asks", "")}},
		},
		"the authorizer in conditions": {
			policies: vap("p", "matchConditions: [{name: may, expression: \"!authorizer.group('').resource('secrets').namespace('$NS').check('get').allowed()\"}], validations: [{expression: 'false', message: never}]") + binding("b", "p", "Deny", ""),
			params:   duties,
			requests: []parityRequest{{what: "one who may", object: cm("a", ""), as: "jane"}, {what: "one who may not", object: cm("b", ""), as: "joe"}},
		},
		"the authorizer of accounts": {
			policies: vap("p", "validations: [{expression: \""+robotMay+"\", message: robot}, {expression: \"object.metadata.name != 'nobody' || authorizer.serviceAccount('$NS', 'nobody').group('').resource('configmaps').namespace('$NS').check('update').allowed()\", message: nobody}, "+
				"{expression: \"object.metadata.name != 'bad' || authorizer.serviceAccount('$NS', 'No_Name').path('/a').check('get').allowed()\"}]") + binding("b", "p", "Deny", ""),
			params:   robot,
			requests: []parityRequest{{what: "one that may", object: cm("a", "")}, {what: "one that may not", object: cm("nobody", "")}, {what: "a name that is none", object: cm("bad", "")}},
		},
		"selectors and subresources of the authorizer": {
			policies: vap("p", "validations: [{expression: \"authorizer.group('').resource('pods').subresource('log').namespace('$NS').name('a').check('get').allowed()\", message: log}, {expression: \"authorizer.group('').resource('pods').namespace('$NS').fieldSelector('spec.nodeName=a').labelSelector('a in (b,c),!d').check('list').allowed()\", message: list}, "+
				"{expression: \"authorizer.group('').resource('pods').namespace('$NS').fieldSelector('=').labelSelector('!!').check('list').allowed()\", message: broken}]") + binding("b", "p", "Deny", ""),
			params:   duties,
			requests: []parityRequest{{what: "an administrator", object: cm("a", "")}, {what: "one who may", object: cm("b", ""), as: "jane"}, {what: "one who may not", object: cm("c", ""), as: "joe"}},
		},
		"the cost of the authorizer": {
			policies: vap("p", "validations: [{expression: \"['a', 'b', 'c'].all(x, authorizer.group('').resource('pods').name(x).check('get').allowed())\"}]") + binding("b", "p", "Deny", ""),
			requests: []parityRequest{{what: "three checks in an expression", object: cm("a", "")}},
		},
		"a policy without a binding, and a binding without a policy": {
			policies: vap("p", "validations: [{expression: 'false', message: never}]") + binding("b", "nobody", "Deny", ""),
			requests: []parityRequest{{what: "nothing", object: cm("a", "")}},
		},
	}
}

// duties are two who may write ConfigMaps of the case; jane may do more.
const duties = `
{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: writes, namespace: $NS}, rules: [{apiGroups: [''], resources: [configmaps], verbs: [create, update]}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: writes, namespace: $NS}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: writes}, subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: jane}, {apiGroup: rbac.authorization.k8s.io, kind: User, name: joe}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: reads, namespace: $NS}, rules: [{apiGroups: [''], resources: [secrets], verbs: [get]}, {apiGroups: [''], resources: [pods, pods/log], verbs: [get, list]}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: reads, namespace: $NS}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reads}, subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: jane}]}`

func deploymentOf(name, replicas, image string) string {
	return "{apiVersion: apps/v1, kind: Deployment, metadata: {name: " + name + ", namespace: $NS}, spec: {replicas: " + replicas + ", selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: '" + image + "'}]}}}}"
}
