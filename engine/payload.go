package engine

import (
	"context"
	"fmt"

	policiesv1beta1 "github.com/kyverno/api/api/policies.kyverno.io/v1beta1"
)

// JudgesPayloads reports whether the policy is for payloads, which are any JSON values, and so for no object of a cluster
// and no request.
func (p *Policy) JudgesPayloads() bool { return p.mode == modeJSON }

// Payload judges a JSON value by the policies on payloads, in order. A payload has no kind,
// no namespace and no request: what reads one says so.
func (s *Snapshot) Payload(ctx context.Context, value any, in *Inputs) []Decision {
	e := s.begin(ctx, &Request{Operation: Create}, in)
	e.payload = &value
	var decisions []Decision
	for _, r := range s.payload {
		if d := e.judgePayload(r); d != nil {
			decisions = append(decisions, *d)
		}
	}
	return decisions
}

func (e *evaluation) judgePayload(r *Rule) *Decision {
	e.policy = r.Policy
	if err := e.ctx.Err(); err != nil {
		return r.failed(fmt.Errorf("not evaluated in time: %w", err))
	}
	if fact := r.needs.request(); fact != "" {
		return r.notAuditable("needs " + fact)
	}
	if ok, d := r.concerned(e); !ok {
		return d
	}
	if d := e.excusal(r); d != nil {
		return d
	}
	if r.Kind == Cleanup {
		return r.cleanUp(e)
	}
	return r.judge(e)
}

// compileMode takes up on what the policy is evaluated, and reports whether that is built.
func (c *compiler) compileMode(mode string) bool {
	path := []any{"spec", "evaluation", "mode"}
	switch c.policy.mode = evaluationMode(mode); c.policy.mode {
	case modeKubernetes, modeJSON:
		return true
	case modeHTTP, modeEnvoy:
		c.unbuilt(path, "the evaluation mode "+mode)
	default:
		c.problem(path, fmt.Sprintf("unknown mode %q: expected Kubernetes, JSON, HTTP or Envoy", mode))
	}
	return false
}

// compilePayloadPolicy compiles a policy on payloads. It stands at no door of a cluster.
func (c *compiler) compilePayloadPolicy(spec *policiesv1beta1.ValidatingPolicySpec) (*Policy, error) {
	c.policy.Admission, c.policy.Background = false, false
	if spec.MatchConstraints != nil {
		c.policy.Warnings = append(c.policy.Warnings, "spec.matchConstraints: is ignored: a payload is no resource")
	}
	c.addValidating(spec, nil, nil)
	return c.finish(spec)
}
