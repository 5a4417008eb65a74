package clitest

import "testing"

const deleting = `
-- policy.yaml --
apiVersion: policies.kyverno.io/v1
kind: DeletingPolicy
metadata: {name: old}
spec:
  schedule: "0 1 * * *"
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], resources: [pods]}]}
  conditions: [{name: dev, expression: "namespaceObject.metadata.labels.tier == 'dev' && !has(object.metadata.annotations)"}]
-- resources.yaml --
{apiVersion: v1, kind: Pod, metadata: {name: idle, namespace: team, labels: {cleanup.kyverno.io/ttl: 1m}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: kept, namespace: team, annotations: {keep: this}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: elsewhere, namespace: other}}
---
{apiVersion: v1, kind: Secret, metadata: {name: token, namespace: team}}
-- values.yaml --
namespaces: [{metadata: {name: team, labels: {tier: dev}}}, {metadata: {name: other, labels: {tier: prod}}}]
-- exception.yaml --
{apiVersion: policies.kyverno.io/v1, kind: PolicyException, metadata: {name: spare}, spec: {policyRefs: [{name: old, kind: DeletingPolicy}], matchConditions: [{name: all, expression: 'true'}]}}
`

func TestResultsOfDeletingPolicies(t *testing.T) {
	const from = head + "variables: values.yaml\n"
	result := func(kind, name, want string) string {
		return "results: [{isDeletingPolicy: true, policy: old, kind: " + kind + ", resources: [" + name + "], result: " + want + "}]"
	}
	for sentence, c := range map[string]struct{ test, want string }{
		"what would be deleted passes":          {from + result("Pod", "idle", "pass"), "pass: old/ Pod team/idle want pass got pass"},
		"what is selected and would stay fails": {from + result("Pod", "kept", "fail"), "pass: old/ Pod team/kept want fail got fail"},
		"what a namespace keeps fails":          {from + result("Pod", "elsewhere", "fail"), "pass: old/ Pod other/elsewhere want fail got fail"},
		"what would stay is not deleted": {
			from + result("Pod", "kept", "pass"), "fail: old/ Pod team/kept want pass got fail the conditions are not met: the resource would not be deleted",
		},
		"what is not selected is skipped": {from + result("Secret", "token", "skip"), "pass: old/ Secret team/token want skip got skip"},
		"what is not selected is not deleted": {
			from + result("Secret", "token", "pass"), "fail: old/ Secret team/token want pass got skip the policy does not select the resource, and would not delete it",
		},
		"what is excused would stay": {
			from + "exceptions: [exception.yaml]\n" + result("Pod", "idle", "fail"), "pass: old/ Pod team/idle want fail got fail",
		},
	} {
		t.Run(sentence, func(t *testing.T) { compareLines(t, runCases(t, c.test, "", deleting), []string{c.want}) })
	}
}
