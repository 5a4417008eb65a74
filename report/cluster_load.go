package report

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
)

// pageSize is the number of reports of one list request: most have less than 10 kB.
const pageSize = 500

// load finds the reports that exist. It tries until it knows, because a writer that does not know would
// write everything again; the error is the context's.
func (w *Writer) load(ctx context.Context) (map[string]*entry, error) {
	pause := w.opts.Retry
	for {
		found := map[string]*entry{}
		err := w.list(ctx, "any", found)
		if err == nil {
			err = w.list(ctx, "", found)
		}
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

// list adds the reports of one kind: those in namespaces, or with no namespace those of cluster-scoped
// objects.
func (w *Writer) list(ctx context.Context, namespace string, found map[string]*entry) error {
	resource := reportResource(namespace)
	opts := metav1.ListOptions{
		LabelSelector: labels.Set{LabelManagedBy: ManagedBy}.String(), Limit: pageSize,
	}
	for {
		page, err := w.opts.Client.Resource(resource).List(ctx, opts)
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
			add(found, &page.Items[i])
		}
		if opts.Continue = page.GetContinue(); opts.Continue == "" {
			w.metrics.count(operationList, outcomeDone)
			return nil
		}
	}
}

func add(found map[string]*entry, u *unstructured.Unstructured) {
	t := Target{Namespace: u.GetNamespace(), UID: u.GetName()}
	t.APIVersion, _, _ = unstructured.NestedString(u.Object, "scope", "apiVersion")
	t.Kind, _, _ = unstructured.NestedString(u.Object, "scope", "kind")
	t.Name, _, _ = unstructured.NestedString(u.Object, "scope", "name")
	e := &entry{target: t, written: u.GetAnnotations()[AnnotationHash]}
	if e.parts = parseDesired(e.written); len(e.parts) == 0 || e.desired() != e.written {
		// Somebody changed the annotation. The report stands until the object is judged.
		e.parts = map[string]*part{t.APIVersion: {hash: unknown}}
		e.written = e.desired()
	}
	e.recalled = recall(u)[t.UID]
	found[t.UID] = e
}
