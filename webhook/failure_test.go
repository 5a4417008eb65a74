package webhook

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// A rule that cannot be evaluated is settled by its own policy's failurePolicy, even where policies of both
// kinds answer together.
func TestARuleThatCannotBeEvaluated(t *testing.T) {
	strict, lax := fmt.Sprintf(bySelector, "strict", "Fail"), fmt.Sprintf(bySelector, "lax", "Ignore")
	unknown := reviewOf(obj{"namespace": "elsewhere"})
	const reason = "could not be evaluated: reading the labels of namespace elsewhere: it is not known"

	t.Run("Fail", func(t *testing.T) {
		d := newDoor(t, strict)
		resp := d.ask(t, "/validate/fail-10s", unknown)
		same(t, resp.Result, metav1.Status{Status: "Failure", Code: 500, Reason: "InternalError",
			Message: "policy strict, rule selected: " + reason + "; the policy's failurePolicy is Fail"})
		same(t, resp.AuditAnnotations, map[string]string{"strict.selected": "error: " + reason, "uid": "u-1"})
		if got := d.metric(t, "holdfast_admission_errors_total{reason=rule,webhook=validate}"); got != 1 {
			t.Errorf("counted as %v", got)
		}
		if !strings.Contains(d.log.String(), `policy=strict rule=selected failurePolicy=Fail error="reading the labels of namespace elsewhere: it is not known"`) {
			t.Errorf("the log says %s", d.log)
		}
	})
	t.Run("Ignore", func(t *testing.T) {
		d := newDoor(t, lax)
		resp := d.ask(t, "/validate/ignore-10s", unknown)
		if !resp.Allowed {
			t.Fatalf("refused: %+v", resp.Result)
		}
		same(t, resp.Warnings, []string{"policy lax, rule selected: " + reason})
		same(t, resp.AuditAnnotations, map[string]string{"lax.selected": "error, ignored: " + reason, "uid": "u-1"})
		if got := d.metric(t, "holdfast_admission_requests_total{decision=failed_open,kind=Pod,operation=CREATE,webhook=validate}"); got != 1 {
			t.Errorf("counted as %v", got)
		}
	})
	t.Run("both at one path", func(t *testing.T) {
		resp := newDoor(t, strict+and+lax).ask(t, "/validate", unknown)
		if resp.Allowed || resp.Result.Message != "policy strict, rule selected: "+reason+"; the policy's failurePolicy is Fail" {
			t.Errorf("got %+v", resp.Result)
		}
		same(t, resp.Warnings, []string{"policy lax, rule selected: " + reason})
	})
	t.Run("beside a denial", func(t *testing.T) {
		resp := newDoor(t, strict+and+requireTeam).ask(t, "/validate/fail-10s", unknown)
		if resp.Result == nil || resp.Result.Code != 403 || !strings.HasPrefix(resp.Result.Message, "2 rules refuse Pod elsewhere/web:\n- policy require-team, ") ||
			!strings.HasSuffix(resp.Result.Message, "\n- policy strict, rule selected: "+reason+"; the policy's failurePolicy is Fail") {
			t.Errorf("got %+v", resp.Result)
		}
	})
	t.Run("of a Secret: the log does not quote the error", func(t *testing.T) {
		d := newDoor(t, strict)
		d.ask(t, "/validate", reviewOf(obj{"namespace": "elsewhere", "kind": obj{"group": "", "version": "v1", "kind": "Secret"}}))
		if strings.Contains(d.log.String(), "not known") || !strings.Contains(d.log.String(), `error="not shown, because the object is a Secret"`) {
			t.Errorf("the log says %s", d.log)
		}
	})
}

// What is not evaluated in time is answered in time, by each policy's failurePolicy.
func TestTimeThatRunsOut(t *testing.T) {
	// late comes after slow by its name, and is not begun any more.
	late := strings.Replace(requireTeam, "name: require-team", "name: z", 1)
	const slowReason = "policy slow, rule selected: could not be evaluated: reading the labels of namespace default: context deadline exceeded"
	const lateReason = "policy z, rule check-team: could not be evaluated: not evaluated in time: context deadline exceeded"
	ask := func(t *testing.T, policies string) (*door, *admissionv1.AdmissionResponse) {
		d := newDoor(t, policies)
		d.lookups.stuck = true
		start := time.Now()
		resp := d.ask(t, "/validate?timeout=5s", reviewOf(nil))
		if took := time.Since(start); took != 4500*time.Millisecond {
			t.Errorf("it took %s of 5 s", took)
		}
		return d, resp
	}
	t.Run("Fail", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d, resp := ask(t, fmt.Sprintf(bySelector, "slow", "Fail")+and+late)
			same(t, resp.Result, metav1.Status{Status: "Failure", Code: 504, Reason: "Timeout", Message: "2 rules refuse Pod default/web:\n- " +
				slowReason + "; the policy's failurePolicy is Fail\n- " + lateReason + "; the policy's failurePolicy is Fail"})
			if got := d.metric(t, "holdfast_admission_errors_total{reason=deadline,webhook=validate}"); got != 2 {
				t.Errorf("counted as %v", got)
			}
		})
	})
	t.Run("Ignore", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, resp := ask(t, fmt.Sprintf(bySelector, "slow", "Ignore")+and+strings.Replace(late, "Fail", "Ignore", 1))
			if !resp.Allowed {
				t.Errorf("got %+v", resp.Result)
			}
			same(t, resp.Warnings, []string{slowReason, lateReason})
		})
	})
	t.Run("what was evaluated before counts", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, resp := ask(t, fmt.Sprintf(bySelector, "slow", "Ignore")+and+requireTeam)
			if resp.Allowed || resp.Result.Code != 403 || !strings.HasPrefix(resp.Result.Message, "policy require-team, rule check-team: ") {
				t.Errorf("got %+v", resp.Result)
			}
			same(t, resp.Warnings, []string{slowReason})
		})
	})
}

func TestAPanicBecomesAnAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		policy, path string
		panic        any
		logged       string
		allowed      bool
	}{
		"Fail":               {"Fail", "/validate/fail-10s", "the password is 1234", "panic=string", false},
		"Ignore":             {"Ignore", "/validate/ignore-10s", "the password is 1234", "panic=string", true},
		"no group":           {"Ignore", "/validate", "the password is 1234", "panic=string", false},
		"of the Go runtime":  {"Fail", "/validate/fail-10s", divide(), `panic="runtime error: integer divide by zero"`, false},
		"an error is a type": {"Fail", "/validate/fail-10s", errors.New("the password is 1234"), "panic=*errors.errorString", false},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoor(t, fmt.Sprintf(bySelector, "broken", c.policy))
			d.lookups.panic = c.panic
			resp := d.ask(t, c.path, reviewOf(nil))
			const said = "holdfast did not evaluate this request: the evaluation ended unexpectedly; Holdfast's log tells more"
			switch {
			case resp.Allowed != c.allowed:
				t.Errorf("got %+v", resp)
			case c.allowed:
				same(t, resp.Warnings, []string{said})
			default:
				same(t, resp.Result, metav1.Status{Status: "Failure", Code: 500, Reason: "InternalError", Message: said})
			}
			log := d.log.String()
			if !strings.Contains(log, c.logged) || !strings.Contains(log, "webhook.(*lookups).NamespaceLabels") || strings.Contains(log, "password") {
				t.Errorf("the log says %s", log)
			}
			if n := d.limiter.count.Load(); n != 0 {
				t.Errorf("%d reviews are still in hand", n)
			}
		})
	}
}

// divide gives what the runtime panics with.
func divide() (p any) {
	defer func() { p = recover() }()
	var zero int
	return 1 / zero
}

func TestWithoutPoliciesNothingIsDecided(t *testing.T) {
	d := newDoor(t, requireTeam)
	d.snapshots.Store(nil)
	resp := d.ask(t, "/validate/fail-10s", reviewOf(nil))
	same(t, resp.Result, metav1.Status{Status: "Failure", Code: 503, Reason: "ServiceUnavailable",
		Message: "holdfast did not evaluate this request: no policies are loaded yet", Details: &metav1.StatusDetails{RetryAfterSeconds: 1}})
	resp = d.ask(t, "/validate/ignore-10s", reviewOf(nil))
	if !resp.Allowed {
		t.Error("refused by a group that is to be ignored")
	}
	same(t, resp.Warnings, []string{"holdfast did not evaluate this request: no policies are loaded yet"})
}

// While one review is in hand and there is room for no other, the next is answered at once.
func TestOverload(t *testing.T) {
	for name, narrow := range map[string]func(*Options){
		"too many":  func(o *Options) { o.MaxInFlight = 1 },
		"too long":  func(o *Options) { o.MaxBodyBytes, o.MaxInFlightBytes = 1000, 1000 },
		"both fill": func(o *Options) { o.MaxInFlight, o.MaxBodyBytes, o.MaxInFlightBytes = 1, 1000, 1000 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDoor(t, fmt.Sprintf(bySelector, "slow", "Fail"), narrow)
				d.lookups.stuck = true
				var first sync.WaitGroup
				first.Go(func() { d.post("/validate/fail-10s", reviewOf(nil)) })
				synctest.Wait()
				if got := d.metric(t, "holdfast_admission_in_flight{}"); got != 1 {
					t.Fatalf("%v in flight", got)
				}
				start := time.Now()
				const said = "holdfast did not evaluate this request: too many are in hand; try again after a second"
				resp := d.ask(t, "/validate/fail-10s", reviewOf(nil))
				same(t, resp.Result, metav1.Status{Status: "Failure", Code: 429, Reason: "TooManyRequests", Message: said,
					Details: &metav1.StatusDetails{RetryAfterSeconds: 1}})
				resp = d.ask(t, "/mutate/ignore-10s", reviewOf(nil))
				if !resp.Allowed {
					t.Error("refused by a group that is to be ignored")
				}
				same(t, resp.Warnings, []string{said})
				if took := time.Since(start); took != 0 {
					t.Errorf("it took %s", took)
				}
				if n := strings.Count(d.log.String(), "too many admission reviews are in hand"); n != 1 {
					t.Errorf("%d lines in the log: %s", n, d.log)
				}
				for metric, want := range map[string]float64{
					"holdfast_admission_shed_total{failure_policy=Fail,webhook=validate}":                                 1,
					"holdfast_admission_shed_total{failure_policy=Ignore,webhook=mutate}":                                 1,
					"holdfast_admission_requests_total{decision=shed,kind=other,operation=unknown,webhook=validate}":      1,
					"holdfast_admission_requests_total{decision=shed,kind=other,operation=unknown,webhook=mutate}":        1,
					"holdfast_admission_requests_total{decision=failed_open,kind=other,operation=unknown,webhook=mutate}": 0,
					"holdfast_admission_requests_total{decision=errored,kind=other,operation=unknown,webhook=validate}":   0,
				} {
					if got := d.metric(t, metric); got != want {
						t.Errorf("%s is %v, expected %v", metric, got, want)
					}
				}
				first.Wait()
				time.Sleep(shedLogEvery)
				d.lookups.stuck = false
				if resp := d.ask(t, "/validate/fail-10s", reviewOf(nil)); resp.Result != nil && resp.Result.Code == 429 {
					t.Error("still shed when there is room again")
				}
			})
		})
	}
}

// A review that is shed and whose uid cannot be found is answered by the HTTP status, which the API server
// settles by the failurePolicy of the webhook's entry.
func TestOverloadWithoutAUID(t *testing.T) {
	d := newDoor(t, requireTeam)
	d.limiter.count.Store(1 << 40)
	for name, body := range map[string]string{"not JSON": "x", "no uid": `{"request":{"object":{"uid":"x"}}}`} {
		w := d.post("/validate/fail-10s", body)
		if resp := parse(t, w.Body.Bytes()); w.Code != 429 || resp.Allowed || resp.UID != "" {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestPeekUID(t *testing.T) {
	far := `{"request":{"object":"` + strings.Repeat("x", 70<<10) + `","uid":"u-1"}}`
	for body, want := range map[string]string{
		reviewOf(nil): "u-1",
		`{"kind":"AdmissionReview","request":{"uid":"a","object":{}}}`:                     "a",
		`{"request":{"kind":{"uid":"no"},"list":["uid","no"],"uid":"b"}}`:                  "b",
		`{"uid":"no","request":{"uid":"c"}}`:                                               "c",
		`{"other":{"uid":"no"},"request":{"n":1,"t":true,"z":null,"e":{},"l":[],"uid":"d"`: "d",
		`{"request":{"uid":7}}`:    "",
		`{"request":["uid","no"]}`: "",
		`["request",{"uid":"no"}]`: "",
		`{"request":{}}`:           "",
		`]`:                        "",
		``:                         "",
		far:                        "",
	} {
		if got := peekUID(strings.NewReader(body)); got != want {
			t.Errorf("%.80s: %q, expected %q", body, got, want)
		}
	}
}

// kinds is what discovery would know.
type kinds map[schema.GroupVersionResource]schema.GroupVersionKind

func (k kinds) KindOf(r schema.GroupVersionResource) (schema.GroupVersionKind, bool) {
	kind, ok := k[r]
	return kind, ok
}

func TestASubresourceIsKnownByItsParent(t *testing.T) {
	const exec = `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: no-exec}
spec:
  rules:
  - name: exec
    match: {any: [{resources: {kinds: [Pod/exec]}}]}
    validate: {failureAction: Enforce, message: nobody looks inside, deny: {}}
`
	body := reviewOf(obj{
		"operation": "CONNECT", "subResource": "exec", "kind": obj{"group": "", "version": "v1", "kind": "PodExecOptions"},
		"object": obj{"apiVersion": "v1", "kind": "PodExecOptions", "command": []string{"sh"}},
	})
	pods := schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	known := newDoor(t, exec, func(o *Options) { o.Kinds = kinds{pods: {Version: "v1", Kind: "Pod"}} })
	if resp := known.ask(t, "/validate", body); resp.Allowed || resp.Result.Message != "policy no-exec, rule exec: nobody looks inside" {
		t.Errorf("got %+v", resp)
	}
	unknown := newDoor(t, exec, func(o *Options) { o.Kinds = kinds{} })
	const said = "holdfast did not evaluate this request: the kind of resource pods, whose subresource exec is written, is not known yet"
	if resp := unknown.ask(t, "/validate/fail-10s", body); resp.Allowed || resp.Result.Message != said {
		t.Errorf("got %+v", resp)
	}
	if resp := unknown.ask(t, "/validate/ignore-10s", body); !resp.Allowed || resp.Warnings[0] != said {
		t.Errorf("got %+v", resp)
	}
}

// A client that goes away while it sends is told so, although it does not listen any more.
func TestABodyThatBreaksOff(t *testing.T) {
	d := newDoor(t, requireTeam)
	r := httptest.NewRequest(http.MethodPost, "/validate", brokenReader{})
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	if resp := parse(t, w.Body.Bytes()); w.Code != 400 || resp.Result.Message != "reading the body: the line is cut" {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("the line is cut") }
