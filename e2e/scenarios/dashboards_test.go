package scenarios

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// prometheusRequired is set, as in CI, where Prometheus must not be missing (Debian: apt-get install prometheus).
const prometheusRequired = "HOLDFAST_TEST_PROMETHEUS"

// cannotHappen are queries that have no data here, each with the reason, by a part of theirs.
var cannotHappen = map[string]string{
	"holdfast_admission_shed_total": "nobody fills the queue of 256 reviews; a counter is there from its first event on",
}

// happens is what makes every panel show something: policies that cannot be evaluated, that generate, that look up, that
// want what can be planned, and that refuse.
const happens = `apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: breaks-open}
spec:
  failurePolicy: Ignore
  rules:
  - name: breaks
    match: {any: [{resources: {kinds: [ConfigMap], names: ["load-*"]}}]}
    preconditions: {all: [{key: "{{ request.object.data.missing.deeper }}", operator: Equals, value: x}]}
    validate: {failureAction: Enforce, message: never said, pattern: {metadata: {name: "*"}}}
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: looks}
spec:
  rules:
  - name: looks
    match: {any: [{resources: {kinds: [ConfigMap], names: ["load-*"]}}]}
    context: [{name: ca, configMap: {name: extension-apiserver-authentication, namespace: kube-system}}]
    validate: {failureAction: Audit, message: it is there, deny: {conditions: {any: [{key: "{{ ca.data | length(@) }}", operator: LessThan, value: 0}]}}}
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: generates}
spec:
  rules:
  - name: generates
    match: {any: [{resources: {kinds: [ConfigMap], names: ["load-*"]}}]}
    generate:
      apiVersion: v1
      kind: ConfigMap
      name: "of-{{ request.object.metadata.name }}"
      namespace: default
      synchronize: true
      data: {data: {a: b}}
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: wants-a-team}
spec:
  rules:
  - name: team
    match: {any: [{resources: {kinds: [ConfigMap], names: ["load-*"]}}]}
    validate: {failureAction: Audit, message: there is a team, pattern: {metadata: {labels: {team: shop}}}}
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: marks}
spec:
  rules:
  - name: marks
    match: {any: [{resources: {kinds: [ConfigMap], names: ["load-*"]}}]}
    mutate: {patchStrategicMerge: {metadata: {annotations: {example.org/marked: "yes"}}}}
`

// No panel of a dashboard is without data: a real Prometheus scrapes a serve under load, with the rules of the chart, and
// answers each query.
func TestEveryPanelHasData(t *testing.T) {
	program, err := exec.LookPath("prometheus")
	if err != nil {
		if os.Getenv(prometheusRequired) != "" {
			t.Fatalf("%s is set: %v", prometheusRequired, err)
		}
		t.Skip("prometheus is not installed")
	}
	c := newCluster(t)
	o := c.options(t, "holdfast", c.writeBundle(t, "bundle", happens+"---\n"+noPrivileged))
	o.Args = append(o.Args, "--settle", "1s")
	c.addDrift(t)
	c.serve(t, o)
	prometheus := c.scrape(t, program, o.MetricsPort)

	queries := panelQueries(t)
	if len(queries) < 60 {
		t.Fatalf("only %d queries were found in the dashboards", len(queries))
	}
	ctx, stop := context.WithCancel(t.Context())
	var loading errgroup.Group
	loading.Go(func() error { return c.load(ctx) })
	eventually(t, "data in every panel", func(ctx context.Context) string {
		var missing []string
		queries = slices.DeleteFunc(queries, func(q panelQuery) bool {
			err := prometheus.answers(ctx, q.expr)
			if err != nil {
				missing = append(missing, fmt.Sprintf("%s: %v", q, err))
			}
			return err == nil
		})
		return strings.Join(missing, "\n")
	})
	stop()
	if err := loading.Wait(); err != nil {
		t.Error(err)
	}
}

// load makes writes that pass, that are refused, that nobody can judge and that drift, until ctx ends.
func (c *cluster) load(ctx context.Context) error {
	const pace = 250 * time.Millisecond // slow enough for a busy machine, and often enough for rates over seconds
	every := time.NewTicker(pace)
	defer every.Stop()
	for step := 0; ; step++ {
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
		name := fmt.Sprintf("load-%d", step)
		config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"a": "b"}}
		if _, err := c.kube.CoreV1().ConfigMaps("default").Create(ctx, config, metav1.CreateOptions{}); err != nil && ctx.Err() == nil {
			return err
		}
		if _, err := c.create(ctx, pod(name, true)); err == nil {
			return errors.New("a privileged Pod is not refused")
		}
		// No rule reads this: the verdict stands.
		note := fmt.Appendf(nil, `{"metadata":{"annotations":{"example.org/step":"%d"}}}`, step)
		if _, err := c.kube.CoreV1().Pods("default").Patch(ctx, "drifted", types.MergePatchType, note, metav1.PatchOptions{}); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// panelQuery is a query of a panel.
type panelQuery struct{ dashboard, panel, expr string }

func (q panelQuery) String() string { return q.dashboard + " / " + q.panel + ": " + q.expr }

// panelQueries gives those of all dashboards that can have data here.
func panelQueries(t *testing.T) (all []panelQuery) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(chartDir, "dashboards", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("dashboards: %v, %v", files, err)
	}
	left := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var d struct {
			Title  string
			Panels []struct {
				Title   string
				Targets []struct{ Expr string }
			}
		}
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, p := range d.Panels {
			for _, target := range p.Targets {
				reason := ""
				for part := range cannotHappen {
					if strings.Contains(target.Expr, part) {
						reason, left[part] = part, true
					}
				}
				if reason == "" {
					all = append(all, panelQuery{d.Title, p.Title, strings.ReplaceAll(target.Expr, "$__rate_interval", "15s")})
				}
			}
		}
	}
	for part := range cannotHappen {
		if !left[part] {
			t.Errorf("no query has %s: it need not be left out", part)
		}
	}
	return all
}

// prometheusServer is one that runs, by its address.
type prometheusServer string

// scrape starts Prometheus on the metrics of a serve, with the rules of the chart, for as long as the test runs.
func (c *cluster) scrape(t *testing.T, program string, metricsPort int) prometheusServer {
	t.Helper()
	port, err := c.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	rules, err := filepath.Abs(filepath.Join(chartDir, "rules", "holdfast.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := fmt.Sprintf(`
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [%s]
scrape_configs: [{job_name: holdfast, static_configs: [{targets: ["127.0.0.1:%d"]}]}]
`, rules, metricsPort)
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", port)
	cmd := exec.CommandContext(t.Context(), program, "--config.file", file, "--storage.tsdb.path", filepath.Join(dir, "data"),
		"--web.listen-address", address, "--log.level", "warn")
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // the context of the test has ended by now, and with it the process
		_ = cmd.Wait() // it was killed
		_ = log.Close()
		if text, err := os.ReadFile(log.Name()); t.Failed() && err == nil {
			t.Log(string(text))
		}
	})
	s := prometheusServer("http://" + address)
	eventually(t, "Prometheus", func(ctx context.Context) string {
		if err := s.answers(ctx, "up == 1"); err != nil {
			return err.Error()
		}
		return ""
	})
	return s
}

// answers asks a query, and is no error if there is a number in its answer.
func (s prometheusServer) answers(ctx context.Context, query string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	text, _, err := fetch(ctx, string(s)+"/api/v1/query?query="+url.QueryEscape(query))
	if err != nil {
		return err
	}
	var answer struct {
		Status, Error string
		Data          struct {
			Result []struct{ Value [2]any }
		}
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return fmt.Errorf("%w in %s", err, text)
	}
	if answer.Status != "success" {
		return fmt.Errorf("refused: %s", answer.Error)
	}
	for _, r := range answer.Data.Result {
		if value, ok := r.Value[1].(string); ok && value != "NaN" {
			return nil
		}
	}
	return fmt.Errorf("no number in %d series", len(answer.Data.Result))
}
