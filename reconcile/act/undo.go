package act

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/engine/mutate"
)

// undo changes targets back, as far as nobody has changed the same places since.
func (w *working) undo(targets []int, why Why) (time.Duration, bool, error) {
	if why := w.opts.Gates.Stopped(); why != "" {
		return w.pause("changing back waits: "+why, w.opts.Again)
	}
	v, err := w.opts.Gates.Undo(w.ctx, w.r, why)
	if err != nil {
		return 0, false, fmt.Errorf("asking the gates about changing back: %w", err)
	}
	if v.Way != Go {
		return w.pause("changing back waits: "+v.Message, w.opts.Again)
	}
	var ready []prepared
	for _, i := range targets {
		p, err := w.wayBack(i)
		if err != nil {
			return 0, false, err
		}
		if p != nil {
			ready = append(ready, *p)
		}
	}
	for k := range ready {
		res := w.put(w.r, ready[k].target, v1alpha1.TargetRollingBack, result(w.r, ready[k].target).Message)
		res.Intents++
	}
	if !w.r.Status.Phase.Ended() {
		stand(w.r, v1alpha1.PhaseRollingBack, "what was changed is changed back")
	}
	if err := w.write(w.ctx, w.r, w.before); err != nil {
		return 0, false, err
	}
	if err := w.goBack(ready); err != nil {
		return 0, false, err
	}
	return w.saved()
}

// maxIntents bounds how often a target is written that changes between every look and every write. Putting off counts too, so
// that this is more than Options.Attempts.
const maxIntents = 20

// saved writes the status. One that had ended when somebody asked for it to be changed back ends anew with the last target.
func (w *working) saved() (time.Duration, bool, error) {
	if left, _ := toUndo(w.r, statesOf(w.r)); w.r.Status.Phase.Ended() && len(left) == 0 {
		phase, message := ending(w.r)
		return w.conclude(phase, message)
	}
	return 0, true, w.save()
}

// wayBack finds the way back for a target; nil where there is none, which is then its state.
func (w *working) wayBack(i int) (*prepared, error) {
	t, res := w.target(i), result(w.r, i)
	object, err := w.read(w.ctx, t)
	if errors.Is(err, engine.ErrNotFound) {
		w.put(w.r, i, v1alpha1.TargetSkipped, err.Error())
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	keep := func(why string) (*prepared, error) {
		w.put(w.r, i, v1alpha1.TargetKept, why)
		w.metrics.rollbacks.WithLabelValues("refused").Inc()
		w.opts.Logger.Warn("did not change an object back", "object", t.String(), "remediation", w.r.Name, "reason", why)
		return nil, nil
	}
	if t.Withheld != "" || t.Inverse == "" {
		return keep(fmt.Sprintf("the way back is not on record (%s)", t.Withheld))
	}
	there, err := operations(t.Patch)
	if err != nil {
		return nil, err
	}
	back, err := operations(t.Inverse)
	if err != nil {
		return nil, err
	}
	free, err := returns(object, there, back, res.After)
	if err != nil {
		return nil, err
	}
	if !free {
		return keep(conflict(object, there, res))
	}
	return &prepared{target: i, object: object, ops: back}, nil
}

// returns reports whether the way back is free: what the way there has changed is still as it was left, and what the way back
// puts in has a place to go.
func returns(object map[string]any, there, back []mutate.Operation, after string) (bool, error) {
	now, err := fingerprint(object, there)
	if err != nil || now != after {
		return false, err
	}
	_, err = mutate.ApplyPatch(object, back)
	return err == nil, nil
}

// goBack writes the way back of targets, the intent first, and then what became of it.
func (w *working) goBack(ready []prepared) error {
	deeds := make([]Deed, len(ready))
	for k := range ready {
		deeds[k] = w.deed(ready[k].target)
		deeds[k].Back = true
	}
	if len(deeds) == 0 {
		return nil
	}
	if err := w.opts.Journal.Intend(w.ctx, deeds); err != nil {
		return fmt.Errorf("recording what is about to be changed back: %w", err) // the marks stay, and it is looked at again
	}
	var outcomes []Outcome
	var unknown error
	for k := range ready {
		p := &ready[k]
		if unknown != nil {
			break
		}
		if why := w.opts.Gates.Stopped(); why != "" || w.ctx.Err() != nil {
			w.put(w.r, p.target, w.unreturned(), result(w.r, p.target).Message)
			outcomes = append(outcomes, Outcome{deeds[k], errNotBegun})
			continue
		}
		t, res := w.target(p.target), result(w.r, p.target)
		_, err := w.send(spanRollBack, p.target, &Write{
			Kind: kindOf(t), Namespace: t.Namespace, Name: t.Name, Object: p.object, Patch: p.ops, Manager: BackManager,
		})
		switch {
		case err == nil:
			w.returned(p.target)
		case errors.Is(err, ErrChanged) && int(res.Intents) < maxIntents:
			w.put(w.r, p.target, w.unreturned(), res.Message)
		case errors.Is(err, ErrChanged), errors.Is(err, ErrRefused):
			w.put(w.r, p.target, v1alpha1.TargetKept, err.Error())
			w.news = append(w.news, w.metrics.rollbacks.WithLabelValues("failed").Inc)
		default:
			unknown = fmt.Errorf("changing %s back: %w", t, err)
			continue
		}
		outcomes = append(outcomes, Outcome{deeds[k], err})
	}
	ctx, cancel := detached(w.ctx)
	defer cancel()
	if err := w.opts.Journal.Settle(ctx, outcomes); err != nil {
		return errors.Join(fmt.Errorf("recording what was changed back: %w", err), unknown)
	}
	w.tell()
	if unknown != nil {
		return errors.Join(unknown, w.save())
	}
	return nil
}

// returned notes that a target has been changed back.
func (w *working) returned(i int) {
	res := result(w.r, i)
	why := res.Message
	if b := w.r.Spec.Rollback; why == "" && b != nil {
		why = "somebody asked for it"
		if b.AskedBy != nil && b.AskedBy.User != "" {
			why = b.AskedBy.User + " asked for it"
		}
		if b.Reason != "" {
			why += ": " + b.Reason
		}
	}
	res = w.put(w.r, i, v1alpha1.TargetRolledBack, why)
	message := res.Message
	w.news = append(w.news, func() {
		w.metrics.rollbacks.WithLabelValues("done").Inc()
		w.opts.Tell(w.target(i), ChangedBack, w.about(message))
		w.opts.Logger.Info("changed an object back", "object", w.target(i).String(), "remediation", w.r.Name)
	})
}

// conflict says why a target is not changed back.
func conflict(object map[string]any, ops []mutate.Operation, res *v1alpha1.TargetResult) string {
	what := "the same part of the object has been changed since"
	if list := departures(object, ops); len(list) > 0 {
		what = strings.Join(list, ", ")
	}
	return "not changed back: " + what + ": " + since(object, res)
}

// since says who else has written an object since its change, as far as it tells.
func since(object map[string]any, res *v1alpha1.TargetResult) string {
	meta, _ := object["metadata"].(map[string]any)
	list, _ := meta["managedFields"].([]any)
	var names []string
	for _, entry := range list {
		entry, _ := entry.(map[string]any)
		manager, _ := entry["manager"].(string)
		at, _ := entry["time"].(string)
		when, err := time.Parse(time.RFC3339, at)
		if sub, _ := entry["subresource"].(string); sub == "status" || err != nil || manager == FieldManager || manager == BackManager {
			continue
		}
		if res.Applied != nil && !when.Before(res.Applied.Time) {
			names = append(names, fmt.Sprintf("%s (%s)", manager, at))
		}
	}
	if len(names) == 0 {
		return "nobody says who has written it since"
	}
	return "written since by " + strings.Join(names, ", ")
}
