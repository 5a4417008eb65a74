package act

import (
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/engine/mutate"
)

// errNotWritten is what became of a write that its writer did not live to make.
var errNotWritten = errors.New("not written: the writer ended before")

// find looks at targets that were being written when the writer ended, and finds out whether they were. Then it records what
// is not on record.
func (w *working) find(targets []int) (time.Duration, bool, error) {
	var outcomes []Outcome
	for _, i := range targets {
		res, told := result(w.r, i), len(w.news)
		d := w.deed(i)
		d.Back = res.State == v1alpha1.TargetRollingBack
		became, err := w.found(i, d.Back)
		if err != nil {
			return 0, false, err
		}
		known, err := w.opts.Journal.Recall(w.ctx, d)
		if err != nil {
			return 0, false, fmt.Errorf("asking what is on record of %s: %w", d.Target, err)
		}
		// What was done is put on record also where the intent is on another: each replica may have one of its own.
		if !known.Settled && (known.Intended || became == nil) {
			outcomes = append(outcomes, Outcome{d, became})
		}
		if known.Settled {
			w.news = w.news[:told] // it was told when it was recorded
		}
	}
	w.stopIfFailed(w.r)
	if err := w.opts.Journal.Settle(w.ctx, outcomes); err != nil {
		return 0, false, fmt.Errorf("recording what was done: %w", err)
	}
	w.tell()
	return w.saved()
}

// found brings a target into the state in which it is. became is what became of the write; err, that it cannot be told.
func (w *working) found(i int, back bool) (became, err error) {
	t, res := w.target(i), result(w.r, i)
	object, err := w.read(w.ctx, t)
	if errors.Is(err, engine.ErrNotFound) {
		w.put(w.r, i, v1alpha1.TargetSkipped, err.Error())
		return err, nil
	}
	if err != nil {
		return nil, err
	}
	if back {
		return w.foundBack(i, object)
	}
	there, err := w.there(t, res, object)
	if err != nil {
		return nil, err
	}
	if there {
		w.landed(i, res.After, metaText(object, "resourceVersion"))
		return nil, nil
	}
	state := v1alpha1.TargetWaiting
	if int(res.Attempts) >= w.opts.Attempts {
		state = v1alpha1.TargetFailed
	}
	w.put(w.r, i, state, errNotWritten.Error())
	return errNotWritten, nil
}

// there reports whether the change of a target has been written. Of a change that is withheld the finding tells: it was the
// only write that was to mend it.
func (w *working) there(t *v1alpha1.Target, res *v1alpha1.TargetResult, object map[string]any) (bool, error) {
	if metaText(object, "resourceVersion") == res.ResourceVersionBefore {
		return false, nil
	}
	if t.Withheld != "" {
		found, err := w.finding(t, object)
		return found == mended, err
	}
	ops, err := operations(t.Patch)
	if err != nil {
		return false, err
	}
	return holds(object, ops), nil
}

// foundBack is found for a target that was being changed back.
func (w *working) foundBack(i int, object map[string]any) (became, err error) {
	t, res := w.target(i), result(w.r, i)
	var there, back []mutate.Operation
	if there, err = operations(t.Patch); err != nil {
		return nil, err
	}
	if back, err = operations(t.Inverse); err != nil {
		return nil, err
	}
	now, err := fingerprint(object, there)
	if err != nil {
		return nil, err
	}
	switch {
	case now == res.After:
		w.put(w.r, i, w.unreturned(), res.Message)
		return errNotWritten, nil
	case holds(object, back):
		w.returned(i)
		return nil, nil
	default:
		w.put(w.r, i, v1alpha1.TargetKept, conflict(object, there, res))
		return errNotWritten, nil
	}
}

// unreturned is the state of a target that is to be changed back and is not yet.
func (w *working) unreturned() v1alpha1.TargetState {
	if stopped(w.r) {
		return v1alpha1.TargetFailed
	}
	return v1alpha1.TargetSucceeded
}
