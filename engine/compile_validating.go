package engine

import (
	"fmt"
	"slices"

	policiesv1beta1 "github.com/kyverno/api/api/policies.kyverno.io/v1beta1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-io/holdfast/engine/cel"
)

// CompileValidating compiles a policies.kyverno.io ValidatingPolicy or NamespacedValidatingPolicy. All that is wrong
// with it comes back in one *CompileError. Its rules have no names: as in Kyverno's reports the policy speaks as a whole.
// Source: https://kyverno.io/docs/policy-types/validating-policy/
func (cc *Compiler) CompileValidating(src policiesv1beta1.ValidatingPolicyLike) (*Policy, error) {
	spec := src.GetValidatingPolicySpec()
	c := cc.celPolicy(src, src.GetKind())
	p := c.policy
	p.Admission, p.Background = spec.AdmissionEnabled(), spec.BackgroundEnabled()
	c.compileFailurePolicy(spec.FailurePolicy)
	if w := spec.WebhookConfiguration; w != nil {
		c.compileTimeout(w.TimeoutSeconds, []any{"spec", "webhookConfiguration", "timeoutSeconds"})
	}
	rule := &Rule{Policy: p, Kind: Validate}
	rule.match, rule.exclude = c.compileMatchConstraints(spec.MatchConstraints, []any{"spec", "matchConstraints"})
	rule.conditions = c.compileMatchConditions(spec.MatchConditions, []any{"spec", "matchConditions"})
	rule.action.always = c.compileValidationActions(spec.ValidationActions(), []any{"spec", "validationActions"})
	body := c.celSource
	body.Variables, body.Paths.Variables = spec.Variables, []any{"spec", "variables"}
	body.Validations, body.Paths.Validations = spec.Validations, []any{"spec", "validations"}
	body.Annotations, body.Paths.Annotations = spec.AuditAnnotations, []any{"spec", "auditAnnotations"}
	rule.validate = &validation{body: c.compileStrictCEL(body)}
	c.addCELRule(rule)
	return c.finish(spec)
}

// celPolicy begins the compilation of a policy whose expressions have Kyverno's libraries.
func (cc *Compiler) celPolicy(src metav1.Object, kind string) *compiler {
	p := newPolicy(src, kind)
	c := &compiler{schema: cc.schema, cel: cc.cel, policy: p, celSource: cel.Source{Language: cel.Kyverno, Namespace: p.Namespace}}
	if p.Name == "" {
		c.problem([]any{"metadata", "name"}, "is missing")
	}
	return c
}

// newPolicy takes over what all policies have.
func newPolicy(src metav1.Object, kind string) *Policy {
	annotations := src.GetAnnotations()
	return &Policy{
		Kind: kind, Namespace: src.GetNamespace(), Name: src.GetName(),
		Annotations: annotations,
		Category:    annotations[annotationCategory],
		Severity:    annotations[annotationSeverity],
		Title:       annotations[annotationTitle],
		Scored:      annotations[annotationScored] != "false",
	}
}

func (c *compiler) compileFailurePolicy(f *admissionregistrationv1.FailurePolicyType) {
	c.policy.FailurePolicy = FailOnError
	if f == nil {
		return
	}
	switch c.policy.FailurePolicy = FailurePolicy(*f); c.policy.FailurePolicy {
	case FailOnError, IgnoreOnError:
	default:
		c.problem([]any{"spec", "failurePolicy"}, fmt.Sprintf("unknown failurePolicy %q: expected Fail or Ignore", *f))
	}
}

func (c *compiler) compileTimeout(seconds *int32, path []any) {
	if seconds == nil {
		return
	}
	c.policy.TimeoutSeconds = *seconds
	if *seconds < 1 || *seconds > 30 {
		c.problem(path, fmt.Sprintf("is %d: expected 1 to 30 seconds", *seconds))
	}
}

// compileValidationActions says what a failure means. Without Warn, who writes is not told of one that is let pass.
func (c *compiler) compileValidationActions(list []admissionregistrationv1.ValidationAction, path []any) Action {
	action, warns := Audit, false
	for i, a := range list {
		switch a {
		case admissionregistrationv1.Deny:
			action = Enforce
		case admissionregistrationv1.Warn:
			warns = true
		case admissionregistrationv1.Audit:
		default:
			c.problem(at(path, i), fmt.Sprintf("unknown action %q: expected Deny, Warn or Audit", a))
		}
	}
	c.policy.Quiet = !warns
	return action
}

// compileStrictCEL compiles validations of which one without a result is an error; nil if anything is wrong.
func (c *compiler) compileStrictCEL(src cel.Source) checker {
	if len(src.Validations) == 0 && len(src.Annotations) == 0 {
		c.problem(src.Paths.Validations, "is empty: expected at least one validation")
		return nil
	}
	rule := c.compileCELSource(src, []any{"spec"})
	if rule == nil {
		return nil
	}
	return &celCheck{rule: rule, reads: readsOf(rule.References()), policyOf: c.policy, annotates: len(src.Annotations) > 0, strict: true}
}

// addCELRule takes up a rule whose parts are compiled.
func (c *compiler) addCELRule(rule *Rule) {
	if rule.conditions != nil {
		c.refs = append(c.refs, rule.conditions.refs...)
	}
	slices.Sort(c.refs)
	rule.needs = needs{refs: slices.Compact(c.refs)}
	rule.operations = c.ruleOperations(rule)
	c.refs = nil
	c.rules = append(c.rules, rule)
}

// finish gives the policy with its rules and its digest, or what is wrong with it.
func (c *compiler) finish(spec any) (*Policy, error) {
	if len(c.problems) > 0 {
		return nil, c.error()
	}
	c.policy.Rules = c.rules
	var err error
	if c.policy.Digest, err = c.digest(spec); err != nil {
		return nil, err
	}
	return c.policy, nil
}
