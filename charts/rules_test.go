package charts

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// prometheusRequired is set, as in CI, where Prometheus' programs must not be missing (Debian: apt-get install prometheus).
const prometheusRequired = "HOLDFAST_TEST_PROMETHEUS"

// rules are the recording rules and alerts, as Prometheus and the chart read them.
const rules = "holdfast/rules/holdfast.yaml"

// rule is one of them.
type rule struct {
	Record, Alert, Expr string
	Labels, Annotations map[string]string
}

func readRules(t *testing.T) (all []rule) {
	t.Helper()
	var file struct {
		Groups []struct{ Rules []rule }
	}
	read(t, rules, &file)
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

func read(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func TestRulesDoWhatTheirTestsSay(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv(prometheusRequired) != "" {
			t.Fatalf("%s is set: %v", prometheusRequired, err)
		}
		t.Skip("promtool is not installed")
	}
	for _, args := range [][]string{{"check", "rules", rules}, {"test", "rules", "testdata/rules.yaml", "testdata/rules_slow.yaml"}} {
		if said, err := exec.CommandContext(t.Context(), promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, said)
		}
	}
}

// Each alert has a test in which it fires, a severity and a section in a runbook, and the runbooks have no others.
func TestEveryAlertIsTriedAndHasARunbook(t *testing.T) {
	fires := map[string]bool{}
	for _, file := range []string{"testdata/rules.yaml", "testdata/rules_slow.yaml"} {
		var tests struct {
			Tests []struct {
				AlertRuleTest []struct {
					Alertname string
					ExpAlerts []any `json:"exp_alerts"`
				} `json:"alert_rule_test"`
			}
		}
		read(t, file, &tests)
		for _, test := range tests.Tests {
			for _, a := range test.AlertRuleTest {
				fires[a.Alertname] = fires[a.Alertname] || len(a.ExpAlerts) > 0
			}
		}
	}
	sections := runbookSections(t)
	index, err := os.ReadFile("../docs/runbooks/README.md")
	if err != nil {
		t.Fatal(err)
	}
	const address = "https://github.com/holdfast-io/holdfast/blob/main/docs/runbooks/"
	for _, r := range readRules(t) {
		if r.Alert == "" {
			continue
		}
		if !fires[r.Alert] {
			t.Errorf("%s: no test of promtool has it fire", r.Alert)
		}
		if s := r.Labels["severity"]; s != "critical" && s != "warning" {
			t.Errorf("%s: severity %q: want critical or warning", r.Alert, s)
		}
		page := sections[r.Alert]
		if want := address + page + "#" + strings.ToLower(r.Alert); page == "" || r.Annotations["runbook_url"] != want {
			t.Errorf("%s: its runbook is %s: want %s", r.Alert, r.Annotations["runbook_url"], want)
		}
		if !regexp.MustCompile(`\b` + r.Alert + `\b`).Match(index) {
			t.Errorf("%s: docs/runbooks/README.md does not list it", r.Alert)
		}
		delete(sections, r.Alert)
	}
	for _, left := range slices.Sorted(maps.Keys(sections)) {
		t.Errorf("%s has a section in %s: there is no such alert", left, sections[left])
	}
}

// runbookSections gives the page of each section that is named for an alert.
func runbookSections(t *testing.T) map[string]string {
	t.Helper()
	pages, err := filepath.Glob("../docs/runbooks/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("runbooks: %v, %v", pages, err)
	}
	sections := map[string]string{}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, heading := range regexp.MustCompile(`(?m)^## (Holdfast\w+)$`).FindAllStringSubmatch(string(text), -1) {
			sections[heading[1]] = filepath.Base(page)
		}
	}
	return sections
}
