package report

import (
	"context"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// legacy is a report of ours in a form in which none is written any more: of the other API or layout, or of an older
// version. It stands until all that it is about has been judged anew and stands elsewhere, or is gone.
type legacy struct {
	api             API
	namespace, name string
	// waits is how many of its objects are still to come.
	waits int
}

// legacyRef is an object on such a report.
type legacyRef struct {
	apiVersion, kind string
	on               *legacy
}

// legacies are all of them.
type legacies struct {
	byKey map[string]*legacy
	byUID map[string][]legacyRef
}

func newLegacies() legacies {
	return legacies{byKey: map[string]*legacy{}, byUID: map[string][]legacyRef{}}
}

// key names it in the queue, as no sheet is named.
func (l *legacy) key() string { return string(l.api) + "/" + l.namespace + "/" + l.name }

// add takes up a report with its objects.
func (ls *legacies) add(l *legacy, objects []indexed) {
	ls.byKey[l.key()] = l
	for i := range objects {
		x := &objects[i]
		l.waits++
		ls.byUID[x.uid] = append(ls.byUID[x.uid], legacyRef{x.apiVersion, x.kind, l})
	}
}

// superseded says that nothing is left to be told of the object by old reports. It gives those that may go.
func (ls *legacies) superseded(uid string) (done []*legacy) {
	for _, ref := range ls.byUID[uid] {
		if ref.on.waits--; ref.on.waits == 0 {
			done = append(done, ref.on)
		}
	}
	delete(ls.byUID, uid)
	return done
}

// supersede queues the old reports that need not stand any more, now that the cluster has what is to be said of the object.
func (w *Writer) supersede(uid string) {
	for _, l := range w.legacies.superseded(uid) {
		w.queue.Add(l.key())
	}
}

// vanish lets go of the objects on old reports that are not there any more.
func (w *Writer) vanish(gone func(apiVersion, kind, uid string) bool) {
	for uid, refs := range w.legacies.byUID {
		if w.entries[uid] == nil && slices.ContainsFunc(refs, func(r legacyRef) bool { return gone(r.apiVersion, r.kind, uid) }) {
			w.supersede(uid)
		}
	}
}

// removeLegacy deletes an old report, if the key is that of one.
func (w *Writer) removeLegacy(ctx context.Context, key string) (found bool) {
	w.mu.Lock()
	l := w.legacies.byKey[key]
	w.mu.Unlock()
	if l == nil {
		return false
	}
	err := w.opts.Client.Resource(l.api.resource(l.namespace)).Namespace(l.namespace).Delete(ctx, l.name, metav1.DeleteOptions{})
	result := classify(operationDelete, err)
	w.metrics.count(operationDelete, result)
	w.mu.Lock()
	defer w.mu.Unlock()
	if result == outcomeError && !apierrors.IsForbidden(err) {
		w.queue.AddRateLimited(key)
		return true
	}
	if result == outcomeError && w.trouble == "" {
		w.opts.Logger.Error("A report of an older form may not be deleted; it stays", "report", Resource{Kind: l.api.kind(l.namespace).Kind, Namespace: l.namespace, Name: l.name}.String(), "error", err)
	}
	w.queue.Forget(key)
	delete(w.legacies.byKey, key)
	return true
}
