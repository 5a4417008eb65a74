package scenarios

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/holdfast-io/holdfast/e2e/controlplane"
)

func TestChartRefusesWrongValues(t *testing.T) {
	c := newChart(t)
	for name, test := range map[string]struct{ values, want string }{
		"an unknown key":                    {"replica: 2", "additional properties 'replica' not allowed"},
		"an unknown key further down":       {"audit: {readall: true}", "additional properties 'readall' not allowed"},
		"a number as text":                  {"replicas: two", "got string, want integer"},
		"no replicas":                       {"replicas: 0", "minimum: got 0, want 1"},
		"a log level that there is none of": {"log: {level: trace}", "value must be one of 'debug', 'info', 'warn', 'error'"},
		"a namespace that is none":          {"livePolicies: {exceptionNamespaces: [Team A]}", "does not match pattern"},
		"everybody who breaks the glass":    {"breakGlass: {groups: [system:authenticated]}", "'not' failed"},
		"a nameless who breaks the glass":   {"breakGlass: {users: ['']}", "minLength: got 0, want 1"},
		"a port that takes privileges":      {"webhook: {port: 443}", "minimum: got 443, want 1,024"},
		"a digest that is cut":              {"image: {digest: 'sha256:abc'}", "does not match pattern"},
		"a policy that is no text":          {"bundle: {policies: {a.yaml: {kind: ClusterPolicy}}}", "got object, want string"},
		"a policy in a file of no kind":     {"bundle: {policies: {a.txt: x}}", "does not match pattern"},
		"a service without a scheme":        {"lookups: {allowedServices: [api.test]}", "does not match pattern"},
		"a ledger of no size":               {"ledger: {maxSize: much}", "does not match pattern"},
		"a collector without a scheme":      {"traces: {endpoint: 'collector:4318'}", "does not match pattern"},
		"a user in the collector's URL":     {"traces: {endpoint: 'https://u:p@collector:4318'}", "does not match pattern"},
		"more than all traces":              {"traces: {ratio: 2}", "maximum: got 2, want 1"},
		"a timeout without a unit":          {"lookups: {timeout: '10'}", "does not match pattern"},
		"a replica too few to scale":        {"autoscaling: {minReplicas: 0}", "minimum: got 0, want 1"},
		"two issuers of certificates":       {"certificates: {secretName: ours, certManager: {enabled: true}}", "maxLength: got 4, want 0"},
		"a certificate without a unit":      {"certificates: {certManager: {duration: '90'}}", "does not match pattern"},
		"a key that the chart has":          {"config: {listen: ':1'}", "'not' failed"},
		"a key that no file has":            {"config: {'Listen to': ':1'}", "does not match pattern"},
		"a peer that is none":               {"networkPolicy: {metricsFrom: [{pods: {}}]}", "additional properties 'pods' not allowed"},
		"an alert of somebody else":         {"metrics: {prometheusRule: {disabled: [KubePodCrashLooping]}}", "does not match pattern"},
		"a dashboard's label as a number":   {"metrics: {dashboards: {labels: {grafana_dashboard: 1}}}", "got number, want string"},
		"a mode that there is none of":      {"packs: {baseline: warn}", "value must be one of 'off', 'audit', 'enforce', false"},
		"a pack that there is none of":      {"packs: {basline: audit}", "value must be one of 'access', 'baseline'"},
		"a policy in a mode of none":        {"policyModes: {disallow-host-ports: Enforce}", "value must be one of 'off', 'audit', 'enforce', false"},
		"a parameter of no policy":          {"parameters: {registries: [a]}", "value must be one of 'allowedIngressHosts'"},
		"a parameter of no kind":            {"parameters: {allowedRegistries: {a: b}}", "got object, want"},
		"two places for policies":           {"bundle: {configMap: ours, policies: {a.yaml: x}}", "maxProperties: got 1, want 0"},
	} {
		t.Run(name, func(t *testing.T) {
			_, stderr, err := c.run(t, test.values, "template", "holdfast", chartDir)
			if err == nil || !strings.Contains(stderr, test.want) {
				t.Errorf("helm template: %v, %s: want an error with %q", err, stderr, test.want)
			}
		})
	}
}

// What stands in the chart is what the generator makes of the Go types that go.mod requires.
func TestDefinitionsAreInStep(t *testing.T) {
	source, err := os.ReadFile(filepath.Join(chartDir, "..", "embed.go"))
	if err != nil {
		t.Fatal(err)
	}
	for dir, number := range map[string]int{"definitions": 5, "policy-definitions": 18} {
		made := t.TempDir()
		for _, directive := range regexp.MustCompile(`(?m)^//go:generate go (run .*) output:crd:dir=holdfast/`+dir+`$`).FindAllSubmatch(source, -1) {
			cmd := exec.CommandContext(t.Context(), "go", append(strings.Fields(string(directive[1])), "output:crd:dir="+made)...)
			cmd.Dir = filepath.Join(chartDir, "..")
			if said, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", cmd, err, said)
			}
		}
		want, have := yamlFiles(t, made), yamlFiles(t, filepath.Join(chartDir, dir))
		if len(want) != number {
			t.Errorf("the generator made %d files of %s: want %d", len(want), dir, number)
		}
		for name, text := range want {
			if have[name] != text {
				t.Errorf("%s/%s is not what the generator makes: run go generate ./charts", dir, name)
			}
		}
		for name := range have {
			if _, found := want[name]; !found {
				t.Errorf("%s/%s is not made by the generator", dir, name)
			}
		}
	}
}

func yamlFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(path)] = string(text)
	}
	return files
}

// The policies that the chart brings find nothing in the chart.
func TestChartKeepsToTheShippedBundle(t *testing.T) {
	binary, err := controlplane.Builder{Progress: t.Output()}.Holdfast(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// The policies leave namespace holdfast out.
	rendered := newChart(t).render(t, "", "--namespace", "elsewhere")
	cmd := exec.CommandContext(t.Context(), binary, "audit", "-")
	cmd.Stdin = strings.NewReader(rendered)
	said, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(said), "0 failed, 0 warnings, 0 errors") {
		t.Errorf("holdfast audit: %v\n%s", err, said)
	}
}
