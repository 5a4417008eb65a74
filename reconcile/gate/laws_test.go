package gate

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/holdfast-io/holdfast/api/bounds"
	"github.com/holdfast-io/holdfast/api/v1alpha1"
)

// A stricter setting, a further annotation or a lower mode lets nothing through that was stopped: not at any gate.
func TestAStricterSettingNeverLetsMoreThrough(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFacts(t)
		before := Judge(f)
		what := rapid.SampledFrom([]string{
			"share", "floor", "policy", "namespace", "cluster", "attempts", "fights", "failures", "least", "open", "window", "limits", "after", "mode", "switch", "hold", "settles",
		}).Draw(t, "stricter")
		tighten(t, f, what)
		for i, v := range Judge(f) {
			if v.Passes && !before[i].Passes {
				t.Errorf("%s: with stricter %s it passes, and was stopped: %s", v.Gate, what, before[i].Message)
			}
		}
	})
}

// The more was done and the more of it failed, the less is let through.
func TestMoreOfThePastNeverLetsMoreThrough(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		past := drawPast(t)
		f := drawFacts(t)
		f.Memory = Remember(past, now)
		before := Judge(f)
		more := drawPast(t)
		for i := range more {
			for j := range more[i].Status.Results { // a success is what closes a breaker, and forgives attempts
				more[i].Status.Results[j].State = v1alpha1.TargetFailed
			}
		}
		f.Memory = Remember(append(past, more...), now)
		for i, v := range Judge(f) {
			if v.Passes && !before[i].Passes {
				t.Errorf("%s: with more failures it passes, and was stopped: %s", v.Gate, before[i].Message)
			}
		}
	})
}

// Who looks again when a gate says so finds it open, or is told a later time: never is the time in the past.
func TestNoGateSaysToLookAgainInThePast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for _, v := range Judge(drawFacts(t)) {
			if !v.Until.IsZero() && !v.Until.After(now) {
				t.Errorf("%s says to look again at %s: %s", v.Gate, v.Until, v.Message)
			}
			if v.Passes != (v.Reason == "") || v.Passes != (v.Message == "") {
				t.Errorf("%s: passes %v with reason %q and message %q", v.Gate, v.Passes, v.Reason, v.Message)
			}
		}
	})
}

func tighten(t *rapid.T, f *Facts, what string) {
	less := func(n *int) { *n = rapid.IntRange(0, *n).Draw(t, "less") }
	s := &f.Settings
	switch what {
	case "share":
		less(&s.MaxShare)
	case "floor":
		less(&s.ShareFloor)
	case "policy":
		less(&s.Budgets.Policy)
	case "namespace":
		less(&s.Budgets.Namespace)
	case "cluster":
		less(&s.Budgets.Cluster)
	case "attempts":
		less(&s.MaxAttempts)
	case "fights":
		less(&s.MaxFights)
	case "failures":
		less(&s.Breaker.Failures)
	case "least":
		less(&s.Breaker.Least)
	case "open":
		s.Breaker.Open += time.Duration(rapid.IntRange(0, 120).Draw(t, "longer")) * time.Minute
	case "window":
		s.Windows = append(s.Windows, Place{"another", drawWindows(t)})
	case "limits":
		annotations := map[string]string{v1alpha1.AnnotationLimits: rapid.SampledFrom([]string{"share=10%", "budget=0, fights=1", "attempts=1, failures=5%", "nonsense"}).Draw(t, "limits")}
		f.Settings, f.Unreadable = Effective(f.Settings, annotations, annotations)
	case "after":
		if s.After == nil {
			s.After = map[string][]string{}
		}
		s.After["p"] = append(s.After["p"], rapid.SampledFrom([]string{"first", "second", "p"}).Draw(t, "before"))
	case "mode":
		f.Mode = v1alpha1.Strictest(f.Mode, rapid.SampledFrom(v1alpha1.Modes()).Draw(t, "mode"))
	case "switch":
		f.Switch = &Switch{Stopped: true}
	case "hold":
		f.Namespace = map[string]string{v1alpha1.AnnotationHold: "always"}
	case "settles":
		f.Settles = f.Settles.Add(time.Hour)
	}
}

func drawWindows(t *rapid.T) bounds.Windows {
	ws, err := bounds.ParseWindows(rapid.SampledFrom([]string{
		"allow @daily for 13h", "allow 0 22 * * * for 6h", "deny 0 11 * * 1 for 2h", "deny @monthly for 24h", "allow * * * * * for 10m; deny 59 11 * * * for 1m",
	}).Draw(t, "windows"))
	if err != nil {
		t.Fatal(err)
	}
	return ws
}

func drawFacts(t *rapid.T) *Facts {
	f := clear()
	n := func(name string, most int) int { return rapid.IntRange(0, most).Draw(t, name) }
	f.Mode = rapid.SampledFrom(v1alpha1.Modes()).Draw(t, "mode")
	f.Approval.Message = "a message"
	f.Approval.Decision = rapid.SampledFrom([]Decision{Missing, Approved, Rejected, Expired, ""}).Draw(t, "decision")
	f.Share = &Share{n("changed", 20), n("matched", 20)}
	f.Settles = now.Add(time.Duration(n("settles", 2)-1) * time.Minute)
	s := &f.Settings
	s.MaxShare, s.ShareFloor, s.MaxAttempts, s.MaxFights = n("share", 100), n("floor", 10), n("attempts", 4), n("fights", 4)
	s.Budgets = Budgets{n("policy", 5), n("namespace", 5), n("cluster", 5)}
	s.Breaker = Breaker{Failures: n("failures", 100), Least: n("least", 5), Period: time.Hour, Open: time.Duration(n("open", 60)) * time.Minute}
	if rapid.Bool().Draw(t, "has windows") {
		s.Windows = []Place{{"the policy", drawWindows(t)}}
	}
	f.Memory = Remember(drawPast(t), now)
	return f
}

// drawPast draws Remediations that have done something, or are about to.
func drawPast(t *rapid.T) []v1alpha1.Remediation {
	var out []v1alpha1.Remediation
	for range rapid.IntRange(0, 8).Draw(t, "remediations") {
		r := remediation(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "name"), deployment(rapid.SampledFrom([]string{"shop", "till"}).Draw(t, "target")))
		r.Spec.Plan.Policy.Name = rapid.SampledFrom([]string{"p", "p", "first"}).Draw(t, "policy")
		r.Status.Phase = rapid.SampledFrom([]v1alpha1.Phase{v1alpha1.PhaseRunning, v1alpha1.PhaseSucceeded, v1alpha1.PhaseFailed}).Draw(t, "phase")
		at := ago(time.Duration(rapid.IntRange(0, 30*60).Draw(t, "minutes")) * time.Minute)
		if rapid.Bool().Draw(t, "of late") {
			at = ago(time.Duration(rapid.IntRange(0, 70).Draw(t, "minutes")) * time.Minute)
		}
		if rapid.Bool().Draw(t, "done") {
			state := rapid.SampledFrom([]v1alpha1.TargetState{v1alpha1.TargetApplying, v1alpha1.TargetVerifying, v1alpha1.TargetSucceeded, v1alpha1.TargetFailed, v1alpha1.TargetSkipped, v1alpha1.TargetRolledBack}).Draw(t, "state")
			r.Status.Results = []v1alpha1.TargetResult{{State: state, Attempts: 1, Applied: at, Time: at}}
		}
		out = append(out, r)
	}
	return out
}
