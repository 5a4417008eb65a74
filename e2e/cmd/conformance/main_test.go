package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// program is a holdfast that answers with the report beside it.
const program = "#!/bin/sh\ncat \"$4/report.json\"\nexit 1\n"

const answer = `{"files": [
  {"path": "DIR/a/kyverno-test.yaml", "cases": [
    {"policy": "p", "rule": "r", "kind": "Pod", "resource": "default/a", "want": "pass", "got": "pass", "status": "pass", "reason": ""},
    {"policy": "p", "rule": "r", "kind": "Pod", "resource": "default/b", "want": "pass", "got": "fail", "status": "fail", "reason": "no\n good in DIR/a/b.yaml"},
    {"policy": "v", "rule": "", "kind": "Pod", "resource": "a", "want": "pass", "got": "", "status": "skip", "reason": "policies.kyverno.io/v1 ValidatingPolicy is not built yet"}
  ]},
  {"path": "DIR/test-fail/missing-rule/kyverno-test.yaml", "cases": [
    {"policy": "p", "rule": "x", "kind": "Pod", "resource": "a", "want": "pass", "got": "", "status": "fail", "reason": "the policy has no rule x"}
  ]}
]}`

const policy = `apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: p}
spec:
  rules:
    - name: r
      match: {any: [{resources: {kinds: [Pod]}, subjects: []}]}
      context: [{name: c, configMap: {name: c}}]
      validate: {pattern: {spec: {}}}
---
apiVersion: policies.kyverno.io/v1
kind: ValidatingPolicy
metadata: {name: v}
`

const want = `
## Suite

2 test files, 4 cases: 2 passed, 1 failed, 1 skipped (66.7 %).

| what the rule does | passed | failed | skipped | rate |
|---|---:|---:|---:|---:|
| ValidatingPolicy | 0 | 0 | 1 |  |
| none: there is no such policy or rule | 1 | 0 | 0 | 100.0 % |
| validate.pattern | 1 | 1 | 0 | 50.0 % |

| what it uses beside | passed | failed | skipped | rate |
|---|---:|---:|---:|---:|
| context.configMap | 1 | 1 | 0 | 50.0 % |
| match by user | 1 | 1 | 0 | 50.0 % |

| skipped because | cases |
|---|---:|
| policies.kyverno.io ValidatingPolicy is not built yet | 1 |

Failed:

- a: p/r, Pod default/b: wanted pass, got fail: no good in a/b.yaml
`

func scene(t *testing.T) (dir, document string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range map[string]string{
		"holdfast": program, "report.json": strings.ReplaceAll(answer, "DIR", dir),
		"a/policy.yaml": policy, "a/kyverno-test.yaml": "policies: [policy.yaml]\n", "out.md": "as it was\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir, filepath.Join(dir, "out.md")
}

func TestTheDocumentCountsByFeature(t *testing.T) {
	dir, document := scene(t)
	var out strings.Builder
	if err := run(t.Context(), []string{"-holdfast", filepath.Join(dir, "holdfast"), "-o", document, "Suite=" + dir}, &out); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != preface+want {
		t.Errorf("got\n%s\nwant\n%s", got, preface+want)
	}
	if !strings.HasPrefix(out.String(), "Suite: 2 passed, 1 failed, 1 skipped, in ") {
		t.Errorf("said %q", out.String())
	}
}

func TestAnAbsentSuiteLeavesTheDocumentAsItIs(t *testing.T) {
	dir, document := scene(t)
	var out strings.Builder
	err := run(t.Context(), []string{"-holdfast", filepath.Join(dir, "holdfast"), "-o", document, "Library=", "Suite=" + dir}, &out)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(document)
	if err != nil || string(got) != "as it was\n" {
		t.Errorf("got %q, %v", got, err)
	}
	if !strings.Contains(out.String(), "Library: absent, not run\n") || !strings.HasSuffix(out.String(), "out.md is left as it is\n") {
		t.Errorf("said %q", out.String())
	}
}

func TestAProgramThatSaysNothingIsAnError(t *testing.T) {
	dir, document := scene(t)
	err := run(t.Context(), []string{"-holdfast", "/bin/false", "-o", document, "Suite=" + dir}, &strings.Builder{})
	if want := "running the tests of Suite: exit status 1: "; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
