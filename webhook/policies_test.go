package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine"
)

// checker finds what a test puts into an object's spec: problems and warnings.
type checker struct{}

func (checker) Check(_ context.Context, object map[string]any) (problems []engine.Problem, warnings []string) {
	spec, _ := object["spec"].(map[string]any)
	if spec["panic"] != nil {
		panic("as asked")
	}
	if meta, ok := object["metadata"].(map[string]any); ok {
		delete(meta, "managedFields") // the object is the checker's
	}
	for i := range int(number(spec["problems"])) {
		problems = append(problems, engine.Problem{Path: []any{"spec", "rules", i}, Message: "is wrong"})
	}
	for i := range int(number(spec["warnings"])) {
		warnings = append(warnings, fmt.Sprintf("remark %d", i))
	}
	return problems, warnings
}

func number(v any) float64 {
	f, _ := v.(float64)
	return f
}

// policyDoor is a handler of policies under test.
type policyDoor struct {
	*PolicyHandler
	metrics *prometheus.Registry
	log     bytes.Buffer
}

func newPolicyDoor(t *testing.T) *policyDoor {
	t.Helper()
	d := &policyDoor{metrics: prometheus.NewPedanticRegistry()}
	var err error
	d.PolicyHandler, err = NewPolicyHandler(PolicyOptions{Checker: checker{}, Logger: slog.New(slog.NewTextHandler(&d.log, nil)), Metrics: d.metrics})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *policyDoor) ask(t *testing.T, operation, old, object string) *admissionv1.AdmissionResponse {
	t.Helper()
	body := fmt.Sprintf(`{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "u", "operation": %q,
		"kind": {"group": "kyverno.io", "version": "v1", "kind": "ClusterPolicy"}, "oldObject": %s, "object": %s}}`, operation, old, object)
	w := d.send(http.MethodPost, "application/json", body)
	if w.Code != http.StatusOK {
		t.Fatalf("HTTP status %d: %s", w.Code, w.Body)
	}
	var review admissionv1.AdmissionReview
	if err := json.Unmarshal(w.Body.Bytes(), &review); err != nil {
		t.Fatal(err)
	}
	return review.Response
}

func (d *policyDoor) send(method, contentType, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, PoliciesPath, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w
}

func TestPoliciesAreReviewed(t *testing.T) {
	const (
		good   = `{"metadata": {"name": "p"}, "spec": {}}`
		broken = `{"metadata": {"name": "p"}, "spec": {"problems": 1}}`
	)
	for name, c := range map[string]struct {
		operation, old, object string
		allowed                bool
		message                string
		warnings               []string
		decision               string
	}{
		"a good one": {operation: "CREATE", old: "null", object: good, allowed: true, decision: "allowed"},
		"one with a remark": {
			operation: "CREATE", old: "null", object: `{"spec": {"warnings": 1}}`, allowed: true, warnings: []string{"remark 0"}, decision: "allowed",
		},
		"a broken one": {
			operation: "CREATE", old: "null", object: broken, message: "spec.rules[0]: is wrong", decision: "denied",
		},
		"one with several problems and a remark": {
			operation: "CREATE", old: "null", object: `{"spec": {"problems": 2, "warnings": 1}}`, warnings: []string{"remark 0"},
			message: "the policy has 2 problems:\n- spec.rules[0]: is wrong\n- spec.rules[1]: is wrong", decision: "denied",
		},
		"a change that breaks it": {
			operation: "UPDATE", old: good, object: broken, message: "spec.rules[0]: is wrong", decision: "denied",
		},
		"a change that mends it": {operation: "UPDATE", old: broken, object: good, allowed: true, decision: "allowed"},
		"a change of a broken one's labels": {
			operation: "UPDATE", old: broken, object: `{"metadata": {"name": "p", "labels": {"a": "b"}}, "spec": {"problems": 1}}`, allowed: true,
			warnings: []string{"this policy is broken: spec.rules[0]: is wrong"}, decision: "allowed",
		},
		"a change of a broken one's annotations": {
			operation: "UPDATE", old: broken, object: `{"metadata": {"name": "p", "annotations": {"a": "b"}}, "spec": {"problems": 1}}`,
			message: "spec.rules[0]: is wrong", decision: "denied",
		},
		"a deletion": {operation: "DELETE", old: broken, object: "null", allowed: true, decision: "allowed"},
		"one on which the compiler panics": {
			operation: "CREATE", old: "null", object: `{"spec": {"panic": true}}`, allowed: true,
			warnings: []string{"holdfast could not check this policy; its log tells more"}, decision: "unchecked",
		},
		"no object": {operation: "CREATE", old: "null", object: "null", message: "the request is to CREATE and has no object", decision: "invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newPolicyDoor(t)
			got := d.ask(t, c.operation, c.old, c.object)
			if got.UID != "u" || got.Allowed != c.allowed {
				t.Errorf("allowed %v for %s", got.Allowed, got.UID)
			}
			if message := resultOf(got).Message; message != c.message {
				t.Errorf("got the message %q, want %q", message, c.message)
			}
			same(t, got.Warnings, c.warnings)
			same(t, gathered(t, d.metrics), map[string]float64{"holdfast_policy_reviews_total{decision=" + c.decision + "}": 1})
		})
	}
}

func resultOf(r *admissionv1.AdmissionResponse) *metav1.Status {
	if r.Result == nil {
		return &metav1.Status{}
	}
	return r.Result
}

// What is invalid is refused as the API server itself does it, and told in part when it is much.
func TestAPolicyWithManyProblems(t *testing.T) {
	got := newPolicyDoor(t).ask(t, "CREATE", "null", `{"spec": {"problems": 25, "warnings": 40}}`)
	if got.Result.Code != 422 || got.Result.Reason != metav1.StatusReasonInvalid {
		t.Errorf("refused with %d %s", got.Result.Code, got.Result.Reason)
	}
	if n := len(got.Result.Details.Causes); n != maxListed {
		t.Errorf("%d causes", n)
	}
	same(t, got.Result.Details.Causes[3], metav1.StatusCause{Type: metav1.CauseTypeFieldValueInvalid, Field: "spec.rules[3]", Message: "is wrong"})
	if !strings.HasPrefix(got.Result.Message, "the policy has 25 problems:\n") || !strings.HasSuffix(got.Result.Message, "\n- and 5 more") {
		t.Errorf("the message is %s", got.Result.Message)
	}
	if n := len(got.Warnings); n != maxWarnings+1 || got.Warnings[n-1] != "and 25 more remarks" {
		t.Errorf("%d warnings: %v", n, got.Warnings)
	}
}

// An answer that is no review lets the policy pass, as the entry's failurePolicy has it.
func TestWhatIsNoReviewOfAPolicy(t *testing.T) {
	for name, c := range map[string]struct {
		method, contentType, body string
		code                      int
	}{
		"another method":       {http.MethodGet, "application/json", "", http.StatusMethodNotAllowed},
		"another content type": {http.MethodPost, "text/plain", "{}", http.StatusUnsupportedMediaType},
		"no review":            {http.MethodPost, "application/json", "{}", http.StatusBadRequest},
		"too long":             {http.MethodPost, "application/json", strings.Repeat(" ", maxPolicyReviewBytes+1), http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			if w := newPolicyDoor(t).send(c.method, c.contentType, c.body); w.Code != c.code {
				t.Errorf("status %d: %s", w.Code, w.Body)
			}
		})
	}
	d := newPolicyDoor(t)
	for range maxPolicyReviews {
		d.limiter.take(maxPolicyReviewBytes)
	}
	if w := d.send(http.MethodPost, "application/json", "{}"); w.Code != http.StatusTooManyRequests {
		t.Errorf("status %d with no room", w.Code)
	}
	same(t, gathered(t, d.metrics), map[string]float64{"holdfast_policy_reviews_total{decision=shed}": 1})
}

func TestPolicyOptionsThatCannotBeUsed(t *testing.T) {
	if _, err := NewPolicyHandler(PolicyOptions{}); err == nil || err.Error() != "webhook policy options: Checker is missing" {
		t.Errorf("got %v", err)
	}
	metrics := prometheus.NewRegistry()
	for _, want := range []bool{true, false} { // a second one cannot be registered
		if _, err := NewPolicyHandler(PolicyOptions{Checker: checker{}, Metrics: metrics}); (err == nil) != want {
			t.Errorf("got %v", err)
		}
	}
}

// Policies are asked about where they are served, whatever the bundle holds.
func TestPoliciesHaveAnEntryOfTheirOwn(t *testing.T) {
	types := []schema.GroupVersionResource{
		{Group: "kyverno.io", Version: "v1", Resource: "clusterpolicies"}, {Group: "kyverno.io", Version: "v1", Resource: "policies"},
		{Group: "kyverno.io", Version: "v2", Resource: "policyexceptions"},
	}
	w := wanted(t, "")
	w.Policies = types
	got, err := Configure(w)
	if err != nil || got.Validating != nil || got.Mutating != nil {
		t.Errorf("asked about types that are not served: %v, %v", got, err)
	}
	verbs := []string{"create", "delete", "update"}
	w.Resources = append(w.Resources,
		Resource{Group: "kyverno.io", Version: "v1", Name: "clusterpolicies", Kind: "ClusterPolicy", Verbs: verbs},
		Resource{Group: "kyverno.io", Version: "v1", Name: "clusterpolicies", SubResource: "status", Kind: "ClusterPolicy", Verbs: verbs},
		Resource{Group: "kyverno.io", Version: "v2beta1", Name: "clusterpolicies", Kind: "ClusterPolicy", Verbs: verbs},
		Resource{Group: "kyverno.io", Version: "v1", Name: "policies", Kind: "Policy", Namespaced: true, Verbs: verbs},
	)
	if got, err = Configure(w); err != nil || len(got.Validating.Webhooks) != 1 || got.Mutating != nil {
		t.Fatalf("got %v, %v", got, err)
	}
	entry := got.Validating.Webhooks[0]
	if got, want := rulesOf(entry.Rules), `CREATE,UPDATE ["kyverno.io"] v1 clusterpolicies Cluster`+"\n"+`CREATE,UPDATE ["kyverno.io"] v1 policies Namespaced`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if entry.Name != "policies.validate.holdfast.dev" || *entry.FailurePolicy != "Ignore" || *entry.ClientConfig.URL != "https://127.0.0.1:9443/policies/validate" ||
		len(entry.NamespaceSelector.MatchExpressions) != 0 {
		t.Errorf("the entry is %+v", entry)
	}
}

// Who writes what a policy says is remembered; who is refused, or changes a label, is not.
func TestWhoWroteAPolicyIsRemembered(t *testing.T) {
	d := newPolicyDoor(t)
	d.memory = NewMemory(time.Now())
	policy := func(generation int, at, rest string) string {
		return fmt.Sprintf(`{"apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy", "metadata": {"name": "p", "uid": "p", "generation": %d,
			"managedFields": [{"manager": "m", "time": %q}]}, "spec": {%s}}`, generation, at, rest)
	}
	first, second := policy(1, "2026-05-04T12:00:00Z", `"a": 1`), policy(2, "2026-05-04T12:01:00Z", `"a": 2`)
	d.ask(t, "CREATE", "null", first)
	d.ask(t, "UPDATE", first, policy(1, "2026-05-04T12:00:30Z", `"a": 1`))
	d.ask(t, "UPDATE", second, policy(3, "2026-05-04T12:02:00Z", `"problems": 1`))
	for _, test := range []struct {
		trace Trace
		known bool
	}{
		{Trace{UID: "p", Generation: 1, Newest: "2026-05-04T12:00:00Z"}, true},
		{Trace{UID: "p", Generation: 1, Newest: "2026-05-04T12:00:30Z"}, false},
		{Trace{UID: "p", Generation: 3, Newest: "2026-05-04T12:02:00Z"}, false},
	} {
		if _, known := d.memory.Recall(test.trace); known != test.known {
			t.Errorf("%+v is known: %t, want %t", test.trace, known, test.known)
		}
	}
}
