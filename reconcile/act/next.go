package act

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/reconcile/gate"
)

// step is what is to be done with a Remediation next. Everything that a step rests on stands in the spec and the status, so
// that whoever looks at them comes to the same.
type step uint8

const (
	// stepNone: it has ended, or nothing in it can be carried out.
	stepNone step = iota
	// stepFind: find out what became of targets that were being written when the writer ended.
	stepFind
	// stepUndo: change targets back.
	stepUndo
	// stepVerify: look whether targets that were written are healthy and mended.
	stepVerify
	// stepApply: change targets.
	stepApply
	// stepPause: nothing until people let it go on.
	stepPause
	// stepWait: nothing until a time.
	stepWait
	// stepConclude: all has been done; say how it went.
	stepConclude
)

// String names the step in the log.
func (s step) String() string {
	return [...]string{"none", "find", "undo", "verify", "apply", "pause", "wait", "conclude"}[s]
}

// move is a step with what it is about.
type move struct {
	step    step
	targets []int     // of the plan
	until   time.Time // of stepWait
	why     Why       // of stepUndo
}

// maxBatch is how many targets are written between two writes of the status: what is marked as being written and is not
// has to be looked at again after a crash, and a plan of a megabyte is written anew with each status.
const maxBatch = 10

// stoppedReason is that of the condition Applied, False, once more has failed than the strategy allows. From then on all is
// undone, whoever looks.
const stoppedReason = "Stopped"

// next says what is to be done.
func next(r *v1alpha1.Remediation, now time.Time) move {
	states := statesOf(r)
	in := func(wanted ...v1alpha1.TargetState) (out []int) {
		for i := range r.Spec.Plan.Targets {
			if res := states[i]; res != nil && slices.Contains(wanted, res.State) {
				out = append(out, i)
			}
		}
		return out
	}
	if broken := in(v1alpha1.TargetApplying, v1alpha1.TargetRollingBack); len(broken) > 0 {
		return move{step: stepFind, targets: broken}
	}
	if undo, why := toUndo(r, states); len(undo) > 0 {
		return move{step: stepUndo, targets: undo[:min(len(undo), maxBatch)], why: why}
	}
	verifying := in(v1alpha1.TargetVerifying)
	able := executable(&r.Spec.Plan)
	noMore := stopped(r) || allAsked(r) || rejected(r) && len(states) > 0
	switch {
	case r.Status.Phase.Ended(), len(able) == 0, allAsked(r) && len(states) == 0:
		return move{step: stepNone}
	case len(verifying) > 0 && (noMore || r.Spec.Paused):
		return move{step: stepVerify, targets: verifying}
	case noMore:
		return move{step: stepConclude}
	}
	batch, until := due(r, able, states, now)
	switch {
	case len(batch) > 0 && r.Spec.Paused:
		return move{step: stepPause}
	case len(batch) > 0:
		return move{step: stepApply, targets: batch}
	case len(verifying) > 0:
		return move{step: stepVerify, targets: verifying}
	case until.IsZero():
		return move{step: stepConclude}
	case r.Spec.Paused:
		return move{step: stepPause}
	default:
		return move{step: stepWait, until: until}
	}
}

// statesOf are the results by the target's place in the plan.
func statesOf(r *v1alpha1.Remediation) map[int]*v1alpha1.TargetResult {
	out := make(map[int]*v1alpha1.TargetResult, len(r.Status.Results))
	for i := range r.Status.Results {
		if index := int(r.Status.Results[i].Index); index >= 0 && index < len(r.Spec.Plan.Targets) {
			out[index] = &r.Status.Results[i]
		}
	}
	return out
}

// executable are the targets that are changed at all, in the order in which they are: what others live in and read comes first.
// What a rule wants of other objects than the one that it matches cannot be planned again from the target alone, and has an
// obstacle (NotCarriedOut); one that was made by hand and has none is left alone all the same.
func executable(p *v1alpha1.Plan) []int {
	var out []int
	for i := range p.Targets {
		if t := &p.Targets[i]; t.Obstacle == nil && t.Action == v1alpha1.ActionPatch && t.Source != v1alpha1.SourceGenerate {
			out = append(out, i)
		}
	}
	slices.SortStableFunc(out, func(a, b int) int { return gate.Rank(p.Targets[a].Kind) - gate.Rank(p.Targets[b].Kind) })
	return out
}

// waves divides targets: first the canary, then as many at a time as the strategy says, and one at least.
func waves(s v1alpha1.Strategy, able []int) [][]int {
	size := max(scaled(s.Wave, len(able)), 1)
	var out [][]int
	for first := min(int(s.Canary), len(able)); len(able) > 0; first = min(size, len(able)) {
		if first > 0 {
			out = append(out, able[:first])
		}
		able = able[first:]
	}
	return out
}

// scaled is a number, or a share of all, rounded down. What cannot be read is none.
func scaled(v intstr.IntOrString, all int) int {
	n, err := intstr.GetScaledValueFromIntOrPercent(&v, all, false)
	if err != nil {
		return 0
	}
	return n
}

// due gives the targets of the wave whose turn it is that are to be changed, or the time until when it waits; neither where
// what has been changed is awaited, and when all waves are through. A wave begins when all of the one before have come to
// their end.
func due(r *v1alpha1.Remediation, able []int, states map[int]*v1alpha1.TargetResult, now time.Time) (batch []int, until time.Time) {
	var last time.Time // when something was last done in the waves before
	for n, wave := range waves(r.Spec.Plan.Strategy, able) {
		var waiting []int
		awaited := false
		ended := last
		for _, i := range wave {
			res := states[i]
			switch {
			case asked(r, i) && (res == nil || res.State == v1alpha1.TargetWaiting):
				// It would only be changed back.
			case res == nil || res.State == v1alpha1.TargetWaiting:
				waiting = append(waiting, i)
			case res.State == v1alpha1.TargetVerifying:
				awaited = true
			case res.ResourceVersionAfter != "" && res.Time != nil && res.Time.After(ended):
				ended = res.Time.Time
			}
		}
		if len(waiting) == 0 && awaited {
			return nil, time.Time{}
		}
		if len(waiting) == 0 {
			last = ended
			continue
		}
		if begins := last.Add(r.Spec.Plan.Strategy.Pause.Duration); n > 0 && !last.IsZero() && len(waiting) == len(wave) && now.Before(begins) {
			return nil, begins
		}
		return waiting[:min(len(waiting), maxBatch)], time.Time{}
	}
	return nil, time.Time{}
}

// waveOf says which wave a target is of, from 1, and how many there are.
func waveOf(p *v1alpha1.Plan, target int) (wave, all int) {
	list := waves(p.Strategy, executable(p))
	for n := range list {
		if slices.Contains(list[n], target) {
			wave = n + 1
		}
	}
	return wave, len(list)
}

// written reports whether the target has been changed by us and not back.
func written(res *v1alpha1.TargetResult) bool {
	switch res.State {
	case v1alpha1.TargetVerifying, v1alpha1.TargetSucceeded:
		return true
	case v1alpha1.TargetFailed:
		return res.ResourceVersionAfter != ""
	default:
		return false
	}
}

// toUndo lists the targets that are to be changed back, the last first.
func toUndo(r *v1alpha1.Remediation, states map[int]*v1alpha1.TargetResult) (out []int, why Why) {
	if !stopped(r) {
		if r.Spec.Rollback == nil {
			return nil, Asked
		}
		why = Asked
	}
	for i := len(r.Spec.Plan.Targets) - 1; i >= 0; i-- {
		res := states[i]
		// What others have changed is looked at again when somebody asks again.
		if res == nil || !written(res) && (res.State != v1alpha1.TargetKept || r.Generation == r.Status.ObservedGeneration) {
			continue
		}
		if stopped(r) || asked(r, i) {
			out = append(out, i)
		}
	}
	return out, why
}

// asked reports whether somebody asks for a target to be changed back.
func asked(r *v1alpha1.Remediation, target int) bool {
	back := r.Spec.Rollback
	return back != nil && (len(back.Targets) == 0 || slices.Contains(back.Targets, r.Spec.Plan.Targets[target].UID))
}

func allAsked(r *v1alpha1.Remediation) bool {
	return r.Spec.Rollback != nil && len(r.Spec.Rollback.Targets) == 0
}

func rejected(r *v1alpha1.Remediation) bool {
	a := r.Spec.Approval
	return a != nil && a.Decision == v1alpha1.DecisionReject && a.PlanDigest == r.Spec.PlanDigest
}

// stopped reports whether more has failed than the strategy allows.
func stopped(r *v1alpha1.Remediation) bool {
	c := meta.FindStatusCondition(r.Status.Conditions, v1alpha1.ConditionApplied)
	return c != nil && c.Status == metav1.ConditionFalse && c.Reason == stoppedReason
}

// ending is how a Remediation ends of which all has been done.
func ending(r *v1alpha1.Remediation) (v1alpha1.Phase, string) {
	count := map[v1alpha1.TargetState]int{}
	first := map[v1alpha1.TargetState]string{}
	for i := range r.Status.Results {
		res := &r.Status.Results[i]
		count[res.State]++
		if first[res.State] == "" {
			first[res.State] = res.Message
		}
	}
	n := func(s v1alpha1.TargetState) int { return count[s] }
	all := len(executable(&r.Spec.Plan))
	switch {
	case n(v1alpha1.TargetKept) > 0:
		return v1alpha1.PhaseFailed, fmt.Sprintf("%d of %d targets could not be changed back: %s", n(v1alpha1.TargetKept), all, first[v1alpha1.TargetKept])
	case n(v1alpha1.TargetRolledBack) > 0 && n(v1alpha1.TargetSucceeded) == 0:
		return v1alpha1.PhaseRolledBack, fmt.Sprintf("%d of %d targets were changed back: %s", n(v1alpha1.TargetRolledBack), all, first[v1alpha1.TargetRolledBack])
	case stopped(r), n(v1alpha1.TargetFailed) > 0 && n(v1alpha1.TargetSucceeded) == 0:
		return v1alpha1.PhaseFailed, fmt.Sprintf("%d of %d targets failed: %s", n(v1alpha1.TargetFailed), all, first[v1alpha1.TargetFailed])
	case rejected(r):
		return v1alpha1.PhaseRejected, fmt.Sprintf("it was rejected when %d of %d targets had been changed", n(v1alpha1.TargetSucceeded), all)
	case n(v1alpha1.TargetSucceeded) == 0:
		return v1alpha1.PhaseSuperseded, "the world has changed: " + first[v1alpha1.TargetSkipped]
	}
	message := fmt.Sprintf("%d of %d targets were changed and are as the rule wants them", n(v1alpha1.TargetSucceeded), all)
	for _, other := range []struct {
		state v1alpha1.TargetState
		what  string
	}{{v1alpha1.TargetFailed, "failed"}, {v1alpha1.TargetSkipped, "were left alone"}, {v1alpha1.TargetRolledBack, "were changed back"}} {
		if n(other.state) > 0 {
			message += fmt.Sprintf("; %d %s: %s", n(other.state), other.what, first[other.state])
		}
	}
	return v1alpha1.PhaseSucceeded, message
}
