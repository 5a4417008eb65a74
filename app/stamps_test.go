package app

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/reconcile/approval"
)

// stampKeys has a key, and lets everybody approve.
type stampKeys struct{}

func (stampKeys) Key(context.Context) ([]byte, error) { return bytes.Repeat([]byte("k"), 32), nil }

func (stampKeys) MayApprove(context.Context, *authenticationv1.UserInfo, string) (ok bool, why string, err error) {
	return true, "", nil
}

// stamped has jane decide about a Remediation, by way of the webhook.
func stamped(t *testing.T, r *v1alpha1.Remediation, decision v1alpha1.ApprovalDecision, reason string) {
	t.Helper()
	h, err := approval.NewHandler(approval.Options{Access: stampKeys{}, Keys: stampKeys{}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	raw := func(v any) []byte {
		out, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	wanted := r.DeepCopy()
	wanted.Spec.Approval = &v1alpha1.Approval{Decision: decision, Reason: reason}
	req := &admissionv1.AdmissionRequest{UID: "u", Name: r.Name, Operation: admissionv1.Update, UserInfo: authenticationv1.UserInfo{Username: "jane"}}
	req.Object.Raw, req.OldObject.Raw = raw(wanted), raw(r)
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodPost, approval.Path, bytes.NewReader(raw(admissionv1.AdmissionReview{Request: req}))))
	var review admissionv1.AdmissionReview
	if err := json.Unmarshal(rec.Body.Bytes(), &review); err != nil || review.Response == nil || !review.Response.Allowed {
		t.Fatalf("not stamped: %d: %s", rec.Code, rec.Body)
	}
	p, err := jsonpatch.DecodePatch(review.Response.Patch)
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Apply(raw(wanted))
	if err != nil {
		t.Fatal(err)
	}
	var stored v1alpha1.Remediation
	if err := json.Unmarshal(out, &stored); err != nil {
		t.Fatal(err)
	}
	r.Spec.Approval = stored.Spec.Approval
}
