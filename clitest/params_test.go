package clitest

import "testing"

const withParameters = `
-- policy.yaml --
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: replicas}
spec:
  rules:
    - name: of-the-namespace
      match: {any: [{resources: {kinds: [Deployment]}}]}
      validate:
        cel:
          paramKind: {apiVersion: v1, kind: ConfigMap}
          paramRef: {name: limits, parameterNotFoundAction: Deny}
          expressions: [{expression: object.spec.replicas <= int(params.data.max)}]
    - name: of-the-cluster
      match: {any: [{resources: {kinds: [Deployment]}}]}
      validate:
        cel:
          paramKind: {apiVersion: v1, kind: Namespace}
          paramRef: {selector: {matchLabels: {limits: "yes"}}, parameterNotFoundAction: Deny}
          expressions: [{expression: object.spec.replicas <= int(params.metadata.annotations.max)}]
-- resources.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: small, namespace: web}
spec: {replicas: 2}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: large, namespace: web}
spec: {replicas: 3}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: elsewhere, namespace: shop}
spec: {replicas: 1}
-- params.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: limits, namespace: web}
data: {max: "2"}
---
apiVersion: v1
kind: Namespace
metadata: {name: limits, labels: {limits: "yes"}, annotations: {max: "2"}}
`

// A parameter is found in the namespace of what is judged, and one without a namespace from everywhere.
func TestParameters(t *testing.T) {
	got := runCases(t, head+`paramResources: [params.yaml]
results:
- {policy: replicas, rule: of-the-namespace, kind: Deployment, resources: [small], result: pass}
- {policy: replicas, rule: of-the-namespace, kind: Deployment, resources: [large], result: fail}
- {policy: replicas, rule: of-the-namespace, kind: Deployment, resources: [elsewhere], result: error}
- {policy: replicas, rule: of-the-cluster, kind: Deployment, resources: [small, elsewhere], result: pass}
- {policy: replicas, rule: of-the-cluster, kind: Deployment, resources: [large], result: fail}
`, "", withParameters)
	compareLines(t, got, []string{
		"pass: replicas/of-the-namespace Deployment web/small want pass got pass",
		"pass: replicas/of-the-namespace Deployment web/large want fail got fail",
		"pass: replicas/of-the-namespace Deployment shop/elsewhere want error got error",
		"pass: replicas/of-the-cluster Deployment web/small want pass got pass",
		"pass: replicas/of-the-cluster Deployment shop/elsewhere want pass got pass",
		"pass: replicas/of-the-cluster Deployment web/large want fail got fail",
	})
}
