package act

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/reconcile/propose"
)

// ClusterBook is the Book of a cluster.
type ClusterBook struct {
	known  *propose.Remediations
	client dynamic.ResourceInterface
	part   string
	// look is whom Follow tells; nil while nobody follows.
	look atomic.Pointer[func(name string)]
}

// NewClusterBook makes one that goes by the Remediations that are known, which somebody else follows. Part is that of the
// objects which are planned for here, as the Proposer has it; empty for all.
func NewClusterBook(known *propose.Remediations, client dynamic.Interface, part string) *ClusterBook {
	b := &ClusterBook{known: known, client: client.Resource(v1alpha1.Remediations()), part: part}
	known.Listen(func(before, after *unstructured.Unstructured) {
		if look := b.look.Load(); look != nil && after != nil && b.concerns(after) && (before == nil || news(before, after)) {
			(*look)(after.GetName())
		}
	})
	return b
}

// Follow calls look for each Remediation that may have something to be done, until the context ends.
func (b *ClusterBook) Follow(ctx context.Context, look func(name string)) {
	b.look.Store(&look)
	defer b.look.Store(nil)
	for _, u := range b.known.List() { // those that came before
		if b.concerns(u) {
			look(u.GetName())
		}
	}
	<-ctx.Done()
}

// concerns reports whether a Remediation is of our part, and such that something may be done with it.
func (b *ClusterBook) concerns(u *unstructured.Unstructured) bool {
	if u.GetLabels()[propose.LabelPart] != b.part {
		return false
	}
	if _, back, _ := unstructured.NestedMap(u.Object, "spec", "rollback"); back {
		return true
	}
	phase, mode := v1alpha1.Phase(field(u, "status", "phase")), v1alpha1.Mode(field(u, "status", "mode"))
	rejected := field(u, "spec", "approval", "decision") == string(v1alpha1.DecisionReject)
	return phase.Acting() || phase != "" && !phase.Ended() && (mode.Allows(v1alpha1.Approve) || rejected)
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

// Generation is that of the spec as it was last heard of; 0 for one that is not known.
func (b *ClusterBook) Generation(name string) int64 {
	if u := b.known.Get(name); u != nil {
		return u.GetGeneration()
	}
	return 0
}

// Read reads a Remediation as it is now.
func (b *ClusterBook) Read(ctx context.Context, name string) (*v1alpha1.Remediation, error) {
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
func (b *ClusterBook) Write(ctx context.Context, r *v1alpha1.Remediation) error {
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
	b.known.Wrote(r)
	return nil
}
