package pack_test

import (
	"reflect"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/holdfast-io/holdfast/bundle/pack"
)

// document reads YAML as a bundle has it.
func document(t *testing.T, text string) map[string]any {
	t.Helper()
	var out map[string]any
	if err := yaml.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// policy is a ClusterPolicy of two packs with the rules given.
func policy(rules string) string {
	return `{apiVersion: kyverno.io/v1, kind: ClusterPolicy, metadata: {name: p, annotations: {holdfast.dev/packs: "strict, loose", holdfast.dev/parameters: "allowed"}},
spec: {rules: [` + rules + `]}}`
}

// rule is one with a parameter and what else is given of its validate part.
func rule(validate string) string {
	return `{name: r, context: [{name: allowed, variable: {value: [a]}}], validate: {` + validate + `}}`
}

func TestWhatAChoiceDoesToAPolicy(t *testing.T) {
	const excepted = `{action: Audit, namespaceSelector: {matchLabels: {holdfast.dev/enforce: "false"}}}`
	for name, c := range map[string]struct {
		choice pack.Choice
		policy string
		want   string // the policy; empty: it is off
	}{
		"nothing chosen leaves it as it is": {
			pack.Choice{}, policy(rule("failureAction: Enforce")), policy(rule("failureAction: Enforce")),
		},
		"off takes it away": {pack.Choice{Packs: map[string]pack.Mode{"strict": pack.Off}}, policy(rule("")), ""},
		"audit": {
			pack.Choice{Packs: map[string]pack.Mode{"strict": pack.Audit}},
			policy(rule("failureAction: Enforce")), policy(rule("failureAction: Audit, failureActionOverrides: []")),
		},
		"audit heeds labels of namespaces and not their names": {
			pack.Choice{Packs: map[string]pack.Mode{"strict": pack.Audit}},
			policy(rule("failureAction: Audit, failureActionOverrides: [{action: Enforce, namespaces: [default]}, {action: Enforce, namespaceSelector: {matchLabels: {a: b}}}, {action: Audit, namespaces: [x]}]")),
			policy(rule("failureAction: Audit, failureActionOverrides: [{action: Enforce, namespaceSelector: {matchLabels: {a: b}}}, {action: Audit, namespaces: [x]}]")),
		},
		"enforce, but where a label says no": {
			pack.Choice{Packs: map[string]pack.Mode{"strict": pack.Enforce}},
			policy(rule("failureAction: Audit, failureActionOverrides: [{action: Audit, namespaces: [x]}]")),
			policy(rule("failureAction: Enforce, failureActionOverrides: [" + excepted + ", {action: Audit, namespaces: [x]}]")),
		},
		"overrides of the policy count for a rule without": {
			pack.Choice{Policies: map[string]pack.Mode{"p": pack.Enforce}},
			`{kind: ClusterPolicy, metadata: {name: p}, spec: {validationFailureActionOverrides: [{action: Audit, namespaces: [x]}], rules: [{validate: {}}]}}`,
			`{kind: ClusterPolicy, metadata: {name: p}, spec: {validationFailureActionOverrides: [{action: Audit, namespaces: [x]}], rules: [{validate: {failureAction: Enforce, failureActionOverrides: [` + excepted + `, {action: Audit, namespaces: [x]}]}}]}}`,
		},
		"of several packs the strictest": {
			pack.Choice{Packs: map[string]pack.Mode{"strict": pack.Enforce, "loose": pack.Off}},
			policy(rule("")), policy(rule("failureAction: Enforce, failureActionOverrides: [" + excepted + "]")),
		},
		"a policy before its packs": {
			pack.Choice{Packs: map[string]pack.Mode{"strict": pack.Enforce}, Policies: map[string]pack.Mode{"p": pack.Off}}, policy(rule("")), "",
		},
		"a mutation is only told in audit": {
			pack.Choice{Packs: map[string]pack.Mode{"strict": pack.Audit}},
			`{kind: ClusterPolicy, metadata: {name: p, annotations: {holdfast.dev/packs: strict}}, spec: {rules: [{mutate: {patchStrategicMerge: {a: b}}}]}}`,
			`{kind: ClusterPolicy, metadata: {name: p, annotations: {holdfast.dev/packs: strict}}, spec: {admission: false, rules: [{mutate: {patchStrategicMerge: {a: b}}}]}}`,
		},
		"a mutation is made in enforce": {
			pack.Choice{Packs: map[string]pack.Mode{"strict": pack.Enforce}},
			`{kind: ClusterPolicy, metadata: {name: p, annotations: {holdfast.dev/packs: strict}}, spec: {rules: [{mutate: {patchStrategicMerge: {a: b}}}]}}`,
			`{kind: ClusterPolicy, metadata: {name: p, annotations: {holdfast.dev/packs: strict}}, spec: {rules: [{mutate: {patchStrategicMerge: {a: b}}}]}}`,
		},
		"a policy in CEL": {
			pack.Choice{Policies: map[string]pack.Mode{"team-a/p": pack.Enforce}},
			`{kind: NamespacedValidatingPolicy, metadata: {name: p, namespace: team-a}, spec: {validationActions: [Audit]}}`,
			`{kind: NamespacedValidatingPolicy, metadata: {name: p, namespace: team-a}, spec: {validationActions: [Deny]}}`,
		},
		"a list": {
			pack.Choice{Parameters: map[string][]string{"allowed": {"b", "c"}}},
			policy(rule("")), strings.ReplaceAll(policy(rule("")), "[a]", "[b, c]"),
		},
		"a list of nothing": {
			pack.Choice{Parameters: map[string][]string{"allowed": {}}}, policy(rule("")), strings.ReplaceAll(policy(rule("")), "[a]", "[]"),
		},
		"a number": {
			pack.Choice{Parameters: map[string][]string{"allowed": {"3"}}},
			strings.ReplaceAll(policy(rule("")), "[a]", "2"), strings.ReplaceAll(policy(rule("")), "[a]", "3"),
		},
		"a switch": {
			pack.Choice{Parameters: map[string][]string{"allowed": {"true"}}},
			strings.ReplaceAll(policy(rule("")), "[a]", "false"), strings.ReplaceAll(policy(rule("")), "[a]", "true"),
		},
		"a text in all rules": {
			pack.Choice{Parameters: map[string][]string{"allowed": {"b"}}},
			strings.ReplaceAll(policy(rule("")+","+rule("")), "[a]", "a"), strings.ReplaceAll(policy(rule("")+","+rule("")), "[a]", "b"),
		},
		"what is no policy stays": {
			pack.Choice{Policies: map[string]pack.Mode{"p": pack.Off}}, "{kind: PolicyException, metadata: {name: p}}", "{kind: PolicyException, metadata: {name: p}}",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := document(t, c.policy)
			stays, problems := pack.NewChooser(c.choice).Apply(got)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			if stays != (c.want != "") {
				t.Fatalf("stays: %t", stays)
			}
			if want := document(t, c.want); stays && !reflect.DeepEqual(got, want) {
				t.Errorf("got  %v\nwant %v", got, want)
			}
		})
	}
}

func TestWhatCannotBeChosen(t *testing.T) {
	audit := pack.Choice{Policies: map[string]pack.Mode{"p": pack.Audit}}
	values := func(list ...string) pack.Choice {
		return pack.Choice{Parameters: map[string][]string{"allowed": list}}
	}
	for name, c := range map[string]struct {
		choice       pack.Choice
		policy, want string
	}{
		"an audit of what generates": {
			audit, `{kind: ClusterPolicy, metadata: {name: p}, spec: {rules: [{validate: {}}, {generate: {}}]}}`,
			"spec.rules[1]: cannot be put into the mode audit: it neither validates nor mutates its own object; expected off or enforce",
		},
		"an audit of what deletes": {
			audit, `{kind: ClusterCleanupPolicy, metadata: {name: p}}`,
			"metadata.annotations.holdfast.dev/packs: a ClusterCleanupPolicy cannot be put into the mode audit: expected off or enforce",
		},
		"a parameter without a variable": {
			pack.Choice{}, `{kind: ClusterPolicy, metadata: {name: p, annotations: {holdfast.dev/parameters: allowed}}}`,
			"metadata.annotations.holdfast.dev/parameters: no rule has a variable allowed with a value in its context",
		},
		"a parameter of two values": {
			pack.Choice{}, policy(rule("") + "," + strings.ReplaceAll(rule(""), "[a]", "[b]")),
			"metadata.annotations.holdfast.dev/parameters: allowed has not the same value in all rules",
		},
		"two values for a text": {
			values("b", "c"), strings.ReplaceAll(policy(rule("")), "[a]", "a"),
			"metadata.annotations.holdfast.dev/parameters: the parameter allowed has 2 values: expected one",
		},
		"a word for a number": {
			values("few"), strings.ReplaceAll(policy(rule("")), "[a]", "2"),
			"metadata.annotations.holdfast.dev/parameters: the parameter allowed is \"few\": expected a number",
		},
		"a word for a switch": {
			values("on"), strings.ReplaceAll(policy(rule("")), "[a]", "true"),
			"metadata.annotations.holdfast.dev/parameters: the parameter allowed is \"on\": expected true or false",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, problems := pack.NewChooser(c.choice).Apply(document(t, c.policy))
			if len(problems) != 1 || problems[0].String() != c.want {
				t.Errorf("got  %v\nwant %s", problems, c.want)
			}
		})
	}
}

func TestUnknownNamesAreTold(t *testing.T) {
	for name, c := range map[string]struct {
		choice pack.Choice
		want   string
	}{
		"a slip in a pack":      {pack.Choice{Packs: map[string]pack.Mode{"strickt": pack.Audit}}, `the bundle has no pack "strickt": did you mean strict?`},
		"another pack":          {pack.Choice{Packs: map[string]pack.Mode{"network": pack.Audit}}, `the bundle has no pack "network": expected one of loose, strict`},
		"another policy":        {pack.Choice{Policies: map[string]pack.Mode{"require-labels": pack.Off}}, `the bundle has no policy "require-labels"`},
		"a slip in a parameter": {pack.Choice{Parameters: map[string][]string{"alloved": nil}}, `the bundle has no parameter "alloved": did you mean allowed?`},
		"two at once": {
			pack.Choice{Packs: map[string]pack.Mode{"strickt": pack.Audit, "lose": pack.Off}},
			"the bundle has no pack \"lose\": did you mean loose?\nthe bundle has no pack \"strickt\": did you mean strict?",
		},
	} {
		t.Run(name, func(t *testing.T) {
			chooser := pack.NewChooser(c.choice)
			if _, problems := chooser.Apply(document(t, policy(rule("")))); len(problems) > 0 {
				t.Fatal(problems)
			}
			if err := chooser.Unknown(); err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
	known := pack.NewChooser(pack.Choice{Packs: map[string]pack.Mode{"loose": pack.Off}, Parameters: map[string][]string{"allowed": {"b"}}})
	if _, problems := known.Apply(document(t, policy(rule("")))); len(problems) > 0 {
		t.Fatal(problems)
	}
	if err := known.Unknown(); err != nil {
		t.Errorf("of a policy that is off: %v", err)
	}
	want := []pack.Policy{{Name: "p", Packs: []string{"strict", "loose"}, Mode: pack.Off, Parameters: []pack.Parameter{{Name: "allowed", Default: []any{"a"}, Value: []any{"b"}}}}}
	if got := known.Policies(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}
