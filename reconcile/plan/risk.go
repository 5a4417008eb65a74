package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
)

// manyTargets is from where on a plan is risky by its size alone: more than a person looks through one by one.
const manyTargets = 50

// risk weighs what would be done with the targets that have no obstacle. The level is that of the worst reason.
func risk(targets []v1alpha1.Target) v1alpha1.Risk {
	reasons := map[string]v1alpha1.RiskLevel{}
	changed := 0
	for i := range targets {
		t := &targets[i]
		if t.Obstacle != nil {
			continue
		}
		changed++
		for _, w := range weights() {
			if w.is(t) {
				reasons[w.reason] = w.level
			}
		}
	}
	if changed > manyTargets {
		reasons[fmt.Sprintf("changes %d objects", changed)] = v1alpha1.RiskMedium
	}
	out := v1alpha1.Risk{Level: v1alpha1.RiskLow}
	for reason, level := range reasons {
		out.Reasons = append(out.Reasons, reason)
		if level == v1alpha1.RiskHigh || out.Level == v1alpha1.RiskLow {
			out.Level = level
		}
	}
	slices.Sort(out.Reasons)
	return out
}

type weight struct {
	level  v1alpha1.RiskLevel
	reason string
	is     func(*v1alpha1.Target) bool
}

func weights() []weight {
	group := func(t *v1alpha1.Target) string { g, _, _ := strings.Cut(t.APIVersion, "/"); return g }
	return []weight{
		{v1alpha1.RiskHigh, "deletes objects", func(t *v1alpha1.Target) bool { return t.Action == v1alpha1.ActionDelete }},
		{v1alpha1.RiskHigh, "changes system namespaces", func(t *v1alpha1.Target) bool {
			return strings.HasPrefix(t.Namespace, "kube-") || t.Kind == "Namespace" && strings.HasPrefix(t.Name, "kube-")
		}},
		{v1alpha1.RiskHigh, "changes who may do what", func(t *v1alpha1.Target) bool { return group(t) == "rbac.authorization.k8s.io" }},
		{v1alpha1.RiskHigh, "changes how the API server admits or serves", func(t *v1alpha1.Target) bool {
			return slices.Contains([]string{"admissionregistration.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io"}, group(t))
		}},
		{v1alpha1.RiskMedium, "restarts Pods", func(t *v1alpha1.Target) bool {
			return t.Action == v1alpha1.ActionPatch && group(t) == "apps" && (t.Withheld != "" || strings.Contains(t.Patch, `"path":"/spec/template`))
		}},
		{v1alpha1.RiskMedium, "cannot be changed back by Holdfast", func(t *v1alpha1.Target) bool { return t.Withheld != "" }},
		{v1alpha1.RiskMedium, "changes values of Secrets", func(t *v1alpha1.Target) bool { return t.Withheld == v1alpha1.WithheldSecret }},
		{v1alpha1.RiskMedium, "changes what the network lets through", func(t *v1alpha1.Target) bool {
			return group(t) == "networking.k8s.io" || t.APIVersion == "v1" && t.Kind == "Service"
		}},
	}
}
