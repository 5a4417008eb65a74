package engine

import (
	"strings"
	"testing"
)

func TestGenerateRulesThatAreRefusedAtLoad(t *testing.T) {
	const base = "spec.rules[0].generate"
	for sentence, c := range map[string]struct{ policy, want string }{
		"two forms": {
			generate(`{apiVersion: v1, kind: Secret, name: a, namespace: b, data: {}, clone: {name: x, namespace: z}}`),
			base + ": has 2 of data, clone and cloneList: expected at most one",
		},
		"foreach and data": {
			generate(`{data: {}, foreach: [{` + forEachElement + `, data: {}}]}`),
			base + ": has foreach and 1 of data, clone and cloneList beside it: expected one of the four",
		},
		"no kind, name and apiVersion": {
			generate(`{namespace: b, data: {}}`),
			base + ".apiVersion: is missing; " + base + ".kind: is missing; " + base + ".name: is missing",
		},
		"a foreach without a list": {
			generate(`{foreach: [{apiVersion: v1, kind: ConfigMap, name: a, namespace: b, data: {}}]}`),
			base + ".foreach[0].list: is missing",
		},
		"a subresource": {
			generate(`{apiVersion: v1, kind: Pod/status, name: a, namespace: b, data: {}}`),
			base + ".kind: generating a subresource, Pod/status, is not built yet",
		},
		"the kind that it matches": {
			clusterPolicy("p", `{rules: [{name: r, match: {resources: {kinds: [ConfigMap]}}, generate: {apiVersion: v1, kind: ConfigMap, name: a, namespace: b, data: {}}}]}`),
			base + ".kind: ConfigMap is what the rule matches: it would trigger itself",
		},
		"a clone of itself": {
			generate(`{apiVersion: v1, kind: Secret, name: "{{request.object.metadata.name}}", namespace: b, clone: {name: "{{request.object.metadata.name}}", namespace: b}}`),
			base + ".clone: is the very object that is generated: it cannot be its own source",
		},
		"a clone without a name": {
			generate(`{apiVersion: v1, kind: Secret, name: a, namespace: b, clone: {namespace: c}}`),
			base + ".clone.name: is missing",
		},
		"data that is a text": {
			generate(`{apiVersion: v1, kind: Secret, name: a, namespace: b, data: text}`),
			base + ".data: is not an object: expected the fields of what is to be generated",
		},
		"an anchor": {
			generate(`{apiVersion: v1, kind: Secret, name: a, namespace: b, data: {spec: [{"(podSelector)": {}}]}}`),
			base + ".data.spec[0].(podSelector): is an anchor: it has no meaning in an object that is generated",
		},
		"a broken variable": {
			generate(`{apiVersion: v1, kind: Secret, name: "{{ a..b }}", namespace: b, data: {}}`),
			base + `.name: expression "a..b": at character 3: Expected identifier, lbracket, or lbrace`,
		},
		"a cloneList without kinds": {
			generate(`{namespace: b, cloneList: {namespace: a, kinds: []}}`),
			base + ".cloneList.kinds: is empty: expected at least one kind",
		},
		"a cloneList of a kind without a version": {
			generate(`{namespace: b, cloneList: {namespace: a, kinds: [Secret]}}`),
			base + `.cloneList.kinds[0]: "Secret" is not one kind: expected version/Kind or group/version/Kind, without wildcards`,
		},
		"a cloneList of every kind": {
			generate(`{namespace: b, cloneList: {namespace: a, kinds: ["v1/*"]}}`),
			base + `.cloneList.kinds[0]: "v1/*" is not one kind: expected version/Kind or group/version/Kind, without wildcards`,
		},
		"a cloneList of a subresource": {
			generate(`{namespace: b, cloneList: {namespace: a, kinds: [v1/Pod/log]}}`),
			base + `.cloneList.kinds[0]: "v1/Pod/log" is a subresource: expected the kind of an object`,
		},
		"a cloneList with a wildcard in its selector": {
			generate(`{namespace: b, cloneList: {namespace: a, kinds: [v1/Secret], selector: {matchLabels: {app: "*"}}}}`),
			base + ".cloneList.selector: a selector of cloneList takes no wildcards",
		},
		"a cloneList with a selector that is none": {
			generate(`{namespace: b, cloneList: {namespace: a, kinds: [v1/Secret], selector: {matchExpressions: [{key: a, operator: Like}]}}}`),
			base + `.cloneList.selector: not a label selector: "Like" is not a valid label selector operator`,
		},
		"a policy whose name is no label": {
			strings.Replace(generate(defaultDeny), "name: p}", "name: "+strings.Repeat("p", 64)+"}", 1),
			"metadata.name: is longer than 63 characters: what the policy generates is labelled with it",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			_, err := tryCompile(t, c.policy)
			if err == nil {
				t.Fatal("it loads")
			}
			_, got, _ := strings.Cut(err.Error(), ": ")
			same(t, "error", got, c.want)
		})
	}
}

func TestGenerateRulesThatDoNothingAreWarnedOf(t *testing.T) {
	p := mustCompile(t, generate(`{namespace: a, cloneList: {namespace: a, kinds: [v1/Secret]}}`))
	same(t, "warnings", strings.Join(p.Warnings, "\n"),
		"spec.rules[0].generate.namespace: is the namespace that is cloned from: every object is its own source, and nothing is generated")
	p = mustCompile(t, generate(`{apiVersion: v1, kind: Secret, name: a, namespace: b, uid: c, data: {}}`))
	same(t, "warnings", strings.Join(p.Warnings, "\n"), "spec.rules[0].generate.uid: has no effect")
}

// A namespaced policy writes and copies within its namespace, whatever its variables say.
func TestGHSA_79gf_7frw_68m9_generate(t *testing.T) {
	policy := func(fields string) string {
		return "{apiVersion: kyverno.io/v1, kind: Policy, metadata: {name: p, namespace: team}, spec: {rules: [{name: r, match: {any: [{resources: {kinds: [ConfigMap]}}]}, generate: " + fields + "}]}}"
	}
	for sentence, c := range map[string]struct{ fields, want string }{
		"another namespace":        {`{apiVersion: v1, kind: Secret, name: a, namespace: other, data: {}}`, `namespace: is "other": a policy of namespace team generates there only`},
		"the cluster":              {`{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, name: a, data: {}}`, `namespace: is "": a policy of namespace team generates there only`},
		"a clone of another":       {`{apiVersion: v1, kind: Secret, name: a, namespace: team, clone: {namespace: other, name: b}}`, `clone.namespace: is "other": a policy of namespace team clones from there only`},
		"a clone of the cluster":   {`{apiVersion: v1, kind: Secret, name: a, namespace: team, clone: {name: b}}`, `clone.namespace: is "": a policy of namespace team clones from there only`},
		"a cloneList of another":   {`{namespace: team, cloneList: {namespace: other, kinds: [v1/Secret]}}`, `cloneList.namespace: is "other": a policy of namespace team clones from there only`},
		"another, for its element": {`{foreach: [{list: request.object.data.list, apiVersion: v1, kind: Secret, name: a, namespace: other, data: {}}]}`, `foreach[0].namespace: is "other": a policy of namespace team generates there only`},
	} {
		t.Run("refused at load: "+sentence, func(t *testing.T) {
			_, err := tryCompile(t, policy(c.fields))
			if err == nil {
				t.Fatal("it loads")
			}
			same(t, "error", err.Error(), "Policy/team/p: spec.rules[0].generate."+c.want)
		})
	}
	trigger := `{apiVersion: v1, kind: ConfigMap, metadata: {name: t, namespace: team}, data: {ns: other, none: "", list: [other]}}`
	for sentence, c := range map[string]struct{ fields, want string }{
		"another namespace":        {`{apiVersion: v1, kind: Secret, name: a, namespace: "{{request.object.data.ns}}", data: {}}`, "generating: "},
		"the cluster":              {`{apiVersion: v1, kind: Secret, name: a, namespace: "{{request.object.data.none}}", data: {}}`, "generating: "},
		"a clone of another":       {`{apiVersion: v1, kind: Secret, name: a, namespace: team, clone: {namespace: "{{request.object.data.ns}}", name: b}}`, "the source Secret other/b: "},
		"a cloneList of another":   {`{namespace: team, cloneList: {namespace: "{{request.object.data.ns}}", kinds: [v1/Secret]}}`, "listing the sources of kind Secret: "},
		"another, for its element": {`{foreach: [{list: request.object.data.list, apiVersion: v1, kind: Secret, name: a, namespace: "{{element}}", data: {}}]}`, "generating: "},
	} {
		t.Run("refused with its variables: "+sentence, func(t *testing.T) {
			w := newShelf(t, `{apiVersion: v1, kind: Secret, metadata: {name: b, namespace: other}}`)
			d := snapshot(t, policy(c.fields)).Generate(t.Context(), resting(t, trigger), w.inputs())
			refusal := "out of the policy's reach: namespace other, for a policy of namespace team"
			if sentence == "the cluster" {
				refusal = "out of the policy's reach: a policy of namespace team sees nothing outside of it"
			}
			if len(d) != 1 || len(d[0].Changes) > 0 || len(w.asked) > 0 {
				t.Fatalf("%s; changes %s; asked %v", lines(d), changeLines(d[0].Changes), w.asked)
			}
			same(t, "decision", lines(d), "r error: could not be evaluated: "+c.want+refusal)
		})
	}
}
