package app

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const migratePolicy = `apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata:
  name: services
  annotations:
    policies.kyverno.io/title: Services
spec:
  rules:
    - name: no-node-port
      match:
        any:
          - resources:
              kinds: [Service]
      exclude:
        any:
          - resources:
              namespaces: [kube-system]
      validate:
        failureAction: Enforce
        allowExistingViolations: false
        message: NodePorts are not allowed.
        pattern:
          spec:
            =(type): "!NodePort"
    - name: label
      match:
        any:
          - resources:
              kinds: [Service]
      mutate:
        patchStrategicMerge:
          metadata:
            labels:
              a: b
`

const migrateYAML = `apiVersion: policies.kyverno.io/v1
kind: ValidatingPolicy
metadata:
  name: services-no-node-port
  annotations:
    policies.kyverno.io/title: Services
spec:
  validationActions: [Deny]
  matchConstraints:
    resourceRules:
    - apiGroups: [""]
      apiVersions: ['*']
      operations: [CREATE, UPDATE]
      resources: [services]
  matchConditions:
  - name: exclude
    expression: request.?namespace.orValue("") != "kube-system"
  validations:
  - message: NodePorts are not allowed.
    expression: object.spec.?type.orValue("") != "NodePort"
`

func migrateFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(path, []byte(migratePolicy), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func runMigrate(t *testing.T, opts MigrateOptions) (exit Exit, out, errors string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	exit, err := BundleMigrate(t.Context(), opts, IO{Out: &stdout, Err: &stderr, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return exit, stdout.String(), stderr.String()
}

func TestMigrationTellsWhatBecameOfEachRule(t *testing.T) {
	exit, out, _ := runMigrate(t, MigrateOptions{Paths: []string{migrateFile(t)}, Output: Table})
	if exit != Findings {
		t.Errorf("exit code: got %d, want %d", exit, Findings)
	}
	lines := strings.Split(out, "\n")
	want := `+ ClusterPolicy/services rule no-node-port
    ValidatingPolicy/services-no-node-port
- ClusterPolicy/services rule label stays
    spec.rules[1].mutate: mutate rules are not translated yet`
	if got := strings.Join(lines[:4], "\n"); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if !strings.HasPrefix(lines[4], "1 of 2 rules translated, 0 of 1 policy whole; agreed on ") {
		t.Errorf("got %q", lines[4])
	}
}

func TestMigrationWritesPolicies(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "out")
	_, out, errors := runMigrate(t, MigrateOptions{Paths: []string{migrateFile(t)}, Output: YAML, Out: folder})
	if out != migrateYAML {
		t.Errorf("got:\n%s\nwant:\n%s", out, migrateYAML)
	}
	if !strings.HasPrefix(errors, "- ClusterPolicy/services rule label stays\n") {
		t.Errorf("what stays is not told: %q", errors)
	}
	written, err := os.ReadFile(filepath.Join(folder, "services.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if string(written) != migrateYAML {
		t.Errorf("the file holds:\n%s", written)
	}
	// what was written loads, as any other bundle does
	if exit, err := BundleCheck(t.Context(), BundleOptions{Paths: []string{folder}, Output: JSON}, IO{Out: &bytes.Buffer{}, Err: &bytes.Buffer{}, Log: slog.New(slog.DiscardHandler)}); err != nil || exit != Clean {
		t.Errorf("the policies that were written do not load: %d, %v", exit, err)
	}
}

func TestMigrationAsJSON(t *testing.T) {
	resource := filepath.Join(t.TempDir(), "service.yaml")
	if err := os.WriteFile(resource, []byte("apiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: default}\nspec: {type: NodePort}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, out, _ := runMigrate(t, MigrateOptions{Paths: []string{migrateFile(t)}, Resources: []string{resource}, Output: JSON})
	var got migrated
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if got.Summary.Rules != 2 || got.Summary.Translated != 1 || got.Summary.Compared == 0 || len(got.Policies) != 1 || got.Policies[0].Line != 1 {
		t.Errorf("got %s", out)
	}
}

func TestMigrationOfNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pod.yaml")
	if err := os.WriteFile(path, []byte("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := BundleMigrate(t.Context(), MigrateOptions{Paths: []string{path}}, IO{Out: &bytes.Buffer{}, Err: &bytes.Buffer{}, Log: slog.New(slog.DiscardHandler)})
	const want = "nothing to translate: expected a kyverno.io ClusterPolicy or Policy"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
