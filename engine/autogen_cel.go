package engine

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	policiesv1beta1 "github.com/kyverno/api/api/policies.kyverno.io/v1beta1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"github.com/holdfast-io/holdfast/engine/cel"
)

// Autogen of the policies of policies.kyverno.io: one on Pods is also wanted where the Pods come from. Its expressions
// are rewritten for the controllers whose pod template stands at a known place; for others the templates are looked for
// in each object.
// Source: https://kyverno.io/docs/policy-types/validating-policy/

// The groups of controllers, by the names that a policy's status has for them.
const (
	groupDefaults = "defaults"
	groupCronJobs = "cronjobs"
	groupExtract  = "extract"
)

// controllerGroup is a group of pod controllers for which one more rule is made.
type controllerGroup struct {
	name string
	// template is the path of the pod template, nil for groupExtract.
	template []string
	targets  []policiesv1beta1.Target // sorted
}

// podControllers gives the groups for which a policy with these constraints is made too, in the order of their names,
// and the names that stand for no controller. Nil wanted means all controllers that are built in; an empty list none.
func podControllers(m *admissionregistrationv1.MatchResources, wanted []string) (groups []controllerGroup, unknown []string) {
	if !aboutPodsAlone(m) {
		return nil, nil
	}
	if wanted == nil {
		wanted = []string{"cronjobs", "daemonsets", "deployments", "jobs", "replicasets", "statefulsets"}
	}
	byName := map[string][]policiesv1beta1.Target{}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(wanted))) {
		group, target, ok := podController(name)
		if !ok {
			unknown = append(unknown, name)
			continue
		}
		byName[group] = append(byName[group], target)
	}
	for _, g := range []controllerGroup{
		{name: groupCronJobs, template: []string{"spec", "jobTemplate", "spec", "template"}},
		{name: groupDefaults, template: []string{"spec", "template"}},
		{name: groupExtract},
	} {
		if g.targets = byName[g.name]; g.targets != nil {
			slices.SortFunc(g.targets, compareTargets)
			groups = append(groups, g)
		}
	}
	return groups, unknown
}

func compareTargets(a, b policiesv1beta1.Target) int {
	return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Resource, b.Resource))
}

// aboutPodsAlone reports whether the constraints select Pods and nothing else, and by nothing that their controllers do
// not share (labels, names).
func aboutPodsAlone(m *admissionregistrationv1.MatchResources) bool {
	if m == nil || len(m.ExcludeResourceRules) > 0 || len(m.ResourceRules) != 1 {
		return false
	}
	if s := m.ObjectSelector; s != nil && (len(s.MatchLabels) > 0 || len(s.MatchExpressions) > 0) {
		return false
	}
	r := &m.ResourceRules[0]
	return len(r.ResourceNames) == 0 && len(r.Operations) > 0 &&
		slices.Equal(r.APIGroups, []string{""}) && slices.Equal(r.APIVersions, []string{"v1"}) && slices.Equal(r.Resources, []string{"pods"})
}

// podController reads an entry of autogen.podControllers.controllers: a controller of Kubernetes by its plural name, any
// other as resource.version.group, or by its plural name alone in whatever group there is.
func podController(name string) (group string, target policiesv1beta1.Target, ok bool) {
	switch name {
	case "daemonsets", "deployments", "replicasets", "statefulsets":
		return groupDefaults, policiesv1beta1.Target{Group: "apps", Version: "v1", Resource: name, Kind: appsKinds(name)}, true
	case "jobs":
		return groupDefaults, policiesv1beta1.Target{Group: "batch", Version: "v1", Resource: name, Kind: "Job"}, true
	case "cronjobs":
		return groupCronJobs, policiesv1beta1.Target{Group: "batch", Version: "v1", Resource: name, Kind: cronJob}, true
	}
	switch parts := strings.SplitN(name, ".", 3); {
	case slices.Contains(parts, "") || name == "pods":
		return "", target, false
	case len(parts) == 3:
		return groupExtract, policiesv1beta1.Target{Group: parts[2], Version: parts[1], Resource: parts[0], Kind: guessKind(parts[0])}, true
	case len(parts) == 1:
		return groupExtract, policiesv1beta1.Target{Group: "*", Version: "*", Resource: name, Kind: guessKind(name)}, true
	default:
		return "", target, false
	}
}

func appsKinds(plural string) string {
	switch plural {
	case "daemonsets":
		return "DaemonSet"
	case "deployments":
		return "Deployment"
	case "replicasets":
		return "ReplicaSet"
	default:
		return "StatefulSet"
	}
}

// guessKind is for the eyes of who reads a status: resources are selected by their plural names.
func guessKind(plural string) string {
	name := strings.TrimSuffix(plural, "s")
	if name == "" {
		return plural
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

// constraints are those of the policy on Pods, for the group's controllers.
func (g *controllerGroup) constraints(pods *admissionregistrationv1.MatchResources) *admissionregistrationv1.MatchResources {
	out := &admissionregistrationv1.MatchResources{NamespaceSelector: pods.NamespaceSelector.DeepCopy()}
	for _, t := range g.targets {
		last := len(out.ResourceRules) - 1
		if last >= 0 && out.ResourceRules[last].APIGroups[0] == t.Group && out.ResourceRules[last].APIVersions[0] == t.Version {
			out.ResourceRules[last].Resources = append(out.ResourceRules[last].Resources, t.Resource)
			continue
		}
		out.ResourceRules = append(out.ResourceRules, admissionregistrationv1.NamedRuleWithOperations{
			RuleWithOperations: admissionregistrationv1.RuleWithOperations{
				Operations: slices.Clone(pods.ResourceRules[0].Operations),
				Rule: admissionregistrationv1.Rule{
					APIGroups: []string{t.Group}, APIVersions: []string{t.Version}, Resources: []string{t.Resource},
				},
			},
		})
	}
	return out
}

// extract has the rule judge each pod template of an object as the Pod that it is about, if the group's have no known place.
func (g *controllerGroup) extract(rule *Rule) {
	if g.name == groupExtract {
		rule.validate.body = &templatesCheck{conditions: rule.conditions, body: rule.validate.body}
		rule.conditions = nil // they are about a Pod
	}
}

// ValidatingAutogen gives what is made of the policy for pod controllers, by the names of their groups: what its status
// shows. It is nil if nothing is.
func ValidatingAutogen(src policiesv1beta1.ValidatingPolicyLike) (map[string]policiesv1beta1.ValidatingPolicyAutogen, error) {
	spec := src.GetValidatingPolicySpec()
	groups, _ := podControllers(spec.MatchConstraints, validatingControllers(spec))
	return byGroup(groups, func(g *controllerGroup) (made policiesv1beta1.ValidatingPolicyAutogen, err error) {
		made.Targets = g.targets
		made.Spec, err = g.validating(spec)
		return made, err
	})
}

// byGroup makes something of a policy for each group, by the group's name; nil if there are none.
func byGroup[A any](groups []controllerGroup, of func(*controllerGroup) (A, error)) (map[string]A, error) {
	var out map[string]A
	for i := range groups {
		made, err := of(&groups[i])
		if err != nil {
			return nil, err
		}
		if out == nil {
			out = make(map[string]A, len(groups))
		}
		out[groups[i].name] = made
	}
	return out, nil
}

// validatingControllers are those that the policy names, nil where it names none.
func validatingControllers(spec *policiesv1beta1.ValidatingPolicySpec) []string {
	if a := spec.AutogenConfiguration; a != nil && a.PodControllers != nil {
		return a.PodControllers.Controllers
	}
	return nil
}

// validating gives the spec for the group's controllers.
func (g *controllerGroup) validating(spec *policiesv1beta1.ValidatingPolicySpec) (*policiesv1beta1.ValidatingPolicySpec, error) {
	made := spec.DeepCopy()
	made.MatchConstraints = g.constraints(spec.MatchConstraints)
	return shifted(g, made)
}

// shifted gives a spec whose constraints are the group's with all its expressions on the pod template, messages too: as in
// Kyverno the whole text is rewritten.
func shifted[Spec any](g *controllerGroup, made *Spec) (*Spec, error) {
	if g.template == nil {
		return made, nil
	}
	raw, err := json.Marshal(made)
	if err != nil {
		return nil, fmt.Errorf("writing the policy for %s: %w", g.name, err)
	}
	out := new(Spec)
	if err := json.Unmarshal([]byte(cel.ShiftPolicy(string(raw), g.template)), out); err != nil {
		return nil, fmt.Errorf("writing the policy for %s: %w", g.name, err)
	}
	return out, nil
}
