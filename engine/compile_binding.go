package engine

import (
	"fmt"
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// CompileValidatingBinding compiles an API server's ValidatingAdmissionPolicyBinding. All that is wrong with it comes back
// in one *CompileError.
func (cc *Compiler) CompileValidatingBinding(src *admissionregistrationv1.ValidatingAdmissionPolicyBinding) (*Binding, error) {
	c := cc.bindingCompiler(src, kindValidatingAdmissionPolicy)
	b := c.compileBinding(src.Spec.PolicyName, src.Spec.ParamRef, src.Spec.MatchResources)
	b.action = c.compileBindingActions(b, src.Spec.ValidationActions)
	return c.finishBinding(b, &src.Spec)
}

// CompileMutatingBinding compiles an API server's MutatingAdmissionPolicyBinding. All that is wrong with it comes back in
// one *CompileError.
func (cc *Compiler) CompileMutatingBinding(src *admissionregistrationv1.MutatingAdmissionPolicyBinding) (*Binding, error) {
	c := cc.bindingCompiler(src, kindMutatingAdmissionPolicy)
	b := c.compileBinding(src.Spec.PolicyName, src.Spec.ParamRef, src.Spec.MatchResources)
	b.action = Enforce
	return c.finishBinding(b, &src.Spec)
}

// bindingCompiler begins the compilation of a binding of policies of the kind.
func (cc *Compiler) bindingCompiler(src metav1.Object, policyKind string) *compiler {
	c := &compiler{policy: newPolicy(src, policyKind+"Binding")}
	c.policy.Namespace = ""
	if c.policy.Name == "" {
		c.problem([]any{"metadata", "name"}, "is missing")
	}
	return c
}

func (c *compiler) compileBinding(policy string, ref *admissionregistrationv1.ParamRef, resources *admissionregistrationv1.MatchResources) *Binding {
	b := &Binding{Kind: c.policy.Kind, Name: c.policy.Name, PolicyName: policy}
	b.PolicyKind = b.Kind[:len(b.Kind)-len("Binding")]
	if policy == "" {
		c.problem([]any{"spec", "policyName"}, "is missing: expected the name of a "+b.PolicyKind)
	}
	if ref != nil {
		path := []any{"spec", "paramRef"}
		b.params = &celParams{}
		c.paramRef(b.params, ref, path)
		if ref.ParameterNotFoundAction == nil {
			b.Warnings = append(b.Warnings, Problem{at(path, "parameterNotFoundAction"), "is missing: an API server refuses the binding; here it is taken for Deny"})
		}
	}
	if resources != nil {
		b.scope = c.compileBindingScope(resources, []any{"spec", "matchResources"})
	}
	return b
}

// compileBindingScope compiles what a binding matches. Unlike a policy, one that names no resources has all of them.
func (c *compiler) compileBindingScope(m *admissionregistrationv1.MatchResources, path []any) *bindingScope {
	all := *m
	if len(m.ResourceRules) == 0 {
		all.ResourceRules = everyResource()
	}
	out := &bindingScope{}
	out.match, out.exclude = c.compileMatchConstraints(&all, path)
	return out
}

// compileBindingActions says what a failure means under the binding: Enforce where a write would be refused.
func (c *compiler) compileBindingActions(b *Binding, list []admissionregistrationv1.ValidationAction) Action {
	path := []any{"spec", "validationActions"}
	if len(list) == 0 {
		b.Warnings = append(b.Warnings, Problem{path, "is empty: an API server refuses the binding; here it is taken for Deny"})
		return Enforce
	}
	for i, a := range list {
		if slices.Contains(list[:i], a) {
			c.problem(at(path, i), fmt.Sprintf("%q stands twice", a))
		}
	}
	if slices.Contains(list, admissionregistrationv1.Deny) && slices.Contains(list, admissionregistrationv1.Warn) {
		c.problem(path, "has both Deny and Warn: expected one of them, since a refusal tells what a warning would")
	}
	return c.compileValidationActions(list, path)
}

func (c *compiler) finishBinding(b *Binding, spec any) (*Binding, error) {
	if len(c.problems) > 0 {
		return nil, c.error()
	}
	var err error
	if b.Digest, err = c.digest(spec); err != nil {
		return nil, err
	}
	return b, nil
}
