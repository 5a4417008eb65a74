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
	object := engine.Normalize(u.Object)
	f = Finding{
		Object: Object{
			Kind: t.Kind, Resource: t.Resource, Namespace: u.GetNamespace(), Name: u.GetName(),
			UID: string(u.GetUID()), ResourceVersion: u.GetResourceVersion(), Generation: u.GetGeneration(),
		},
		Digest: s.Digest(),
		Seen:   now,
	}
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

// object judges one object, unless this very state of it has been judged by this very bundle and the verdict
// rests on nothing else.
func (w *watcher) object(ctx context.Context, u *unstructured.Unstructured, round uint32) {
	opts := &w.auditor.opts
	s := opts.Snapshots.Current()
	id := uidOf(string(u.GetUID()))
	before, known := w.records.get(id)
	if known && !before.rests && !before.failed && before.digest == s.Digest() && before.version == u.GetResourceVersion() {
		before.round = round
		w.records.put(id, before)
		return
	}
	in := opts.Inputs()
	f, err := judge(ctx, s, in, w.typ, u, in.Now())
	if ctx.Err() != nil {
		return // look-ups were cut short: not a verdict
	}
	now := record{
		namespace: unique.Make(f.Object.Namespace), name: f.Object.Name, version: f.Object.ResourceVersion,
		digest: f.Digest, round: round, failed: err != nil,
	}
	if err != nil {
		opts.Logger.Error("An object could not be judged; its report stays as it is", "object", f.Object.String(), "error", err)
		w.records.put(id, now)
		w.counted()
		return
	}
	w.auditor.metrics.judged.WithLabelValues(w.typ.label()).Inc()
	now.rests = f.Result.Unwatched || len(f.Result.Dependencies) > 0
	now.failed = slices.ContainsFunc(f.Result.Decisions, func(d engine.Decision) bool { return d.Status == engine.Error })
	w.auditor.dependents.set(subject{w, id}, f.Result.Dependencies)
	w.records.put(id, now)
	w.counted()
	opts.Sink.Found(f)
}

// gone forgets an object that was deleted.
func (w *watcher) gone(u *unstructured.Unstructured) {
	id := uidOf(string(u.GetUID()))
	known, ok := w.records.drop(id)
	if !ok {
		return
	}
	w.auditor.dependents.forget(subject{w, id})
	w.counted()
	w.auditor.opts.Sink.Gone(Object{
		Kind: w.typ.Kind, Resource: w.typ.Resource, Namespace: known.namespace.Value(), Name: known.name, UID: id.String(),
		ResourceVersion: u.GetResourceVersion(), Generation: u.GetGeneration(),
	})
}

// counted brings the coverage up to the records, if there is any.
func (w *watcher) counted() {
	objects, failed := w.records.count()
	w.auditor.book.correct(w.typ, func(c *Coverage) { c.Objects, c.Failed = objects, failed })
}
