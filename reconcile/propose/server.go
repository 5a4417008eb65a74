package propose

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/reconcile/plan"
)

// fieldManager is the name under which Remediations, and changes that are only tried, are written.
const fieldManager = "holdfast"

// ServerOptions are what a Server needs.
type ServerOptions struct {
	Client dynamic.Interface
	// Resource gives the resource of a kind, and whether the cluster serves it; Namespaced whether its objects live in
	// namespaces.
	Resource   func(schema.GroupVersionKind) (schema.GroupVersionResource, bool)
	Namespaced func(schema.GroupVersionKind) bool
	Access     Access
}

// Server answers a planner from the API server. It remembers what we may do, and the annotations of Namespaces, until it is
// told to forget.
type Server struct {
	opts ServerOptions

	mu         sync.Mutex
	rights     map[right]bool
	namespaces map[string]map[string]string
}

type right struct {
	verb     string
	resource schema.GroupResource
}

// NewServer makes a Server.
func NewServer(opts ServerOptions) *Server {
	c := &Server{opts: opts}
	c.Forget()
	return c
}

// Forget has everything asked anew.
func (c *Server) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rights, c.namespaces = map[right]bool{}, map[string]map[string]string{}
}

// read reads an object that was found at fault; engine.ErrNotFound if it is gone, or another has its name.
func (c *Server) read(ctx context.Context, o Object) (map[string]any, error) {
	u, err := c.opts.Client.Resource(o.Resource).Namespace(o.Namespace).Get(ctx, o.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || (err == nil && string(u.GetUID()) != o.UID) {
		return nil, engine.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return engine.Normalize(u.Object), nil
}

// Get reads any object, for the planner.
func (c *Server) Get(ctx context.Context, kind schema.GroupVersionKind, namespace, name string) (map[string]any, error) {
	objects, _, err := c.resource(kind, namespace)
	if err != nil {
		return nil, err
	}
	u, err := objects.Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, fmt.Errorf("%s %s: %w", kind.Kind, name, engine.ErrNotFound)
	case apierrors.IsForbidden(err):
		return nil, fmt.Errorf("%w: %w", plan.ErrForbidden, err)
	case err != nil:
		return nil, err
	}
	return engine.Normalize(u.Object), nil
}

// resource finds where objects of a kind are asked for. A kind that is not served cannot be read, like one that we must not.
func (c *Server) resource(kind schema.GroupVersionKind, namespace string) (dynamic.ResourceInterface, schema.GroupVersionResource, error) {
	r, ok := c.opts.Resource(kind)
	if !ok {
		return nil, r, fmt.Errorf("%w: the cluster does not serve %s", plan.ErrForbidden, kind)
	}
	if !c.opts.Namespaced(kind) {
		return c.opts.Client.Resource(r), r, nil
	}
	return c.opts.Client.Resource(r).Namespace(namespace), r, nil
}

// Try asks for a dry run. Without the right to write it does not ask, so that nobody's log fills with refusals.
func (c *Server) Try(ctx context.Context, change *plan.Change) (map[string]any, error) {
	objects, r, err := c.resource(change.Kind, change.Namespace)
	if err != nil {
		return nil, err
	}
	verb := map[v1alpha1.Action]string{v1alpha1.ActionPatch: "patch", v1alpha1.ActionCreate: "create", v1alpha1.ActionDelete: "delete"}[change.Action]
	allowed, err := c.allowed(ctx, right{verb, r.GroupResource()})
	if err != nil {
		return nil, err
	}
	if !allowed {
		return nil, fmt.Errorf("%w: holdfast may not %s %s; grant it with the chart's value reconcile.rules", plan.ErrForbidden, verb, r.GroupResource())
	}
	dry := []string{metav1.DryRunAll}
	var u *unstructured.Unstructured
	switch change.Action {
	case v1alpha1.ActionDelete:
		return nil, objects.Delete(ctx, change.Name, metav1.DeleteOptions{DryRun: dry})
	case v1alpha1.ActionCreate:
		wanted := &unstructured.Unstructured{Object: change.Object}
		wanted = wanted.DeepCopy()
		wanted.SetGroupVersionKind(change.Kind)
		wanted.SetName(change.Name)
		wanted.SetNamespace(change.Namespace)
		u, err = objects.Create(ctx, wanted, metav1.CreateOptions{DryRun: dry, FieldManager: fieldManager})
	default:
		raw, failed := json.Marshal(change.Patch)
		if failed != nil {
			return nil, fmt.Errorf("writing the patch: %w", failed)
		}
		u, err = objects.Patch(ctx, change.Name, types.JSONPatchType, raw, metav1.PatchOptions{DryRun: dry, FieldManager: fieldManager})
	}
	if err != nil {
		return nil, err
	}
	return engine.Normalize(u.Object), nil
}

func (c *Server) allowed(ctx context.Context, asked right) (bool, error) {
	c.mu.Lock()
	known, ok := c.rights[asked]
	c.mu.Unlock()
	if ok {
		return known, nil
	}
	allowed, err := c.opts.Access.Allowed(ctx, asked.verb, asked.resource)
	if err != nil {
		return false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rights[asked] = allowed
	return allowed, nil
}

// Annotations gives those of a Namespace, none of one that is gone, and none for objects in no namespace.
func (c *Server) Annotations(ctx context.Context, name string) (map[string]string, error) {
	if name == "" {
		return nil, nil
	}
	c.mu.Lock()
	known, ok := c.namespaces[name]
	c.mu.Unlock()
	if ok {
		return known, nil
	}
	u, err := c.opts.Client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}).Get(ctx, name, metav1.GetOptions{})
	var annotations map[string]string
	switch {
	case apierrors.IsNotFound(err):
	case err != nil:
		return nil, fmt.Errorf("reading namespace %s: %w", name, err)
	default:
		annotations = u.GetAnnotations()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.namespaces[name] = annotations
	return annotations, nil
}
