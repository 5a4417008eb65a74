package act

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/reconcile/propose"
)

// Remediations are those of a cluster.
type Remediations struct {
	all     dynamic.Interface
	client  dynamic.ResourceInterface
	part    string
	log     *slog.Logger
	changes atomic.Int64
	// informer is there while they are followed.
	informer atomic.Pointer[cache.SharedIndexInformer]
}

// NewRemediations makes the Book of a cluster. Part is that of the objects which are planned for here, as the Proposer has it;
// empty for all.
func NewRemediations(client dynamic.Interface, part string, log *slog.Logger) *Remediations {
	return &Remediations{all: client, client: client.Resource(v1alpha1.Remediations()), part: part, log: log}
}

// brief takes out of a Remediation what is long and does not count here: what is done is read anew.
func brief(object any) (any, error) {
	u, ok := object.(*unstructured.Unstructured)
	if !ok {
		return object, nil
	}
	u.SetManagedFields(nil)
	targets, _, _ := unstructured.NestedSlice(u.Object, "spec", "plan", "targets")
	for _, t := range targets {
		if t, ok := t.(map[string]any); ok {
			for _, long := range []string{"patch", "inverse", "diff", "repairs"} {
				delete(t, long)
			}
		}
	}
	if len(targets) > 0 {
		_ = unstructured.SetNestedSlice(u.Object, targets, "spec", "plan", "targets") // of what was just there
	}
	return u, nil
}

// Follow watches Remediations until the context ends, and calls look for each that may have something to be done.
func (b *Remediations) Follow(ctx context.Context, look func(name string)) {
	informer := dynamicinformer.NewFilteredDynamicInformer(b.all, v1alpha1.Remediations(), metav1.NamespaceAll, 0, cache.Indexers{}, nil).Informer()
	// These calls fail on an informer that runs already, which this one does not.
	_ = informer.SetTransform(brief)
	_ = informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector, err error) {
		b.log.Debug("Watching Remediations was interrupted", "error", err)
	})
	_, _ = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(object any) {
			b.changes.Add(1)
			if u, ok := object.(*unstructured.Unstructured); ok && b.concerns(u) {
				look(u.GetName())
			}
		},
		UpdateFunc: func(was, is any) {
			b.changes.Add(1)
			before, _ := was.(*unstructured.Unstructured)
			if u, ok := is.(*unstructured.Unstructured); ok && before != nil && b.concerns(u) && news(before, u) {
				look(u.GetName())
			}
		},
		DeleteFunc: func(any) { b.changes.Add(1) },
	})
	b.informer.Store(&informer)
	defer b.informer.Store(nil)
	informer.RunWithContext(ctx)
}

// concerns reports whether a Remediation is of our part, and such that something may be done with it.
func (b *Remediations) concerns(u *unstructured.Unstructured) bool {
	if u.GetLabels()[propose.LabelPart] != b.part {
		return false
	}
	if _, back, _ := unstructured.NestedMap(u.Object, "spec", "rollback"); back {
		return true
	}
	phase, mode := v1alpha1.Phase(field(u, "status", "phase")), v1alpha1.Mode(field(u, "status", "mode"))
	return phase.Acting() || phase != "" && !phase.Ended() && mode.Allows(v1alpha1.Approve)
}

// news reports whether somebody has asked for something, or planned, between two states. That a target has moved on is our own
// doing.
func news(before, after *unstructured.Unstructured) bool {
	return before.GetGeneration() != after.GetGeneration() || field(before, "status", "mode") != field(after, "status", "mode") ||
		field(before, "status", "phase") == ""
}

func field(u *unstructured.Unstructured, path ...string) string {
	s, _, _ := unstructured.NestedString(u.Object, path...)
	return s
}

// Synced reports whether all Remediations are known. They are not while nobody follows them.
func (b *Remediations) Synced() bool {
	informer := b.informer.Load()
	return informer != nil && (*informer).HasSynced()
}

// Changes counts what has become known: as long as it is the same, All gives the same.
func (b *Remediations) Changes() int64 { return b.changes.Load() }

// All gives the Remediations of all parts, without patches and diffs.
func (b *Remediations) All() []v1alpha1.Remediation {
	informer := b.informer.Load()
	if informer == nil {
		return nil
	}
	var out []v1alpha1.Remediation
	for _, object := range (*informer).GetStore().List() {
		u, ok := object.(*unstructured.Unstructured)
		if !ok {
			continue
		}
		var r v1alpha1.Remediation
		if runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &r) == nil {
			out = append(out, r)
		}
	}
	return out
}

// Generation is that of the spec as it was last heard of; 0 for one that is not known.
func (b *Remediations) Generation(name string) int64 {
	informer := b.informer.Load()
	if informer == nil {
		return 0
	}
	object, ok, _ := (*informer).GetStore().GetByKey(name) // of a store in memory
	u, is := object.(*unstructured.Unstructured)
	if !ok || !is {
		return 0
	}
	return u.GetGeneration()
}

// Read reads a Remediation as it is now.
func (b *Remediations) Read(ctx context.Context, name string) (*v1alpha1.Remediation, error) {
	u, err := b.client.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, engine.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	r := &v1alpha1.Remediation{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, r); err != nil {
		return nil, fmt.Errorf("Remediation %s: %w", name, err)
	}
	return r, nil
}

// Write writes the status. The mode and what took its place are whose who plans.
func (b *Remediations) Write(ctx context.Context, r *v1alpha1.Remediation) error {
	status, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&r.Status)
	if err != nil {
		return fmt.Errorf("the status of Remediation %s: %w", r.Name, err)
	}
	delete(status, "mode")
	delete(status, "supersededBy")
	for _, empty := range []string{"message", "results", "started", "ended", "gates"} {
		if _, there := status[empty]; !there {
			status[empty] = nil // so that the merge takes it away
		}
	}
	raw, err := json.Marshal(map[string]any{"metadata": map[string]any{"resourceVersion": r.ResourceVersion, "uid": r.UID}, "status": status})
	if err != nil {
		return fmt.Errorf("the status of Remediation %s: %w", r.Name, err)
	}
	u, err := b.client.Patch(ctx, r.Name, types.MergePatchType, raw, metav1.PatchOptions{FieldManager: FieldManager}, "status")
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return fmt.Errorf("%w: %w", ErrChanged, err)
	}
	if err != nil {
		return err
	}
	r.ResourceVersion = u.GetResourceVersion()
	return nil
}
