package clitest

import "testing"

const onPayloads = `
-- policy.yaml --
apiVersion: policies.kyverno.io/v1
kind: ValidatingPolicy
metadata: {name: version}
spec:
  evaluation: {mode: JSON}
  validations: [{expression: "object.version == '1.5.9'", message: wrong version}]
---
apiVersion: policies.kyverno.io/v1
kind: ValidatingPolicy
metadata: {name: list}
spec:
  evaluation: {mode: JSON}
  matchConditions: [{name: list, expression: "type(object) == list"}]
  validations: [{expression: "object.all(o, o.size < 3)", message: too big}]
---
apiVersion: policies.kyverno.io/v1
kind: ValidatingPolicy
metadata: {name: pods}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]}
  validations: [{expression: "object.metadata.name == 'a'", message: another name}]
---
apiVersion: policies.kyverno.io/v1
kind: ValidatingPolicy
metadata: {name: named}
spec:
  evaluation: {mode: JSON}
  validations: [{expression: "object.metadata.name == 'a'", message: another name}]
---
apiVersion: policies.kyverno.io/v1
kind: ValidatingPolicy
metadata: {name: server}
spec:
  evaluation: {mode: HTTP}
  validations: [{expression: "http.Allowed().Response()"}]
---
apiVersion: policies.kyverno.io/v1
kind: DeletingPolicy
metadata: {name: old}
spec:
  schedule: "0 1 * * *"
  conditions: [{name: old, expression: "object.version < '1.5.9'"}]
-- good.json --
{"version": "1.5.9"}
-- bad.yaml --
version: 1.5.8
-- data/list.json --
[{"size": 1}, {"size": 2}]
-- both.yaml --
version: 1.5.9
---
version: 1.5.8
-- none.yaml --
# nothing
-- broken.json --
{
  "version": }
-- resources.yaml --
apiVersion: v1
kind: Pod
metadata: {name: b, namespace: shop}
-- exception.yaml --
apiVersion: policies.kyverno.io/v1
kind: PolicyException
metadata: {name: x, namespace: team}
spec:
  policyRefs: [{name: version, kind: ValidatingPolicy}]
  matchConditions: [{name: old, expression: "object.version == '1.5.8'"}]
`

func TestPayloads(t *testing.T) {
	const begin = "apiVersion: cli.kyverno.io/v1alpha1\nkind: Test\nmetadata: {name: t}\npolicies: [policy.yaml]\n"
	for sentence, c := range map[string]struct {
		test string
		want []string
	}{
		"a payload that passes":         {"jsonPayloads: [good.json]\nresults: [{policy: version, result: pass}]", []string{"pass: version/  good.json want pass got pass"}},
		"the old way to name one":       {"jsonPayload: good.json\nresults: [{policy: version, result: pass}]", []string{"pass: version/  good.json want pass got pass"}},
		"one that fails, of YAML":       {"jsonPayloads: [bad.yaml]\nresults: [{policy: version, kind: '', result: fail}]", []string{"pass: version/  bad.yaml want fail got fail"}},
		"one that should not":           {"jsonPayloads: [bad.yaml]\nresults: [{policy: version, result: pass}]", []string{"fail: version/  bad.yaml want pass got fail wrong version"}},
		"each by its name":              {"jsonPayloads: [good.json, ./bad.yaml]\nresults: [{policy: version, resources: [bad.yaml], result: fail}, {policy: version, resources: [./good.json], result: pass}]", []string{"pass: version/  ./bad.yaml want fail got fail", "pass: version/  good.json want pass got pass"}},
		"a list, in a folder":           {"jsonPayloads: [data/list.json]\nresults: [{policy: list, resources: [data/list.json], result: pass}]", []string{"pass: list/  data/list.json want pass got pass"}},
		"several documents":             {"jsonPayloads: [both.yaml]\nresults: [{policy: version, resources: [both.yaml], result: pass}]", []string{"pass: version/  both.yaml want pass got pass", "fail: version/  both.yaml#2 want pass got fail wrong version"}},
		"one of several documents":      {"jsonPayloads: [both.yaml]\nresults: [{policy: version, resources: ['both.yaml#2'], result: fail}]", []string{"pass: version/  both.yaml#2 want fail got fail"}},
		"no such payload":               {"jsonPayloads: [good.json]\nresults: [{policy: version, resources: [bad.json], result: pass}]", []string{"fail: version/  bad.json want pass got  the test has no such resource"}},
		"one that is not matched":       {"jsonPayloads: [good.json]\nresults: [{policy: list, result: skip}]", []string{"pass: list/  good.json want skip got skip"}},
		"one that is excused":           {"jsonPayloads: [bad.yaml]\nexceptions: [exception.yaml]\nresults: [{policy: version, result: skip}]", []string{"pass: version/  bad.yaml want skip got skip"}},
		"a policy on Pods":              {"jsonPayloads: [good.json]\nresults: [{policy: pods, result: skip}]", []string{"pass: pods/  good.json want skip got skip"}},
		"resources beside payloads":     {"jsonPayloads: [good.json]\nresources: [resources.yaml]\nresults: [{policy: version, result: pass}, {policy: pods, result: fail}]", []string{"pass: version/  good.json want pass got pass", "pass: pods/ Pod shop/b want fail got fail"}},
		"a resource as a payload":       {"resources: [resources.yaml]\nresults: [{policy: named, kind: Pod, resources: [b], result: fail}]", []string{"pass: named/ Pod shop/b want fail got fail"}},
		"a policy that would delete":    {"jsonPayloads: [bad.yaml]\nresults: [{policy: old, isDeletingPolicy: true, result: pass}]", []string{"pass: old/  bad.yaml want pass got pass"}},
		"a policy that would not":       {"jsonPayloads: [good.json]\nresults: [{policy: old, isDeletingPolicy: true, result: fail}]", []string{"pass: old/  good.json want fail got fail"}},
		"an empty file":                 {"jsonPayloads: [none.yaml]\nresults: [{policy: version, result: pass}]", []string{"error: version/   want pass got  the test cannot be loaded: none.yaml holds no payload: expected JSON or YAML"}},
		"a broken file":                 {"jsonPayloads: [broken.json]\nresults: [{policy: version, result: pass}]", []string{"error: version/   want pass got  the test cannot be loaded: broken.json:2:14: broken JSON: invalid character '}' looking for beginning of value"}},
		"a file that is not there":      {"jsonPayloads: [gone.json]\nresults: [{policy: version, result: pass}]", []string{"error: version/   want pass got  the test cannot be loaded: finding files: stat gone.json: no such file or directory"}},
		"requests of HTTP":              {"httpPayloads: [good.json]\nresults: [{policy: server, result: pass}]", []string{"skip: server/   want pass got  the evaluation mode HTTP is not built yet"}},
		"requests of HTTP, for another": {"httpPayloads: [good.json]\nresults: [{policy: version, result: pass}]", []string{"skip: version/   want pass got  the evaluation mode HTTP is not built yet"}},
		"requests of Envoy":             {"envoyPayloads: [good.json]\nresults: [{policy: version, result: pass}]", []string{"skip: version/   want pass got  the evaluation mode Envoy is not built yet"}},
	} {
		t.Run(sentence, func(t *testing.T) { compareLines(t, runCases(t, begin+c.test, "", onPayloads), c.want) })
	}
}
