package chainsaw

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

func value(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestObjectsAreAsWanted(t *testing.T) {
	for name, c := range map[string]struct{ wanted, have, problem string }{
		"the same":                  {"{a: 1, b: [x, {c: null}]}", "{a: 1, b: [x, {c: null}]}", ""},
		"more fields":               {"{a: {b: 1}}", "{a: {b: 1, c: 2}, d: 3}", ""},
		"another value":             {"{a: {b: 1}}", "{a: {b: 2}}", ".a.b is 2, want 1"},
		"a missing field":           {"{a: {b: x}}", "{a: {}}", ".a.b is <nil>, want x"},
		"a field that must be none": {"{a: null}", "{}", ""},
		"a longer list":             {"{a: [1]}", "{a: [1, 2]}", ".a is [1 2], want [1]"},
		"an item":                   {"{a: [1, {b: x}]}", "{a: [1, {b: z}]}", ".a[1].b is z, want x"},
		"no object":                 {"{a: {b: 1}}", "{a: 7}", ".a is 7, want an object"},
		"text and number":           {`{a: "1"}`, "{a: 1}", ".a is 1, want 1"},
		"an expression":             {"{(length(a)): 2, '(a[?b == `1`])': [{b: 1}]}", "{a: [{b: 0}, {b: 1}]}", ""},
		"another value of it":       {"{c: {(length(@)): 2}}", "{c: [x]}", ".c.(length(@)) is 1, want 2"},
		"an expression without any": {"{(length(a)): 0}", "{}", ".(length(a)) has no value: Invalid type for: <nil>, expected: []jmespath.JpType{\"string\", \"array\", \"object\"}"},
		"an object that is there":   {"{a: {}}", "{a: x}", ".a is x, want an object"},
	} {
		if got := differs(value(t, c.wanted), value(t, c.have), ""); got != c.problem {
			t.Errorf("%s: got %q, want %q", name, got, c.problem)
		}
	}
	if differs(map[string]any{"a": int64(3)}, map[string]any{"a": float64(3)}, "") != "" {
		t.Error("numbers differ by their types")
	}
}

func TestWhatIsSkipped(t *testing.T) {
	policy := func(rule string) string {
		return "apply: {resource: {apiVersion: kyverno.io/v1, kind: ClusterPolicy, metadata: {name: p}, spec: {rules: [" + rule + "]}}}"
	}
	for name, c := range map[string]struct{ operation, reason string }{
		"what is understood":    {policy("{validate: {}}"), ""},
		"another operation":     {"wait: {for: {}}", "the operation wait is not understood"},
		"another field":         {"apply: {file: a.yaml, template: true}", `the operation apply (json: unknown field "template") is not understood`},
		"another expectation":   {"apply: {file: there.yaml, expect: [{check: {($error): null}}]}", "the expectation [{map[($error):<nil>]}] is not understood"},
		"a refusal":             {"apply: {file: there.yaml, expect: [{check: {($error != null): true}}]}", ""},
		"a missing definition":  {"apply: {file: gone.yaml}}, {assert: {resource: {apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition}}", ""},
		"another missing file":  {"apply: {file: gone.yaml}}, {assert: {resource: {apiVersion: v1, kind: Pod}}", "a file of the test is missing, or cannot be read"},
		"a missing file":        {"apply: {file: gone.yaml}", "a file of the test is missing, or cannot be read"},
		"an expression":         {"assert: {resource: {(length(a)): 1}}", ""},
		"one that names values": {"assert: {resource: {($a == 'b'): true}}", "an assertion holds the expression ($a == 'b')"},
		"one that is a value":   {"assert: {resource: {a: (length(b))}}", "an assertion holds the expression (length(b))"},
		"one that is bound":     {"assert: {resource: {(a)->b: 1}}", "an assertion holds the expression (a)->b"},
		"a policy in CEL":       {"apply: {resource: {apiVersion: policies.kyverno.io/v1, kind: ValidatingPolicy}}", ""},
		"a part for later":      {"apply: {resource: {apiVersion: policies.kyverno.io/v1, kind: ImageValidatingPolicy}}", "ImageValidatingPolicy"},
		"images":                {policy("{verifyImages: []}"), "verifyImages"},
		"registries":            {policy("{context: [{imageRegistry: {}}]}"), "a policy asks public registries"},
		"a script":              {"script: {content: kubectl get pods}", ""},
		"containers":            {"script: {content: if kubectl logs a; then exit 1; fi}", "a script needs a kubelet that runs containers"},
		"Kyverno's program":     {"script: {content: cat x | kyverno jp query a}", "a script needs Kyverno's own program"},
		"a command":             {"script: {content: if kubectl exec a -- ls; then exit 1; fi}", ""},
		"a container for a pod": {"script: {content: kubectl debug -it a --image=b}", ""},
		"a program that is not": {"script: {content: ./gone.sh}", "a file of the test is missing, or cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			text := "spec: {steps: [{name: s, try: [{" + c.operation + "}]}]}"
			for file, content := range map[string]string{fileName: text, "there.yaml": "{apiVersion: v1, kind: Pod}"} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			tests, err := Find(dir)
			if err != nil {
				t.Fatal(err)
			}
			if got := tests[0].Skip(); got != c.reason {
				t.Errorf("got %q, want %q", got, c.reason)
			}
		})
	}
}

func TestWhatATestIsAbout(t *testing.T) {
	tests, err := Find(filepath.Join("..", "testdata", "chainsaw"))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for i := range tests {
		got[tests[i].Name] = strings.Join(tests[i].Features(), ", ")
	}
	if got["require-tag"] != "validate" || got["label-configmaps"] != "mutate" || got["fails-script"] != "" {
		t.Errorf("got %v", got)
	}
}

func TestAFolderWithoutTestsIsAnError(t *testing.T) {
	if _, err := Find(t.TempDir()); err == nil || !strings.HasSuffix(err.Error(), ": there is none") {
		t.Errorf("got %v", err)
	}
}
