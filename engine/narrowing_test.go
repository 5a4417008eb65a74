package engine

import (
	"testing"

	"sigs.k8s.io/yaml"
)

// What a filter of a kyverno.io policy tells an API server.
func TestNarrowing(t *testing.T) {
	const selected = "{kinds: [Pod], selector: {matchLabels: {a: b}}, namespaceSelector: {matchLabels: {c: d}}, namespaces: [e, f]}"
	for name, test := range map[string]struct{ match, exclude, conditions, want string }{
		"kinds alone":                     {match: "{kinds: [Pod]}", want: "Exact: true"},
		"something excluded":              {match: "{kinds: [Pod]}", exclude: "{namespaces: [a]}", want: "Exact: false"},
		"labels and namespaces":           {match: selected, want: "Exact: false\nNamespaces: {matchLabels: {c: d}, matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [e, f]}]}\nObjects: {matchLabels: {a: b}}"},
		"labels with wildcards":           {match: "{kinds: [Pod], selector: {matchLabels: {a: 'b*'}}}", want: "Exact: false"},
		"namespaces with wildcards":       {match: "{kinds: [Pod], namespaces: [a, 'b-*']}", want: "Exact: false"},
		"a namespace that cannot be":      {match: "{kinds: [Pod], namespaces: ['A B']}", want: "Exact: false"},
		"names":                           {match: "{kinds: [Pod], names: [a]}", want: "Exact: false"},
		"annotations":                     {match: "{kinds: [Pod], annotations: {a: b}}", want: "Exact: false"},
		"conditions on the object":        {match: "{kinds: [Pod]}", conditions: "object.metadata.name == 'a'", want: "Exact: true\nConditions: [{name: c, expression: \"object.metadata.name == 'a'\"}]"},
		"conditions on the request":       {match: "{kinds: [Pod]}", conditions: "request.name == 'a'", want: "Exact: true\nOfRequest: true\nConditions: [{name: c, expression: \"request.name == 'a'\"}]"},
		"conditions of newer API servers": {match: "{kinds: [Pod]}", conditions: "isIP('127.0.0.1')", want: "Exact: true"},
	} {
		t.Run(name, func(t *testing.T) {
			text := "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: p, annotations: {pod-policies.kyverno.io/autogen-controllers: none}}\nspec:\n"
			if test.conditions != "" {
				text += "  webhookConfiguration: {matchConditions: [{name: c, expression: \"" + test.conditions + "\"}]}\n"
			}
			text += "  rules:\n  - name: r\n    match: {any: [{resources: " + test.match + "}]}\n"
			if test.exclude != "" {
				text += "    exclude: {any: [{resources: " + test.exclude + "}]}\n"
			}
			text += "    validate: {deny: {}}\n"
			got := mustCompile(t, text).Rules[0].Scopes()[0].Narrowing
			var want Narrowing
			if err := yaml.UnmarshalStrict([]byte(test.want), &want); err != nil {
				t.Fatal(err)
			}
			have, err := yaml.Marshal(got)
			if err != nil {
				t.Fatal(err)
			}
			wanted, err := yaml.Marshal(want)
			if err != nil {
				t.Fatal(err)
			}
			if string(have) != string(wanted) {
				t.Errorf("got\n%s\nwant\n%s", have, wanted)
			}
		})
	}
}
