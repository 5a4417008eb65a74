package clitest

import (
	"strings"
	"testing"
)

// inCEL is a ValidatingPolicy and a ClusterPolicy of the same name, and what they judge.
const inCEL = `
-- policy.yaml --
apiVersion: policies.kyverno.io/v1
kind: ValidatingPolicy
metadata: {name: p}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]}
  validations: [{expression: "!object.spec.?hostNetwork.orValue(false)", message: host network}]
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: p}
spec:
  rules:
    - name: r
      match: {any: [{resources: {kinds: [Pod]}}]}
      validate: {message: always, deny: {}}
---
apiVersion: policies.kyverno.io/v1
kind: ValidatingPolicy
metadata: {name: asks}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]}
  validations: [{expression: "http.Get('https://a.example/b').body.ok && http.Get('https://a.example/b').ok"}]
---
apiVersion: policies.kyverno.io/v1
kind: ValidatingPolicy
metadata: {name: remembers}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]}
  validations: [{expression: "globalContext.Get('g', '') == null", message: there}]
-- resources.yaml --
apiVersion: v1
kind: Pod
metadata: {name: good, namespace: shop}
spec: {containers: [{name: c, image: i}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: bad, namespace: shop}
spec: {template: {spec: {hostNetwork: true, containers: [{name: c, image: i}]}}}
---
apiVersion: v1
kind: Service
metadata: {name: other, namespace: shop}
`

func TestValidatingPolicies(t *testing.T) {
	for name, c := range map[string]struct{ results, want string }{
		"by the kind of policy":            {"results: [{policy: p, isValidatingPolicy: true, resources: [good], result: pass}]", "pass: p/ Pod shop/good want pass got pass"},
		"made for controllers":             {"results: [{policy: p, isValidatingPolicy: true, kind: Deployment, resources: [shop/bad], result: fail}]", "pass: p/ Deployment shop/bad want fail got fail"},
		"a rule's name is not looked at":   {"results: [{policy: p, isValidatingPolicy: true, rule: r2, kind: Deployment, resources: [bad], result: fail}]", "pass: p/r2 Deployment shop/bad want fail got fail"},
		"what it does not select":          {"results: [{policy: p, isValidatingPolicy: true, resources: [other], result: skip}]", "pass: p/ Service shop/other want skip got skip"},
		"an answer with its body beside":   {"apiCallResponses: [{url: 'https://a.example/b', method: GET, response: {statusCode: 200, body: {ok: true}}}]\nresults: [{policy: asks, resources: [good], result: pass}]", "pass: asks/ Pod shop/good want pass got pass"},
		"an entry that is not given":       {"results: [{policy: remembers, resources: [good], result: pass}]", "pass: remembers/ Pod shop/good want pass got pass"},
		"an entry that is given":           {"globalContextEntries: [{name: g, data: {a: b}}]\nresults: [{policy: remembers, resources: [good], result: fail}]", "pass: remembers/ Pod shop/good want fail got fail"},
		"patched by nothing, from no file": {"results: [{policy: p, isValidatingPolicy: true, resources: [other], patchedResource: none.yaml, result: pass}]", "pass: p/ Service shop/other want pass got skip no rule applies to the resource, which passes as it is"},
	} {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(runCases(t, head+c.results, "", inCEL), "\n")
			if got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}
