package act

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/engine/enginetest"
	"github.com/holdfast-io/holdfast/engine/mutate"
)

func expect(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got\n%s\nwant\n%s", what, got, want)
	}
}

const long = 24 * time.Hour

// replace is an operation that somebody else makes.
func replace(path string, value any) mutate.Operation {
	return mutate.Operation{Op: "replace", Path: path, Value: value}
}

// unhealthy gives an object the status of one that its controller cannot bring about.
func unhealthy(object map[string]any) {
	object["status"] = map[string]any{"conditions": []any{map[string]any{"type": "Stalled", "status": "True", "message": "no nodes"}}}
}

func TestTheCanaryComesFirstAndWavesFollow(t *testing.T) {
	w := newWorld(t, "a", "b", "c", "d")
	var order []string
	w.onWrite = func(name string) error {
		order = append(order, fmt.Sprintf("%s+%s", name, w.now.Sub(time.Unix(1_800_000_000, 0))))
		return nil
	}
	w.run(t, "r", long)
	expect(t, "the objects", w.tiers(), "a gold, b gold, c gold, d gold")
	expect(t, "the remediation", w.stand("r"), "Succeeded: 4 of 4 targets were changed and are as the rule wants them\na Succeeded\nb Succeeded\nc Succeeded\nd Succeeded")
	expect(t, "the times", fmt.Sprint(order), "[a+0s b+1m0s c+1m0s d+2m0s]")
	if err := w.agree(); err != nil {
		t.Error(err)
	}
}

func TestWhatComesOfATarget(t *testing.T) {
	refused := func(w *world) {
		w.onWrite = func(name string) error {
			if name == "a" {
				return fmt.Errorf("%w: no", ErrRefused)
			}
			return nil
		}
	}
	for name, test := range map[string]struct {
		change         func(t *testing.T, w *world)
		objects, stand string
	}{
		"the canary is not healthy": {func(_ *testing.T, w *world) { w.status = unhealthy },
			"a lead, b lead", "RolledBack: 1 of 2 targets were changed back: not healthy after the change: no nodes\na RolledBack: not healthy after the change: no nodes"},
		"the API server refuses the change": {func(_ *testing.T, w *world) { refused(w) },
			"a lead, b lead", "Failed: 1 of 2 targets failed: the API server refuses the change: no\na Failed: the API server refuses the change: no"},
		"one may fail": {func(_ *testing.T, w *world) {
			refused(w)
			w.rems["r"].Spec.Plan.Strategy.MaxFailures.IntVal = 1
		}, "a lead, b gold", "Succeeded: 1 of 2 targets were changed and are as the rule wants them; 1 failed: the API server refuses the change: no\na Failed: the API server refuses the change: no\nb Succeeded"},
		"it keeps changing": {func(t *testing.T, w *world) {
			w.onWrite = func(name string) error { w.edit(t, name, replace("/spec/size", 4.0)); return nil }
		}, "a lead, b lead", "Failed: 1 of 2 targets failed: the object has changed meanwhile\na Failed: the object has changed meanwhile"},
		"it changes once": {func(t *testing.T, w *world) {
			once := true
			w.onWrite = func(name string) error {
				if once {
					w.edit(t, name, replace("/spec/size", 4.0))
				}
				once = false
				return nil
			}
		}, "a gold, b gold", "Succeeded: 2 of 2 targets were changed and are as the rule wants them\na Succeeded\nb Succeeded"},
		"another mends it": {func(t *testing.T, w *world) { w.edit(t, "a", replace("/spec/tier", "gold")) },
			"a gold, b gold", "Succeeded: 1 of 2 targets were changed and are as the rule wants them; 1 were left alone: Thing web/a: the rule finds nothing wrong there any more, or is not the one that it was\na Skipped: Thing web/a: the rule finds nothing wrong there any more, or is not the one that it was\nb Succeeded"},
		"another change is needed now": {func(t *testing.T, w *world) { w.edit(t, "a", replace("/spec/tier", "tin")) },
			"a tin, b gold", "Succeeded: 1 of 2 targets were changed and are as the rule wants them; 1 were left alone: Thing web/a has changed, and another change would mend it now\na Skipped: Thing web/a has changed, and another change would mend it now\nb Succeeded"},
		"another object has its name": {func(_ *testing.T, w *world) {
			w.objects["a"]["metadata"].(map[string]any)["uid"] = "other"
		}, "a lead, b gold", "Succeeded: 1 of 2 targets were changed and are as the rule wants them; 1 were left alone: Thing web/a has been deleted, and another has its name (UID other): does not exist\na Skipped: Thing web/a has been deleted, and another has its name (UID other): does not exist\nb Succeeded"},
		"somebody changes it back at once": {func(t *testing.T, w *world) {
			w.status = func(object map[string]any) { object["spec"].(map[string]any)["tier"] = "lead" }
		}, "a lead, b lead", "RolledBack: 1 of 2 targets were changed back: the rule finds the same again after the change: nobody says who has written it since\na RolledBack: the rule finds the same again after the change: nobody says who has written it since"},
		"the policy changes": {func(t *testing.T, w *world) {
			w.onWrite = func(string) error {
				w.snapshot = enginetest.Snapshot(t, `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: tier}
spec: {rules: [{name: gold, match: {any: [{resources: {kinds: [Thing]}}]}, validate: {message: silver, pattern: {spec: {tier: silver}}}}]}
`)
				return nil
			}
		}, "a gold, b lead", "Succeeded: 1 of 2 targets were changed and are as the rule wants them; 1 were left alone: Thing web/b: the rule finds nothing wrong there any more, or is not the one that it was\na Succeeded: healthy; the policy is another since\nb Skipped: Thing web/b: the rule finds nothing wrong there any more, or is not the one that it was"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "a", "b")
			w.rems["r"].Spec.Plan.Strategy.Canary = 1
			if name == "another mends it" || name == "another change is needed now" || name == "another object has its name" {
				w.rems["r"].Spec.Plan.Strategy.Canary = 2 // so that something is done beside it
			}
			test.change(t, w)
			w.run(t, "r", long)
			expect(t, "the objects", w.tiers(), test.objects)
			expect(t, "the remediation", w.stand("r"), test.stand)
			if err := w.agree(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAPlanThatNoLongerFitsIsLeftToWhoeverPlans(t *testing.T) {
	w := newWorld(t, "a")
	w.edit(t, "a", replace("/spec/tier", "tin"))
	w.run(t, "r", time.Minute)
	expect(t, "the remediation", w.stand("r"), "Proposed: Thing web/a has changed, and another change would mend it now")
	if w.writes["a"] != 0 {
		t.Error("the object is written")
	}
}

func TestGatesAreAskedBeforeEachTarget(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	w.gates = func(*v1alpha1.Remediation, int) Verdict {
		return Verdict{Way: Wait, Phase: v1alpha1.PhaseAwaitingApproval, Message: "nobody has approved it yet"}
	}
	w.run(t, "r", time.Hour)
	expect(t, "without an approval", w.stand("r"), "AwaitingApproval: nobody has approved it yet")
	w.gates = func(_ *v1alpha1.Remediation, target int) Verdict {
		if target == 1 {
			return Verdict{Way: Skip, Message: "the object is held"}
		}
		return Verdict{Way: Go}
	}
	w.run(t, "r", long)
	expect(t, "with a hold", w.stand("r"), "Succeeded: 2 of 3 targets were changed and are as the rule wants them; 1 were left alone: the object is held\na Succeeded\nb Skipped: the object is held\nc Succeeded")

	w = newWorld(t, "a", "b")
	w.gates = func(_ *v1alpha1.Remediation, target int) Verdict {
		if target == 1 {
			return Verdict{Way: Wait, Phase: v1alpha1.PhaseApproved, Message: "the window is closed"}
		}
		return Verdict{Way: Go}
	}
	w.run(t, "r", time.Hour)
	expect(t, "when the window closes", w.stand("r"), "Paused: the window is closed\na Succeeded")
	w.gates = func(*v1alpha1.Remediation, int) Verdict {
		return Verdict{Way: End, Phase: v1alpha1.PhaseExpired, Message: "too late"}
	}
	w.run(t, "r", time.Hour)
	expect(t, "when the approval expires", w.stand("r"), "Expired: too late\na Succeeded")
	if err := w.agree(); err != nil {
		t.Error(err)
	}
}

func TestTheKillSwitchAndAPauseStopBetweenTwoTargets(t *testing.T) {
	for name, test := range map[string]struct {
		stop, goOn func(w *world)
		stand      string
	}{
		"the switch": {func(w *world) { w.stopped = "everything is stopped" }, func(w *world) { w.stopped = "" },
			"Paused: everything is stopped\na Succeeded\nb Waiting: put off: everything is stopped\nc Waiting: put off: everything is stopped"},
		"a pause": {
			func(w *world) { w.ask("r", func(s *v1alpha1.RemediationSpec) { s.Paused = true }) },
			func(w *world) { w.ask("r", func(s *v1alpha1.RemediationSpec) { s.Paused = false }) },
			"Paused: paused by hand (spec.paused)\na Succeeded\nb Waiting: put off: somebody asks for something else\nc Waiting: put off: somebody asks for something else",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "a", "b", "c")
			w.rems["r"].Spec.Plan.Strategy.Canary = 3
			w.onWrite = func(string) error { test.stop(w); return nil }
			w.run(t, "r", time.Hour)
			expect(t, "the remediation", w.stand("r"), test.stand)
			expect(t, "the objects", w.tiers(), "a gold, b lead, c lead")
			w.onWrite = nil
			test.goOn(w)
			w.run(t, "r", long)
			expect(t, "the objects after that", w.tiers(), "a gold, b gold, c gold")
			if err := w.agree(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestNothingIsDoneThatCannotBeRecorded(t *testing.T) {
	w := newWorld(t, "a")
	w.unrecorded = errors.New("the disk is full")
	w.run(t, "r", time.Minute)
	expect(t, "the objects", w.tiers(), "a lead")
	w.unrecorded = nil
	w.run(t, "r", long)
	expect(t, "the objects when there is room", w.tiers(), "a gold")
	if err := w.agree(); err != nil {
		t.Error(err)
	}
}

// While what was done cannot be recorded it is looked at again and again, and told once.
func TestWhatCannotBeRecordedIsToldOnce(t *testing.T) {
	w := newWorld(t, "a")
	w.onWrite = func(string) error { w.unrecorded = errors.New("the database is away"); return nil }
	w.run(t, "r", 5*time.Second)
	expect(t, "what is told", strings.Join(w.told, ", "), "")
	expect(t, "the remediation", w.stand("r"), "Running: wave 1 of 1\na Applying")
	w.onWrite, w.unrecorded = nil, nil
	w.run(t, "r", long)
	expect(t, "what is told after that", strings.Join(w.told, ", "), fmt.Sprint("a ", Changed))
	if err := w.agree(); err != nil {
		t.Error(err)
	}
}

// A process that stands still in the middle, and wakes up when another has gone on, leaves everything to that one.
func TestWhoeverLeadsNoMoreWritesAndRecordsNothing(t *testing.T) {
	for name, test := range map[string]struct{ objects, ledger string }{
		"before the intents":            {"a lead, b lead", ""},
		"between the intents and a":     {"a lead, b lead", "intended a there 1, intended b there 1"},
		"between a and b":               {"a gold, b lead", "intended a there 1, intended b there 1"},
		"between b and what became":     {"a gold, b gold", "intended a there 1, intended b there 1"},
		"between what became and after": {"a gold, b gold", "intended a there 1, intended b there 1, done a there 1, done b there 1"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "a", "b")
			w.rems["r"].Spec.Plan.Strategy.Canary = 2
			asked := 0
			steps := []string{"before the intents", "between the intents and a", "between a and b", "between b and what became", "between what became and after"}
			w.leads = func() bool { asked++; return asked <= slices.Index(steps, name) }
			w.run(t, "r", time.Second)
			expect(t, "the objects", w.tiers(), test.objects)
			expect(t, "the ledger", strings.Join(w.ledger, ", "), test.ledger)
			w.leads = nil // the next
			w.run(t, "r", long)
			expect(t, "the objects in other hands", w.tiers(), "a gold, b gold")
			if err := w.agree(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Where each replica has a ledger of its own, the next one knows of no intent.
func TestWhatWasDoneIsPutOnRecordWhereverItsIntentIs(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.rems["r"].Spec.Plan.Strategy.Canary = 2
	w.onWrite = func(name string) error {
		if name == "b" {
			w.ledger = nil // that of another
			panic(crash{"at " + name})
		}
		return nil
	}
	e := w.executor(t)
	if _, _, died := w.work(e, "r"); !died {
		t.Fatal("it has not died")
	}
	w.onWrite = nil
	w.run(t, "r", long)
	expect(t, "the objects", w.tiers(), "a gold, b gold")
	expect(t, "the ledger", strings.Join(w.ledger, ", "), "done a there 1, intended b there 2, done b there 2, concluded Succeeded")
}

func TestChangingBackByHand(t *testing.T) {
	all := &v1alpha1.Rollback{}
	for name, test := range map[string]struct {
		between        func(t *testing.T, w *world)
		back           *v1alpha1.Rollback
		objects, stand string
	}{
		"all": {func(*testing.T, *world) {}, all, "a lead, b lead",
			"RolledBack: 2 of 2 targets were changed back: somebody asked for it\na RolledBack: somebody asked for it\nb RolledBack: somebody asked for it"},
		"one": {func(*testing.T, *world) {}, &v1alpha1.Rollback{Targets: []string{"u-b"}}, "a gold, b lead",
			"Succeeded: 1 of 2 targets were changed and are as the rule wants them; 1 were changed back: somebody asked for it\na Succeeded\nb RolledBack: somebody asked for it"},
		"what others have changed elsewhere stays": {func(t *testing.T, w *world) { w.edit(t, "a", replace("/spec/size", 9.0)) }, all, "a lead, b lead",
			"RolledBack: 2 of 2 targets were changed back: somebody asked for it\na RolledBack: somebody asked for it\nb RolledBack: somebody asked for it"},
		"what others have changed in the same place": {func(t *testing.T, w *world) { w.edit(t, "a", replace("/spec/tier", "tin")) }, all, "a tin, b lead",
			"Failed: 1 of 2 targets could not be changed back: not changed back: /spec/tier is another: nobody says who has written it since\na Kept: not changed back: /spec/tier is another: nobody says who has written it since\nb RolledBack: somebody asked for it"},
		"what is gone": {func(_ *testing.T, w *world) { delete(w.objects, "a") }, all, "b lead",
			"RolledBack: 1 of 2 targets were changed back: somebody asked for it\na Skipped: reading Thing web/a: does not exist\nb RolledBack: somebody asked for it"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "a", "b")
			w.run(t, "r", long)
			test.between(t, w)
			w.ask("r", func(s *v1alpha1.RemediationSpec) { s.Rollback = test.back })
			w.run(t, "r", long)
			expect(t, "the objects", w.tiers(), test.objects)
			expect(t, "the remediation", w.stand("r"), test.stand)
			if err := w.agree(); err != nil {
				t.Error(err)
			}
			if spec, ok := w.objects["a"]["spec"].(map[string]any); ok && name == "what others have changed elsewhere stays" && spec["size"] != 9.0 {
				t.Errorf("the size is %v", spec["size"])
			}
		})
	}
}

func TestChangingBackIsTriedAgainWhenSomebodyAsksAgain(t *testing.T) {
	w := newWorld(t, "a")
	w.run(t, "r", long)
	w.edit(t, "a", replace("/spec/tier", "tin"))
	w.ask("r", func(s *v1alpha1.RemediationSpec) { s.Rollback = &v1alpha1.Rollback{} })
	w.run(t, "r", long)
	expect(t, "the objects", w.tiers(), "a tin")
	w.edit(t, "a", replace("/spec/tier", "gold"))
	w.run(t, "r", long)
	expect(t, "the objects when nobody asks", w.tiers(), "a gold")
	w.ask("r", func(s *v1alpha1.RemediationSpec) { s.Rollback.Reason = "now" })
	w.run(t, "r", long)
	expect(t, "the objects when somebody asks again", w.tiers(), "a lead")
}

// TestAProcessMayDieAnywhere kills the process before and after each of its calls, and lets another go on; and it lets each
// call fail, having done nothing or having done it. The cluster and the ledger are then as if nothing had been: nothing is
// lost, and nothing was done twice.
func TestAProcessMayDieAnywhere(t *testing.T) {
	scenes := map[string]struct {
		change func(w *world)
		then   func(w *world)
	}{
		"it goes well": {func(*world) {}, nil},
		"it fails and is changed back": {func(w *world) {
			w.status = func(object map[string]any) {
				if metaText(object, "name") == "c" {
					unhealthy(object)
				}
			}
		}, nil},
		"it is changed back by hand": {func(*world) {}, func(w *world) {
			w.ask("r", func(s *v1alpha1.RemediationSpec) { s.Rollback = &v1alpha1.Rollback{} })
		}},
	}
	snapshot := enginetest.Snapshot(t, bundleText)
	for name, scene := range scenes {
		t.Run(name, func(t *testing.T) {
			play := func(dieAt int, how death) *world {
				w := newWorldUnder(t, snapshot, "a", "b", "c")
				scene.change(w)
				w.calls, w.dieAt, w.how = 0, dieAt, how
				w.run(t, "r", long)
				if scene.then != nil {
					scene.then(w)
					w.run(t, "r", long)
				}
				return w
			}
			whole := play(0, dieBefore)
			if err := whole.agree(); err != nil {
				t.Fatal(err)
			}
			for at := 1; at <= whole.calls; at++ {
				for _, how := range []death{dieBefore, dieAfter, failBefore, failAfter} {
					w := play(at, how)
					when := fmt.Sprintf("death %d at call %d", how, at)
					if w.dieAt != 0 {
						t.Fatalf("%s: it did not die", when)
					}
					expect(t, when+": the objects", w.tiers(), whole.tiers())
					expect(t, when+": the phase", string(w.rems["r"].Status.Phase), string(whole.rems["r"].Status.Phase))
					if err := w.agree(); err != nil {
						t.Errorf("%s: %v", when, err)
					}
					if fmt.Sprint(w.writes) != fmt.Sprint(whole.writes) {
						t.Errorf("%s: written were %v, want %v", when, w.writes, whole.writes)
					}
				}
			}
			t.Logf("%d calls", whole.calls)
		})
	}
}

// The whole runs by its own clock, and ends when it is told to.
func TestItRunsUntilItIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "a", "b")
		w.real = true
		e := w.executor(t)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- e.Run(ctx) }()
		time.Sleep(time.Hour)
		synctest.Wait()
		expect(t, "the objects", w.tiers(), "a gold, b gold")
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestARemediationThatIsGoneIsForgotten(t *testing.T) {
	w := newWorld(t, "a")
	delete(w.rems, "r")
	w.run(t, "r", time.Hour)
	expect(t, "the objects", w.tiers(), "a lead")
	if _, err := (book{w}).Read(t.Context(), "r"); !errors.Is(err, engine.ErrNotFound) {
		t.Error(err)
	}
}
