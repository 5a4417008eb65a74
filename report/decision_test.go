package report

import (
	"encoding/json"
	"io"
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/engine/mutate"
)

func TestFromDecision(t *testing.T) {
	policy := &engine.Policy{Kind: "Policy", Namespace: "team", Name: "p", Category: "C", Severity: "HIGH", Scored: true}
	rule := &engine.Rule{Policy: policy, Name: "r", Properties: map[string]string{"owner": "ops", "action": "overwritten"}}
	change := &engine.Rule{Policy: policy, Name: "m", Kind: engine.Mutate}
	pod := Resource{APIVersion: "v1", Kind: "Pod", Namespace: "team", Name: "a", UID: "u"}
	for name, tc := range map[string]struct {
		decision engine.Decision
		want     Result
	}{
		"a failure says what it means for a write": {
			engine.Decision{Rule: rule, Status: engine.Fail, Action: engine.Enforce, Message: "no", Path: "/spec/"},
			Result{Rule: "r", Result: Fail, Message: "no", Properties: map[string]string{"owner": "ops", "action": "Enforce", "path": "/spec/", "policy-kind": "Policy"}},
		},
		"a pass keeps the policy's properties": {
			engine.Decision{Rule: rule, Status: engine.Pass},
			Result{Rule: "r", Result: Pass, Properties: map[string]string{"owner": "ops", "action": "overwritten", "policy-kind": "Policy"}},
		},
		"a skip has its reason": {
			engine.Decision{Rule: change, Status: engine.Skip, Message: "not auditable: needs request.userInfo", Err: engine.ErrNotAuditable},
			Result{Rule: "m", Result: Skip, Message: "not auditable: needs request.userInfo", Properties: map[string]string{"policy-kind": "Policy"}},
		},
		"a mutate rule brings its patch": {
			engine.Decision{Rule: change, Status: engine.Fail, Message: "differs", Path: "/a", Patch: []mutate.Operation{{Op: "add", Path: "/a", Value: nil}, {Op: "remove", Path: "/b"}}},
			Result{Rule: "m", Result: Fail, Message: "differs", Properties: map[string]string{"path": "/a", "patch": `[{"op":"add","path":"/a","value":null},{"op":"remove","path":"/b"}]`, "policy-kind": "Policy"}},
		},
		"a patch that is too long is left out": {
			engine.Decision{Rule: change, Status: engine.Fail, Patch: []mutate.Operation{{Op: "add", Path: "/a", Value: strings.Repeat("x", maxPatch)}}},
			Result{Rule: "m", Result: Fail, Properties: map[string]string{"patch-omitted": "it has 131109 bytes, a report takes 131072", "policy-kind": "Policy"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tc.decision.Policy = policy
			tc.want.Source, tc.want.Policy, tc.want.Severity, tc.want.Category, tc.want.Scored = "holdfast", "team/p", "high", "C", true
			tc.want.Resources = []Resource{pod}
			if got := FromDecision(&tc.decision, Subject{Resource: pod}); !reflect.DeepEqual(got, tc.want) {
				t.Errorf("\n got %+v\nwant %+v", got, tc.want)
			}
		})
	}
	if rule.Properties["path"] != "" || rule.Properties["action"] != "overwritten" {
		t.Errorf("the rule's own properties were changed: %v", rule.Properties)
	}
}

// secret has values of many kinds: "aHVudGVyMg==" is hunter2, "YWI=" is ab.
func secret() Subject {
	return Subject{
		Resource: Resource{APIVersion: "v1", Kind: "Secret", Namespace: "n", Name: "s"},
		Object: map[string]any{
			"data":       map[string]any{"password": "aHVudGVyMg==", "short": "YWI=", "key": "LS0tCmxpbmUtb25lCmxpbmUtdHdvCg==", "odd": 7.0, "bytes": "/w=="},
			"stringData": map[string]any{"plain": "open sesame", "empty": ""},
		},
	}
}

func TestValuesOfASecretAreTakenOutOfMessages(t *testing.T) {
	for message, want := range map[string]string{
		"hunter2 is weak":                 "[redacted] is weak",
		"aHVudGVyMg== is weak":            "[redacted] is weak",
		"xhunter2x":                       "x[redacted]x",
		"it says open sesame.":            "it says [redacted].",
		"b3BlbiBzZXNhbWU= is its base64":  "[redacted] is its base64",
		"a line: line-two":                "a line: [redacted]",
		"all: ---\nline-one\nline-two\n.": "all: [redacted].",
		"ab as a word, not in able":       "[redacted] as a word, not in able",
		"'ab' quoted, ab":                 "'[redacted]' quoted, [redacted]",
		"nothing to hide":                 "nothing to hide",
		"the key password may be named":   "the key password may be named",
	} {
		got := FromDecision(&engine.Decision{Policy: &engine.Policy{}, Rule: &engine.Rule{}, Status: engine.Fail, Message: message}, secret())
		if got.Message != want {
			t.Errorf("%q became %q, want %q", message, got.Message, want)
		}
	}
}

func TestValuesOfASecretAreTakenOutOfPatches(t *testing.T) {
	for name, tc := range map[string]struct {
		op   mutate.Operation
		want string
		file bool // whether the patch may be written into a file
	}{
		"of one key":              {mutate.Operation{Op: "replace", Path: "/data/password", Value: "bmV3"}, `{"op":"replace","path":"/data/password","value":"[redacted]"}`, false},
		"of plain text":           {mutate.Operation{Op: "add", Path: "/stringData/x", Value: "new"}, `{"op":"add","path":"/stringData/x","value":"[redacted]"}`, false},
		"of all data":             {mutate.Operation{Op: "add", Path: "/data", Value: map[string]any{"a": "bmV3", "b": nil, "c": []any{1.0}}}, `{"op":"add","path":"/data","value":{"a":"[redacted]","b":null,"c":["[redacted]"]}}`, false},
		"of the whole object":     {mutate.Operation{Op: "replace", Path: "", Value: map[string]any{"kind": "Secret", "data": map[string]any{"a": "bmV3"}}}, `{"op":"replace","path":"","value":{"data":{"a":"[redacted]"},"kind":"Secret"}}`, false},
		"of kubectl's copy":       {mutate.Operation{Op: "add", Path: "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration", Value: "{}"}, `{"op":"add","path":"/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration","value":"[redacted]"}`, false},
		"of kubectl's copy deep":  {mutate.Operation{Op: "add", Path: "/metadata", Value: map[string]any{"annotations": map[string]any{"kubectl.kubernetes.io/last-applied-configuration": "{}"}}}, `{"op":"add","path":"/metadata","value":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"[redacted]"}}}`, false},
		"where a value is copied": {mutate.Operation{Op: "add", Path: "/metadata/labels/x", Value: "is-hunter2"}, `{"op":"add","path":"/metadata/labels/x","value":"is-[redacted]"}`, false},
		"but not of labels":       {mutate.Operation{Op: "add", Path: "/metadata/labels", Value: map[string]any{"data": "x", "n": 1.0}}, `{"op":"add","path":"/metadata/labels","value":{"data":"x","n":1}}`, true},
		"but not of removals":     {mutate.Operation{Op: "remove", Path: "/data/password"}, `{"op":"remove","path":"/data/password"}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			d := &engine.Decision{Policy: &engine.Policy{}, Rule: &engine.Rule{}, Status: engine.Fail, Patch: []mutate.Operation{tc.op}}
			before, err := json.Marshal(tc.op)
			if err != nil {
				t.Fatal(err)
			}
			if got := FromDecision(d, secret()).Properties[PropertyPatch]; got != "["+tc.want+"]" {
				t.Errorf("got %s, want %s", got, tc.want)
			}
			if after, _ := json.Marshal(d.Patch[0]); string(after) != string(before) {
				t.Errorf("the decision was changed: %s", after)
			}
			if got := !SecretPatch(secret(), d.Patch); got != tc.file {
				t.Errorf("may be written: %v, want %v", got, tc.file)
			}
			other := secret()
			other.Resource.Kind = "ConfigMap"
			if got := FromDecision(d, other).Properties[PropertyPatch]; got != "["+string(before)+"]" {
				t.Errorf("of a ConfigMap: got %s, want %s", got, before)
			}
			if SecretPatch(other, d.Patch) {
				t.Error("the patch of a ConfigMap is taken for a Secret's")
			}
		})
	}
}

func TestFromDecisionTellsExceptionsAndProperties(t *testing.T) {
	rule := &engine.Rule{Name: "r", Properties: map[string]string{"team": "a"}}
	d := &engine.Decision{
		Policy: &engine.Policy{Name: "p"}, Rule: rule, Status: engine.Skip,
		Exceptions: []string{"ns/one", "ns/two"}, Properties: map[string]string{"next": "hunter2"},
	}
	want := map[string]string{"team": "a", "exceptions": "ns/one, ns/two", "next": "[redacted]"}
	if got := FromDecision(d, secret()).Properties; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if len(rule.Properties) != 1 {
		t.Errorf("the rule was changed: %v", rule.Properties)
	}
}

func TestPoliciesOfSeveralKindsWithOneName(t *testing.T) {
	d := &Document{}
	var policies []*engine.Policy
	for _, kind := range []string{"ClusterPolicy", "MutatingPolicy", "ValidatingPolicy"} {
		p := &engine.Policy{Kind: kind, Name: "a"}
		p.Rules = []*engine.Rule{{Policy: p}}
		if kind == "ClusterPolicy" {
			p.Rules[0].Name = "r"
		}
		policies = append(policies, p)
		d.Results = append(d.Results, FromDecision(&engine.Decision{Policy: p, Rule: p.Rules[0], Status: engine.Fail, Message: "no"}, Subject{}))
	}
	for format, c := range map[string]struct {
		write func(io.Writer) error
		want  []string
	}{
		"the table": {
			func(w io.Writer) error { return WriteTable(w, d, TableOptions{}) },
			[]string{" a/r\n", " MutatingPolicy/a\n", " ValidatingPolicy/a\n"},
		},
		"JUnit": {
			func(w io.Writer) error { return WriteJUnit(w, d) },
			[]string{`name="r" classname="a"`, `name="a" classname="MutatingPolicy/a"`, `name="a" classname="ValidatingPolicy/a"`},
		},
		"SARIF": {
			func(w io.Writer) error { return WriteSARIF(w, d, SARIFOptions{Policies: policies}) },
			[]string{`"id": "a/r"`, `"id": "MutatingPolicy/a"`, `"id": "ValidatingPolicy/a"`, `"ruleIndex": 1`, `"ruleIndex": 2`, `"text": "a"`, `"text": "a: r"`},
		},
		"JSON": {
			func(w io.Writer) error { return WriteJSON(w, d) },
			[]string{`"policy-kind": "ClusterPolicy"`, `"policy-kind": "MutatingPolicy"`, `"policy-kind": "ValidatingPolicy"`},
		},
	} {
		t.Run(format, func(t *testing.T) {
			var b strings.Builder
			if err := c.write(&b); err != nil {
				t.Fatal(err)
			}
			for _, want := range c.want {
				if !strings.Contains(b.String(), want) {
					t.Errorf("%q is missing in:\n%s", want, b.String())
				}
			}
			if strings.Contains(b.String(), `a/"`) {
				t.Errorf("a name ends in a slash:\n%s", b.String())
			}
		})
	}
}
