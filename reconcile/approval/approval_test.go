package approval

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/reconcile/gate"
	"github.com/holdfast-io/holdfast/reconcile/plan"
)

var now = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// office lets jane approve and knows that max wrote the policy p.
type office struct{ fails error }

func (office) MayApprove(_ context.Context, user *authenticationv1.UserInfo, _ string) (ok bool, why string, err error) {
	if user.Username == "broken" {
		return false, "", errors.New("the API server is away")
	}
	return user.Username == "jane" || user.Username == "max", "", nil
}

var secret = bytes.Repeat([]byte("k"), keyBytes)

func (o office) Key(context.Context) ([]byte, error) { return secret, o.fails }

func (office) LastEditor(_ context.Context, p *v1alpha1.PolicyReference) (string, error) {
	if p.Name == "p" {
		return "max", nil
	}
	return "", ErrUnknownAuthor
}

func newOffice(t *testing.T, authors Authors, keys Keys) *Handler {
	t.Helper()
	h, err := NewHandler(Options{Access: office{}, Keys: keys, Authors: authors, Now: func() time.Time { return now }, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func proposed(t *testing.T, name string) *v1alpha1.Remediation {
	t.Helper()
	r := &v1alpha1.Remediation{}
	r.Name, r.UID = name, types.UID("uid-of-"+name)
	r.Spec.Plan.Policy = v1alpha1.PolicyReference{Kind: "ClusterPolicy", Name: "p", Rule: "r"}
	r.Spec.Plan.Targets = []v1alpha1.Target{{APIVersion: "v1", Kind: "ConfigMap", Namespace: "web", Name: "m", UID: "m", Action: v1alpha1.ActionPatch}}
	r.Status.Phase, r.Status.Mode = v1alpha1.PhaseAwaitingApproval, v1alpha1.Approve
	var err error
	if r.Spec.PlanDigest, err = plan.Digest(&r.Spec.Plan); err != nil {
		t.Fatal(err)
	}
	return r
}

// write has a user write a Remediation, and gives what is stored; or why it is not.
func write(t *testing.T, h *Handler, user string, old, object *v1alpha1.Remediation) (stored *v1alpha1.Remediation, resp *admissionv1.AdmissionResponse) {
	t.Helper()
	raw := func(r *v1alpha1.Remediation) []byte {
		out, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	req := &admissionv1.AdmissionRequest{UID: "u", Name: object.Name, Operation: admissionv1.Create, Object: runtime.RawExtension{Raw: raw(object)}}
	req.UserInfo = authenticationv1.UserInfo{Username: user, Groups: []string{"ops"}}
	if old != nil {
		req.Operation, req.OldObject.Raw = admissionv1.Update, raw(old)
	}
	body, err := json.Marshal(admissionv1.AdmissionReview{Request: req})
	if err != nil {
		t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodPost, Path, bytes.NewReader(body)))
	var review admissionv1.AdmissionReview
	if err := json.Unmarshal(rec.Body.Bytes(), &review); err != nil || review.Response == nil {
		t.Fatalf("%d: %s", rec.Code, rec.Body)
	}
	if review.Response.UID != "u" {
		t.Errorf("the answer is to %q", review.Response.UID)
	}
	out := raw(object)
	if review.Response.Patch != nil {
		p, err := jsonpatch.DecodePatch(review.Response.Patch)
		if err != nil {
			t.Fatal(err)
		}
		if out, err = p.Apply(out); err != nil {
			t.Fatal(err)
		}
	}
	stored = &v1alpha1.Remediation{}
	if err := json.Unmarshal(out, stored); err != nil {
		t.Fatal(err)
	}
	return stored, review.Response
}

// decide has a user approve.
func decide(t *testing.T, h *Handler, user string, r *v1alpha1.Remediation, d v1alpha1.ApprovalDecision) *v1alpha1.Remediation {
	t.Helper()
	changed := r.DeepCopy()
	changed.Spec.Approval = &v1alpha1.Approval{Decision: d}
	stored, resp := write(t, h, user, r, changed)
	if !resp.Allowed {
		t.Fatalf("refused: %s", resp.Result.Message)
	}
	return stored
}

func TestTheRequestSaysWhoApproved(t *testing.T) {
	h := newOffice(t, nil, office{})
	r := proposed(t, "a")
	changed := r.DeepCopy()
	long := metav1.NewTime(now.Add(1000 * time.Hour))
	changed.Spec.Approval = &v1alpha1.Approval{
		Decision: v1alpha1.DecisionApprove, Reason: "looks right", Approver: "root", Groups: []string{"system:masters"}, Time: &long, Expires: &long, Stamp: "mine",
	}
	stored, resp := write(t, h, "jane", r, changed)
	if !resp.Allowed {
		t.Fatal(resp.Result.Message)
	}
	a := stored.Spec.Approval
	if a.Approver != "jane" || strings.Join(a.Groups, " ") != "ops" || !a.Time.Time.Equal(now) || !a.Expires.Time.Equal(now.Add(DefaultLasts)) || a.PlanDigest != r.Spec.PlanDigest || a.Reason != "looks right" {
		t.Errorf("got %+v", a)
	}
	got := Verify(stored, secret, now)
	if got.Decision != gate.Approved || got.By != "jane" || !got.At.Equal(now) {
		t.Errorf("got %+v", got)
	}
}

func TestWhatIsRefusedAndWhy(t *testing.T) {
	approve := func(r *v1alpha1.Remediation) {
		r.Spec.Approval = &v1alpha1.Approval{Decision: v1alpha1.DecisionApprove}
	}
	other := func(r *v1alpha1.Remediation) {}
	phase := func(p v1alpha1.Phase) func(*v1alpha1.Remediation) {
		return func(r *v1alpha1.Remediation) { r.Status.Phase = p }
	}
	past := metav1.NewTime(now.Add(-time.Hour))
	for name, test := range map[string]struct {
		user   string
		was    func(*v1alpha1.Remediation)
		change func(*v1alpha1.Remediation)
		want   string // "" for let through
	}{
		"who may":                  {"jane", other, approve, ""},
		"who may not":              {"tom", other, approve, `tom may not decide about Remediation a: the verb "approve" on remediations.holdfast.dev is missing`},
		"nobody knows who may":     {"broken", other, approve, "holdfast could not judge this: asking whether broken may approve: the API server is away"},
		"the author of the policy": {"max", other, approve, "max edited policy p last: somebody else must approve what comes of it"},
		"an author nobody knows": {"jane", func(r *v1alpha1.Remediation) {
			r.Spec.Plan.Policy.Name = "q"
			r.Spec.PlanDigest, _ = plan.Digest(&r.Spec.Plan)
		}, approve, "somebody else than the last editor of policy q must approve, and nobody knows who that is: the last editor is not known"},
		"the author rejects":        {"max", other, func(r *v1alpha1.Remediation) { r.Spec.Approval = &v1alpha1.Approval{Decision: v1alpha1.DecisionReject} }, ""},
		"another plan":              {"jane", other, func(r *v1alpha1.Remediation) { approve(r); r.Spec.Approval.PlanDigest = strings.Repeat("a", 64) }, "the decision is about plan aaaaaaaaaaaa, and this Remediation's is DIGEST: read it again"},
		"a digest of something":     {"jane", func(r *v1alpha1.Remediation) { r.Spec.PlanDigest = strings.Repeat("b", 64) }, approve, "spec.planDigest is not the digest of spec.plan: Holdfast has not proposed this"},
		"a decision that is none":   {"jane", other, func(r *v1alpha1.Remediation) { r.Spec.Approval = &v1alpha1.Approval{Decision: "Yes"} }, `spec.approval.decision "Yes": expected Approve or Reject`},
		"it is over":                {"jane", phase(v1alpha1.PhaseSuperseded), approve, "nothing is left to be decided: the Remediation is Superseded"},
		"a rejection in mid-wave":   {"jane", phase(v1alpha1.PhaseRunning), func(r *v1alpha1.Remediation) { r.Spec.Approval = &v1alpha1.Approval{Decision: v1alpha1.DecisionReject} }, "it is being carried out: pause it (spec.paused), or ask for a rollback (spec.rollback)"},
		"an expiry in the past":     {"jane", other, func(r *v1alpha1.Remediation) { approve(r); r.Spec.Approval.Expires = &past }, "spec.approval.expires 2026-05-04T11:00:00Z is in the past"},
		"a decision withdrawn":      {"tom", approve, func(r *v1alpha1.Remediation) { r.Spec.Approval = nil }, `tom may not decide about Remediation a: the verb "approve" on remediations.holdfast.dev is missing`},
		"a name edited by hand":     {"tom", approve, func(r *v1alpha1.Remediation) { r.Spec.Approval.Approver = "jane" }, `tom may not decide about Remediation a: the verb "approve" on remediations.holdfast.dev is missing`},
		"a label":                   {"tom", approve, func(r *v1alpha1.Remediation) { r.Labels = map[string]string{"a": "b"} }, ""},
		"anybody pauses":            {"tom", other, func(r *v1alpha1.Remediation) { r.Spec.Paused = true }, ""},
		"not anybody resumes":       {"tom", func(r *v1alpha1.Remediation) { r.Spec.Paused = true }, func(r *v1alpha1.Remediation) { r.Spec.Paused = false }, `tom may not resume Remediation a: the verb "approve" on remediations.holdfast.dev is missing`},
		"not anybody rolls back":    {"tom", phase(v1alpha1.PhaseSucceeded), func(r *v1alpha1.Remediation) { r.Spec.Rollback = &v1alpha1.Rollback{} }, `tom may not roll back Remediation a: the verb "approve" on remediations.holdfast.dev is missing`},
		"nothing to roll back":      {"jane", other, func(r *v1alpha1.Remediation) { r.Spec.Rollback = &v1alpha1.Rollback{} }, "nothing was done that could be undone: the Remediation is AwaitingApproval"},
		"a target that is not":      {"jane", phase(v1alpha1.PhaseSucceeded), func(r *v1alpha1.Remediation) { r.Spec.Rollback = &v1alpha1.Rollback{Targets: []string{"n"}} }, `spec.rollback.targets: no target has the UID "n"`},
		"a rollback of one that is": {"jane", phase(v1alpha1.PhaseFailed), func(r *v1alpha1.Remediation) { r.Spec.Rollback = &v1alpha1.Rollback{Targets: []string{"m"}} }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := newOffice(t, office{}, office{})
			r := proposed(t, "a")
			test.was(r)
			changed := r.DeepCopy()
			test.change(changed)
			_, resp := write(t, h, test.user, r, changed)
			got := ""
			if !resp.Allowed {
				got = resp.Result.Message
			}
			if want := strings.ReplaceAll(test.want, "DIGEST", short(r.Spec.PlanDigest)); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestAStampCountsForWhatItWasGivenFor(t *testing.T) {
	h := newOffice(t, nil, office{})
	approved := decide(t, h, "jane", proposed(t, "a"), v1alpha1.DecisionApprove)
	for name, test := range map[string]struct {
		change func(*v1alpha1.Remediation)
		want   gate.Decision
	}{
		"as it was given":      {func(*v1alpha1.Remediation) {}, gate.Approved},
		"another approver":     {func(r *v1alpha1.Remediation) { r.Spec.Approval.Approver = "tom" }, gate.Forged},
		"another decision":     {func(r *v1alpha1.Remediation) { r.Spec.Approval.Decision = v1alpha1.DecisionReject }, gate.Forged},
		"another reason":       {func(r *v1alpha1.Remediation) { r.Spec.Approval.Reason = "because" }, gate.Forged},
		"a longer life":        {func(r *v1alpha1.Remediation) { *r.Spec.Approval.Expires = metav1.NewTime(now.Add(99 * time.Hour)) }, gate.Forged},
		"no stamp":             {func(r *v1alpha1.Remediation) { r.Spec.Approval.Stamp = "" }, gate.Forged},
		"another Remediation":  {func(r *v1alpha1.Remediation) { r.Name, r.UID = "b", "uid-of-b" }, gate.Forged},
		"made anew by hand":    {func(r *v1alpha1.Remediation) { r.UID = "another" }, gate.Forged},
		"another plan":         {func(r *v1alpha1.Remediation) { r.Spec.Plan.Targets[0].Name = "n" }, gate.OtherPlan},
		"another plan's digst": {func(r *v1alpha1.Remediation) { r.Spec.PlanDigest = strings.Repeat("a", 64) }, gate.OtherPlan},
		"nothing":              {func(r *v1alpha1.Remediation) { r.Spec.Approval = nil }, gate.Missing},
	} {
		t.Run(name, func(t *testing.T) {
			r := approved.DeepCopy()
			test.change(r)
			if got := Verify(r, secret, now); got.Decision != test.want {
				t.Errorf("got %+v, want %s", got, test.want)
			}
		})
	}
	if got := Verify(approved, secret, now.Add(DefaultLasts)); got.Decision != gate.Expired {
		t.Errorf("at its end: %+v", got)
	}
	if got := Verify(approved, nil, now); got.Decision != gate.Unknown {
		t.Errorf("without a key: %+v", got)
	}
	if got := Verify(approved, bytes.Repeat([]byte("l"), keyBytes), now); got.Decision != gate.Forged {
		t.Errorf("with another key: %+v", got)
	}
	if got := Verify(decide(t, h, "jane", approved, v1alpha1.DecisionReject), secret, now); got.Decision != gate.Rejected || got.By != "jane" {
		t.Errorf("rejected: %+v", got)
	}
}

func TestWhoPausesAndWhoAsksForARollbackIsStamped(t *testing.T) {
	h := newOffice(t, nil, office{})
	r := proposed(t, "a")
	r.Status.Phase = v1alpha1.PhaseRunning
	changed := r.DeepCopy()
	changed.Spec.Paused, changed.Spec.PausedBy = true, &v1alpha1.Asked{User: "root"}
	changed.Spec.Rollback = &v1alpha1.Rollback{Targets: []string{}, Reason: "too much", AskedBy: &v1alpha1.Asked{User: "root"}}
	stored, resp := write(t, h, "jane", r, changed)
	if !resp.Allowed || stored.Spec.PausedBy.User != "jane" {
		t.Fatalf("got %+v, %+v", stored.Spec.PausedBy, resp.Result)
	}
	if by, asked := RollbackAsked(stored, secret); !asked || by != "jane" {
		t.Errorf("asked by %q, %v", by, asked)
	}
	for _, forge := range []func(*v1alpha1.Remediation){
		func(r *v1alpha1.Remediation) { r.Spec.Rollback.AskedBy.User = "tom" },
		func(r *v1alpha1.Remediation) { r.Spec.Rollback.Targets = []string{"m"} },
		func(r *v1alpha1.Remediation) { r.Spec.Rollback.AskedBy = nil },
		func(r *v1alpha1.Remediation) { r.Spec.Rollback.AskedBy.Stamp = stored.Spec.PausedBy.Stamp },
		func(r *v1alpha1.Remediation) { r.UID = "another" },
	} {
		r := stored.DeepCopy()
		forge(r)
		if _, asked := RollbackAsked(r, secret); asked {
			t.Errorf("a forged one counts: %+v", r.Spec.Rollback)
		}
	}
	again := stored.DeepCopy()
	again.Spec.PausedBy.User = "root"
	if stored, _ = write(t, h, "tom", stored, again); stored.Spec.PausedBy.User != "jane" {
		t.Errorf("it was paused by %s", stored.Spec.PausedBy.User)
	}
}

func TestNothingIsDecidedAboutWhatIsNotThereYet(t *testing.T) {
	r := proposed(t, "a")
	r.Spec.Approval = &v1alpha1.Approval{Decision: v1alpha1.DecisionApprove, Stamp: "s"}
	r.Spec.PausedBy = &v1alpha1.Asked{User: "root"}
	stored, resp := write(t, newOffice(t, nil, office{}), "jane", nil, r)
	if !resp.Allowed || stored.Spec.Approval != nil || stored.Spec.PausedBy != nil {
		t.Errorf("got %+v", stored.Spec)
	}
	if got, want := strings.Join(resp.Warnings, "\n"), "spec.approval and spec.rollback are left out: a Remediation is decided about once it is there"; got != want {
		t.Errorf("got %s", got)
	}
}

func TestAnApprovalThatComesToNothingWarns(t *testing.T) {
	r := proposed(t, "a")
	r.Status.Mode, r.Status.Phase = v1alpha1.Propose, v1alpha1.PhaseBlocked
	changed := r.DeepCopy()
	changed.Spec.Approval = &v1alpha1.Approval{Decision: v1alpha1.DecisionApprove}
	_, resp := write(t, newOffice(t, nil, office{}), "jane", r, changed)
	want := `an obstacle stands in the way of every target: nothing will be done until Holdfast proposes another plan
its mode is "propose": nothing will be done until the policy, its Namespace and the option --reconcile-mode allow "approve"`
	if got := strings.Join(resp.Warnings, "\n"); got != want {
		t.Errorf("got %s", got)
	}
}

func TestWithoutAKeyNothingIsStamped(t *testing.T) {
	r := proposed(t, "a")
	changed := r.DeepCopy()
	changed.Spec.Approval = &v1alpha1.Approval{Decision: v1alpha1.DecisionApprove}
	_, resp := write(t, newOffice(t, nil, office{fails: errors.New("no key")}), "jane", r, changed)
	if resp.Allowed || resp.Result.Message != "holdfast could not judge this: no key" {
		t.Errorf("got %+v", resp)
	}
}

func FuzzReviews(f *testing.F) {
	f.Add([]byte(`{"request":{"uid":"u","operation":"UPDATE","object":{"spec":{"approval":{"decision":"Approve"}}},"oldObject":{"spec":{}}}}`))
	f.Add([]byte(`{"request":{"operation":"CREATE","object":{"spec":{"rollback":{}}}}}`))
	f.Add([]byte(`{"request":{"operation":"UPDATE"}}`))
	h, err := NewHandler(Options{Access: office{}, Keys: office{}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodPost, Path, bytes.NewReader(body)))
		if rec.Code != http.StatusOK && rec.Code != http.StatusBadRequest {
			t.Errorf("%d: %s", rec.Code, rec.Body)
		}
	})
}

// Who may not decide is told, to be on record; not who only tries.
func TestRefusedDecisionsAreTold(t *testing.T) {
	var told []string
	h, err := NewHandler(Options{
		Access: office{}, Keys: office{}, Now: func() time.Time { return now }, Logger: slog.New(slog.DiscardHandler),
		Refused: func(req *admissionv1.AdmissionRequest, reason string) {
			told = append(told, req.UserInfo.Username+" of "+req.Name+": "+reason)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := proposed(t, "a")
	wanted := r.DeepCopy()
	wanted.Spec.Approval = &v1alpha1.Approval{Decision: v1alpha1.DecisionApprove}
	if _, resp := write(t, h, "tom", r, wanted); resp.Allowed {
		t.Error("tom approves")
	}
	decide(t, h, "jane", r, v1alpha1.DecisionApprove)
	if _, resp := write(t, h, "broken", r, wanted); resp.Allowed {
		t.Error("it is let pass where nobody knows")
	}
	raw := func(r *v1alpha1.Remediation) []byte {
		out, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	dry := true
	req := &admissionv1.AdmissionRequest{UID: "u", Name: "a", Operation: admissionv1.Update, DryRun: &dry, UserInfo: authenticationv1.UserInfo{Username: "tom"}}
	req.Object.Raw, req.OldObject.Raw = raw(wanted), raw(r)
	if h.answer(t.Context(), req).Allowed {
		t.Error("tom approves in a dry run")
	}
	const want = `tom of a: tom may not decide about Remediation a: the verb "approve" on remediations.holdfast.dev is missing`
	if got := strings.Join(told, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
