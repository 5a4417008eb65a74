package audit

import (
	"sync"
	"time"
)

// alarm says when objects of a type are to be judged anew because of the time alone: at which second, the records of the
// objects say themselves. One time per type is kept here, the first of them.
type alarm struct {
	now     func() time.Time // the clock that rules and exceptions go by
	mu      sync.Mutex
	at      int64         // in Unix seconds; 0 for never
	changed chan struct{} // says that at has become another
	// looked is when the clock was looked at last, and shown what it showed.
	looked, shown time.Time
}

// longestAlarm is how long the clock is trusted to go as it went: one that is set forward brings what is due by the new
// time within a minute, and one that is set back is found out in that time.
const longestAlarm = time.Minute

// tolerated is how much less time than has passed the clock may show: clocks are put right bit by bit, by a two-thousandth at
// most, which is 30 ms in a minute. What verdicts go by counts in seconds.
const tolerated = time.Second

func newAlarm(now func() time.Time) alarm {
	return alarm{now: now, changed: make(chan struct{}, 1)}
}

// setBack reports whether somebody has set the clock back since the last call; false at the first.
func (a *alarm) setBack() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	looked, shown := time.Now(), a.now().Round(0) // without the reading of the clock that nobody sets
	gone, first := shown.Sub(a.shown)-looked.Sub(a.looked), a.looked.IsZero()
	a.looked, a.shown = looked, shown
	return !first && gone < -tolerated
}

// dueAfter is the first whole second after the moment, in Unix seconds: 0 for none.
func dueAfter(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix() + 1
}

// set moves the alarm forward, if this is earlier.
func (a *alarm) set(due int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if due == 0 || (a.at != 0 && a.at <= due) {
		return
	}
	a.at = due
	select {
	case a.changed <- struct{}{}:
	default: // it is known already
	}
}

// take reports whether the time has come, and if so, ends the alarm.
func (a *alarm) take() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.at == 0 || a.now().Unix() < a.at {
		return false
	}
	a.at = 0
	return true
}

// wait is how long to wait before looking again.
func (a *alarm) wait() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.at == 0 {
		return longestAlarm
	}
	return min(longestAlarm, max(0, time.Unix(a.at, 0).Sub(a.now())))
}

// ring has those objects judged anew whose time has come; or all, when the clock was set back: what had expired may be in force
// again.
func (w *watcher) ring() {
	if w.alarm.setBack() {
		w.auditor.opts.Logger.Warn("The clock was set back; all objects are judged anew", "resource", w.typ.label())
		w.records.doubt()
		w.resweep()
	}
	if !w.alarm.take() {
		return
	}
	ids, next := w.records.due(w.alarm.now().Unix())
	w.alarm.set(next)
	for _, id := range ids {
		w.recheck(id, affected)
	}
}

// due gives the objects whose verdict stands no longer than up to this second, and when others follow.
func (r *records) due(now int64) (ids []uid, next int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for u, rec := range r.known {
		switch {
		case rec.due == 0:
		case rec.due <= now:
			ids = append(ids, u)
			rec.due = 0
			r.known[u] = rec
		case next == 0 || rec.due < next:
			next = rec.due
		}
	}
	return ids, next
}
