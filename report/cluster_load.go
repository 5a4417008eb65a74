package report

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unique"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// pageSize is the number of reports of one list request. What is read of each is its metadata: 40 kB at most where it is
// about many objects, and else one.
const pageSize = 500

// loaded are the reports of ours that the cluster has.
type loaded struct {
	sheets   sheets
	entries  map[string]*entry
	legacies legacies
}

// load finds the reports that exist. It tries until it knows, because a writer that does not know would
// write everything again; the error is the context's.
func (w *Writer) load(ctx context.Context) (*loaded, error) {
	pause := w.opts.Retry
	for {
		found := &loaded{newSheets(w.opts.Layout), map[string]*entry{}, newLegacies()}
		err := w.loadAll(ctx, found)
		if err == nil {
			return found, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		w.metrics.count(operationList, outcomeError)
		w.mu.Lock()
		if w.trouble == "" {
			w.trouble = string(outcomeError)
			w.opts.Logger.Warn("The reports in the cluster cannot be read; nothing is written until they are", "error", err)
		}
		w.mu.Unlock()
		if err := wait(ctx, pause); err != nil {
			return nil, err
		}
		pause = min(2*pause, w.opts.RetryMax)
	}
}

// loadAll reads the reports of all APIs: those of another than the one that is written are left from before.
func (w *Writer) loadAll(ctx context.Context, found *loaded) error {
	for _, api := range APIs() {
		for _, namespace := range []string{"any", ""} {
			err := w.list(ctx, api, namespace, func(m *metav1.PartialObjectMetadata) { w.found(found, api, m) })
			switch {
			case err == nil:
			case apierrors.IsForbidden(err) && api != w.opts.API:
				w.opts.Logger.Info("Reports that may be left from before cannot be looked for", "error", err)
			default:
				return err
			}
		}
	}
	return nil
}

// list hands over the reports of ours of one kind: those in namespaces, or with no namespace those of cluster-scoped
// objects.
func (w *Writer) list(ctx context.Context, api API, namespace string, each func(*metav1.PartialObjectMetadata)) error {
	resource := api.resource(namespace)
	opts := metav1.ListOptions{
		LabelSelector: labels.Set{LabelManagedBy: ManagedBy}.String(), Limit: pageSize,
	}
	for {
		page, err := w.opts.Metadata.Resource(resource).List(ctx, opts)
		if apierrors.IsNotFound(err) {
			return nil // not served: none exist
		}
		if apierrors.IsResourceExpired(err) && opts.Continue != "" {
			opts.Continue = "" // again from the beginning; what comes twice is the same
			continue
		}
		if err != nil {
			return fmt.Errorf("listing %s: %w", resource.GroupResource(), err)
		}
		for i := range page.Items {
			each(&page.Items[i])
		}
		if opts.Continue = page.GetContinue(); opts.Continue == "" {
			w.metrics.count(operationList, outcomeDone)
			return nil
		}
	}
}

// found takes up one report: as one that is written on, or as one that is to go when its objects stand elsewhere.
func (w *Writer) found(in *loaded, api API, m *metav1.PartialObjectMetadata) {
	index, err := parseIndex(m.GetAnnotations()[AnnotationIndex])
	layout, number, ours := layoutOf(m.GetName())
	if err != nil {
		index = ownedBy(m)
	}
	all := len(index)
	index = slices.DeleteFunc(index, func(x indexed) bool { return !w.opts.Mine(m.GetNamespace(), x.uid) })
	if all > 0 && len(index) == 0 {
		return // it is another writer's
	}
	current := api == w.opts.API && layout == w.opts.Layout && ours && len(index) > 0
	if current && number == 0 {
		current = m.GetName() == namePrefix+index[0].uid
	}
	if !current {
		l := &legacy{api: api, namespace: m.GetNamespace(), name: m.GetName()}
		if in.legacies.byKey[l.key()] == nil {
			in.legacies.add(l, index)
		}
		return
	}
	s := &sheet{namespace: unique.Make(m.GetNamespace()), number: int32(number)}
	for i := range index {
		x := &index[i]
		e := in.entries[x.uid]
		if e == nil || e.sheet != s {
			// One that stands on two reports has moved when its writer ended: the later one keeps it.
			t := Target{APIVersion: x.apiVersion, Kind: x.kind, Namespace: m.GetNamespace(), UID: strings.Clone(x.uid)}
			if owners := m.GetOwnerReferences(); len(owners) == 1 && string(owners[0].UID) == x.uid {
				t.Name = owners[0].Name
			}
			e = &entry{sheet: s, recall: true}
			e.is(t)
			if old := in.entries[x.uid]; old != nil {
				for i := range old.parts {
					old.drop(&old.parts[i])
				}
			}
			in.entries[e.uid] = e
			s.entries = append(s.entries, e)
		}
		p := x.part
		p.wrote = p.want
		s.size += e.set(p)
	}
	in.sheets.add(s)
}

// ownedBy says what can be told of a report whose annotation nobody can read: that it is about its owner. It stands until
// that is judged.
func ownedBy(m *metav1.PartialObjectMetadata) []indexed {
	var out []indexed
	for _, o := range m.GetOwnerReferences() {
		out = append(out, indexed{o.APIVersion, o.Kind, string(o.UID), part{apiVersion: o.APIVersion, want: unknown()}})
	}
	return out
}
