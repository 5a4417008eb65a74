package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	"sigs.k8s.io/yaml"

	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// snapshots hands out what a test puts there.
type snapshots struct {
	atomic.Pointer[engine.Snapshot]
}

func (s *snapshots) Current() *engine.Snapshot { return s.Load() }

// compile makes a snapshot of policies written as YAML documents.
func compile(t testing.TB, documents string) *engine.Snapshot {
	t.Helper()
	compiler, err := engine.NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	var policies []*engine.Policy
	for _, text := range strings.Split(documents, "\n---\n") {
		if strings.TrimSpace(text) == "" {
			continue
		}
		var meta struct{ APIVersion, Kind string }
		if err := yaml.Unmarshal([]byte(text), &meta); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(meta.APIVersion, bundle.PoliciesGroup+"/") {
			policies = append(policies, compileObject(t, compiler, text))
			continue
		}
		var source kyvernov1.PolicyInterface = &kyvernov1.ClusterPolicy{}
		if meta.Kind == "Policy" {
			source = &kyvernov1.Policy{}
		}
		if err := yaml.UnmarshalStrict([]byte(text), source); err != nil {
			t.Fatal(err)
		}
		p, err := compiler.Compile(source, nil)
		if err != nil {
			t.Fatal(err)
		}
		policies = append(policies, p)
	}
	s, err := engine.NewSnapshot(policies)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// compileObject compiles a policy in CEL.
func compileObject(t testing.TB, compiler *engine.Compiler, text string) *engine.Policy {
	t.Helper()
	var object map[string]any
	if err := yaml.Unmarshal([]byte(text), &object); err != nil {
		t.Fatal(err)
	}
	o, problems := bundle.CompileObject(compiler, object)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return o.Policy
}

// lookups answer with what a test says.
type lookups struct {
	engine.NoLookups
	labels map[string]map[string]string
	// stuck makes a look-up wait until the request's time is over.
	stuck bool
	panic any
}

func (l *lookups) NamespaceLabels(ctx context.Context, namespace string) (map[string]string, error) {
	if l.panic != nil {
		panic(l.panic)
	}
	if l.stuck {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	labels, ok := l.labels[namespace]
	if !ok {
		return nil, errors.New("it is not known")
	}
	return labels, nil
}

func (l *lookups) Roles(context.Context, *authenticationv1.UserInfo) (roles, clusterRoles []string, err error) {
	return nil, nil, errors.New("they are not known")
}

// door is a handler under test, with what it leaves behind.
type door struct {
	*Handler
	snapshots *snapshots
	lookups   *lookups
	log       *bytes.Buffer
	metrics   *prometheus.Registry
}

func newDoor(t testing.TB, policies string, change ...func(*Options)) *door {
	t.Helper()
	d := &door{
		snapshots: &snapshots{}, lookups: &lookups{labels: map[string]map[string]string{"default": {}}},
		log: &bytes.Buffer{}, metrics: prometheus.NewPedanticRegistry(),
	}
	d.snapshots.Store(compile(t, policies))
	o := Options{
		Snapshots: d.snapshots, Inputs: engine.Inputs{Lookups: d.lookups, Now: time.Now},
		Logger: slog.New(slog.NewTextHandler(d.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Metrics: d.metrics,
	}
	for _, c := range change {
		c(&o)
	}
	var err error
	if d.Handler, err = NewHandler(o); err != nil {
		t.Fatal(err)
	}
	return d
}

// post sends a body as an API server would.
func (d *door) post(path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w
}

// ask sends a review and gives the response of an answer that has to be a good one.
func (d *door) ask(t testing.TB, path, body string) *admissionv1.AdmissionResponse {
	t.Helper()
	w := d.post(path, body)
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	resp := parse(t, w.Body.Bytes())
	if resp.UID != "u-1" {
		t.Fatalf("the answer is to %q: %s", resp.UID, w.Body)
	}
	return resp
}

func parse(t testing.TB, body []byte) *admissionv1.AdmissionResponse {
	t.Helper()
	var review admissionv1.AdmissionReview
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&review); err != nil {
		t.Fatalf("the answer is not an AdmissionReview: %v: %s", err, body)
	}
	if review.APIVersion != "admission.k8s.io/v1" || review.Kind != "AdmissionReview" || review.Response == nil || review.Request != nil {
		t.Fatalf("the answer is not that to an AdmissionReview: %s", body)
	}
	return review.Response
}

// metric gives the value of a counter or gauge by its name and labels, written as name{a=b,c=d}.
func (d *door) metric(t testing.TB, name string) float64 {
	t.Helper()
	return gathered(t, d.metrics)[name]
}

func gathered(t testing.TB, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			key := f.GetName() + "{" + strings.Join(labels, ",") + "}"
			switch {
			case m.Counter != nil:
				out[key] = m.Counter.GetValue()
			case m.Gauge != nil:
				out[key] = m.Gauge.GetValue()
			case m.Histogram != nil:
				out[key] = float64(m.Histogram.GetSampleCount())
			}
		}
	}
	return out
}

// obj is a part of a review's request, by their JSON names. Those of base hold unless a test says otherwise.
type obj map[string]any

// reviewOf writes an AdmissionReview about a Pod named web, changed by f.
func reviewOf(f obj) string {
	request := obj{
		"uid":      "u-1",
		"kind":     obj{"group": "", "version": "v1", "kind": "Pod"},
		"resource": obj{"group": "", "version": "v1", "resource": "pods"},
		"name":     "web", "namespace": "default", "operation": "CREATE",
		"userInfo": obj{"username": "alice", "groups": []string{"system:authenticated"}},
		"object":   pod("web", obj{}),
		"options":  obj{"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
		"dryRun":   false,
	}
	for k, v := range f {
		request[k] = v
	}
	return envelope(request)
}

func envelope(request any) string {
	body, err := json.Marshal(obj{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request})
	if err != nil {
		panic(fmt.Sprintf("writing a test's review: %v", err))
	}
	return string(body)
}

// pod is one container of an image without a tag, with these labels.
func pod(name string, labels obj) obj {
	return obj{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": obj{"name": name, "namespace": "default", "labels": labels},
		"spec":     obj{"containers": []obj{{"name": "main", "image": "nginx"}}},
	}
}

// requireTeam refuses Pods without a label; %s is spliced into the spec.
const requireTeam = `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: require-team, annotations: {pod-policies.kyverno.io/autogen-controllers: none}}
spec:
  failurePolicy: Fail
  rules:
  - name: check-team
    match: {any: [{resources: {kinds: [Pod]}}]}
    validate:
      failureAction: Enforce
      allowExistingViolations: false
      message: the label team says who is called at night
      pattern: {metadata: {labels: {team: "?*"}}}
`

const denyLatest = `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: deny-latest, annotations: {pod-policies.kyverno.io/autogen-controllers: none}}
spec:
  failurePolicy: Ignore
  rules:
  - name: tag
    match: {any: [{resources: {kinds: [Pod]}}]}
    validate:
      failureAction: Enforce
      message: an image has a tag
      pattern: {spec: {containers: [{image: "*:*"}]}}
`

const auditProbes = `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: want-probes, annotations: {pod-policies.kyverno.io/autogen-controllers: none}}
spec:
  failurePolicy: Ignore
  rules:
  - name: readiness
    match: {any: [{resources: {kinds: [Pod]}}]}
    validate:
      failureAction: Audit
      message: a container has a readinessProbe
      pattern: {spec: {containers: [{readinessProbe: {periodSeconds: ">0"}}]}}
`

const addTeam = `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: add-team, annotations: {pod-policies.kyverno.io/autogen-controllers: none}}
spec:
  failurePolicy: Ignore
  rules:
  - name: default-team
    match: {any: [{resources: {kinds: [Pod]}}]}
    mutate:
      patchStrategicMerge: {metadata: {labels: {+(team): nobody}}}
`

// bySelector needs a look-up.
const bySelector = `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: %[1]s, annotations: {pod-policies.kyverno.io/autogen-controllers: none}}
spec:
  failurePolicy: %[2]s
  rules:
  - name: selected
    match: {any: [{resources: {kinds: [Pod, Secret], namespaceSelector: {matchLabels: {a: b}}}}]}
    validate:
      failureAction: Enforce
      message: never
      deny: {}
`

const and = "\n---\n"
