package engine

import (
	"fmt"
	"slices"

	policiesv1beta1 "github.com/kyverno/api/api/policies.kyverno.io/v1beta1"
	admissionregistrationv1alpha1 "k8s.io/api/admissionregistration/v1alpha1"

	"github.com/holdfast-io/holdfast/engine/cel"
)

// MutatingAutogen gives what is made of the policy for pod controllers, by the names of their groups: what its status
// shows. It is nil if nothing is.
func MutatingAutogen(src policiesv1beta1.MutatingPolicyLike) map[string]policiesv1beta1.MutatingPolicyAutogen {
	spec := src.GetSpec()
	groups, _ := mutatingControllers(spec)
	out, _ := byGroup(groups, func(g *controllerGroup) (policiesv1beta1.MutatingPolicyAutogen, error) { // none of which fails
		return policiesv1beta1.MutatingPolicyAutogen{Targets: g.targets, Spec: g.mutating(spec)}, nil
	})
	return out
}

// mutatingControllers gives the groups of controllers that a policy is made for too, and what keeps it from others that
// it names.
//
// One with a JSONPatch stays with Pods: its paths are texts that nobody can lift. So does one that changes other objects
// than the Pod. Where a controller's pod template must be looked for there is no place to write to.
func mutatingControllers(spec *policiesv1beta1.MutatingPolicySpec) (groups []controllerGroup, kept []string) {
	var wanted []string
	if a := spec.AutogenConfiguration; a != nil && a.PodControllers != nil {
		wanted = a.PodControllers.Controllers
	}
	if spec.TargetMatchConstraints != nil {
		return nil, nil
	}
	groups, unknown := podControllers(spec.MatchConstraints, wanted)
	for _, name := range unknown {
		kept = append(kept, fmt.Sprintf("%q is no pod controller", name))
	}
	groups = slices.DeleteFunc(groups, func(g controllerGroup) bool {
		if g.template != nil {
			return false
		}
		for _, t := range g.targets {
			kept = append(kept, fmt.Sprintf("there is no rule for %s: only pod templates of the built-in controllers are mutated", t.Resource))
		}
		return true
	})
	if slices.ContainsFunc(spec.Mutations, func(m admissionregistrationv1alpha1.Mutation) bool { return m.ApplyConfiguration == nil }) {
		if len(groups) > 0 && wanted != nil {
			kept = append(kept, "there are no rules for controllers: the paths of a JSONPatch are those of a Pod")
		}
		return nil, kept
	}
	return groups, kept
}

// mutating gives the spec for the group's controllers.
func (g *controllerGroup) mutating(spec *policiesv1beta1.MutatingPolicySpec) *policiesv1beta1.MutatingPolicySpec {
	made := spec.DeepCopy()
	made.MatchConstraints = g.constraints(spec.MatchConstraints)
	lift := func(expression *string) { *expression = cel.Lift(*expression, g.template) }
	for i := range made.MatchConditions {
		lift(&made.MatchConditions[i].Expression)
	}
	for i := range made.Variables {
		lift(&made.Variables[i].Expression)
	}
	for i := range made.Mutations {
		lift(&made.Mutations[i].ApplyConfiguration.Expression)
	}
	for i := range made.AuditAnnotations {
		lift(&made.AuditAnnotations[i].ValueExpression)
	}
	return made
}
