package clitest

import (
	"slices"
	"strings"
	"testing"
)

const copying = `
-- policy.yaml --
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: copy}
spec:
  rules:
    - name: r
      match: {any: [{resources: {kinds: [Namespace]}}]}
      generate: {apiVersion: v1, kind: Secret, name: regcred, namespace: "{{request.object.metadata.name}}", synchronize: true, clone: {namespace: default, name: regcred}}
-- resources.yaml --
{apiVersion: v1, kind: Namespace, metadata: {name: shop}}
-- source.yaml --
{apiVersion: v1, kind: Secret, metadata: {name: regcred, namespace: default}, data: {a: YQ==}}
-- made.yaml --
{apiVersion: v1, kind: Secret, metadata: {name: regcred, namespace: shop}, data: {a: YQ==}}
-- other.yaml --
{apiVersion: v1, kind: Secret, metadata: {name: regcred, namespace: shop}, data: {a: Yg==}}
`

func TestGeneratedResources(t *testing.T) {
	for sentence, c := range map[string]struct{ result, want string }{
		"what is made is as the file has it": {
			"cloneSourceResource: source.yaml, generatedResource: made.yaml, ", "pass: copy/r Namespace shop want pass got pass",
		},
		"what is made is not as the file has it": {
			"cloneSourceResource: source.yaml, generatedResource: other.yaml, ", `fail: copy/r Namespace shop want pass got pass the generated Secret shop/regcred`,
		},
		"without its source the rule applies": {
			"", "pass: copy/r Namespace shop want pass got pass",
		},
		"without its source nothing is as the file has it": {
			"generatedResource: made.yaml, ", "fail: copy/r Namespace shop want pass got error could not be evaluated: the source Secret default/regcred",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			got := runCases(t, head+"results: [{policy: copy, rule: r, kind: Namespace, resources: [shop], "+c.result+"result: pass}]", "", copying)
			if len(got) != 1 || !strings.HasPrefix(got[0], c.want) || (strings.HasPrefix(c.want, "pass") && !slices.Equal(got, []string{c.want})) {
				t.Errorf("\n got %s\nwant %s", strings.Join(got, "\n"), c.want)
			}
		})
	}
}

const copyingInCEL = `
-- policy.yaml --
apiVersion: policies.kyverno.io/v1
kind: GeneratingPolicy
metadata: {name: copy}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [namespaces]}]}
  generate:
    - expression: generator.Apply(object.metadata.name, [resource.Get("v1", "secrets", "default", "regcred")])
-- resources.yaml --
{apiVersion: v1, kind: Namespace, metadata: {name: shop}}
---
{apiVersion: v1, kind: Service, metadata: {name: web}}
-- context.yaml --
apiVersion: cli.kyverno.io/v1alpha1
kind: Context
metadata: {name: context}
spec: {resources: [{apiVersion: v1, kind: Secret, metadata: {name: regcred, namespace: default, annotations: {note: a}}, data: {a: YQ==}}]}
-- made.yaml --
{apiVersion: v1, kind: Secret, metadata: {name: regcred, namespace: shop}, data: {a: YQ==}}
-- noted.yaml --
{apiVersion: v1, kind: Secret, metadata: {name: regcred, namespace: shop, annotations: {note: b}}, data: {a: YQ==}}
-- other.yaml --
{apiVersion: v1, kind: Secret, metadata: {name: regcred, namespace: shop}, data: {a: Yg==}}
`

func TestGeneratedResourcesOfGeneratingPolicies(t *testing.T) {
	const context = "context: context.yaml\n"
	for sentence, c := range map[string]struct{ more, result, want string }{
		"what is made is as the file has it, but for annotations": {
			context, "resources: [shop], generatedResource: made.yaml, ", "pass: copy/ Namespace shop want pass got pass",
		},
		"what is made is not as the file has it": {
			context, "resources: [shop], generatedResource: other.yaml, ", "fail: copy/ Namespace shop want pass got pass the generated Secret shop/regcred differs; to be as expected it would need replace /data/a",
		},
		"annotations are compared if the file has any": {
			context, "resources: [shop], generatedResource: noted.yaml, ", "fail: copy/ Namespace shop want pass got pass the generated Secret shop/regcred differs; to be as expected it would need replace /metadata/annotations/note",
		},
		"without its source it is an error": {
			"", "resources: [shop], ", `fail: copy/ Namespace shop want pass got error could not be evaluated: generate[0]: expression 'generator.Apply(object.metadata.name, [resource.Get("v1", "secrets", "default", "regcred")])': generator.Apply: element 0 is null: there is no such object`,
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			got := runCases(t, head+c.more+"results: [{isGeneratingPolicy: true, policy: copy, kind: Namespace, "+c.result+"result: pass}]", "", copyingInCEL)
			compareLines(t, got, []string{c.want})
		})
	}
}
