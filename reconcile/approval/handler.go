package approval

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
)

// Path is where a Handler answers.
const Path = "/remediations/stamp"

// Access tells what users may do.
type Access interface {
	// MayApprove reports whether the user may approve the Remediation of that name, and what the API server says about it.
	MayApprove(ctx context.Context, user *authenticationv1.UserInfo, name string) (ok bool, why string, err error)
}

// Keys has the key of stamps.
type Keys interface {
	Key(ctx context.Context) ([]byte, error)
}

// Authors knows who wrote policies.
type Authors interface {
	// LastEditor is the user who changed the policy last. The error wraps ErrUnknownAuthor if nobody knows.
	LastEditor(ctx context.Context, policy *v1alpha1.PolicyReference) (user string, err error)
}

// ErrUnknownAuthor is wrapped by the error of Authors who do not know.
var ErrUnknownAuthor = errors.New("the last editor is not known")

// DefaultLasts is for approvals of which nobody says how long they count: a day, in which every window of a week's day comes
// once.
const DefaultLasts = 24 * time.Hour

// Options are what a Handler needs.
type Options struct {
	Access Access
	Keys   Keys
	// Authors are asked if whoever approves must not be the last editor of the policy; nil if anybody may.
	Authors Authors
	// Lasts is how long an approval counts. Who approves may ask for less. Default: DefaultLasts.
	Lasts time.Duration
	// Refused is told of each decision that is refused, unless it is a dry run, and why. It must return at once. Default: nil,
	// nobody.
	Refused func(req *admissionv1.AdmissionRequest, reason string)
	// Now is the clock. Default: time.Now.
	Now     func() time.Time
	Logger  *slog.Logger
	Metrics prometheus.Registerer // nil for none
	// Tracer makes a span for each decision, in the trace of its Remediation; nil for none.
	Tracer trace.Tracer
}

// Handler answers the reviews of Remediations.
type Handler struct {
	opts    Options
	reviews *prometheus.CounterVec
}

// NewHandler checks the options.
func NewHandler(opts Options) (*Handler, error) {
	switch {
	case opts.Access == nil:
		return nil, errors.New("approval options: Access is missing")
	case opts.Keys == nil:
		return nil, errors.New("approval options: Keys is missing")
	case opts.Logger == nil:
		return nil, errors.New("approval options: Logger is missing")
	case opts.Lasts < 0:
		return nil, fmt.Errorf("approval options: Lasts %s: expected a positive time, or 0 for the default", opts.Lasts)
	}
	if opts.Lasts == 0 {
		opts.Lasts = DefaultLasts
	}
	if opts.Tracer == nil {
		opts.Tracer = noop.NewTracerProvider().Tracer("")
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Refused == nil {
		opts.Refused = func(*admissionv1.AdmissionRequest, string) {}
	}
	h := &Handler{opts: opts, reviews: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "holdfast_approval_reviews_total",
		Help: "Writes of Remediations that decide, resume or ask for a rollback, by outcome (let_pass, stamped, refused, failed).",
	}, []string{"outcome"})}
	for _, outcome := range []string{"let_pass", "stamped", "refused", "failed"} {
		h.reviews.WithLabelValues(outcome)
	}
	if opts.Metrics != nil {
		if err := opts.Metrics.Register(h.reviews); err != nil {
			return nil, fmt.Errorf("registering the metric of approvals: %w", err)
		}
	}
	return h, nil
}

// maxReviewBytes bounds a review: etcd takes Remediations of 1.5 MiB, an update brings two of them, and JSON in JSON is no
// longer than itself.
const maxReviewBytes = 4 << 20

// ServeHTTP answers a review.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "expected POST", http.StatusMethodNotAllowed)
		return
	}
	var review admissionv1.AdmissionReview
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxReviewBytes)).Decode(&review); err != nil {
		http.Error(w, "expected an AdmissionReview: "+err.Error(), http.StatusBadRequest)
		return
	}
	if review.Request == nil {
		http.Error(w, "expected an AdmissionReview with a request", http.StatusBadRequest)
		return
	}
	review.Response = h.answer(r.Context(), review.Request)
	review.Request = nil
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(&review) // whoever asked may be gone
}

func (h *Handler) answer(ctx context.Context, req *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	out := &admissionv1.AdmissionResponse{UID: req.UID}
	began := time.Now()
	patch, warnings, err := h.review(ctx, req)
	var raw []byte
	if err == nil && len(patch) > 0 {
		raw, err = json.Marshal(patch)
	}
	var refused refusal
	outcome := "stamped"
	switch {
	case errors.As(err, &refused):
		outcome = "refused"
		h.opts.Logger.Info("refused a write of a remediation", "uid", string(req.UID), "name", req.Name, "user", req.UserInfo.Username, "reason", refused.reason)
		if req.DryRun == nil || !*req.DryRun {
			h.opts.Refused(req, refused.reason)
		}
		out.Result = &metav1.Status{Status: metav1.StatusFailure, Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden, Message: refused.reason}
	case err != nil:
		outcome = "failed"
		h.opts.Logger.Warn("could not judge a write of a remediation", "uid", string(req.UID), "name", req.Name, "user", req.UserInfo.Username, "error", err)
		out.Result = &metav1.Status{Status: metav1.StatusFailure, Code: http.StatusInternalServerError, Reason: metav1.StatusReasonInternalError, Message: "holdfast could not judge this: " + err.Error()}
	case len(patch) == 0:
		outcome = "let_pass"
		out.Allowed, out.Warnings = true, warnings
	default:
		h.opts.Logger.Info("stamped a write of a remediation", "uid", string(req.UID), "name", req.Name, "user", req.UserInfo.Username)
		kind := admissionv1.PatchTypeJSONPatch
		out.Allowed, out.Warnings, out.Patch, out.PatchType = true, warnings, raw, &kind
	}
	h.reviews.WithLabelValues(outcome).Inc()
	if outcome != "let_pass" {
		h.trace(ctx, req, outcome, began)
	}
	return out
}
