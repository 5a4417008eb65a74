package app

import (
	"slices"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/reconcile/gate"
)

// breakers tells how the circuit breakers stand of the policies that have Remediations, with the figures of what was done; false
// while the Remediations are not known. What a Namespace narrows counts for its objects alone, and is not looked at here.
func (g *gates) breakers() ([]breaker, bool) {
	if g == nil || !g.remediations.Synced() {
		return nil, false
	}
	now, all, snapshot := g.now(), g.all(), g.snapshots.Current()
	memory := gate.Remember(all, now)
	seen := map[v1alpha1.PolicyReference]bool{}
	var out []breaker
	for i := range all {
		policy := all[i].Spec.Plan.Policy
		policy.Rule, policy.Digest = "", ""
		if seen[policy] {
			continue
		}
		seen[policy] = true
		limits := g.settings.Breaker
		if p := policyOfSnapshot(snapshot, &policy); p != nil {
			policy.Digest = p.Digest
			if s, err := gate.Effective(g.settings, p.Annotations, nil); err == nil {
				limits = s.Breaker
			}
		}
		out = append(out, breaker{policy: policy, bundle: snapshot.Digest(), limits: limits, Standing: memory.Standing(&policy, limits, now)})
	}
	return out, true
}

// policyOfSnapshot finds a policy among those in force; nil if it is not there.
func policyOfSnapshot(s *engine.Snapshot, ref *v1alpha1.PolicyReference) *engine.Policy {
	policies := s.Policies()
	at := slices.IndexFunc(policies, func(p *engine.Policy) bool {
		return p.Kind == ref.Kind && p.Namespace == ref.Namespace && p.Name == ref.Name
	})
	if at < 0 {
		return nil
	}
	return policies[at]
}
