package webhook

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/holdfast-io/holdfast/engine"
)

// invalid answers what cannot be decided because of how it is asked.
func (h *Handler) invalid(c *call, why failure, code int, err error) *admissionv1.AdmissionResponse {
	h.metrics.errors.WithLabelValues(c.hook.String(), string(why)).Inc()
	c.decision = invalid
	h.opts.Logger.Warn("an admission review cannot be answered", append(c.review(), "code", code, "error", err)...)
	return Errored(c.uid, code, err, Notes{})
}

// unasked settles by the failurePolicy a review that no rule could be asked about.
func (h *Handler) unasked(c *call, req *request, why failure, code int, err error) *admissionv1.AdmissionResponse {
	h.opts.Logger.Warn("no rule could be asked about an admission review: settled by failurePolicy", append(c.review(),
		"operation", string(req.Operation), "kind", req.Kind.Kind, "namespace", req.Namespace, "user", req.UserInfo.Username,
		"failurePolicy", string(c.failurePolicy()), "error", err)...)
	return h.unanswered(c, why, code, err)
}

// unanswered settles by the failurePolicy what could not be evaluated at all.
func (h *Handler) unanswered(c *call, why failure, code int, err error) *admissionv1.AdmissionResponse {
	h.metrics.errors.WithLabelValues(c.hook.String(), string(why)).Inc()
	return h.settle(c, code, err)
}

func (h *Handler) settle(c *call, code int, err error) *admissionv1.AdmissionResponse {
	if c.failurePolicy() == engine.IgnoreOnError {
		c.decision = failedOpen
		return Allowed(c.uid, Notes{Warnings: []string{warning("holdfast did not evaluate this request: " + err.Error())}})
	}
	c.decision = errored
	return Errored(c.uid, code, fmt.Errorf("holdfast did not evaluate this request: %w", err), Notes{})
}

// shed answers at once a review for which there is no room. Of its body no more is kept than the uid.
func (h *Handler) shed(r *http.Request, c *call) *admissionv1.AdmissionResponse {
	c.uid = peekUID(r.Body)
	_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, h.opts.MaxBodyBytes)) // or the connection is lost with it
	h.metrics.shed.WithLabelValues(c.hook.String(), string(c.failurePolicy())).Inc()
	h.logShed(c)
	resp := h.settle(c, http.StatusTooManyRequests, errors.New("too many are in hand; try again after a second"))
	c.decision = shed
	return resp
}
