package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"

	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/engine/mutate"
	"github.com/holdfast-io/holdfast/report"
)

// streams are those of a test: what is written to them is kept.
func streams(in string) (IO, *bytes.Buffer, *bytes.Buffer) {
	var out, errs bytes.Buffer
	return IO{In: strings.NewReader(in), Out: &out, Err: &errs, Log: slog.New(slog.DiscardHandler)}, &out, &errs
}

// write puts files into a new working directory.
func files(t *testing.T, texts map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range texts {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// audited runs an audit with JSON as its answer.
func audited(t *testing.T, in string, opts AuditOptions) (report.Document, Exit) {
	t.Helper()
	s, out, errs := streams(in)
	opts.Output = JSON
	if opts.Paths == nil && opts.Cluster == nil {
		opts.Paths = []string{"-"}
	}
	if opts.Namespace == "" {
		opts.Namespace = "default"
	}
	exit, err := Audit(context.Background(), opts, s)
	if err != nil {
		t.Fatal(err)
	}
	var d report.Document
	if err := json.Unmarshal(out.Bytes(), &d); err != nil {
		t.Fatalf("%v: %s%s", err, out, errs)
	}
	return d, exit
}

const tellNamespace = `apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: tell}
spec:
  rules:
    - name: namespace
      match: {any: [{resources: {kinds: ["*"]}}]}
      validate:
        message: "in '{{ request.namespace || '' }}', says '{{ request.object.metadata.namespace || '' }}'"
        deny: {}
`

func TestNamespacesOfObjectsInFiles(t *testing.T) {
	files(t, map[string]string{"p.yaml": tellNamespace})
	const crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: x}\nspec: {group: example.com, scope: %s, names: {kind: Thing}}\n---\n"
	const thing = "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: a%s}\n"
	for name, tc := range map[string]struct{ object, want string }{
		"an object without one is in the default one":    {"apiVersion: v1\nkind: Pod\nmetadata: {name: a}", "in 'other', says 'other'"},
		"an object's own stays":                          {"apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: b}", "in 'b', says 'b'"},
		"an object without metadata too":                 {"apiVersion: v1\nkind: Pod", "in 'other', says ''"},
		"a built-in kind that lives in none":             {"apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: a}", "in '', says ''"},
		"whatever it says":                               {"apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: a, namespace: b}", "in '', says 'b'"},
		"a kind of the same name in another group":       {"apiVersion: example.com/v1\nkind: Node\nmetadata: {name: a}", "in 'other', says 'other'"},
		"a kind that a CRD puts into none":               {fmt.Sprintf(crd, "Cluster") + fmt.Sprintf(thing, ""), "in '', says ''"},
		"a kind that a CRD puts into namespaces":         {fmt.Sprintf(crd, "Namespaced") + fmt.Sprintf(thing, ""), "in 'other', says 'other'"},
		"a kind of which nothing is known":               {fmt.Sprintf(thing, ""), "in 'other', says 'other'"},
		"a kind of which nothing is known, with its own": {fmt.Sprintf(thing, ", namespace: c"), "in 'c', says 'c'"},
	} {
		t.Run(name, func(t *testing.T) {
			d, exit := audited(t, tc.object, AuditOptions{Bundle: []string{"p.yaml"}, Namespace: "other"})
			var got []string
			for _, r := range d.Results {
				if r.Resources[0].Kind != "CustomResourceDefinition" {
					got = append(got, r.Message)
				}
			}
			if !slices.Equal(got, []string{tc.want}) || exit != Findings {
				t.Errorf("got %q and exit code %d, want %q", got, exit, tc.want)
			}
		})
	}
}

func TestLabelsOfNamespacesInFiles(t *testing.T) {
	files(t, map[string]string{"p.yaml": `apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: p}
spec:
  rules:
    - name: labelled
      match: {any: [{resources: {kinds: [Pod], namespaceSelector: {matchLabels: {tier: gold}}}}]}
      validate: {message: labelled, deny: {}}
    - name: named
      match: {any: [{resources: {kinds: [Pod], namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [a, b]}]}}}]}
      validate: {message: named, deny: {}}
`})
	d, _ := audited(t, `
{apiVersion: v1, kind: Pod, metadata: {name: x, namespace: a}}
---
{apiVersion: v1, kind: Pod, metadata: {name: x, namespace: b}}
---
{apiVersion: v1, kind: Pod, metadata: {name: x, namespace: c}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: a, labels: {tier: gold, n: 1, kubernetes.io/metadata.name: lie}}}
`, AuditOptions{Bundle: []string{"p.yaml"}})
	var got []string
	for _, r := range d.Results {
		got = append(got, r.Resources[0].Namespace+" "+r.Rule)
	}
	if want := []string{"a labelled", "a named", "b named"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPatchesClearTheirFindingsAndDoNothingTwice(t *testing.T) {
	pod := map[string]any{
		"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "a"},
		"spec": map[string]any{"containers": []any{map[string]any{"name": "a", "image": "registry.k8s.io/pause:3.10"}}},
	}
	files(t, nil)
	objects := []map[string]any{pod, {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "b"}, "spec": map[string]any{"template": pod}}}
	for _, object := range objects {
		kind, _ := object["kind"].(string)
		before, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		d, exit := audited(t, string(before), AuditOptions{Patches: kind})
		if drifted(d) == 0 || exit != Findings {
			t.Fatalf("%s: the shipped bundle has nothing to patch: %+v", kind, d.Summary)
		}
		written, err := os.ReadDir(kind)
		if err != nil || len(written) != 1 {
			t.Fatalf("%s: %v, %v", kind, written, err)
		}
		raw, err := os.ReadFile(filepath.Join(kind, written[0].Name()))
		if err != nil {
			t.Fatal(err)
		}
		patch, err := jsonpatch.DecodePatch(raw)
		if err != nil {
			t.Fatal(err)
		}
		once, err := patch.Apply(before)
		if err != nil {
			t.Fatalf("%s: %v: %s", kind, err, raw)
		}
		d, _ = audited(t, string(once), AuditOptions{Patches: kind + "-again"})
		if n := drifted(d); n > 0 {
			t.Errorf("%s: %d findings are left", kind, n)
		}
		if again, err := os.ReadDir(kind + "-again"); err != nil || len(again) > 0 {
			t.Errorf("%s: patches of the patched object: %v, %v", kind, again, err)
		}
	}
}

// drifted counts the findings that come with a patch.
func drifted(d report.Document) int {
	n := 0
	for _, r := range d.Results {
		if r.Result == report.Fail && r.Properties[report.PropertyPatch] != "" {
			n++
		}
	}
	return n
}

func TestAnObjectWithTenThousandContainers(t *testing.T) {
	var containers []string
	for i := range 10_000 {
		containers = append(containers, fmt.Sprintf(`{"name": "c%d", "image": "nginx", "securityContext": {"privileged": true}}`, i))
	}
	object := `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [` + strings.Join(containers, ",") + `]}}`
	d, exit := audited(t, object, AuditOptions{})
	if exit != Findings || d.Summary.Fail == 0 || d.Summary.Error > 0 {
		t.Errorf("exit code %d, %+v", exit, d.Summary)
	}
	for _, r := range d.Results {
		if len(r.Message) > 8<<10 {
			t.Errorf("the message of %s/%s has %d bytes", r.Policy, r.Rule, len(r.Message))
		}
	}
}

func TestTheOrderOfTheAnswerIsFixed(t *testing.T) {
	var object strings.Builder
	for i := range 200 {
		fmt.Fprintf(&object, "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p%d}\nspec: {hostNetwork: true, containers: [{name: a, image: b}]}\n", i%50)
	}
	first, _ := audited(t, object.String(), AuditOptions{})
	for range 5 {
		if again, _ := audited(t, object.String(), AuditOptions{}); !reflect.DeepEqual(again, first) {
			t.Fatal("the same input gave another answer")
		}
	}
}

// sweep is a cluster with some objects.
type sweep struct {
	coverage []report.Coverage
	err      error
}

func (s sweep) Audit(_ context.Context, _ *engine.Snapshot, found func(Judged)) ([]report.Coverage, error) {
	if s.err != nil {
		return nil, s.err
	}
	policy := &engine.Policy{Name: "p", Scored: true}
	rule := &engine.Rule{Policy: policy, Name: "r", Kind: engine.Mutate}
	patch := []mutate.Operation{{Op: "remove", Path: "/spec/x"}}
	found(Judged{
		Subject:  report.Subject{Resource: report.Resource{APIVersion: "v1", Kind: "Pod", Namespace: "n", Name: "a", UID: "u"}, Object: map[string]any{"metadata": map[string]any{"name": "a"}}},
		Mutation: engine.Mutation{Patch: patch, Decisions: []engine.Decision{{Policy: policy, Rule: rule, Status: engine.Fail, Message: "m", Path: "/spec/x", Patch: patch}}},
	})
	return s.coverage, nil
}

func TestACluster(t *testing.T) {
	files(t, nil)
	listed := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	full := report.Coverage{Source: "cluster", APIVersion: "v1", Kind: "Pod", Objects: 1, Listed: &listed}
	failed := report.Coverage{Source: "cluster", APIVersion: "v1", Kind: "Service", Error: "forbidden"}
	d, exit := audited(t, "", AuditOptions{Cluster: sweep{coverage: []report.Coverage{full}}, Patches: "p"})
	want := report.Result{
		Source: "holdfast", Policy: "p", Rule: "r", Result: report.Fail, Message: "m", Scored: true,
		Resources:  []report.Resource{{APIVersion: "v1", Kind: "Pod", Namespace: "n", Name: "a", UID: "u"}},
		Properties: map[string]string{"path": "/spec/x", "patch": `[{"op":"remove","path":"/spec/x"}]`},
	}
	if exit != Findings || len(d.Results) != 1 || !reflect.DeepEqual(d.Results[0], want) || !reflect.DeepEqual(d.Coverage, []report.Coverage{full}) {
		t.Errorf("exit code %d, %+v", exit, d)
	}
	if raw, err := os.ReadFile("p/pod_n_a.json"); err != nil || string(raw) != "[\n  {\n    \"op\": \"remove\",\n    \"path\": \"/spec/x\"\n  }\n]\n" {
		t.Errorf("patch %q, %v", raw, err)
	}
	if d, exit := audited(t, "", AuditOptions{Cluster: sweep{coverage: []report.Coverage{full, failed}}, FailOn: FailOnNone}); exit != Failed {
		t.Errorf("a list that failed: exit code %d, %+v", exit, d)
	}
	s, out, _ := streams("")
	exit, err := Audit(context.Background(), AuditOptions{Cluster: sweep{err: errors.New("connection refused")}, Output: Table}, s)
	if exit != Failed || err == nil || err.Error() != "connection refused" || out.Len() > 0 {
		t.Errorf("exit code %d, %v, %s", exit, err, out)
	}
}

func TestAuditStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s, _, _ := streams("{apiVersion: v1, kind: Pod}")
	if exit, err := Audit(ctx, AuditOptions{Paths: []string{"-"}}, s); exit != Failed || !errors.Is(err, context.Canceled) {
		t.Errorf("exit code %d, %v", exit, err)
	}
}

func TestAuditOptionsAreChecked(t *testing.T) {
	for want, opts := range map[string]AuditOptions{
		"nothing to audit: expected files, folders, or - for standard input": {},
		"files and a cluster cannot be audited at once":                      {Paths: []string{"a"}, Cluster: sweep{}},
		"standard input cannot be both the bundle and what is audited":       {Paths: []string{"a", "-"}, Bundle: []string{"-"}},
	} {
		if err := opts.Validate(); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	fine := AuditOptions{Paths: []string{"-"}, Bundle: []string{"a"}}
	if err := fine.Validate(); err != nil {
		t.Error(err)
	}
}

func TestFailOn(t *testing.T) {
	fail := func(severity string) []report.Result {
		return []report.Result{{Result: report.Fail, Severity: severity}}
	}
	for name, tc := range map[string]struct {
		results []report.Result
		want    string // the levels at which they count, from the strictest
	}{
		"nothing":              {nil, ""},
		"passes and skips":     {[]report.Result{{Result: report.Pass}, {Result: report.Skip}}, ""},
		"a warning":            {[]report.Result{{Result: report.Warn, Severity: "critical"}}, "any"},
		"an error":             {[]report.Result{{Result: report.Error}}, "any fail low medium high critical"},
		"of unknown severity":  {fail(""), "any fail low medium high critical"},
		"a note":               {fail("info"), "any fail"},
		"of low severity":      {fail("low"), "any fail low"},
		"of medium severity":   {fail("medium"), "any fail low medium"},
		"of high severity":     {fail("high"), "any fail low medium high"},
		"of critical severity": {fail("critical"), "any fail low medium high critical"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, level := range FailOnLevels() {
				if level.exceeded(tc.results) {
					got = append(got, string(level))
				}
			}
			if strings.Join(got, " ") != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// full is a writer that takes nothing.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestAnAnswerThatCannotBeWrittenIsAnError(t *testing.T) {
	for _, f := range AuditFormats() {
		s, _, _ := streams("{apiVersion: v1, kind: Pod}")
		s.Out = full{}
		if exit, err := Audit(context.Background(), AuditOptions{Paths: []string{"-"}, Output: f}, s); exit != Failed || !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("%s: exit code %d, %v", f, exit, err)
		}
	}
}

// What a rule generates is judged if it is among the files. If not, it may be in the cluster all the same.
func TestFilesOfWhatIsGenerated(t *testing.T) {
	files(t, map[string]string{
		"policy.yaml": `{apiVersion: kyverno.io/v1, kind: ClusterPolicy, metadata: {name: deny}, spec: {rules: [{name: r, match: {any: [{resources: {kinds: [Namespace]}}]},
			generate: {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, name: deny, namespace: "{{request.object.metadata.name}}", synchronize: true, data: {spec: {podSelector: {}, policyTypes: [Ingress]}}}}]}}`,
		"objects.yaml": `
{apiVersion: v1, kind: Namespace, metadata: {name: a}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: b}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: deny, namespace: b, labels: {app.kubernetes.io/managed-by: kyverno,
  generate.kyverno.io/policy-name: deny, generate.kyverno.io/policy-namespace: "", generate.kyverno.io/rule-name: r}}, spec: {podSelector: {}, policyTypes: [Egress]}}
`,
	})
	d, exit := audited(t, "", AuditOptions{Paths: []string{"objects.yaml"}, Bundle: []string{"policy.yaml"}, Patches: "p"})
	got := make([]string, len(d.Results))
	for i, r := range d.Results {
		got[i] = fmt.Sprintf("%s %s: %s", r.Resources[0].Name, r.Result, r.Message)
	}
	slices.Sort(got)
	want := []string{
		"a skip: not auditable: what the rule generates cannot be looked up here",
		"b fail: NetworkPolicy b/deny differs from what the rule wants at /spec/policyTypes/0",
	}
	if exit != Findings || !slices.Equal(got, want) {
		t.Errorf("exit code %d:\n got %s\nwant %s", exit, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if raw, err := os.ReadFile("p/networkpolicy.networking.k8s.io_b_deny.json"); err != nil || !strings.Contains(string(raw), "/spec/policyTypes/0") {
		t.Errorf("patch %s, %v", raw, err)
	}
}
