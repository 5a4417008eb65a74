package engine

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"

	"github.com/holdfast-io/holdfast/engine/cel"
)

// Autogen: a rule on Pods is also wanted where the Pods come from. From each such rule two are made, one
// for the controllers with a pod template and one for CronJobs, unless the policy's annotation or the
// rule's own form stand in the way.
// Source: https://kyverno.io/docs/policy-types/cluster-policy/autogen/

// templated are the kinds with a pod template at spec.template, in the order of their names.
var templated = []string{"DaemonSet", "Deployment", "Job", "ReplicaSet", "ReplicationController", "StatefulSet"}

// controllerKinds says in which group and version each controller is matched.
func controllerKind(kind string) string {
	switch kind {
	case "CronJob", "Job":
		return "batch/v1/" + kind
	case "ReplicationController":
		return kind
	default:
		return "apps/v1/" + kind
	}
}

const cronJob = "CronJob"

type generatedRule struct {
	rule   *kyvernov1.Rule
	source int // index of the rule that it was made from
	// template is the path of the pod template in what the rule is about
	template []string
}

// autogen makes the rules for pod controllers. It is called on a policy that compiles.
func autogen(p kyvernov1.PolicyInterface) ([]generatedRule, error) {
	spec := p.GetSpec()
	if !autogenPossible(spec) {
		return nil, nil
	}
	controllers := append([]string{cronJob}, templated...)
	if value, ok := p.GetAnnotations()[annotationAutogen]; ok && value != "all" {
		controllers = strings.Split(value, ",")
		for i := range controllers {
			controllers[i] = strings.TrimSpace(controllers[i])
		}
	}
	var kinds []string
	for _, kind := range templated {
		if slices.Contains(controllers, kind) {
			kinds = append(kinds, controllerKind(kind))
		}
	}
	var out []generatedRule
	for i := range spec.Rules {
		r := &spec.Rules[i]
		if strings.HasPrefix(r.Name, "autogen-") || !selectsPods(r) || aboutItsObjectAlone(r) {
			continue
		}
		if len(kinds) > 0 {
			lift := podRule{"autogen-", kinds, []string{"spec", "template"}}
			g, err := lift.from(r)
			if err != nil {
				return nil, err
			}
			out = append(out, generatedRule{g, i, lift.template})
		}
		if slices.Contains(controllers, cronJob) {
			lift := podRule{"autogen-cronjob-", []string{controllerKind(cronJob)}, []string{"spec", "jobTemplate", "spec", "template"}}
			g, err := lift.from(r)
			if err != nil {
				return nil, err
			}
			out = append(out, generatedRule{g, i, lift.template})
		}
	}
	return out, nil
}

// autogenPossible holds back the whole policy where a rule selects Pods by something that their
// controllers do not share (a name, labels, annotations), mixes Pods with other kinds, or patches by
// JSON path.
func autogenPossible(spec *kyvernov1.Spec) bool {
	pods := false
	for i := range spec.Rules {
		r := &spec.Rules[i]
		if r.Generation != nil || patchesByPath(r.Mutation) {
			return false
		}
		for _, d := range descriptions(r) {
			if d.Name != "" || len(d.Names) > 0 || d.Selector != nil || d.Annotations != nil {
				return false
			}
			if len(d.Kinds) > 1 && containsKind(d.Kinds, "Pod") {
				return false
			}
			pods = pods || slices.ContainsFunc(d.Kinds, func(k string) bool {
				return k == "Pod" || k == cronJob || slices.Contains(templated, k)
			})
		}
	}
	return pods
}

// patchesByPath reports whether the mutation has a JSON patch, whose paths nobody can lift.
func patchesByPath(m *kyvernov1.Mutation) bool {
	return m != nil && (m.PatchesJSON6902 != "" ||
		slices.ContainsFunc(m.ForEachMutation, func(f kyvernov1.ForEachMutation) bool { return f.PatchesJSON6902 != "" }))
}

// descriptions lists what the match and the exclude block select by.
func descriptions(r *kyvernov1.Rule) []*kyvernov1.ResourceDescription {
	var out []*kyvernov1.ResourceDescription
	for _, m := range []*kyvernov1.MatchResources{&r.MatchResources, r.ExcludeResources} {
		if m == nil {
			continue
		}
		out = append(out, &m.ResourceDescription)
		for i := range m.Any {
			out = append(out, &m.Any[i].ResourceDescription)
		}
		for i := range m.All {
			out = append(out, &m.All[i].ResourceDescription)
		}
	}
	return out
}

// aboutItsObjectAlone reports whether what the rule says of a Pod has no meaning for a pod template: an
// assertion on the whole object, a signature of it, a change of other objects.
func aboutItsObjectAlone(r *kyvernov1.Rule) bool {
	return (r.Validation != nil && (r.Validation.DeprecatedAssert != nil || r.Validation.Manifests != nil)) ||
		(r.Mutation != nil && len(r.Mutation.Targets) > 0)
}

func selectsPods(r *kyvernov1.Rule) bool {
	if !containsKind(r.MatchResources.GetKinds(), "Pod") {
		return false
	}
	if r.ExcludeResources == nil {
		return true
	}
	kinds := r.ExcludeResources.GetKinds()
	return len(kinds) == 0 || containsKind(kinds, "Pod")
}

func containsKind(kinds []string, kind string) bool {
	return slices.ContainsFunc(kinds, func(k string) bool {
		sel, err := ParseKind(k)
		return err == nil && sel.Kind.String() == kind
	})
}

// podRule says how to lift a rule on Pods to a kind with a pod template.
type podRule struct {
	prefix   string
	kinds    []string
	template []string // path of the pod template
}

func (g podRule) from(src *kyvernov1.Rule) (*kyvernov1.Rule, error) {
	r := src.DeepCopy()
	r.Name = g.prefix + r.Name
	if len(r.Name) > 63 {
		r.Name = r.Name[:63]
	}
	g.lift(&r.MatchResources, true)
	if r.ExcludeResources != nil {
		g.lift(r.ExcludeResources, false)
	}
	if m := r.Mutation; m != nil {
		if doc := m.GetPatchStrategicMerge(); doc != nil {
			m.SetPatchStrategicMerge(g.wrap(doc))
		}
		g.wrapForEach(m.ForEachMutation)
	}
	if v := r.Validation; v != nil {
		if doc := v.GetPattern(); doc != nil {
			v.SetPattern(g.wrap(doc))
		}
		if list, ok := v.GetAnyPattern().([]any); ok {
			wrapped := make([]any, len(list))
			for i := range list {
				wrapped[i] = g.wrap(list[i])
			}
			v.SetAnyPattern(wrapped)
		}
	}
	return g.shift(r)
}

// wrapForEach wraps the patches of each foreach, and of those inside.
func (g podRule) wrapForEach(list []kyvernov1.ForEachMutation) {
	for i := range list {
		if doc := list[i].GetPatchStrategicMerge(); doc != nil {
			list[i].SetPatchStrategicMerge(g.wrap(doc))
		}
		g.wrapForEach(list[i].GetForEachMutation())
	}
}

// lift puts the controller's kinds in the place of Pod.
func (g podRule) lift(m *kyvernov1.MatchResources, match bool) {
	switch {
	case len(m.Any) > 0:
		g.liftFilters(m.Any)
	case len(m.All) > 0:
		g.liftFilters(m.All)
	case match || len(m.Kinds) > 0:
		m.Kinds = g.kinds
	}
}

func (g podRule) liftFilters(filters kyvernov1.ResourceFilters) {
	for i := range filters {
		if containsKind(filters[i].Kinds, "Pod") {
			filters[i].Kinds = g.kinds
		}
	}
}

// wrap puts a pattern or patch for a Pod below the path of the pod template. References inside it mean the
// document as it was; a wrong one has been found in the rule itself.
func (g podRule) wrap(doc any) any {
	if resolved, err := resolveReferences(doc); err == nil {
		doc = resolved
	}
	for i := len(g.template) - 1; i >= 0; i-- {
		doc = map[string]any{g.template[i]: doc}
	}
	return doc
}

// shift makes variables that point into the Pod point into the template.
func (g podRule) shift(r *kyvernov1.Rule) (*kyvernov1.Rule, error) {
	raw, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("generating rule %s: %w", r.Name, err)
	}
	text := shifter(g.template).Replace(string(raw))
	if r.Validation != nil && r.Validation.CEL != nil {
		text = cel.Shift(string(raw), g.template)
	}
	out := &kyvernov1.Rule{}
	if err := json.Unmarshal([]byte(text), out); err != nil {
		return nil, fmt.Errorf("generating rule %s: %w", r.Name, err)
	}
	return out, nil
}

// shifter rewrites variables on a Pod to variables on a pod template at this path.
func shifter(template []string) *strings.Replacer {
	below := "." + strings.Join(template, ".") + "."
	var pairs []string
	for _, object := range []string{"request.object", "request.oldObject"} {
		for _, part := range []string{"spec", "metadata"} {
			pairs = append(pairs, object+"."+part, object+below+part)
		}
	}
	return strings.NewReplacer(pairs...)
}
