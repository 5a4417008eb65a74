package engine

import (
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	admissionregistrationv1alpha1 "k8s.io/api/admissionregistration/v1alpha1"

	"github.com/holdfast-io/holdfast/engine/cel"
	"github.com/holdfast-io/holdfast/engine/merge"
)

// CompileMutatingAdmission compiles an API server's MutatingAdmissionPolicy. All that is wrong with it comes back in one
// *CompileError. It has no rules until Assemble joins it with its bindings.
//
// The API server carries out such a policy when something is written, so that it has no part in admission here.
// Source: https://kubernetes.io/docs/reference/access-authn-authz/mutating-admission-policy/
func (cc *Compiler) CompileMutatingAdmission(src *admissionregistrationv1.MutatingAdmissionPolicy) (*Policy, error) {
	spec := &src.Spec
	c := cc.inTreePolicy(src, kindMutatingAdmissionPolicy)
	c.types = cc.types
	c.compileFailurePolicy(spec.FailurePolicy)
	c.compileParamKind(spec.ParamKind)
	rule := c.inTreeRule(Mutate, spec.MatchConstraints)
	rule.mutate = &mutation{reinvoke: c.compileReinvocation(spec.ReinvocationPolicy), unchanged: Pass}
	conditions := c.compileAdmissionConditions(spec.MatchConditions)
	body := c.celSource
	body.Variables, body.Paths.Variables = spec.Variables, []any{"spec", "variables"}
	if c.policy.FailurePolicy == IgnoreOnError {
		body.Failures = cel.PassedOverFailures
	}
	if change := c.compileCELChange(body, inAlpha(spec.Mutations), merge.KeepAtomics); change != nil {
		rule.mutate.change = &admissionChange{conditions: conditions, change: change}
	}
	p, err := c.finishInTree(rule, spec)
	if err != nil {
		return nil, err
	}
	rule.operations &^= operationBit(Delete) // there is no object to change
	return p, nil
}

// inAlpha gives mutations in the version of the API that Kyverno's policies have.
func inAlpha(list []admissionregistrationv1.Mutation) []admissionregistrationv1alpha1.Mutation {
	out := make([]admissionregistrationv1alpha1.Mutation, len(list))
	for i, m := range list {
		out[i].PatchType = admissionregistrationv1alpha1.PatchType(m.PatchType)
		if m.ApplyConfiguration != nil {
			out[i].ApplyConfiguration = &admissionregistrationv1alpha1.ApplyConfiguration{Expression: m.ApplyConfiguration.Expression}
		}
		if m.JSONPatch != nil {
			out[i].JSONPatch = &admissionregistrationv1alpha1.JSONPatch{Expression: m.JSONPatch.Expression}
		}
	}
	return out
}
