package webhook

import (
	"context"
	"errors"
	"net/http"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/holdfast-io/holdfast/engine"
)

// validate asks the validate rules whether the write may pass.
func (h *Handler) validate(ctx context.Context, c *call, rules *engine.Snapshot, req *engine.Request) *admissionv1.AdmissionResponse {
	decisions := rules.Validate(ctx, req, c.inputs)
	c.trail.enter(phaseAnswer)
	f := sortOut(req, decisions)
	f.uid = c.uid
	c.trail.decided(rules, &f)
	h.record(ctx, c, req, &f)
	if f.refuses() {
		h.tell(rules, req, &f)
		return f.refusal(c.uid, describe(req))
	}
	h.opts.Memory.passed(req, despiteOf(&f, decisions), h.opts.Inputs.Now())
	return Allowed(c.uid, f.notes())
}

// mutate asks the mutate rules what is to change. A rule that could not be evaluated, of a policy that
// must not be passed, refuses the write: half a mutation is none.
func (h *Handler) mutate(ctx context.Context, c *call, rules *engine.Snapshot, req *engine.Request) *admissionv1.AdmissionResponse {
	m, err := rules.Mutate(ctx, req, c.inputs)
	c.trail.enter(phaseAnswer)
	if err != nil {
		h.logFailure(ctx, c, req, err)
		return h.unanswered(c, failureRule, http.StatusInternalServerError, err)
	}
	f := sortOut(req, m.Decisions)
	f.uid = c.uid
	c.trail.decided(rules, &f)
	h.record(ctx, c, req, &f)
	if f.refuses() {
		h.tell(rules, req, &f)
		return f.refusal(c.uid, describe(req))
	}
	if len(m.Patch) == 0 {
		return Allowed(c.uid, f.notes())
	}
	resp, err := Patched(c.uid, m.Patch, f.notes())
	if err != nil {
		h.logFailure(ctx, c, req, err)
		return h.unanswered(c, failureRule, http.StatusInternalServerError, err)
	}
	if c.decision == allowed {
		c.decision = mutated
	}
	return resp
}

// record tells metrics and log what was decided.
func (h *Handler) record(ctx context.Context, c *call, req *engine.Request, f *findings) {
	for _, list := range [][]*engine.Decision{f.blocking, f.open} {
		for _, d := range list {
			why := failureRule
			if errors.Is(d.Err, context.DeadlineExceeded) {
				why = failureDeadline
			}
			h.metrics.errors.WithLabelValues(c.hook.String(), string(why)).Inc()
			h.logRule(ctx, c, req, d)
		}
	}
	switch {
	case len(f.denials) > 0:
		c.decision = denied
		h.logDenial(ctx, c, req, f.denials)
	case len(f.blocking) > 0:
		c.decision = errored
	case len(f.open) > 0:
		c.decision = failedOpen
	default:
		c.decision = allowed
	}
}
