package webhook

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-io/holdfast/engine"
)

func TestADenialNamesPolicyRulePathAndWhatToDo(t *testing.T) {
	d := newDoor(t, requireTeam)
	resp := d.ask(t, "/validate", reviewOf(nil))
	if resp.Allowed {
		t.Fatal("the Pod was allowed")
	}
	want := metav1.Status{
		Status: "Failure", Code: 403, Reason: "Forbidden",
		Message: "policy require-team, rule check-team: the label team says who is called at night; failed at /metadata/labels/team/",
		Details: &metav1.StatusDetails{Causes: []metav1.StatusCause{{
			Type: "require-team/check-team", Field: "/metadata/labels/team/",
			Message: "the label team says who is called at night; failed at /metadata/labels/team/",
		}}},
	}
	same(t, resp.Result, &want)
	same(t, resp.AuditAnnotations, map[string]string{
		"require-team.check-team": "denied: the label team says who is called at night; failed at /metadata/labels/team/",
		"uid":                     "u-1",
	})
	if got := d.metric(t, "holdfast_admission_requests_total{decision=denied,kind=Pod,operation=CREATE,webhook=validate}"); got != 1 {
		t.Errorf("denied is counted as %v", got)
	}
	if !strings.Contains(d.log.String(), `msg="refused a write" webhook=validate uid=u-1 operation=CREATE kind=Pod namespace=default object="Pod default/web" user=alice dryRun=false rules=[require-team/check-team]`) {
		t.Errorf("the log says %s", d.log)
	}
}

// same compares by JSON, which shows what differs.
func same(t testing.TB, got, want any) {
	t.Helper()
	a, err := json.MarshalIndent(got, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.MarshalIndent(want, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if string(a) != string(b) {
		t.Errorf("got %s\nexpected %s", a, b)
	}
}

func TestAllRulesThatRefuseAreListed(t *testing.T) {
	d := newDoor(t, requireTeam+and+denyLatest+and+auditProbes)
	resp := d.ask(t, "/validate", reviewOf(nil))
	want := "2 rules refuse Pod default/web:\n" +
		"- policy deny-latest, rule tag: an image has a tag; failed at /spec/containers/0/image/\n" +
		"- policy require-team, rule check-team: the label team says who is called at night; failed at /metadata/labels/team/"
	if resp.Result == nil || resp.Result.Message != want {
		t.Errorf("got %+v\nexpected %s", resp.Result, want)
	}
	same(t, resp.Warnings, []string{"policy want-probes, rule readiness: a container has a readinessProbe; failed at /spec/containers/0/readinessProbe/"})
}

func TestAuditFailuresAreWarnings(t *testing.T) {
	d := newDoor(t, auditProbes)
	resp := d.ask(t, "/validate", reviewOf(nil))
	if !resp.Allowed {
		t.Fatalf("refused: %+v", resp.Result)
	}
	same(t, resp.Warnings, []string{"policy want-probes, rule readiness: a container has a readinessProbe; failed at /spec/containers/0/readinessProbe/"})
	same(t, resp.AuditAnnotations, map[string]string{
		"want-probes.readiness": "audit: a container has a readinessProbe; failed at /spec/containers/0/readinessProbe/",
	})
}

func TestAPolicyMayBeQuiet(t *testing.T) {
	d := newDoor(t, strings.Replace(auditProbes, "spec:\n", "spec:\n  emitWarning: false\n", 1))
	resp := d.ask(t, "/validate", reviewOf(nil))
	if !resp.Allowed || len(resp.Warnings) > 0 || len(resp.AuditAnnotations) != 1 {
		t.Errorf("allowed: %t, warnings %q, annotations %v", resp.Allowed, resp.Warnings, resp.AuditAnnotations)
	}
}

// What a rule's own annotations say stands beside what was decided, of whatever passes too, but of no Secret.
func TestARuleAnnotatesTheAuditLog(t *testing.T) {
	d := newDoor(t, `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: counts}
spec:
  rules:
    - name: containers
      match: {any: [{resources: {kinds: [Pod, Secret]}}]}
      validate:
        cel:
          expressions: [{expression: "true"}]
          auditAnnotations:
            - {key: name, valueExpression: "'it is ' + object.metadata.name + ' by ' + request.userInfo.username"}
            - {key: nothing, valueExpression: "''"}
`)
	same(t, d.ask(t, "/validate", reviewOf(nil)).AuditAnnotations, map[string]string{"counts.name": "it is web by alice"})
	secret := reviewOf(obj{
		"kind": obj{"group": "", "version": "v1", "kind": "Secret"}, "resource": obj{"group": "", "version": "v1", "resource": "secrets"},
		"object": obj{"apiVersion": "v1", "kind": "Secret", "metadata": obj{"name": "web", "namespace": "default"}},
	})
	same(t, d.ask(t, "/validate", secret).AuditAnnotations, nil)
}

func TestAGroupAnswersForItsPoliciesAlone(t *testing.T) {
	d := newDoor(t, requireTeam+and+denyLatest)
	for path, want := range map[string]string{
		"/validate/fail-10s":   "policy require-team, rule check-team: the label team says who is called at night; failed at /metadata/labels/team/",
		"/validate/ignore-10s": "policy deny-latest, rule tag: an image has a tag; failed at /spec/containers/0/image/",
		"/validate/fail-30s":   "",
		"/mutate/fail-10s":     "",
	} {
		resp := d.ask(t, path, reviewOf(nil))
		got := ""
		if resp.Result != nil {
			got = resp.Result.Message
		}
		if got != want || resp.Allowed != (want == "") {
			t.Errorf("%s: allowed %t, %q; expected %q", path, resp.Allowed, got, want)
		}
	}
}

func TestAMutationIsAPatch(t *testing.T) {
	d := newDoor(t, addTeam)
	for _, dryRun := range []bool{false, true} {
		resp := d.ask(t, "/mutate/ignore-10s", reviewOf(obj{"dryRun": dryRun}))
		if !resp.Allowed || resp.PatchType == nil || *resp.PatchType != "JSONPatch" {
			t.Fatalf("got %+v", resp)
		}
		if got, want := string(resp.Patch), `[{"op":"add","path":"/metadata/labels/team","value":"nobody"}]`; got != want {
			t.Errorf("the patch is %s, expected %s", got, want)
		}
		same(t, resp.AuditAnnotations, map[string]string{"add-team.default-team": "mutated"})
	}
	resp := d.ask(t, "/mutate/ignore-10s", reviewOf(obj{"object": pod("web", obj{"team": "sea"})}))
	if !resp.Allowed || resp.Patch != nil || resp.PatchType != nil || resp.AuditAnnotations != nil {
		t.Errorf("nothing is to be changed, and the answer is %+v", resp)
	}
	if got := d.metric(t, "holdfast_admission_requests_total{decision=mutated,kind=Pod,operation=CREATE,webhook=mutate}"); got != 2 {
		t.Errorf("mutated is counted as %v", got)
	}
}

func TestWhatIsDeletedIsNotPatched(t *testing.T) {
	d := newDoor(t, strings.Replace(addTeam, "kinds: [Pod]", "kinds: [Pod], operations: [CREATE, DELETE]", 1))
	resp := d.ask(t, "/mutate", reviewOf(obj{"operation": "DELETE", "object": nil, "oldObject": pod("web", nil)}))
	if !resp.Allowed || resp.Patch != nil {
		t.Errorf("got %+v", resp)
	}
}

// What no rule is about is answered without a look at the object: it may even be no object.
func TestWhatNoRuleMatchesIsNotDecoded(t *testing.T) {
	d := newDoor(t, requireTeam)
	for name, f := range map[string]obj{
		"another kind":      {"kind": obj{"group": "apps", "version": "v1", "kind": "Deployment"}},
		"an unknown kind":   {"kind": obj{"group": "example.com", "version": "v9", "kind": "Squid"}},
		"another operation": {"operation": "DELETE"},
		"a subresource":     {"subResource": "status"},
	} {
		t.Run(name, func(t *testing.T) {
			f["object"], f["oldObject"] = []int{1}, "text"
			resp := d.ask(t, "/validate", reviewOf(f))
			if !resp.Allowed || resp.Warnings != nil || resp.AuditAnnotations != nil {
				t.Errorf("got %+v", resp)
			}
		})
	}
	if got := d.metric(t, "holdfast_admission_requests_total{decision=allowed,kind=other,operation=CREATE,webhook=validate}"); got != 2 {
		t.Errorf("kinds that the bundle does not name are counted as %v", got)
	}
}

// What an object was before an update is read for the rule that asks for it. A text in its place shows who does.
func TestTheOldObjectIsDecodedWhenARuleAsksForIt(t *testing.T) {
	rule := func(body string) string {
		return "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: p}\nspec:\n  background: false\n  rules:\n  - name: r\n    match: {any: [{resources: {kinds: [Pod]}}]}\n    validate: " + body + "\n"
	}
	deny := func(key string) string {
		return rule(`{failureAction: Enforce, message: no, deny: {conditions: {any: [{key: "` + key + `", operator: Equals, value: never}]}}}`)
	}
	for name, c := range map[string]struct {
		policy string
		asks   bool
	}{
		"a pattern that the object meets":          {rule(`{failureAction: Enforce, message: no, pattern: {metadata: {name: web}}}`), false},
		"one that it does not, nor perhaps before": {rule(`{failureAction: Enforce, message: no, pattern: {metadata: {name: other}}}`), true},
		"one that may not have been broken before": {rule(`{failureAction: Enforce, allowExistingViolations: false, message: no, pattern: {metadata: {name: other}}}`), false},
		"an expression about the object":           {deny("{{ request.object.metadata.name }}"), false},
		"one about the old object":                 {deny("{{ request.oldObject.metadata.name || 'none' }}"), true},
		"one about the whole request":              {deny("{{ length(keys(request)) }}"), true},
		"one that is put together":                 {deny("{{ request.{{ 'oldObject' }}.metadata.name || 'none' }}"), true},
		"CEL about the object":                     {rule(`{failureAction: Enforce, cel: {expressions: [{expression: "object.metadata.name == 'web'"}]}}`), false},
		"CEL about the old object":                 {rule(`{failureAction: Enforce, cel: {expressions: [{expression: "oldObject == null || object.metadata.name == 'web'"}]}}`), true},
		"assertions about the object":              {rule(`{failureAction: Enforce, assert: {object: {metadata: {name: web}}}}`), false},
		"assertions about the old object":          {rule(`{failureAction: Enforce, assert: {(oldObject != 'a'): true}}`), true},
	} {
		t.Run(name, func(t *testing.T) {
			resp := newDoor(t, c.policy).ask(t, "/validate", reviewOf(obj{"operation": "UPDATE", "oldObject": "text"}))
			asked := resp.Result != nil && resp.Result.Message == "the request's oldObject is not an object: json: cannot unmarshal string into Go value of type map[string]interface {}"
			if asked != c.asks || asked && (resp.Allowed || resp.Result.Code != 400) {
				t.Errorf("asked for it: %t, want %t: %+v %+v", asked, c.asks, resp, resp.Result)
			}
		})
	}
}

// The labels of the namespace are read for the rule that selects by them, and for no other.
func TestOnlyWhatRulesAskForIsLookedUp(t *testing.T) {
	d := newDoor(t, requireTeam+and+strings.Replace(fmt.Sprintf(bySelector, "selected", "Fail"), "kinds: [Pod, Secret]", "kinds: [Secret]", 1))
	d.lookups.panic = "it was looked up"
	if resp := d.ask(t, "/validate", reviewOf(nil)); resp.Allowed || resp.Result.Code != 403 {
		t.Errorf("a Pod: %+v", resp.Result)
	}
	secret := obj{"kind": obj{"version": "v1", "kind": "Secret"}, "resource": obj{"version": "v1", "resource": "secrets"}, "object": obj{"metadata": obj{"name": "web"}}}
	if resp := d.ask(t, "/validate", reviewOf(secret)); resp.Allowed || resp.Result.Code != 500 {
		t.Errorf("a Secret: %+v", resp.Result)
	}
}

func TestInput(t *testing.T) {
	type input struct {
		method, contentType, body string
		code                      int
		message                   string
	}
	for name, c := range map[string]input{
		"GET":                       {method: "GET", code: 405, message: "method GET: expected POST"},
		"no content type":           {contentType: "-", body: reviewOf(nil), code: 415, message: `content type "": expected application/json`},
		"YAML":                      {contentType: "application/yaml", body: reviewOf(nil), code: 415, message: `content type "application/yaml": expected application/json`},
		"a content type in tatters": {contentType: ";;", body: reviewOf(nil), code: 415, message: `content type ";;": expected application/json`},
		"an empty body":             {body: "", code: 400, message: "the body is not an AdmissionReview: unexpected end of JSON input"},
		"broken JSON":               {body: `{"kind":`, code: 400, message: "the body is not an AdmissionReview: unexpected end of JSON input"},
		"a list":                    {body: `[]`, code: 400, message: "the body is not an AdmissionReview: json: cannot unmarshal array into Go value of type webhook.review"},
		"an old API":                {body: `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1beta1"}`, code: 400, message: `the body is "admission.k8s.io/v1beta1" "AdmissionReview": expected "admission.k8s.io/v1" "AdmissionReview"`},
		"another kind of object":    {body: `{"kind":"TokenReview","apiVersion":"admission.k8s.io/v1"}`, code: 400, message: `the body is "admission.k8s.io/v1" "TokenReview": expected "admission.k8s.io/v1" "AdmissionReview"`},
		"no request":                {body: `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}`, code: 400, message: "the AdmissionReview has no request"},
		"no uid":                    {body: reviewOf(obj{"uid": ""}), code: 400, message: "the AdmissionReview's request has no uid"},
		"a body over the limit":     {body: reviewOf(obj{"name": strings.Repeat("x", 1<<20)}), code: 413, message: "the body is longer than 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoor(t, requireTeam, func(o *Options) { o.MaxBodyBytes = 1 << 20 })
			method, contentType := c.method, c.contentType
			if method == "" {
				method = http.MethodPost
			}
			r := httptest.NewRequest(method, "/validate", strings.NewReader(c.body))
			switch contentType {
			case "":
				r.Header.Set("Content-Type", "application/json")
			case "-":
			default:
				r.Header.Set("Content-Type", contentType)
			}
			w := httptest.NewRecorder()
			d.ServeHTTP(w, r)
			if w.Code != c.code {
				t.Errorf("status %d, expected %d", w.Code, c.code)
			}
			resp := parse(t, w.Body.Bytes())
			if resp.Allowed || resp.Result == nil || resp.Result.Message != c.message || int(resp.Result.Code) != c.code {
				t.Errorf("got %s\nexpected %d %s", w.Body, c.code, c.message)
			}
			if got := d.metric(t, "holdfast_admission_requests_total{decision=invalid,kind=other,operation=unknown,webhook=validate}"); got != 1 {
				t.Errorf("invalid is counted as %v", got)
			}
		})
	}
}

// A length that is not announced does not get a body past the limit.
func TestABodyOverTheLimitWithoutALength(t *testing.T) {
	d := newDoor(t, requireTeam, func(o *Options) { o.MaxBodyBytes = 1000 })
	r := httptest.NewRequest(http.MethodPost, "/validate", strings.NewReader(reviewOf(obj{"name": strings.Repeat("x", 1000)})))
	r.ContentLength = -1
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	if resp := parse(t, w.Body.Bytes()); w.Code != 413 || resp.Result.Message != "the body is longer than 1000 bytes" {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestAReviewThatLacksSomething(t *testing.T) {
	for name, c := range map[string]struct {
		fields  obj
		message string
	}{
		"an unknown operation":      {obj{"operation": "PATCH"}, `unknown operation "PATCH": expected CREATE, UPDATE, DELETE or CONNECT`},
		"no kind":                   {obj{"kind": obj{}}, "the request has no kind"},
		"null to create":            {obj{"object": nil}, "the request is to CREATE and has no object"},
		"nothing to update":         {obj{"operation": "UPDATE", "object": nil, "oldObject": pod("web", nil)}, "the request is to UPDATE and has no object"},
		"a list to create":          {obj{"object": []int{}}, "the request's object is not an object: json: cannot unmarshal array into Go value of type map[string]interface {}"},
		"options that are a number": {obj{"options": 1}, "the request's options is not an object: json: cannot unmarshal number into Go value of type map[string]interface {}"},
	} {
		t.Run(name, func(t *testing.T) {
			resp := newDoor(t, requireTeam).ask(t, "/validate", reviewOf(c.fields))
			same(t, resp.Result, metav1.Status{Status: "Failure", Code: 400, Reason: "BadRequest", Message: c.message})
		})
	}
	t.Run("nothing to delete", func(t *testing.T) {
		d := newDoor(t, fmt.Sprintf(bySelector, "never", "Fail"))
		resp := d.ask(t, "/validate", reviewOf(obj{"operation": "DELETE", "object": nil}))
		same(t, resp.Result, metav1.Status{Status: "Failure", Code: 400, Reason: "BadRequest", Message: "the request is to DELETE and has no oldObject"})
	})
}

func TestPaths(t *testing.T) {
	d := newDoor(t, requireTeam)
	for path, want := range map[string]string{
		"/":                    "nothing is served at /: expected /validate or /mutate",
		"/convert":             "nothing is served at /convert: expected /validate or /mutate",
		"/validate/":           `"" is not a group of policies: expected fail-SECONDSs or ignore-SECONDSs, of 1 to 30 seconds`,
		"/validate/fail":       `"fail" is not a group of policies: expected fail-SECONDSs or ignore-SECONDSs, of 1 to 30 seconds`,
		"/validate/fail-010s":  `"fail-010s" is not a group of policies: expected fail-SECONDSs or ignore-SECONDSs, of 1 to 30 seconds`,
		"/mutate/ignore-31s":   `"ignore-31s" is not a group of policies: expected fail-SECONDSs or ignore-SECONDSs, of 1 to 30 seconds`,
		"/mutate/fail-10s/pod": `"fail-10s/pod" is not a group of policies: expected fail-SECONDSs or ignore-SECONDSs, of 1 to 30 seconds`,
	} {
		if w := d.post(path, reviewOf(nil)); w.Code != 404 || w.Body.String() != want+"\n" {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestTenThousandContainers(t *testing.T) {
	d := newDoor(t, requireTeam+and+denyLatest+and+addTeam)
	containers := make([]obj, 10_000)
	for i := range containers {
		containers[i] = obj{"name": fmt.Sprintf("c%d", i), "image": "nginx:1"}
	}
	containers[9_999]["image"] = "nginx"
	object := pod("web", obj{})
	object["spec"] = obj{"containers": containers}
	body := reviewOf(obj{"object": object})
	resp := d.ask(t, "/validate/ignore-10s", body)
	if resp.Allowed || resp.Result.Message != "policy deny-latest, rule tag: an image has a tag; failed at /spec/containers/9999/image/" {
		t.Errorf("got %+v", resp)
	}
	resp = d.ask(t, "/mutate", body)
	if got, want := string(resp.Patch), `[{"op":"add","path":"/metadata/labels/team","value":"nobody"}]`; got != want {
		t.Errorf("the patch is %s, expected %s", got, want)
	}
}

func TestAnEmptyBundleAllows(t *testing.T) {
	d := newDoor(t, "")
	for _, path := range []string{"/validate", "/mutate", "/validate/fail-10s"} {
		if resp := d.ask(t, path, reviewOf(nil)); !resp.Allowed || resp.Warnings != nil {
			t.Errorf("%s: %+v", path, resp)
		}
	}
}

func TestABundleIsSwappedBetweenRequests(t *testing.T) {
	d := newDoor(t, requireTeam)
	if d.ask(t, "/validate/fail-10s", reviewOf(nil)).Allowed {
		t.Error("allowed at first")
	}
	d.snapshots.Store(compile(t, denyLatest))
	if !d.ask(t, "/validate/fail-10s", reviewOf(nil)).Allowed {
		t.Error("refused by a policy that is gone")
	}
	if d.ask(t, "/validate/ignore-10s", reviewOf(nil)).Allowed {
		t.Error("allowed by a policy that has come")
	}
}

func TestANamespaceIsInNoNamespace(t *testing.T) {
	d := newDoor(t, strings.Replace(requireTeam, "[Pod]", "[Namespace]", 1)+and+`
apiVersion: kyverno.io/v1
kind: Policy
metadata: {name: own, namespace: web}
spec:
  rules:
  - name: never
    match: {any: [{resources: {kinds: [Namespace]}}]}
    validate: {failureAction: Enforce, message: never, deny: {}}
`)
	resp := d.ask(t, "/validate", reviewOf(obj{
		"kind": obj{"group": "", "version": "v1", "kind": "Namespace"}, "namespace": "web",
		"object": obj{"apiVersion": "v1", "kind": "Namespace", "metadata": obj{"name": "web"}},
	}))
	want := "policy require-team, rule check-team: the label team says who is called at night; failed at /metadata/labels/"
	if resp.Result == nil || !strings.HasPrefix(resp.Result.Message, want) {
		t.Errorf("got %+v", resp.Result)
	}
	if !strings.Contains(d.log.String(), `object="Namespace web"`) {
		t.Errorf("the log says %s", d.log)
	}
}

func TestTheHandlerLeavesNothingBehind(t *testing.T) {
	d := newDoor(t, requireTeam)
	d.ask(t, "/validate", reviewOf(nil))
	d.post("/validate", "{")
	if n, b := d.limiter.count.Load(), d.limiter.bytes.Load(); n != 0 || b != 0 {
		t.Errorf("%d reviews of %d bytes are still in hand", n, b)
	}
	if d.metric(t, "holdfast_admission_in_flight{}") != 0 || d.metric(t, "holdfast_admission_in_flight_bytes{}") != 0 {
		t.Error("the gauges do not say 0")
	}
	if got := d.metric(t, "holdfast_admission_duration_seconds{webhook=validate}"); got != 2 {
		t.Errorf("%v durations were observed", got)
	}
}

func TestOptionsThatCannotBeUsed(t *testing.T) {
	good := func() Options {
		d := newDoor(t, requireTeam)
		o := d.opts
		o.Metrics = nil
		return o
	}
	for want, change := range map[string]func(*Options){
		"webhook options: Snapshots is missing":                                                     func(o *Options) { o.Snapshots = nil },
		"webhook options: Inputs.Lookups is missing":                                                func(o *Options) { o.Inputs.Lookups = nil },
		"webhook options: Inputs.Now is missing":                                                    func(o *Options) { o.Inputs.Now = nil },
		"webhook options: MaxBodyBytes is -1: expected a positive number, or 0 for the default":     func(o *Options) { o.MaxBodyBytes = -1 },
		"webhook options: MaxInFlight is -1: expected a positive number, or 0 for the default":      func(o *Options) { o.MaxInFlight = -1 },
		"webhook options: MaxInFlightBytes is -1: expected a positive number, or 0 for the default": func(o *Options) { o.MaxInFlightBytes = -1 },
		"webhook options: MaxInFlightBytes is 5: expected at least MaxBodyBytes, 6":                 func(o *Options) { o.MaxBodyBytes, o.MaxInFlightBytes = 6, 5 },
	} {
		o := good()
		change(&o)
		if _, err := NewHandler(o); err == nil || err.Error() != want {
			t.Errorf("got %v, expected %s", err, want)
		}
	}
	o := good()
	o.Metrics = newDoor(t, requireTeam).metrics
	if _, err := NewHandler(o); err == nil || !strings.HasPrefix(err.Error(), "registering the admission metrics: ") {
		t.Errorf("a second registration: %v", err)
	}
}

func TestTheDeadlineLeavesAMargin(t *testing.T) {
	for query, want := range map[string]time.Duration{
		"":               9 * time.Second,
		"?timeout=10s":   9 * time.Second,
		"?timeout=1s":    900 * time.Millisecond,
		"?timeout=500ms": 400 * time.Millisecond,
		"?timeout=2m":    27 * time.Second,
		"?timeout=-1s":   9 * time.Second,
		"?timeout=soon":  9 * time.Second,
	} {
		c := &call{started: time.Now()}
		r := httptest.NewRequest(http.MethodPost, "/validate"+query, nil)
		if got := deadline(r, c).Sub(c.started); got != want {
			t.Errorf("%q: %s, expected %s", query, got, want)
		}
	}
	c := &call{started: time.Now(), target: target{group: &Group{TimeoutSeconds: 20}}}
	if got := deadline(httptest.NewRequest(http.MethodPost, "/validate/fail-20s", nil), c).Sub(c.started); got != 18*time.Second {
		t.Errorf("a group of 20 s: %s", got)
	}
}

// While bundles are swapped, each review is answered by the whole of one bundle: allowed by neither.
func TestReviewsAtOnceWhileBundlesAreSwapped(t *testing.T) {
	d := newDoor(t, requireTeam)
	bundles := [2]*engine.Snapshot{compile(t, requireTeam), compile(t, denyLatest)}
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for range 200 {
				resp := d.ask(t, "/validate", reviewOf(nil))
				if resp.Allowed || (!strings.Contains(resp.Result.Message, "require-team") && !strings.Contains(resp.Result.Message, "deny-latest")) {
					t.Errorf("got %+v", resp)
				}
			}
		})
	}
	for i := range 400 {
		d.snapshots.Store(bundles[i%2])
		runtime.Gosched()
	}
	clients.Wait()
}

// What rules follow is told once it is let pass, and only then.
func TestWhatIsAdmittedIsTold(t *testing.T) {
	const follows = `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: owners}
spec:
  background: false
  rules:
    - name: owner
      match: {any: [{resources: {kinds: [Pod]}}]}
      generate: {apiVersion: v1, kind: ConfigMap, name: owner, namespace: default, data: {data: {of: "{{ request.userInfo.username }}"}}}
`
	var told []string
	listen := func(o *Options) {
		o.Admitted = func(rules *engine.Snapshot, req *engine.Request) {
			told = append(told, fmt.Sprintf("%s %s by %s, %d policies", req.Operation, req.Name, req.User.Username, len(rules.Policies())))
		}
	}
	heard := func() string {
		out := strings.Join(told, "; ")
		told = nil
		return out
	}
	d := newDoor(t, follows, listen)
	if resp := d.ask(t, "/validate", reviewOf(nil)); !resp.Allowed || heard() != "CREATE web by alice, 1 policies" {
		t.Errorf("the write was allowed: %t", resp.Allowed)
	}
	if d.ask(t, "/validate", reviewOf(obj{"dryRun": true})); heard() != "" {
		t.Error("a dry run is told")
	}
	if d.ask(t, "/mutate", reviewOf(nil)); heard() != "" {
		t.Error("the mutating hook told of a write that may yet be refused")
	}
	d = newDoor(t, follows+"---\n"+requireTeam, listen)
	if resp := d.ask(t, "/validate", reviewOf(nil)); resp.Allowed || heard() != "" {
		t.Errorf("a write that was refused (%t) is told", !resp.Allowed)
	}
	d = newDoor(t, requireTeam, listen)
	if d.ask(t, "/validate", reviewOf(obj{"object": pod("web", obj{"team": "a"})})); heard() != "" {
		t.Error("a write that no rule follows is told")
	}
}

// What is refused is told with all that refuses it; what is let pass, or only asked, is not.
func TestWhatIsRefusedIsTold(t *testing.T) {
	var told []string
	listen := func(o *Options) {
		o.Refused = func(r *Refusal) {
			for _, d := range r.Decisions {
				told = append(told, fmt.Sprintf("%s %s by %s: %s %s, bundle %t", r.Operation, r.Object.Name, r.Request.User.Username, d.Rule.ID(), d.Status, r.Bundle != ""))
			}
		}
	}
	heard := func() string {
		out := strings.Join(told, "; ")
		told = nil
		return out
	}
	d := newDoor(t, requireTeam, listen)
	if resp := d.ask(t, "/validate", reviewOf(nil)); resp.Allowed {
		t.Error("the write was let pass")
	}
	if got, want := heard(), "CREATE web by alice: require-team/check-team fail, bundle true"; got != want {
		t.Errorf("told was %q, want %q", got, want)
	}
	if resp := d.ask(t, "/validate", reviewOf(obj{"dryRun": true})); resp.Allowed || heard() != "" {
		t.Error("a dry run is told")
	}
	if d.ask(t, "/validate", reviewOf(obj{"object": pod("web", obj{"team": "a"})})); heard() != "" {
		t.Error("a write that was let pass is told")
	}
}

// A MutatingPolicy leaves what rules write as those want it, unless it says otherwise.
func TestWhatRulesWriteIsNotMutated(t *testing.T) {
	const labels = `
apiVersion: policies.kyverno.io/v1
kind: MutatingPolicy
metadata: {name: labels}
spec:
  evaluation: {%s}
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]}
  mutations: [{patchType: JSONPatch, jsonPatch: {expression: '[JSONPatch{op: "add", path: "/metadata/labels/team", value: "nobody"}]'}}]
`
	byAlice := func(o *Options) {
		o.Own = func(req *engine.Request) bool {
			return req.User.Username == "alice" && req.Options["fieldManager"] == "us"
		}
	}
	for name, c := range map[string]struct {
		policies, group, manager string
		patched                  bool
	}{
		"a write of somebody":             {fmt.Sprintf(labels, ""), "fail-10s", "kubectl", true},
		"a write of rules":                {fmt.Sprintf(labels, ""), "fail-10s", "us", false},
		"one that is to be changed too":   {fmt.Sprintf(labels, "skipBackgroundRequests: false"), "fail-10s", "us", true},
		"one that a ClusterPolicy is for": {addTeam, "ignore-10s", "us", true},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoor(t, c.policies, byAlice)
			resp := d.ask(t, "/mutate/"+c.group, reviewOf(obj{"options": obj{"fieldManager": c.manager}}))
			if !resp.Allowed || (resp.Patch != nil) != c.patched {
				t.Errorf("allowed: %t, patch %s", resp.Allowed, resp.Patch)
			}
		})
	}
}
