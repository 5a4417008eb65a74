package act

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/engine/mutate"
	"github.com/holdfast-io/holdfast/reconcile/propose"
)

// Server is the objects of a cluster.
type Server struct {
	*propose.Server
	opts propose.ServerOptions
}

// NewServer makes a Server. It remembers what we may do until it is told to forget.
func NewServer(opts propose.ServerOptions) *Server {
	return &Server{propose.NewServer(opts), opts}
}

// Write makes a change by a JSON Patch that names the UID and the resourceVersion of what was read. The API server itself
// refuses it when the object is another, or in another state.
func (s *Server) Write(ctx context.Context, w *Write) (map[string]any, error) {
	resource, ok := s.opts.Resource(w.Kind)
	if !ok {
		return nil, fmt.Errorf("%w: the cluster does not serve %s any more", ErrRefused, w.Kind)
	}
	var objects dynamic.ResourceInterface = s.opts.Client.Resource(resource)
	if s.opts.Namespaced(w.Kind) {
		objects = s.opts.Client.Resource(resource).Namespace(w.Namespace)
	}
	ops := append([]mutate.Operation{
		{Op: "test", Path: "/metadata/uid", Value: metaText(w.Object, "uid")},
		{Op: "replace", Path: "/metadata/resourceVersion", Value: metaText(w.Object, "resourceVersion")}, // which has it compared
	}, w.Patch...)
	raw, err := json.Marshal(ops)
	if err != nil {
		return nil, fmt.Errorf("writing the patch: %w", err)
	}
	u, err := objects.Patch(ctx, w.Name, types.JSONPatchType, raw, metav1.PatchOptions{FieldManager: w.Manager})
	switch {
	case err == nil:
		return engine.Normalize(u.Object), nil
	case apierrors.IsNotFound(err):
		return nil, fmt.Errorf("%w: %w", ErrChanged, err)
	case !apierrors.IsConflict(err) && !refused(err):
		return nil, err
	}
	now, failed := objects.Get(ctx, w.Name, metav1.GetOptions{})
	switch {
	case failed == nil && w.arrived(now):
		return nil, fmt.Errorf("it may be written already: %w", err)
	case apierrors.IsConflict(err), apierrors.IsNotFound(failed):
		return nil, fmt.Errorf("%w: %w", ErrChanged, err)
	case failed == nil && (string(now.GetUID()) != metaText(w.Object, "uid") || now.GetResourceVersion() != metaText(w.Object, "resourceVersion")):
		return nil, fmt.Errorf("%w: %w", ErrChanged, err) // a test that fails is refused like a patch that is wrong
	default:
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
}

// arrived reports whether the object has been written under the name of the write since it was read. After some errors a client
// asks again by itself, although the first request may have been carried out; and whoever leads next may have been faster.
// Either way the refusal says nothing of what became of the change.
func (w *Write) arrived(now *unstructured.Unstructured) bool {
	before, after := writtenBy(w.Manager, w.Object), writtenBy(w.Manager, now.Object)
	return string(now.GetUID()) == metaText(w.Object, "uid") && after != "" && after != before
}

// writtenBy is when a manager wrote an object last; empty for never.
func writtenBy(manager string, object map[string]any) string {
	entries, _, _ := unstructured.NestedSlice(object, "metadata", "managedFields") // as the API server writes them
	last := ""
	for _, entry := range entries {
		entry, _ := entry.(map[string]any)
		if at, _ := entry["time"].(string); entry["manager"] == manager && entry["subresource"] == nil && at > last {
			last = at
		}
	}
	return last
}

// refused reports whether the API server, or a webhook, will say the same again of the same object. Then nothing was written.
func refused(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsBadRequest(err) || apierrors.IsMethodNotSupported(err) ||
		apierrors.IsNotAcceptable(err) || apierrors.IsUnsupportedMediaType(err) || apierrors.IsRequestEntityTooLargeError(err)
}
