package audit

import (
	"context"
	"time"
)

// traceless is how long after a write its event comes, at the most. What managedFields tell of an earlier time is not the
// write that an event just told of: one that only takes fields away leaves no entry.
const traceless = 10 * time.Second

// attribute finds the write that brought what the rule is against: by what the object's managedFields tell of it, and by
// what admission remembers of that.
func (e *evidence) attribute(ctx context.Context, l *look, writes Writes) {
	object, f := l.finding.Object, l.finding
	owner, newest := owners(l.object, e.decision.Path)
	trace := Trace{UID: object.UID, Generation: object.Generation, Newest: newest.time}
	switch {
	case owner.whole, !l.again && owner.depth > 1:
		// Whoever wrote it; or, where it has been missing all the while, whoever wrote what it is missing in.
		e.write = owner.write()
		trace.Manager, trace.Stamp = owner.manager, owner.time
	case !l.again || newest.time != "" && f.Seen.Sub(newest.write().Time) < traceless:
		e.write = newest.write()
	}
	if writes == nil {
		return
	}
	e.registered = writes.Registered()
	e.admitted, e.complete = l.ask(ctx, writes, trace)
	switch {
	case e.admitted == nil:
	case e.contradicts(l.rests):
		e.admitted, e.write = nil, Write{}
	default:
		e.write = e.admitted.Write
	}
}

// answer is what admission remembers of a write.
type answer struct {
	trace    Trace
	admitted *Admitted
	complete bool
}

// ask asks admission once about each write: the rules that an object fails are mostly about one, and other replicas may have
// to be asked.
func (l *look) ask(ctx context.Context, writes Writes, t Trace) (w *Admitted, complete bool) {
	for i := range l.answers {
		if l.answers[i].trace == t {
			return l.answers[i].admitted, l.answers[i].complete
		}
	}
	w, complete = writes.Of(ctx, t)
	l.answers = append(l.answers, answer{t, w, complete})
	return w, complete
}
