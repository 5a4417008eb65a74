package gate

import (
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-io/holdfast/api/bounds"
	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine"
)

// Rank says when objects of a kind come, the lowest first: what others live in, what they read, and then the rest.
func Rank(kind string) int {
	switch kind {
	case "Namespace", "CustomResourceDefinition":
		return 0
	case "ResourceQuota", "LimitRange", "ServiceAccount", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding", "ConfigMap", "Secret",
		"StorageClass", "PriorityClass", "PersistentVolume", "PersistentVolumeClaim", "NetworkPolicy":
		return 1
	default:
		return 2
	}
}

// After gives which policies come before which, as Settings have it, by what policies say. A bundle that could not be read in
// this is not in force.
func After(policies []*engine.Policy) map[string][]string {
	out := map[string][]string{}
	for _, p := range policies {
		if names, err := bounds.ParseNames(p.Annotations[v1alpha1.AnnotationAfter]); err == nil {
			out[p.Key()] = append(out[p.Key()], names...)
		}
	}
	return out
}

// waiting is a Remediation that is open, with what is left of it.
type waiting struct {
	name, policy string // the policy's key
	// certain: it is going to be carried out, and nothing stands in its way that does not pass by itself.
	certain bool
	left    []*v1alpha1.Target
}

// soon is how long something may stand in the way of what others wait for: what comes much later, they do not wait for.
const soon = 15 * time.Minute

// waitingOf gives a Remediation that is open and has something left to be done; nil for another.
func waitingOf(r *v1alpha1.Remediation, now time.Time) *waiting {
	if r.Status.Phase.Ended() || !r.Status.Mode.Allows(v1alpha1.Approve) {
		return nil
	}
	w := &waiting{name: r.Name, policy: r.Spec.Plan.Policy.Key()}
	ended := map[int32]bool{}
	for i := range r.Status.Results {
		switch res := &r.Status.Results[i]; res.State {
		case v1alpha1.TargetSucceeded, v1alpha1.TargetFailed, v1alpha1.TargetSkipped, v1alpha1.TargetRolledBack:
			ended[res.Index] = true
		}
	}
	for i := range r.Spec.Plan.Targets {
		if t := &r.Spec.Plan.Targets[i]; t.Obstacle == nil && !ended[int32(i)] { //nolint:gosec // at most MaxTargets
			w.left = append(w.left, t)
		}
	}
	if len(w.left) == 0 {
		return nil
	}
	w.certain = r.Status.Mode == v1alpha1.Enforce || r.Status.Phase == v1alpha1.PhaseApproved || r.Status.Phase == v1alpha1.PhaseRunning
	if slices.ContainsFunc(r.Status.Gates, func(g v1alpha1.GateStatus) bool {
		return g.Gate != "order" && (g.Until == nil || g.Until.Sub(now) > soon)
	}) {
		w.certain = false
	}
	return w
}

// order stops what comes after something else: after the policies that holdfast.dev/after names, and a workload after the
// Namespace and the configuration that it lives in. What may never be carried out is waited for only where a policy says so.
func order(f *Facts) Verdict {
	if f.Memory == nil {
		return stop(NotKnown, "it is not known what else is to be done")
	}
	own := f.Remediation.Spec.Plan.Policy.Key()
	before := behind(f.Settings.After, own)
	if before[own] {
		return stop(Circle, fmt.Sprintf("policy %s is to come after itself: the annotations %s of some policies lead in a circle", own, v1alpha1.AnnotationAfter))
	}
	for _, w := range f.Memory.open {
		if w.name == f.Remediation.Name {
			continue
		}
		if before[w.policy] {
			return stop(WaitsForAnother, fmt.Sprintf("Remediation %s comes first: %s says that policy %s is before this one", w.name, v1alpha1.AnnotationAfter, w.policy))
		}
		if !w.certain || behind(f.Settings.After, w.policy)[own] {
			continue
		}
		for _, t := range w.left {
			if Rank(t.Kind) < Rank(f.Target.Kind) && holds(t, f.Target) {
				return stop(WaitsForAnother, fmt.Sprintf("Remediation %s comes first: it changes %s %s, and this object comes after it", w.name, t.Kind, t.Name))
			}
		}
	}
	return pass()
}

// holds reports whether an object is one that another lives in, or beside.
func holds(t, other *v1alpha1.Target) bool {
	return t.Namespace == other.Namespace || t.Kind == "Namespace" && t.Name == other.Namespace
}

// behind gives the policies that come before a policy, those before them, and so on.
func behind(after map[string][]string, policy string) map[string]bool {
	out := map[string]bool{}
	todo := slices.Clone(after[policy])
	for len(todo) > 0 {
		next := todo[0]
		todo = todo[1:]
		if !out[next] {
			out[next] = true
			todo = append(todo, after[next]...)
		}
	}
	return out
}
