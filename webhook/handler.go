package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine"
)

// Handler answers AdmissionReviews. It is safe for concurrent use and starts no goroutine.
type Handler struct {
	opts      Options
	spared    []string // namespaces
	lifelines [2]lifeline
	metrics   *metrics
	timing    *timing
	limiter   limiter
	current   atomic.Pointer[view]
	building  sync.Mutex // of a view
	bodies    sync.Pool  // of *bytes.Buffer
	sheds     shedLog
}

// NewHandler gives the handler of /validate and /mutate, and of these with /GROUP. Every answer to a POST is
// an AdmissionReview. The HTTP status is 200 whenever the request's uid is known, as the API server expects
// it; other answers have the status that the response in them has.
func NewHandler(opts Options) (*Handler, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	m, err := newMetrics(opts.Metrics)
	if err != nil {
		return nil, err
	}
	timing, err := newTiming(opts.Metrics)
	if err != nil {
		return nil, err
	}
	opts = opts.withDefaults()
	return &Handler{
		opts: opts, spared: opts.Spared.namespaces(), lifelines: lifelines(), metrics: m, timing: timing,
		limiter: limiter{maxCount: int64(opts.MaxInFlight), maxBytes: opts.MaxInFlightBytes},
		bodies:  sync.Pool{New: func() any { return new(bytes.Buffer) }},
	}, nil
}

// call is one review on its way through the handler.
type call struct {
	target
	started   time.Time
	uid       string
	operation string
	kind      string // as metrics name it
	decision  decision
	inputs    *engine.Inputs
	trail     *trail
}

// ServeHTTP answers a review.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t, err := parsePath(r.URL.Path)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	c := &call{target: t, started: time.Now(), operation: "unknown", kind: "other"}
	c.trail = h.trail(r, c)
	resp := h.answer(w, r, c)
	c.trail.enter(phaseAnswer)
	status := http.StatusOK
	if c.uid == "" && resp.Result != nil {
		status = int(resp.Result.Code)
	}
	body := encodeReview(resp)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // whoever asked may be gone
	c.trail.end(c)
	h.metrics.requests.WithLabelValues(c.hook.String(), c.operation, c.kind, string(c.decision)).Inc()
	h.metrics.duration.WithLabelValues(c.hook.String()).Observe(time.Since(c.started).Seconds())
}

// answer turns whatever comes in into a response. A panic becomes an answer too: one broken rule must not
// take the others' requests down with it.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, c *call) (resp *admissionv1.AdmissionResponse) {
	defer func() {
		if p := recover(); p != nil {
			h.logPanic(r.Context(), c, p)
			resp = h.unanswered(c, failurePanic, http.StatusInternalServerError, errors.New("the evaluation ended unexpectedly; Holdfast's log tells more"))
		}
	}()
	if resp := h.refuseTransfer(w, r, c); resp != nil {
		return resp
	}
	length := r.ContentLength
	if length < 0 {
		length = h.opts.MaxBodyBytes
	}
	if !h.limiter.take(length) {
		return h.shed(r, c)
	}
	h.metrics.inFlight.Inc()
	h.metrics.bytes.Add(float64(length))
	defer func() {
		h.limiter.give(length)
		h.metrics.inFlight.Dec()
		h.metrics.bytes.Sub(float64(length))
	}()
	c.trail.enter(phaseRead)
	req, resp := h.read(w, r, c)
	if resp != nil {
		return resp
	}
	return h.review(r, c, req)
}

// refuseTransfer answers what is no review by its HTTP head.
func (h *Handler) refuseTransfer(w http.ResponseWriter, r *http.Request, c *call) *admissionv1.AdmissionResponse {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return h.invalid(c, failureTransfer, http.StatusMethodNotAllowed, fmt.Errorf("method %s: expected POST", r.Method))
	}
	contentType := r.Header.Get("Content-Type")
	if media, _, err := mime.ParseMediaType(contentType); err != nil || media != "application/json" {
		return h.invalid(c, failureTransfer, http.StatusUnsupportedMediaType, fmt.Errorf("content type %q: expected application/json", contentType))
	}
	if r.ContentLength > h.opts.MaxBodyBytes {
		return h.invalid(c, failureTransfer, http.StatusRequestEntityTooLarge, h.tooLong())
	}
	return nil
}

func (h *Handler) tooLong() error {
	return fmt.Errorf("the body is longer than %d bytes", h.opts.MaxBodyBytes)
}

// read gets the body and its envelope.
func (h *Handler) read(w http.ResponseWriter, r *http.Request, c *call) (*request, *admissionv1.AdmissionResponse) {
	body := h.bodies.Get().(*bytes.Buffer)
	defer func() {
		// Nothing of the request points into the buffer. One that has grown long is left to the
		// collector, so that a rare big object does not cost memory for ever.
		const keep = 1 << 20
		if body.Cap() <= keep {
			body.Reset()
			h.bodies.Put(body)
		}
	}()
	if r.ContentLength > 0 {
		body.Grow(int(r.ContentLength) + bytes.MinRead) // ReadFrom wants that much room to see the end
	}
	if _, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, h.opts.MaxBodyBytes)); err != nil {
		if tooLong := (*http.MaxBytesError)(nil); errors.As(err, &tooLong) {
			return nil, h.invalid(c, failureTransfer, http.StatusRequestEntityTooLarge, h.tooLong())
		}
		return nil, h.invalid(c, failureTransfer, http.StatusBadRequest, fmt.Errorf("reading the body: %w", err))
	}
	req, err := decodeReview(body.String())
	if err != nil {
		return nil, h.invalid(c, failureReview, http.StatusBadRequest, err)
	}
	c.uid = req.UID
	c.trail.about(req)
	if err := req.check(); err != nil {
		return nil, h.invalid(c, failureReview, http.StatusBadRequest, err)
	}
	c.operation = string(req.Operation)
	return req, nil
}

// review decides a request. One that is spared, or that no rule is about, is let pass as it came, undecoded.
func (h *Handler) review(r *http.Request, c *call, req *request) *admissionv1.AdmissionResponse {
	c.trail.enter(phaseMatch)
	if h.spares(req) {
		c.decision = spared
		return Allowed(c.uid, Notes{})
	}
	v := h.view()
	if v == nil {
		return h.unasked(c, req, failureNotReady, http.StatusServiceUnavailable, errors.New("no policies are loaded yet"))
	}
	kind, ok := h.kindOf(req)
	if !ok {
		return h.unasked(c, req, failureKind, http.StatusInternalServerError,
			fmt.Errorf("the kind of resource %s, whose subresource %s is written, is not known yet", req.Resource.Resource, req.SubResource))
	}
	resource := engine.Resource{Kind: kind, Plural: req.Resource.Resource, SubResource: req.SubResource}
	if v.names(&resource) {
		c.kind = kind.Kind
	}
	rules := v.of(c.target)
	// The API server refuses an answer that patches what is being deleted.
	nothing := c.hook == Mutate && req.Operation == engine.Delete
	if rules == nil || nothing {
		c.decision = allowed
		return Allowed(c.uid, Notes{})
	}
	followed := h.opts.Admitted != nil && c.hook == Validate && (req.DryRun == nil || !*req.DryRun) && rules.HasConsequences(&resource, req.Operation)
	if !followed && !rules.Matches(c.hook.rules(), &resource, req.Operation) {
		c.decision = allowed
		return Allowed(c.uid, Notes{})
	}
	c.trail.enter(phaseDecode)
	subject, err := req.decode(kind)
	if err != nil {
		return h.invalid(c, failureReview, http.StatusBadRequest, err)
	}
	if h.opts.Returns != nil && req.Operation == engine.Update && h.opts.Returns(subject) {
		c.decision = spared
		return Allowed(c.uid, Notes{})
	}
	subject.Own = h.opts.Own != nil && h.opts.Own(subject)
	ctx, cancel := context.WithDeadline(r.Context(), deadline(r, c))
	defer cancel()
	c.inputs = h.inputs(c, v)
	c.trail.enter(c.hook.String())
	var resp *admissionv1.AdmissionResponse
	if c.hook == Mutate {
		resp = h.mutate(ctx, c, rules, subject)
	} else {
		resp = h.validate(ctx, c, rules, subject)
	}
	if req.lateErr != nil { // what rules said was of half a request
		return h.invalid(c, failureReview, http.StatusBadRequest, req.lateErr)
	}
	if followed && resp.Allowed {
		h.opts.Admitted(rules, subject)
	}
	return resp
}

// kindOf gives the kind by which rules know the object: of a subresource, its parent's.
func (h *Handler) kindOf(req *request) (schema.GroupVersionKind, bool) {
	if req.SubResource == "" || h.opts.Kinds == nil {
		return schema.GroupVersionKind(req.Kind), true
	}
	return h.opts.Kinds.KindOf(schema.GroupVersionResource(req.Resource))
}

// deadline leaves a tenth of the time that the API server waits, and no less than 100 ms, for the way back.
// Source of the parameter: k8s.io/apiserver/pkg/admission/plugin/webhook/validating/dispatcher.go; it is
// rounded up to full seconds, which the tenth covers for the usual ten.
func deadline(r *http.Request, c *call) time.Time {
	timeout := DefaultTimeoutSeconds * time.Second
	if c.group != nil {
		timeout = c.group.timeout()
	}
	if asked, err := time.ParseDuration(r.URL.Query().Get("timeout")); err == nil && asked > 0 {
		timeout = min(asked, maxTimeoutSeconds*time.Second)
	}
	return c.started.Add(timeout - max(timeout/10, 100*time.Millisecond))
}
