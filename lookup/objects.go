package lookup

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/validate/content"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/holdfast-io/holdfast/engine"
)

const (
	// page is how many objects one request of a list brings.
	page = 500
	// maxList is how long a list may be that is read when asked: it is held for the length of a request.
	maxList = 16 << 20
)

// objects answers Get and List.
type objects struct {
	client  dynamic.Interface
	mapper  *mapper
	watches *watches
	timeout time.Duration
}

// get gives one object. What the watch has not brought (yet) is asked for, so that what was made a moment ago is
// found.
func (o *objects) get(ctx context.Context, kind schema.GroupVersionKind, namespace, name string) (map[string]any, error) {
	subject := called(kind.Kind, namespace, name)
	for _, part := range []string{namespace, name} {
		if wrong := content.IsPathSegmentName(part); len(wrong) > 0 {
			return nil, refusef("looking up %s: %q is no name: it %s", subject, part, wrong[0])
		}
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	r, err := o.mapper.find(ctx, kind)
	if err != nil {
		return nil, fmt.Errorf("looking up %s: %w", subject, err)
	}
	if !r.namespaced {
		namespace = ""
	}
	switch {
	case name == "":
		return nil, fmt.Errorf("looking up a %s: its name is empty", r.kind)
	case r.namespaced && namespace == "":
		return nil, fmt.Errorf("looking up %s: its namespace is empty", subject)
	}
	if held, ok := o.watched(ctx, &r); ok {
		if found := held.get(namespace, name); found != nil {
			return found.value(r.kind)
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("looking up %s: %w", subject, late(ctx, err, o.timeout))
	}
	live, err := o.resource(&r, namespace).Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, fmt.Errorf("%s %w", subject, engine.ErrNotFound)
	case err != nil:
		return nil, fmt.Errorf("looking up %s: %w", subject, o.why(ctx, err, "get", &r))
	}
	object := normalized(live)
	if size := sizeOf(object); size > maxObject {
		return nil, objectTooLarge(r.kind, namespace, name, size)
	}
	return object, nil
}

// list gives the objects of a kind, sorted by namespace and name.
func (o *objects) list(ctx context.Context, kind schema.GroupVersionKind, namespace string, selector labels.Selector) ([]map[string]any, error) {
	if wrong := content.IsPathSegmentName(namespace); len(wrong) > 0 {
		return nil, refusef("listing %s: %q is no name: it %s", kind.Kind, namespace, wrong[0])
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	r, err := o.mapper.find(ctx, kind)
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", kind.Kind, err)
	}
	if !r.namespaced {
		namespace = ""
	}
	if held, ok := o.watched(ctx, &r); ok {
		found, err := held.list(namespace, selector)
		if err != nil {
			return nil, fmt.Errorf("listing %s: %w", r.kind, err)
		}
		return values(found, r.kind)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("listing %s: %w", r.kind, late(ctx, err, o.timeout))
	}
	return o.listLive(ctx, &r, namespace, selector)
}

func values(found []*stored, kind string) ([]map[string]any, error) {
	out := make([]map[string]any, len(found))
	for i, s := range found {
		var err error
		if out[i], err = s.value(kind); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// listLive reads a list page by page, in the order of the API server, which is that of the names.
func (o *objects) listLive(ctx context.Context, r *mapped, namespace string, selector labels.Selector) ([]map[string]any, error) {
	options := metav1.ListOptions{Limit: page}
	if selector != nil {
		options.LabelSelector = selector.String()
	}
	out := []map[string]any{}
	var size int64
	for {
		list, err := o.resource(r, namespace).List(ctx, options)
		if err != nil {
			return nil, fmt.Errorf("listing %s: %w", r.kind, o.why(ctx, err, "list", r))
		}
		for i := range list.Items {
			object := normalized(&list.Items[i])
			if size += sizeOf(object); size > maxList {
				return nil, tooLargef("listing %s: the list is longer than %s, the limit of a look-up", r.kind, megabytes(maxList))
			}
			out = append(out, object)
		}
		if options.Continue = list.GetContinue(); options.Continue == "" {
			return out, nil
		}
	}
}

// watched gives the watch of a resource once it has its first list; false if the resource is to be asked for. A
// Secret is never kept: its values stay in memory no longer than a request.
func (o *objects) watched(ctx context.Context, r *mapped) (*watch, bool) {
	if !r.watchable || isSecret(r.GroupVersionResource) {
		return nil, false
	}
	held := o.watches.of(r.GroupVersionResource)
	if held == nil {
		return nil, false
	}
	if err := held.wait(ctx); err != nil {
		if apierrors.IsNotFound(err) {
			o.mapper.forget(r.GroupVersion()) // the definition has gone, or changed its versions
		}
		return nil, false
	}
	return held, true
}

func isSecret(r schema.GroupVersionResource) bool { return r.Group == "" && r.Resource == "secrets" }

func (o *objects) resource(r *mapped, namespace string) dynamic.ResourceInterface {
	if namespace == "" {
		return o.client.Resource(r.GroupVersionResource)
	}
	return o.client.Resource(r.GroupVersionResource).Namespace(namespace)
}

// why adds to the API server's error which right is missing, or that nothing came in time.
func (o *objects) why(ctx context.Context, err error, verb string, r *mapped) error {
	if apierrors.IsForbidden(err) {
		return labeled{fmt.Errorf("the right to %s %s is missing: %w", verb, r.GroupResource(), err), errForbidden}
	}
	return late(ctx, err, o.timeout)
}

var _ metav1.Object = (*stored)(nil)
