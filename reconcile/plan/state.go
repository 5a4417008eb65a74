package plan

import (
	"fmt"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
)

// State is the phase in which a plan begins, with a sentence that says why. Whoever carries plans out takes them on from
// Proposed.
func State(p *v1alpha1.Plan) (phase v1alpha1.Phase, message string, counts v1alpha1.TargetCounts) {
	counts.Total = int32(len(p.Targets)) //nolint:gosec // at most MaxTargets
	var first, conflict *v1alpha1.Obstacle
	for i := range p.Targets {
		o := p.Targets[i].Obstacle
		if o == nil {
			continue
		}
		counts.Blocked++
		if first == nil {
			first = o
		}
		if o.Reason == v1alpha1.Conflict && conflict == nil {
			conflict = o
		}
	}
	switch {
	case counts.Blocked == 0:
		return v1alpha1.PhaseProposed, "", counts
	case counts.Blocked < counts.Total:
		return v1alpha1.PhaseProposed, cut(fmt.Sprintf("%d of %d targets are left alone, the first because %s: %s", counts.Blocked, counts.Total, first.Reason, first.Message), v1alpha1.MaxMessageBytes), counts
	case conflict != nil:
		return v1alpha1.PhaseConflict, cut(conflict.Message, v1alpha1.MaxMessageBytes), counts
	default:
		return v1alpha1.PhaseBlocked, cut(fmt.Sprintf("%s: %s", first.Reason, first.Message), v1alpha1.MaxMessageBytes), counts
	}
}
