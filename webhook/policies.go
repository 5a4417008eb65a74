package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"mime"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine"
)

// PoliciesPath is where a PolicyHandler answers.
const PoliciesPath = "/policies/validate"

// PolicyChecker says what is wrong with a policy that is about to be written.
type PolicyChecker interface {
	// Check takes the object over. A policy with problems is refused; warnings are shown to its author.
	Check(ctx context.Context, object map[string]any) (problems []engine.Problem, warnings []string)
}

// PolicyOptions say how policies are checked.
type PolicyOptions struct {
	// Checker is required.
	Checker PolicyChecker
	// BreakGlass are users whose policies are let pass unchecked. Default: nobody.
	BreakGlass BreakGlass
	// Memory keeps who changed what a policy says. Default: nobody does.
	Memory *Memory
	// Written is told of each write that changes what a policy says and is let pass; of its object there is the metadata.
	// Whether the API server stored it is not known. It must return at once. Default: nil, nobody.
	Written func(*engine.Request)
	// Refused is told of each policy that is refused, unless it is a dry run, and why; of its object there is the metadata. It
	// must return at once. Default: nil, nobody.
	Refused func(*engine.Request, []engine.Problem)
	// Logger default: nothing is written.
	Logger *slog.Logger
	// Metrics is where holdfast_policy_reviews_total is registered. Default: nowhere.
	Metrics prometheus.Registerer
}

// PolicyHandler answers the reviews of policies themselves: a broken one is refused with the reason and the
// place. Whatever keeps it from checking lets the policy pass, with a warning: the loader will tell.
type PolicyHandler struct {
	checker PolicyChecker
	excused BreakGlass
	memory  *Memory
	written func(*engine.Request)
	refused func(*engine.Request, []engine.Problem)
	logger  *slog.Logger
	reviews *prometheus.CounterVec
	limiter limiter
}

const (
	// The API server takes writes of 3 MiB, and an update brings two objects.
	maxPolicyReviewBytes = 8 << 20
	// Policies are written by few hands, and compiling one takes milliseconds.
	maxPolicyReviews = 16
)

// NewPolicyHandler checks the options.
func NewPolicyHandler(opts PolicyOptions) (*PolicyHandler, error) {
	if opts.Checker == nil {
		return nil, errors.New("webhook policy options: Checker is missing")
	}
	if err := opts.BreakGlass.Validate(); err != nil {
		return nil, fmt.Errorf("webhook policy options: %w", err)
	}
	h := &PolicyHandler{
		checker: opts.Checker, excused: opts.BreakGlass, memory: opts.Memory, written: opts.Written, refused: opts.Refused, logger: opts.Logger,
		limiter: limiter{maxCount: maxPolicyReviews, maxBytes: maxPolicyReviews * maxPolicyReviewBytes},
		reviews: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "holdfast_policy_reviews_total",
			Help: "Policies that were about to be written, by what became of them; unchecked ones were let pass.",
		}, []string{"decision"}),
	}
	if h.logger == nil {
		h.logger = slog.New(slog.DiscardHandler)
	}
	if h.written == nil {
		h.written = func(*engine.Request) {}
	}
	if h.refused == nil {
		h.refused = func(*engine.Request, []engine.Problem) {}
	}
	if opts.Metrics != nil {
		if err := opts.Metrics.Register(h.reviews); err != nil {
			return nil, fmt.Errorf("registering the metric of policy reviews: %w", err)
		}
	}
	return h, nil
}

// unchecked is a policy that is let pass because it could not be checked.
const unchecked decision = "unchecked"

// ServeHTTP answers a review.
func (h *PolicyHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "expected POST", http.StatusMethodNotAllowed)
		return
	case err != nil || media != "application/json":
		http.Error(w, "expected application/json", http.StatusUnsupportedMediaType)
		return
	}
	if !h.limiter.take(maxPolicyReviewBytes) {
		// The API server lets the policy pass on an answer that is none.
		h.reviews.WithLabelValues(string(shed)).Inc()
		http.Error(w, "too many policies are in hand", http.StatusTooManyRequests)
		return
	}
	defer h.limiter.give(maxPolicyReviewBytes)
	var body bytes.Buffer
	if _, err := io.Copy(&body, http.MaxBytesReader(w, r.Body, maxPolicyReviewBytes)); err != nil {
		h.reviews.WithLabelValues(string(invalid)).Inc()
		http.Error(w, "reading the body: "+err.Error(), http.StatusBadRequest)
		return
	}
	req, err := decodeReview(body.String())
	if err != nil {
		h.reviews.WithLabelValues(string(invalid)).Inc()
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	resp, what := h.answer(r.Context(), req)
	h.reviews.WithLabelValues(string(what)).Inc()
	answer := encodeReview(resp)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
	_, _ = w.Write(answer) // whoever asked may be gone
}

func (h *PolicyHandler) answer(ctx context.Context, req *request) (resp *admissionv1.AdmissionResponse, what decision) {
	if h.excused.Excuses(&req.UserInfo) {
		return Allowed(req.UID, Notes{}), spared
	}
	subject, err := req.decode(schema.GroupVersionKind(req.Kind))
	if err != nil {
		return Errored(req.UID, http.StatusBadRequest, err, Notes{}), invalid
	}
	if subject.Operation != engine.Create && subject.Operation != engine.Update {
		return Allowed(req.UID, Notes{}), allowed
	}
	defer func() {
		if p := recover(); p != nil {
			h.logger.ErrorContext(ctx, "checking a policy ended unexpectedly", "uid", req.UID, "policy", describe(subject), "panic", fmt.Sprint(p))
			resp, what = Allowed(req.UID, Notes{Warnings: []string{"holdfast could not check this policy; its log tells more"}}), unchecked
		}
	}()
	old := subject.Old()
	same := subject.Operation == engine.Update && samePolicy(old, subject.Object)
	write := *subject // with what is remembered of it, which the checker may change
	meta, _ := subject.Object["metadata"].(map[string]any)
	write.Object = map[string]any{"metadata": maps.Clone(meta)}
	problems, remarks := h.checker.Check(ctx, subject.Object)
	notes := Notes{Warnings: policyWarnings(remarks)}
	if len(problems) == 0 {
		if !same { // whoever changes a label has not written the policy
			h.memory.passed(&write, nil, time.Now())
			if !subject.DryRun {
				h.written(&write)
			}
		}
		return Allowed(req.UID, notes), allowed
	}
	if same {
		// It came in broken when nobody looked. Its labels and finalizers may change all the same.
		notes.Warnings = policyWarnings(append([]string{"this policy is broken: " + problems[0].String()}, remarks...))
		return Allowed(req.UID, notes), allowed
	}
	h.logger.InfoContext(ctx, "refused a policy", "uid", req.UID, "policy", describe(subject), "user", subject.User.Username, "problem", problems[0].String())
	if !subject.DryRun {
		h.refused(&write, problems)
	}
	return brokenPolicy(req.UID, problems, notes), denied
}

// samePolicy reports whether an update leaves alone what a policy is compiled from.
func samePolicy(before, after map[string]any) bool {
	note := func(o map[string]any) any {
		meta, _ := o["metadata"].(map[string]any)
		return meta["annotations"]
	}
	return reflect.DeepEqual(before["spec"], after["spec"]) && reflect.DeepEqual(note(before), note(after))
}

// brokenPolicy refuses a policy in the API's words for what is invalid.
func brokenPolicy(uid string, problems []engine.Problem, notes Notes) *admissionv1.AdmissionResponse {
	lines := make([]string, 0, maxListed+1)
	causes := make([]metav1.StatusCause, 0, maxListed)
	for _, p := range problems[:min(len(problems), maxListed)] {
		lines = append(lines, cut(p.String(), maxLineRunes))
		causes = append(causes, metav1.StatusCause{
			Type: metav1.CauseTypeFieldValueInvalid, Field: p.PathString(), Message: cut(p.Message, maxLineRunes),
		})
	}
	if more := len(problems) - maxListed; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	message := lines[0]
	if len(lines) > 1 {
		message = fmt.Sprintf("the policy has %d problems:\n- %s", len(problems), strings.Join(lines, "\n- "))
	}
	resp := refusal(uid, http.StatusUnprocessableEntity, message, notes)
	resp.Result.Details = &metav1.StatusDetails{Causes: causes}
	return resp
}

// policyWarnings makes remarks fit for HTTP headers, and few.
func policyWarnings(remarks []string) []string {
	var out []string
	for _, r := range remarks {
		if len(out) == maxWarnings {
			return append(out, fmt.Sprintf("and %d more remarks", len(remarks)-maxWarnings))
		}
		out = append(out, warning(r))
	}
	return out
}
