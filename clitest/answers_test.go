package clitest

import "testing"

// pod is the resource of the tests here.
const pod = `
-- resources.yaml --
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop}
spec: {containers: [{name: a, image: ghcr.io/acme/a:1}, {name: b, image: ghcr.io/acme/b:1}]}
`

// denies is a policy with one rule, which denies if the key is yes!.
func denies(match, context, key string) string {
	if match == "" {
		match = "resources: {kinds: [Pod]}"
	}
	return "-- policy.yaml --\napiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: p}\nspec:\n  background: false\n  rules:\n    - name: r\n" +
		"      match: {any: [{" + match + "}]}\n      context: [" + context + "]\n" +
		"      validate: {message: denied, deny: {conditions: {any: [{key: \"" + key + "\", operator: Equals, value: yes!}]}}}\n"
}

func TestWhatATestGivesInPlaceOfACluster(t *testing.T) {
	const configMap = "{name: cm, configMap: {name: settings, namespace: shop}}"
	const cluster = "-- cluster.yaml --\napiVersion: cli.kyverno.io/v1alpha1\nkind: ClusterResource\nspec:\n  resources:\n    - {apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: shop, labels: {a: b}}, data: {answer: yes!}}\n    - {apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {env: prod}}}\n"
	for name, tc := range map[string]struct{ match, context, key, operation, test, more string }{
		"values of a rule stand in for a look-up": {
			context: configMap, key: "{{ cm.data.answer }}",
			test: "values: {policies: [{name: p, rules: [{name: r, values: {cm.data.answer: yes!}}]}]}",
		},
		"global values, and over them those of the resource": {
			key: "{{ request.mode }}", test: "values: {globalValues: {request.mode: no!}, policies: [{name: p, resources: [{name: web, values: {request.mode: yes!}}]}]}",
		},
		"values of a part with dots stand in quotes": {
			key:  `{{ request.object.metadata.labels.\"a.b/c\" }}`,
			test: `values: {globalValues: {request.object.metadata.labels."a.b/c": yes!}}`,
		},
		"values in a file": {
			key: "{{ request.mode }}", test: "variables: values.yaml", more: "-- values.yaml --\napiVersion: cli.kyverno.io/v1alpha1\nkind: Values\nglobalValues: {request.mode: yes!}\n",
		},
		"the operation of the values": {
			key: "{{ request.operation == 'UPDATE' && request.oldObject.metadata.name == 'web' && 'yes!' }}", test: "values: {globalValues: {request.operation: UPDATE}}",
		},
		"the operation of the result": {
			key: "{{ request.operation == 'DELETE' && 'yes!' }}", test: "values: {globalValues: {request.operation: UPDATE}}", operation: ", operation: DELETE",
		},
		"the user": {
			match: "resources: {kinds: [Pod]}, clusterRoles: [boss]", key: "{{ request.userInfo.username == 'ann' && 'yes!' }}",
			test: "userinfo: user.yaml", more: "-- user.yaml --\nclusterRoles: [boss]\nuserInfo: {username: ann}\n",
		},
		"a match by user holds for nobody": {
			match: "resources: {kinds: [Pod]}, subjects: [{kind: User, name: ann}]", key: "{{ 'yes!' }}",
		},
		"labels of a namespace from the values": {
			match: "resources: {kinds: [Pod], namespaceSelector: {matchLabels: {env: prod}}}", key: "{{ 'yes!' }}",
			test: "values: {namespaceSelector: [{name: shop, labels: {env: prod}}]}",
		},
		"labels of a namespace from the cluster": {
			match: "resources: {kinds: [Pod], namespaceSelector: {matchLabels: {env: prod}}}", key: "{{ 'yes!' }}",
			test: "clusterResources: [cluster.yaml]", more: cluster,
		},
		"a ConfigMap of the cluster": {
			context: configMap, key: "{{ cm.data.answer }}", test: "clusterResources: [cluster.yaml]", more: cluster,
		},
		"an object of the API server": {
			context: "{name: cm, apiCall: {urlPath: /api/v1/namespaces/shop/configmaps/settings, jmesPath: data.answer}}",
			key:     "{{ cm }}", test: "clusterResources: [cluster.yaml]", more: cluster,
		},
		"a list of the API server": {
			context: `{name: cm, apiCall: {urlPath: "/api/v1/configmaps?labelSelector=a=b", jmesPath: "items[0].data.answer"}}`,
			key:     "{{ cm }}", test: "clusterResources: [cluster.yaml]", more: cluster,
		},
		"nothing, where an expression has a default": {
			context: configMap + ", {name: list, apiCall: {urlPath: /api/v1/configmaps}}", key: "{{ cm.data.answer || list.items[0].kind || 'yes!' }}",
		},
		"the answer to a call": {
			context: "{name: c, apiCall: {method: POST, service: {url: https://a.example/x}}}", key: "{{ c.answer }}",
			test: "apiCallResponses: [{url: https://a.example/x, method: GET, response: {body: {answer: no!}}}, {url: https://a.example/x, response: {body: {answer: yes!}}}]",
		},
		"a call that is answered with a failure": {
			context: "{name: c, apiCall: {urlPath: /api/v1/nodes, default: yes!}}", key: "{{ c }}",
			test: "apiCallResponses: [{urlPath: /api/v1/nodes, response: {statusCode: 503, body: {}}}]",
		},
		"a global context entry with a projection": {
			context: "{name: g, globalReference: {name: all.answers}}", key: "{{ g[0] }}",
			test: "globalContextEntries: [{name: all, data: {in: {answer: yes!}}, fieldPath: in, projections: [{name: answers, path: '[answer]'}]}]",
		},
		"a global context entry of resources": {
			context: "{name: g, globalReference: {name: all, jmesPath: '[0].metadata.name'}}", key: "{{ g == 'web' && 'yes!' }}",
			test: "globalContextEntries: [{name: all, resourceFiles: [resources.yaml]}]",
		},
		"an image of the context": {
			context: `{name: i, imageRegistry: {reference: "ghcr.io/acme/a:1", jmesPath: configData.config.User}}`, key: "{{ i }}",
			test: "context: context.yaml", more: "-- context.yaml --\napiVersion: cli.kyverno.io/v1alpha1\nkind: Context\nspec: {images: [{image: 'ghcr.io/acme/a:1', config: {config: {User: yes!}}}]}\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			test := head + tc.test + "\nresults: [{policy: p, rule: r, kind: Pod, resources: [web], result: fail" + tc.operation + "}]\n"
			got := runCases(t, test, "", pod, denies(tc.match, tc.context, tc.key), tc.more)
			compareLines(t, got, []string{"pass: p/r Pod shop/web want fail got fail"})
		})
	}
}

// Whether a user may do something is told by the answer to a SubjectAccessReview.
func TestTheAuthorizerOfATest(t *testing.T) {
	const policy = `
-- policy.yaml --
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: p}
spec:
  background: false
  rules:
    - name: r
      match: {any: [{resources: {kinds: [Pod]}}]}
      validate: {cel: {expressions: [{expression: "authorizer.requestResource.check('update').allowed()"}]}}
`
	for answer, want := range map[string]string{
		"true":  "pass: p/r Pod shop/web want pass got pass",
		"false": "fail: p/r Pod shop/web want pass got fail failed expression: authorizer.requestResource.check('update').allowed()",
		"":      "fail: p/r Pod shop/web want pass got error could not be evaluated: authorizer.check update pods in shop: POST /apis/authorization.k8s.io/v1/subjectaccessreviews is not among the apiCallResponses of the test: cannot be looked up here",
	} {
		test := head
		if answer != "" {
			test += "apiCallResponses: [{urlPath: /apis/authorization.k8s.io/v1/subjectaccessreviews, method: POST, response: {body: {status: {allowed: " + answer + "}}}}]\n"
		}
		test += "results: [{policy: p, rule: r, kind: Pod, resources: [web], result: pass}]\n"
		compareLines(t, runCases(t, test, "", pod, policy), []string{want})
	}
}
