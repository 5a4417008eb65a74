package audit

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"
	"unique"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/holdfast-io/holdfast/engine"
)

// errPanicked is wrapped by the error on an object that made an evaluation panic. It costs that object its verdict, and
// nobody else anything.
var errPanicked = errors.New("the evaluation panicked")

// judge evaluates one object as it stands. With an error there is no verdict.
func judge(ctx context.Context, s *engine.Snapshot, in *engine.Inputs, t Type, u *unstructured.Unstructured, now time.Time) (f Finding, err error) {
	f = Finding{
		Object: Object{
			// Whoever keeps the namespace keeps the text that all its objects share.
			Kind: t.Kind, Resource: t.Resource, Namespace: unique.Make(u.GetNamespace()).Value(), Name: u.GetName(),
			UID: string(u.GetUID()), ResourceVersion: u.GetResourceVersion(), Generation: u.GetGeneration(),
		},
		Digest: s.Digest(),
		Seen:   now,
	}
	object := engine.Normalize(u.Object) // in place: from now on the generation is no int64
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("judging %s: %w: %v\n%s", f.Object, errPanicked, p, debug.Stack())
		}
	}()
	req := &engine.Request{
		Operation: engine.Create, Kind: t.Kind, Resource: t.Resource,
		Namespace: f.Object.Namespace, Name: f.Object.Name, Object: object,
	}
	f.Result, err = s.Audit(ctx, req, in)
	if err != nil {
		return f, fmt.Errorf("judging %s: %w", f.Object, err)
	}
	return f, nil
}

// reason is why an object is looked at.
type reason uint8

const (
	// changed: something happened to it.
	changed reason = iota
	// swept: a sweep found it.
	swept
	// affected: something changed that its verdict rests on.
	affected
	// settles: it is as it was, and it is time to take what was found for drift.
	settles
)

// stands reports whether what was judged is still so: the same rules, of what they read the same, and nothing else that
// the verdict rests on is due. What the verdict rests on tells of its changes itself; a sweep trusts nobody.
func (r *record) stands(by *ruleSet, print engine.Fingerprint, why reason) bool {
	return r.by == by && r.print == print && (why == changed || why == settles && !r.transient || why == swept && !r.rests)
}

// news reports whether something has happened that nobody was told of before. What a watch tells is news, and what a
// later sweep, or a look at an object that was to settle, finds in a newer version than the one that was judged: then it
// is ahead of the watch, which will have nothing new to say.
func (t *task) news(judged, version uint64) bool {
	switch t.why {
	case swept:
		return t.round > 1 && version > judged
	case settles:
		return version > judged
	default:
		return true
	}
}

// outrun reports whether the object that was read is older than what is known of it by now, from the watch that went on
// meanwhile: judged is the version of that.
func (t *task) outrun(id uid, known bool, judged, version uint64) bool {
	switch t.why {
	case swept:
		return t.sweep.outrun(id, judged, version)
	case changed:
		return false
	default:
		return !known || version < judged
	}
}

// object judges one object, unless the verdict on it stands.
func (w *watcher) object(t *task) {
	opts, u := &w.auditor.opts, t.object
	s := opts.Snapshots.Current()
	by := w.rules.in(s, w.typ)
	id, print := uidOf(string(u.GetUID())), by.reads.Fingerprint(&w.auditor.seed, u.Object)
	before, known := w.records.get(id)
	version := versionOf(u.GetResourceVersion())
	round := max(t.round, before.round) // an object that is fetched may be judged after a sweep that began meanwhile
	if t.outrun(id, known, before.version, version) {
		if known && before.round != round {
			before.round = round
			w.records.put(id, before)
		}
		return
	}
	due := before.transient && w.auditor.history.ripe(subject{w, id}, u.Object, time.Now())
	if known && !due && before.stands(by, print, t.why) {
		w.auditor.metrics.unchanged.WithLabelValues(w.typ.label()).Inc()
		if before.round != round || before.version != version {
			before.round, before.version = round, version
			w.records.put(id, before)
		}
		return
	}
	in := opts.Inputs()
	f, err := judge(t.ctx, s, in, w.typ, u, in.Now())
	if t.ctx.Err() != nil {
		return // look-ups were cut short: not a verdict
	}
	now := record{namespace: unique.Make(f.Object.Namespace), name: f.Object.Name, round: round, version: version, failed: err != nil}
	if err != nil {
		opts.Logger.Error("An object could not be judged; its report stays as it is", "object", f.Object.String(), "error", err)
		w.records.put(id, now)
		w.counted()
		return
	}
	w.auditor.metrics.judged.WithLabelValues(w.typ.label()).Inc()
	if t.sweep != nil {
		t.sweep.judged.Add(1)
	}
	now.by, now.print = by, print
	now.rests = f.Result.Unwatched || len(f.Result.Dependencies) > 0
	now.due = w.due(&f.Result)
	now.failed = slices.ContainsFunc(f.Result.Decisions, func(d engine.Decision) bool { return d.Status == engine.Error })
	w.auditor.dependents.set(subject{w, id}, f.Result.Dependencies)
	now.transient = w.auditor.history.judged(t.ctx, &look{
		subject: subject{w, id}, object: u.Object, finding: &f, why: t.why, known: known && before.by != nil,
		again: known && before.by == by, unchanged: known && before.by == by && before.print == print, rests: now.rests,
	}, s)
	w.records.put(id, now)
	w.alarm.set(now.due)
	w.counted()
	f.News = t.news(before.version, version)
	opts.Sink.Found(f)
}

// due is when the time alone may change a verdict, in Unix seconds; 0 for never. Of a rule that reads the clock nobody
// knows when, so that it is asked again and again.
func (w *watcher) due(m *engine.Mutation) int64 {
	due := dueAfter(m.Due)
	if m.Clock {
		if again := dueAfter(w.auditor.wall().Add(w.auditor.opts.Clock)); due == 0 || again < due {
			due = again
		}
	}
	return due
}

// gone forgets an object that was deleted.
func (w *watcher) gone(u *unstructured.Unstructured) {
	id := uidOf(string(u.GetUID()))
	w.bury(id)
	known, ok := w.records.drop(id)
	if !ok {
		return
	}
	w.auditor.drop(subject{w, id})
	w.counted()
	w.auditor.opts.Sink.Gone(Object{
		Kind: w.typ.Kind, Resource: w.typ.Resource, Namespace: known.namespace.Value(), Name: known.name, UID: string(u.GetUID()),
		ResourceVersion: u.GetResourceVersion(), Generation: u.GetGeneration(),
	})
}

// counted brings the coverage up to the records, if there is any.
func (w *watcher) counted() { w.auditor.book.correct(w.typ, w.records.count) }
