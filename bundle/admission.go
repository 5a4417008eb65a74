package bundle

import (
	"reflect"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	admissionregistrationv1alpha1 "k8s.io/api/admissionregistration/v1alpha1"
	admissionregistrationv1beta1 "k8s.io/api/admissionregistration/v1beta1"

	"github.com/holdfast-io/holdfast/bundle/manifest"
	"github.com/holdfast-io/holdfast/engine"
)

// AdmissionGroup is the API group of the API server's own policies.
const AdmissionGroup = "admissionregistration.k8s.io"

// The kinds of AdmissionGroup that are policies, or bind them.
const (
	validatingAdmissionPolicy        = "ValidatingAdmissionPolicy"
	validatingAdmissionPolicyBinding = "ValidatingAdmissionPolicyBinding"
	mutatingAdmissionPolicy          = "MutatingAdmissionPolicy"
	mutatingAdmissionPolicyBinding   = "MutatingAdmissionPolicyBinding"
)

// admissionKinds lists the kinds of AdmissionGroup that are built.
func admissionKinds() []string {
	return []string{validatingAdmissionPolicy, validatingAdmissionPolicyBinding, mutatingAdmissionPolicy, mutatingAdmissionPolicyBinding}
}

// admissionVersions are those of AdmissionGroup. Every field of the older versions is one of v1, and means the same.
func admissionVersions(kind string) []version {
	switch kind {
	case validatingAdmissionPolicy:
		return []version{
			{"v1", reflect.TypeFor[admissionregistrationv1.ValidatingAdmissionPolicy]()},
			{"v1beta1", reflect.TypeFor[admissionregistrationv1beta1.ValidatingAdmissionPolicy]()},
			{"v1alpha1", reflect.TypeFor[admissionregistrationv1alpha1.ValidatingAdmissionPolicy]()},
		}
	case validatingAdmissionPolicyBinding:
		return []version{
			{"v1", reflect.TypeFor[admissionregistrationv1.ValidatingAdmissionPolicyBinding]()},
			{"v1beta1", reflect.TypeFor[admissionregistrationv1beta1.ValidatingAdmissionPolicyBinding]()},
			{"v1alpha1", reflect.TypeFor[admissionregistrationv1alpha1.ValidatingAdmissionPolicyBinding]()},
		}
	case mutatingAdmissionPolicy:
		return []version{
			{"v1", reflect.TypeFor[admissionregistrationv1.MutatingAdmissionPolicy]()},
			{"v1beta1", reflect.TypeFor[admissionregistrationv1beta1.MutatingAdmissionPolicy]()},
			{"v1alpha1", reflect.TypeFor[admissionregistrationv1alpha1.MutatingAdmissionPolicy]()},
		}
	case mutatingAdmissionPolicyBinding:
		return []version{
			{"v1", reflect.TypeFor[admissionregistrationv1.MutatingAdmissionPolicyBinding]()},
			{"v1beta1", reflect.TypeFor[admissionregistrationv1beta1.MutatingAdmissionPolicyBinding]()},
			{"v1alpha1", reflect.TypeFor[admissionregistrationv1alpha1.MutatingAdmissionPolicyBinding]()},
		}
	default:
		return nil
	}
}

// compileAdmission compiles a document of AdmissionGroup.
func (l *Loaded) compileAdmission(c *engine.Compiler, d *manifest.Document) error {
	switch d.Kind() {
	case validatingAdmissionPolicy:
		return into(d, &admissionregistrationv1.ValidatingAdmissionPolicy{}, func(src *admissionregistrationv1.ValidatingAdmissionPolicy) (err error) {
			l.Policy, err = c.CompileValidatingAdmission(src)
			return err
		})
	case validatingAdmissionPolicyBinding:
		return into(d, &admissionregistrationv1.ValidatingAdmissionPolicyBinding{}, func(src *admissionregistrationv1.ValidatingAdmissionPolicyBinding) (err error) {
			l.Binding, err = c.CompileValidatingBinding(src)
			return err
		})
	case mutatingAdmissionPolicy:
		return into(d, &admissionregistrationv1.MutatingAdmissionPolicy{}, func(src *admissionregistrationv1.MutatingAdmissionPolicy) (err error) {
			l.Policy, err = c.CompileMutatingAdmission(src)
			return err
		})
	case mutatingAdmissionPolicyBinding:
		return into(d, &admissionregistrationv1.MutatingAdmissionPolicyBinding{}, func(src *admissionregistrationv1.MutatingAdmissionPolicyBinding) (err error) {
			l.Binding, err = c.CompileMutatingBinding(src)
			return err
		})
	default:
		return nil
	}
}

// looseBindings warns of policies that nothing binds, which do nothing, and of bindings whose policy is not in the bundle.
// Both may be elsewhere, in a cluster.
func looseBindings(s *Summary) []Problem {
	var out []Problem
	for i := range s.Policies {
		l := &s.Policies[i]
		if l.Policy.NeedsBinding() && !anyLoaded(s.Bindings, func(b *Loaded) bool { return b.Binding.Binds(l.Policy) }) {
			out = append(out, l.warning(nil, "does nothing: the bundle has no "+l.Policy.Kind+"Binding for it"))
		}
	}
	names := map[string]map[string]bool{}
	for i := range s.Policies {
		if p := s.Policies[i].Policy; p.NeedsBinding() {
			if names[p.Kind] == nil {
				names[p.Kind] = map[string]bool{}
			}
			names[p.Kind][p.Name] = true
		}
	}
	for i := range s.Bindings {
		l := &s.Bindings[i]
		if b := l.Binding; !names[b.PolicyKind][b.PolicyName] {
			out = append(out, l.warning([]any{"spec", "policyName"}, "the bundle has no "+b.PolicyKind+` "`+b.PolicyName+`"`+didYouMean(b.PolicyName, names[b.PolicyKind])))
		}
	}
	return out
}

func anyLoaded(list []Loaded, is func(*Loaded) bool) bool {
	for i := range list {
		if is(&list[i]) {
			return true
		}
	}
	return false
}
