package engine

import (
	"fmt"
	"strings"

	policiesv1beta1 "github.com/kyverno/api/api/policies.kyverno.io/v1beta1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"github.com/holdfast-io/holdfast/engine/cel"
)

// CompileDeleting compiles a policies.kyverno.io DeletingPolicy or NamespacedDeletingPolicy into a policy with one
// rule, which is evaluated in audits only, as those of cleanup policies are. All that is wrong with it comes back in
// one *CompileError.
// Source: https://kyverno.io/docs/policy-types/deleting-policy/
func (cc *Compiler) CompileDeleting(src policiesv1beta1.DeletingPolicyLike) (*Policy, error) {
	spec := src.GetDeletingPolicySpec()
	c := cc.celPolicy(src, src.GetKind())
	c.policy.FailurePolicy, c.policy.Background = IgnoreOnError, true
	rule := &Rule{Policy: c.policy, Kind: Cleanup, cleanup: &cleanup{}}
	switch m := spec.MatchConstraints; {
	case m == nil:
		c.policy.mode = modeJSON
		c.policy.Warnings = append(c.policy.Warnings, "spec.matchConstraints: is missing: the policy deletes nothing, and is of use for payloads in tests alone")
	case len(m.ResourceRules) == 0: // other policies would select everything
		c.problem([]any{"spec", "matchConstraints"}, "selects nothing: expected resourceRules")
	default:
		rule.match, rule.exclude = c.compileMatchConstraints(atRestConstraints(m), []any{"spec", "matchConstraints"})
	}
	rule.cleanup.schedule = c.compileSchedule(spec.Schedule)
	rule.cleanup.propagation = c.compilePropagation(spec.DeletionPropagationPolicy)
	body := c.celSource
	body.Variables, body.Paths.Variables = spec.Variables, []any{"spec", "variables"}
	rule.cleanup.cel = c.compileDeletingConditions(body, spec.Conditions)
	c.addCELRule(rule)
	return c.finish(spec)
}

// atRestConstraints are the constraints for objects that nobody writes: operations say nothing of them, and may be left
// out.
func atRestConstraints(m *admissionregistrationv1.MatchResources) *admissionregistrationv1.MatchResources {
	if m == nil {
		return nil
	}
	m = m.DeepCopy()
	for _, rules := range [][]admissionregistrationv1.NamedRuleWithOperations{m.ResourceRules, m.ExcludeResourceRules} {
		for i := range rules {
			rules[i].Operations = []admissionregistrationv1.OperationType{admissionregistrationv1.OperationAll}
		}
	}
	return m
}

// compileDeletingConditions compiles what must hold of an object for it to be deleted. There is no request, and so
// nothing to read of one.
func (c *compiler) compileDeletingConditions(src cel.Source, list []admissionregistrationv1.MatchCondition) *celConditions {
	if len(list) == 0 && len(src.Variables) == 0 {
		return nil
	}
	path := []any{"spec", "conditions"}
	src.Conditions, src.Paths.Conditions = list, path
	rule := c.compileCELSource(src, path)
	if rule == nil {
		return nil
	}
	for _, fact := range rule.References() {
		if fact == "oldObject" || fact == "request" || strings.HasPrefix(fact, "request.") {
			c.problem(path, fmt.Sprintf("reads %s: a deletion is no request", fact))
		}
	}
	return &celConditions{rule: rule, reads: readsOf(rule.References())}
}
