package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/holdfast-io/holdfast/docs/doctest"
)

// repository makes one with a commit that has a finding and a change that adds another, and gives the commit.
const repository = `
git init --quiet --initial-branch main .
git config user.email ci@example.com && git config user.name ci
mkdir deploy policies
cat > policies/policy.yaml <<'END'
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: require-team, annotations: {policies.kyverno.io/severity: high}}
spec:
  rules:
    - name: team
      match: {any: [{resources: {kinds: [Deployment]}}]}
      validate:
        message: the label team is missing
        pattern: {metadata: {labels: {team: "?*"}}}
END
cat > policies/kyverno-test.yaml <<'END'
apiVersion: cli.kyverno.io/v1alpha1
kind: Test
metadata: {name: require-team}
policies: [policy.yaml]
resources: [../deploy/old.yaml]
results:
  - {policy: require-team, rule: team, kind: Deployment, resources: [old], result: fail}
END
printf 'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: old}\n' > deploy/old.yaml
git add . && git commit --quiet -m base
git rev-parse HEAD > ../commit
printf 'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: new}\n' > deploy/new.yaml
git add . && git commit --quiet -m change
`

// pipeline is what the examples of docs/ci.md have of both servers.
type pipeline struct {
	Jobs map[string]struct {
		Steps []struct {
			Name string
			Run  string
		}
	}
	Policies struct {
		Script []string // what is before it installs the program
	}
}

// TestTheExamplesOfPipelinesRun runs the commands of both examples in docs/ci.md on a repository with a change that makes
// something worse. Only what installs the program is left out.
func TestTheExamplesOfPipelinesRun(t *testing.T) {
	text, err := os.ReadFile("../../docs/ci.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks, err := doctest.Blocks(string(text))
	if err != nil {
		t.Fatal(err)
	}
	const deploy = "deploy/new.yaml"
	run := 0
	for _, b := range blocks {
		if b.Language != "yaml" {
			continue
		}
		run++
		t.Run(b.Heading, func(t *testing.T) {
			var p pipeline
			if err := yaml.Unmarshal([]byte(b.Text), &p); err != nil {
				t.Fatal(err)
			}
			temp := t.TempDir()
			root := filepath.Join(temp, "repository")
			if err := os.Mkdir(root, 0o700); err != nil {
				t.Fatal(err)
			}
			shell := doctest.Shell{Dir: root}
			must := func(commands string) {
				t.Helper()
				if err := shell.Run(t.Context(), &doctest.Step{Block: doctest.Block{Text: commands}}); err != nil {
					t.Fatal(err)
				}
			}
			must(repository)
			commit, err := os.ReadFile(filepath.Join(temp, "commit"))
			if err != nil {
				t.Fatal(err)
			}
			base := strings.TrimSpace(string(commit))
			shell.Env = doctest.Environment(os.Environ(), map[string]string{
				"BASE": base, "RUNNER_TEMP": temp, "CI_MERGE_REQUEST_DIFF_BASE_SHA": base,
			})
			var commands []string
			for _, s := range p.Jobs["policies"].Steps {
				if s.Run != "" {
					commands = append(commands, s.Run)
				}
			}
			if len(commands) > 0 && strings.Contains(commands[0], "make -C") {
				commands = commands[1:] // it installs the program, which is here already
			}
			commands = append(commands, p.Policies.Script...)
			if len(commands) < 4 || !strings.HasPrefix(commands[0], "holdfast ") {
				t.Fatalf("the commands are %q", commands)
			}
			worse := 0
			for _, c := range commands {
				if !strings.Contains(c, "--baseline") {
					must(c)
					continue
				}
				worse++
				err := shell.Run(t.Context(), &doctest.Step{Block: doctest.Block{Text: c}})
				if err == nil || !strings.Contains(err.Error(), "exit status 1: ") || !strings.Contains(err.Error(), deploy) || strings.Contains(err.Error(), "deploy/old.yaml") {
					t.Errorf("%s: got %v, want exit code 1 and %s alone", c, err, deploy)
				}
			}
			if worse != 1 {
				t.Errorf("%d commands have a baseline, want 1", worse)
			}
			for _, name := range []string{"holdfast.sarif", "tests.xml", "audit.xml", "gl-code-quality.json"} {
				if !strings.Contains(b.Text, name) {
					continue
				}
				if written, err := os.ReadFile(filepath.Join(root, name)); err != nil || !strings.Contains(string(written), "require-team") {
					t.Errorf("%s: %v: %s", name, err, written)
				}
			}
		})
	}
	if run != 2 {
		t.Errorf("%d examples were run, want 2", run)
	}
}
