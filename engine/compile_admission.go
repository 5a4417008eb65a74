package engine

import (
	"fmt"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apivalidation "k8s.io/apimachinery/pkg/util/validation"

	"github.com/holdfast-io/holdfast/engine/cel"
)

// The kinds of an API server's own policies.
const (
	kindValidatingAdmissionPolicy = "ValidatingAdmissionPolicy"
	kindMutatingAdmissionPolicy   = "MutatingAdmissionPolicy"
)

// inTree is what one of an API server's own policies has beside what all policies have. Such a policy does nothing by
// itself: its bindings say where it is in force, and each of them makes a rule of it. See Policy.bound.
type inTree struct {
	rule      *Rule // as each binding takes it up; of the policy without bindings
	paramKind *schema.GroupVersionKind
	// source is the policy without bindings, of one that is bound.
	source *Policy
}

// CompileValidatingAdmission compiles an API server's ValidatingAdmissionPolicy. All that is wrong with it comes back in
// one *CompileError. It has no rules until Assemble joins it with its bindings.
//
// The API server enforces such a policy when something is written, so that it has no part in admission here.
// Source: https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
func (cc *Compiler) CompileValidatingAdmission(src *admissionregistrationv1.ValidatingAdmissionPolicy) (*Policy, error) {
	spec := &src.Spec
	c := cc.inTreePolicy(src, kindValidatingAdmissionPolicy)
	c.compileFailurePolicy(spec.FailurePolicy)
	c.compileParamKind(spec.ParamKind)
	rule := c.inTreeRule(Validate, spec.MatchConstraints)
	check := &admissionCheck{annotates: len(spec.AuditAnnotations) > 0}
	check.conditions = c.compileAdmissionConditions(spec.MatchConditions)
	body := c.celSource
	body.Variables, body.Paths.Variables = spec.Variables, []any{"spec", "variables"}
	body.Validations, body.Paths.Validations = spec.Validations, []any{"spec", "validations"}
	body.Annotations, body.Paths.Annotations = spec.AuditAnnotations, []any{"spec", "auditAnnotations"}
	c.checkValidations(spec.Validations, body.Paths.Validations)
	c.checkAnnotations(spec.AuditAnnotations, body.Paths.Annotations)
	if len(spec.Validations)+len(spec.AuditAnnotations) == 0 {
		c.problem(body.Paths.Validations, "is empty: expected at least one validation or audit annotation")
	} else if check.rule = c.compileCELSource(body, []any{"spec"}); check.rule != nil {
		check.reads = readsOf(check.rule.References())
	}
	rule.validate = &validation{body: check}
	return c.finishInTree(rule, spec)
}

// inTreePolicy begins the compilation of one of an API server's own policies, whose expressions have what the server
// knows and nothing more.
func (cc *Compiler) inTreePolicy(src metav1.Object, kind string) *compiler {
	p := newPolicy(src, kind)
	p.Namespace, p.Background = "", true
	p.inTree = &inTree{}
	c := &compiler{schema: cc.schema, cel: cc.cel, policy: p, celSource: cel.Source{Language: cel.Kubernetes, Types: cel.KnownTypes}}
	if p.Name == "" {
		c.problem([]any{"metadata", "name"}, "is missing")
	}
	return c
}

// inTreeRule begins the rule. It bears the policy's name, as in Kyverno's reports.
func (c *compiler) inTreeRule(kind RuleKind, constraints *admissionregistrationv1.MatchResources) *Rule {
	rule := &Rule{Policy: c.policy, Name: c.policy.Name, Kind: kind}
	rule.match, rule.exclude = c.compileMatchConstraints(constraints, []any{"spec", "matchConstraints"})
	return rule
}

// finishInTree gives the policy with the rule that its bindings take up.
func (c *compiler) finishInTree(rule *Rule, spec any) (*Policy, error) {
	c.addCELRule(rule)
	p, err := c.finish(spec)
	if err != nil {
		return nil, err
	}
	p.inTree.rule, p.Rules = rule, nil
	return p, nil
}

// compileParamKind takes up the kind of the parameters, if there is one, for all expressions to read.
func (c *compiler) compileParamKind(kind *admissionregistrationv1.ParamKind) {
	if kind == nil {
		return
	}
	gvk := c.paramKind(kind, []any{"spec", "paramKind"})
	c.policy.inTree.paramKind = &gvk
	c.celSource.Params = cel.WithParams
}

// compileAdmissionConditions compiles matchConditions that may read a parameter; nil for none. They do not see the
// variables.
func (c *compiler) compileAdmissionConditions(list []admissionregistrationv1.MatchCondition) *celConditions {
	path := []any{"spec", "matchConditions"}
	seen := map[string]bool{}
	for i, condition := range list {
		if wrong := apivalidation.IsQualifiedName(condition.Name); len(wrong) > 0 {
			c.problem(at(path, i, "name"), fmt.Sprintf("%q is not a name: %s", condition.Name, wrong[0]))
		}
		if seen[condition.Name] {
			c.problem(at(path, i, "name"), fmt.Sprintf("%q stands twice: names of matchConditions are unique", condition.Name))
		}
		seen[condition.Name] = true
	}
	if most := 64; len(list) > most {
		c.problem(path, fmt.Sprintf("has %d conditions: expected at most %d", len(list), most))
	}
	conditions := c.compileMatchConditions(list, path)
	if conditions != nil {
		c.refs = append(c.refs, conditions.refs...)
	}
	return conditions
}

// reasons are those that an API server takes for a validation's reason.
var reasons = [...]metav1.StatusReason{
	metav1.StatusReasonForbidden, metav1.StatusReasonInvalid, metav1.StatusReasonRequestEntityTooLarge, metav1.StatusReasonUnauthorized,
}

// checkValidations finds what an API server would not take.
func (c *compiler) checkValidations(list []admissionregistrationv1.Validation, path []any) {
	for i := range list {
		v := &list[i]
		if v.Reason != nil && !slices.Contains(reasons[:], *v.Reason) {
			c.problem(at(path, i, "reason"), fmt.Sprintf("unknown reason %q: expected Forbidden, Invalid, RequestEntityTooLarge or Unauthorized", *v.Reason))
		}
		if strings.ContainsAny(strings.TrimSpace(v.Message), "\n\r") {
			c.problem(at(path, i, "message"), "has several lines: expected one")
		}
	}
}

func (c *compiler) checkAnnotations(list []admissionregistrationv1.AuditAnnotation, path []any) {
	if most := 20; len(list) > most {
		c.problem(path, fmt.Sprintf("has %d annotations: expected at most %d", len(list), most))
	}
	keys := map[string]bool{}
	for i := range list {
		key := list[i].Key
		if wrong := apivalidation.IsQualifiedName(c.policy.Name + "/" + key); key != "" && len(wrong) > 0 {
			c.problem(at(path, i, "key"), fmt.Sprintf("%q is not a key: %s", key, wrong[0]))
		}
		if keys[key] {
			c.problem(at(path, i, "key"), fmt.Sprintf("%q stands twice: keys are unique", key))
		}
		keys[key] = true
	}
}
