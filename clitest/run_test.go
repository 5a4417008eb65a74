package clitest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// base is what most tests here are about.
const base = `
-- policy.yaml --
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: team}
spec:
  rules:
    - name: label
      match: {any: [{resources: {kinds: [Deployment, Namespace]}}]}
      validate: {message: no team, pattern: {metadata: {labels: {team: "?*"}}}}
    - name: pods
      match: {any: [{resources: {kinds: [Pod]}}]}
      validate: {message: host network, pattern: {spec: {=(hostNetwork): false}}}
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: owner}
spec:
  rules:
    - name: label
      match: {any: [{resources: {kinds: [Deployment]}}]}
      mutate: {patchStrategicMerge: {metadata: {labels: {+(owner): shop}}}}
-- resources.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: owned, labels: {team: shop}}
spec: {template: {spec: {hostNetwork: true}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: orphan, namespace: web}
---
apiVersion: v1
kind: Namespace
metadata: {name: owned}
`

// head begins a test file on base.
const head = "apiVersion: cli.kyverno.io/v1alpha1\nkind: Test\nmetadata: {name: t}\npolicies: [policy.yaml]\nresources: [resources.yaml]\n"

// runCases runs a test file beside the files of archives, and writes its cases one a line.
func runCases(t *testing.T, test, only string, archives ...string) []string {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, archive := range archives {
		for _, f := range txtar.Parse([]byte(archive)).Files {
			write(f.Name, string(f.Data))
		}
	}
	write(DefaultFileName, test)
	opts := Options{Paths: []string{dir}}
	if only != "" {
		opts.Run = regexp.MustCompile(only)
	}
	report, err := Run(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, f := range report.Files {
		for _, c := range f.Cases {
			reason := strings.ReplaceAll(c.Reason, dir+"/", "")
			lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s: %s/%s %s %s want %s got %s %s", c.Status, c.Policy, c.Rule, c.Kind, c.Resource, c.Want, c.Got, reason)))
		}
	}
	return lines
}

func TestCases(t *testing.T) {
	for name, tc := range map[string]struct {
		results string
		only    string
		want    []string
	}{
		"the verdict that is wanted passes, another fails with the rule's message": {
			results: "- {policy: team, rule: label, kind: Deployment, resources: [owned, orphan], result: pass}",
			want: []string{
				"pass: team/label Deployment default/owned want pass got pass",
				"fail: team/label Deployment web/orphan want pass got fail no team; failed at /metadata/labels/team/",
			},
		},
		"a rule made for pod controllers answers to its own name and to the written one": {
			results: "- {policy: team, rule: pods, kind: Deployment, resources: [owned], result: fail}\n- {policy: team, rule: autogen-pods, kind: Deployment, resources: [owned], result: fail}",
			want: []string{
				"pass: team/pods Deployment default/owned want fail got fail",
				"pass: team/autogen-pods Deployment default/owned want fail got fail",
			},
		},
		"a name means the objects of the result's kind": {
			results: "- {policy: team, rule: label, kind: Namespace, resources: [owned], result: fail}",
			want:    []string{"pass: team/label Namespace owned want fail got fail"},
		},
		"a wrong kind means the objects of that name": {
			results: "- {policy: team, rule: label, kind: Pod, resources: [orphan], result: fail}",
			want:    []string{"pass: team/label Pod web/orphan want fail got fail"},
		},
		"a name may bear its namespace": {
			results: "- {policy: team, rule: label, kind: Deployment, resources: [web/orphan, shop/orphan], result: fail}",
			want: []string{
				"pass: team/label Deployment web/orphan want fail got fail",
				"fail: team/label Deployment shop/orphan want fail got  the test has no such resource",
			},
		},
		"the old forms name one resource, its namespace and a status": {
			results: "- {policy: team, rule: label, kind: Deployment, resource: orphan, namespace: web, status: fail}",
			want:    []string{"pass: team/label Deployment web/orphan want fail got fail"},
		},
		"resourceSpecs name group and version": {
			results: "- {policy: team, rule: label, kind: Deployment, resourceSpecs: [{group: apps, version: v1, kind: Deployment, namespace: web, name: orphan}, {version: v1, name: orphan, namespace: web}], result: fail}",
			want: []string{
				"pass: team/label Deployment web/orphan want fail got fail",
				"fail: team/label Deployment web/orphan want fail got  the test has no such resource",
			},
		},
		"a result without resources is about all of its kind": {
			results: "- {policy: team, rule: label, kind: Deployment, result: pass}",
			want: []string{
				"pass: team/label Deployment default/owned want pass got pass",
				"fail: team/label Deployment web/orphan want pass got fail no team; failed at /metadata/labels/team/",
			},
		},
		"a rule that does not apply is a skip, which passes as it is and fails who wants a failure": {
			results: "- {policy: team, rule: pods, kind: Namespace, resources: [owned], result: skip}\n- {policy: team, rule: pods, kind: Namespace, resources: [owned], result: pass}\n- {policy: team, rule: pods, kind: Namespace, resources: [owned], result: fail}",
			want: []string{
				"pass: team/pods Namespace owned want skip got skip",
				"pass: team/pods Namespace owned want pass got skip no rule applies to the resource, which passes as it is",
				"fail: team/pods Namespace owned want fail got skip no rule applies to the resource",
			},
		},
		"a mutate rule that does not apply leaves the object as it is": {
			results: "- {policy: owner, rule: label, kind: Namespace, resources: [owned], patchedResources: resources.yaml, result: pass}\n- {policy: owner, rule: label, kind: Namespace, resources: [owned], patchedResources: labelled.yaml, result: pass}\n- {policy: owner, rule: label, kind: Namespace, resources: [owned], generatedResource: resources.yaml, result: pass}",
			want: []string{
				"pass: owner/label Namespace owned want pass got skip no rule applies to the resource, which passes as it is",
				"fail: owner/label Namespace owned want pass got skip the patched Namespace owned differs; to be as expected it would need add /metadata/labels/owner",
				"fail: owner/label Namespace owned want pass got skip no rule applies to the resource: nothing is generated",
			},
		},
		"what is not there fails": {
			results: "- {policy: teem, rule: label, kind: Deployment, resources: [owned], result: pass}\n- {policy: team, rule: lable, kind: Deployment, resources: [owned], result: pass}\n- {policy: team, rule: label, kind: Deployment, resources: [onwed], result: pass}",
			want: []string{
				"fail: teem/label Deployment owned want pass got  the test has no policy teem",
				"fail: team/lable Deployment owned want pass got  the policy has no rule lable",
				"fail: team/label Deployment onwed want pass got  the test has no such resource",
			},
		},
		"an unknown verdict is an error": {
			results: "- {policy: team, rule: label, kind: Deployment, resources: [owned], result: ok}",
			want:    []string{`error: team/label Deployment owned want ok got  unknown result "ok": expected pass, fail, skip, warn or error`},
		},
		"a mutated object has to be as its file has it": {
			results: "- {policy: owner, rule: label, kind: Deployment, resources: [owned], patchedResources: patched.yaml, result: pass}\n- {policy: owner, rule: label, kind: Deployment, resources: [orphan], patchedResources: patched.yaml, result: pass}",
			want: []string{
				"pass: owner/label Deployment default/owned want pass got pass",
				"fail: owner/label Deployment web/orphan want pass got pass the patched Deployment web/orphan differs; to be as expected it would need replace /metadata/labels/owner",
			},
		},
		"a file of what is expected that does not hold the object skips the case, or fails it on request": {
			results: "- {policy: owner, rule: label, kind: Deployment, resources: [owned], patchedResources: resources.yaml, result: pass}\n- {policy: owner, rule: label, kind: Deployment, resources: [owned], patchedResources: policy.yaml, result: pass}\n- {policy: owner, rule: label, kind: Deployment, resources: [owned], patchedResources: policy.yaml, failOnMissingResources: true, result: pass}\n- {policy: owner, rule: label, kind: Deployment, resources: [owned], patchedResources: none.yaml, result: pass}",
			want: []string{
				"fail: owner/label Deployment default/owned want pass got pass the patched Deployment default/owned differs; to be as expected it would need remove /metadata/labels/owner",
				"skip: owner/label Deployment default/owned want pass got pass policy.yaml holds no Deployment default/owned to compare with",
				"fail: owner/label Deployment default/owned want pass got pass policy.yaml holds no Deployment default/owned to compare with",
				"error: owner/label Deployment default/owned want pass got pass finding files: stat none.yaml: no such file or directory",
			},
		},
		"cases are chosen by policy, rule and resource": {
			results: "- {policy: team, rule: label, kind: Deployment, resources: [owned, orphan], result: pass}\n- {policy: owner, rule: label, kind: Deployment, resources: [owned], result: pass}",
			only:    "^team/label/owned$",
			want:    []string{"pass: team/label Deployment default/owned want pass got pass"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			const patched = "-- patched.yaml --\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: owned, labels: {team: shop, owner: shop}, annotations: {}}\nspec: {template: {spec: {hostNetwork: true}}}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: orphan, namespace: web, labels: {owner: nobody}}\n-- labelled.yaml --\napiVersion: v1\nkind: Namespace\nmetadata: {name: owned, labels: {owner: shop}}\n"
			got := runCases(t, head+"results:\n"+tc.results, tc.only, base, patched)
			compareLines(t, got, tc.want)
		})
	}
}

func compareLines(t *testing.T, got, want []string) {
	t.Helper()
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("got\n%s\nwant\n%s", g, w)
	}
}

func TestFilesThatCannotBeRun(t *testing.T) {
	const result = "results: [{policy: team, rule: label, kind: Deployment, resources: [owned], result: pass}]\n"
	for name, tc := range map[string]struct{ test, more, want string }{
		"an unknown field is told with its place": {
			test: head + "polices: []\n" + result,
			want: "error: /   want  got  the test file cannot be read: kyverno-test.yaml:6:1: polices: unknown field \"polices\": did you mean policies?",
		},
		"a value of another type too": {
			test: head + "results: [{policy: 1}]\n",
			want: "error: /   want  got  the test file cannot be read: kyverno-test.yaml:6:12: results[0].policy: is a number: expected a string: put it in quotes",
		},
		"the form without apiVersion and kind is read": {
			test: "name: old\npolicies: [policy.yaml]\nresources: [resources.yaml]\n" + result,
			want: "pass: team/label Deployment default/owned want pass got pass",
		},
		"a file that is not there is told": {
			test: strings.Replace(head, "resources.yaml", "objects.yaml", 1) + result,
			want: "error: team/label Deployment owned want pass got  the test cannot be loaded: finding files: stat objects.yaml: no such file or directory",
		},
		"an unknown field in the values is told": {
			test: head + "variables: values.yaml\n" + result, more: "-- values.yaml --\nglobalValue: {}\n",
			want: "error: team/label Deployment owned want pass got  the test cannot be loaded: values.yaml:1:1: globalValue: unknown field \"globalValue\": did you mean globalValues?",
		},
		"a resource without a kind is told": {
			test: strings.Replace(head, "resources.yaml", "bare.yaml", 1) + result, more: "-- bare.yaml --\nmetadata: {name: x}\n",
			want: "error: team/label Deployment owned want pass got  the test cannot be loaded: bare.yaml:1:1: has no kind: expected a Kubernetes object",
		},
		"a URL is not fetched": {
			test: strings.Replace(head, "resources.yaml", "https://example.com/r.yaml", 1) + result,
			want: "skip: team/label Deployment owned want pass got  needs the network for https://example.com/r.yaml",
		},
		"a policy that cannot be loaded is an error of its cases": {
			test: strings.Replace(head, "policy.yaml", "bad.yaml", 1) + result,
			more: "-- bad.yaml --\napiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: team}\nspec: {rulez: []}\n",
			want: "error: team/label Deployment owned want pass got  the policy cannot be loaded: bad.yaml:4:8: ClusterPolicy/team: spec.rulez: unknown field \"rulez\": did you mean rules?",
		},
		"a policy of a family that is not built skips its cases": {
			test: strings.Replace(head, "policy.yaml", "bad.yaml", 1) + result,
			more: "-- bad.yaml --\napiVersion: policies.kyverno.io/v9\nkind: ValidatingPolicy\nmetadata: {name: team}\n",
			want: "skip: team/label Deployment owned want pass got  policies.kyverno.io/v9 ValidatingPolicy is not built yet",
		},
	} {
		t.Run(name, func(t *testing.T) {
			compareLines(t, runCases(t, tc.test, "", base, tc.more), []string{tc.want})
		})
	}
}
