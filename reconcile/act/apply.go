package act

import (
	"errors"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
)

// apply changes targets: those that the gates let pass and that are as they were planned.
func (w *working) apply(targets []int) (time.Duration, bool, error) {
	if why := w.opts.Gates.Stopped(); why != "" {
		return w.orVerify(w.pause(why, w.opts.Again))
	}
	w.deciding.Lock()
	ready, otherwise, err := w.decide(targets)
	w.deciding.Unlock()
	switch {
	case err != nil:
		return 0, false, err
	case otherwise != nil:
		return otherwise()
	default:
		return w.carryOut(ready)
	}
}

// decide marks the targets that are to be changed now, or says what is done otherwise.
func (w *working) decide(targets []int) (ready []prepared, otherwise func() (time.Duration, bool, error), err error) {
	begun := w.begun()
	w.r.Status.Gates = nil
	left := map[int]string{} // why a target is left alone
	held := Verdict{Way: Go}
	var stops []v1alpha1.GateStatus
	for _, i := range targets {
		object, gone, err := w.look(i)
		if err != nil {
			return nil, nil, err
		}
		v, err := w.opts.Gates.Apply(w.ctx, w.r, i, object)
		if err != nil {
			return nil, nil, fmt.Errorf("asking the gates for %s: %w", w.target(i), err)
		}
		if v.Way == End {
			return nil, func() (time.Duration, bool, error) { return w.end(v) }, nil
		}
		if v.Way != Go {
			stops = together(stops, v.Gates)
		}
		if v.Way != Go && held.Way == Go {
			held = v
		}
		if v.Way == Wait {
			break
		}
		if v.Way == Skip {
			left[i] = v.Message
			continue
		}
		if gone != "" {
			left[i] = gone
			continue
		}
		p, why, err := w.prepare(i, object)
		if err != nil {
			return nil, nil, err
		}
		if why != "" {
			left[i] = why
			continue
		}
		// The gates count it from now on.
		if err := w.mark(&p); err != nil {
			return nil, nil, err
		}
		ready = append(ready, p)
	}
	held.Gates = stops
	if len(ready) == 0 && held.Way == Wait {
		return nil, func() (time.Duration, bool, error) { return w.orVerify(w.wait(held)) }, nil
	}
	if len(ready) == 0 && !begun {
		// Nothing has been done: whoever plans puts another plan in its place, and gates may let it pass later.
		if held.Way == Go {
			held = Verdict{Message: first(left, targets)}
		}
		return nil, func() (time.Duration, bool, error) { return w.wait(held) }, nil
	}
	for i, why := range left {
		w.put(w.r, i, v1alpha1.TargetSkipped, why)
	}
	w.start(ready)
	return ready, nil, w.write(w.ctx, w.r, w.before)
}

// together counts what stands in the way: gates that stop for the same reason are one.
func together(all, more []v1alpha1.GateStatus) []v1alpha1.GateStatus {
	const most = 32 // as the API has it
	for _, g := range more {
		at := slices.IndexFunc(all, func(other v1alpha1.GateStatus) bool { return other.Gate == g.Gate && other.Reason == g.Reason })
		switch {
		case at >= 0:
			all[at].Targets += g.Targets
		case len(all) < most:
			all = append(all, g)
		}
	}
	return all
}

// first gives the reason for the first target that is left alone.
func first(left map[int]string, targets []int) string {
	for _, i := range targets {
		if left[i] != "" {
			return left[i]
		}
	}
	return ""
}

// orVerify looks after what has been changed already while nothing more may be.
func (w *working) orVerify(after time.Duration, more bool, err error) (time.Duration, bool, error) {
	var verifying []int
	for i, res := range statesOf(w.r) {
		if res.State == v1alpha1.TargetVerifying {
			verifying = append(verifying, i)
		}
	}
	if err != nil || more || len(verifying) == 0 {
		return after, more, err
	}
	slices.Sort(verifying)
	return w.verify(verifying)
}

// mark notes that a target is about to be written, and what is to become of it: whoever finds the mark and not its end looks
// whether it was.
func (w *working) mark(p *prepared) error {
	after, err := fingerprint(p.outcome, p.ops)
	if err != nil {
		return err
	}
	res := w.put(w.r, p.target, v1alpha1.TargetApplying, "")
	res.ResourceVersionBefore, res.ResourceVersionAfter, res.After = metaText(p.object, "resourceVersion"), "", after
	res.Attempts++
	res.Intents++
	return nil
}

// start says that targets are being changed.
func (w *working) start(ready []prepared) {
	if len(ready) > 0 {
		wave, waves := waveOf(&w.r.Spec.Plan, ready[0].target)
		stand(w.r, v1alpha1.PhaseRunning, fmt.Sprintf("wave %d of %d", wave, waves))
	}
	if w.r.Status.Started == nil {
		now := metav1.NewTime(w.now())
		w.r.Status.Started = &now
		w.applied(w.r, metav1.ConditionFalse, "Running", "targets are being changed")
	}
}

// errNotBegun is what became of a write that was put off at the last moment.
var errNotBegun = errors.New("not begun")

// carryOut writes what is marked, the intent first, and then what became of it.
func (w *working) carryOut(ready []prepared) (time.Duration, bool, error) {
	deeds := make([]Deed, len(ready))
	for k := range ready {
		deeds[k] = w.deed(ready[k].target)
	}
	if len(deeds) == 0 {
		return 0, true, nil
	}
	if err := w.opts.Journal.Intend(w.ctx, deeds); err != nil {
		for k := range ready {
			// It stays marked: some of it may be on record. But it was no attempt, however long nothing can be recorded.
			res := result(w.r, ready[k].target)
			res.Message, res.Attempts = "not done, because it could not be recorded", res.Attempts-1
		}
		return 0, false, errors.Join(fmt.Errorf("recording what is about to be done: %w", err), w.save())
	}
	var outcomes []Outcome
	var unknown error
	for k := range ready {
		p := &ready[k]
		if unknown != nil {
			break // stays marked: it has not been written, which will be seen
		}
		if why := w.interrupted(); why != "" {
			w.put(w.r, p.target, v1alpha1.TargetWaiting, "put off: "+why).Attempts--
			outcomes = append(outcomes, Outcome{deeds[k], fmt.Errorf("%w: %s", errNotBegun, why)})
			continue
		}
		t := w.target(p.target)
		stored, err := w.send(spanApply, p.target, &Write{
			Kind: kindOf(t), Namespace: t.Namespace, Name: t.Name, Object: p.object, Patch: p.ops, Manager: FieldManager,
		})
		if err != nil && !errors.Is(err, ErrChanged) && !errors.Is(err, ErrRefused) {
			unknown = fmt.Errorf("changing %s: %w", t, err)
			continue
		}
		if err := w.wrote(p, stored, err); err != nil {
			return 0, false, err
		}
		outcomes = append(outcomes, Outcome{deeds[k], err})
	}
	w.stopIfFailed(w.r)
	ctx, cancel := detached(w.ctx)
	defer cancel()
	if err := w.opts.Journal.Settle(ctx, outcomes); err != nil {
		return 0, false, errors.Join(fmt.Errorf("recording what was done: %w", err), unknown) // the marks stay, and it is done again
	}
	w.tell()
	return 0, true, errors.Join(unknown, w.save())
}

// wrote brings a target into the state that follows from its write.
func (w *working) wrote(p *prepared, stored map[string]any, failed error) error {
	t := w.target(p.target)
	if failed != nil {
		res := result(w.r, p.target)
		state := v1alpha1.TargetFailed
		if errors.Is(failed, ErrChanged) && int(res.Attempts) < w.opts.Attempts {
			state = v1alpha1.TargetWaiting
		}
		w.put(w.r, p.target, state, failed.Error())
		w.news = append(w.news, func() {
			w.metrics.applies.WithLabelValues("failed").Inc()
			if state == v1alpha1.TargetFailed {
				w.opts.Tell(t, ChangeFailed, w.about(failed.Error()))
			}
			w.opts.Logger.Warn("could not change an object", "object", t.String(), "remediation", w.r.Name, "error", failed)
		})
		return nil
	}
	after, err := fingerprint(stored, p.ops)
	if err != nil {
		return err
	}
	w.landed(p.target, after, metaText(stored, "resourceVersion"))
	return nil
}

// landed notes that the change of a target is there.
func (w *working) landed(target int, after, version string) {
	res := w.put(w.r, target, v1alpha1.TargetVerifying, "")
	res.After, res.ResourceVersionAfter, res.Applied = after, version, res.Time
	attempt := res.Attempts
	w.news = append(w.news, func() {
		w.metrics.applies.WithLabelValues("done").Inc()
		w.opts.Tell(w.target(target), Changed, w.about(w.target(target).Diff))
		w.opts.Logger.Info("changed an object", "object", w.target(target).String(), "remediation", w.r.Name, "attempt", attempt)
	})
}

// about says by which plan something is done.
func (w *working) about(what string) string {
	p := &w.r.Spec.Plan.Policy
	return fmt.Sprintf("policy %s, rule %s (remediation %s): %s", p.Name, p.Rule, w.r.Name, what)
}

func (w *working) deed(target int) Deed {
	return Deed{Remediation: w.r, Target: w.target(target), Number: result(w.r, target).Intents}
}

// interrupted says why nothing more is written now; empty if it is. It is asked between any two writes.
func (w *working) interrupted() string {
	switch {
	case w.ctx.Err() != nil:
		return "this replica leads no more"
	case w.opts.Gates.Stopped() != "":
		return w.opts.Gates.Stopped()
	case w.opts.Book.Generation(w.r.Name) > w.r.Generation:
		return "somebody asks for something else"
	default:
		return ""
	}
}
