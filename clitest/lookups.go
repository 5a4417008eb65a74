package clitest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/bundle/manifest"
	"github.com/holdfast-io/holdfast/engine"
)

// world answers what policies ask from what the test names. It is read only.
type world struct {
	engine.NoLookups
	objects    []*object
	namespaces map[string]map[string]string // labels by namespace
	named      map[string]map[string]any    // the namespaces of the values
	roles      []string
	cRoles     []string
	calls      map[string]apiCallResponse // by METHOD:address, or by address for all methods
	globals    map[string]any             // by entry, or entry.projection
	images     map[string]map[string]any
	plurals    map[schema.GroupVersionKind]string
	scopes     manifest.Scopes
	// cluster says that the test gives clusterResources: what is not there does not exist. Without them, it
	// cannot be told.
	cluster bool
}

// NamespaceLabels gives the labels that the test gives a namespace; without any, it has none.
func (w *world) NamespaceLabels(_ context.Context, namespace string) (map[string]string, error) {
	return w.namespaces[namespace], nil
}

// Roles gives the roles of the test's user.
func (w *world) Roles(context.Context, *authenticationv1.UserInfo) (roles, clusterRoles []string, err error) {
	return w.roles, w.cRoles, nil
}

// Get finds an object among those of the test.
func (w *world) Get(_ context.Context, kind schema.GroupVersionKind, namespace, name string) (map[string]any, error) {
	for _, o := range w.objects {
		if o.kind == kind && o.in(namespace) && o.name == name {
			return o.value, nil
		}
	}
	if kind == (schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}) {
		if value := w.namespace(name); value != nil {
			return value, nil
		}
	}
	err := fmt.Errorf("%s %s %w among the resources of the test", kind.Kind, (&object{namespace: namespace, name: name}).String(), engine.ErrNotFound)
	if !w.cluster {
		err = errors.Join(err, engine.ErrNoLookup)
	}
	return nil, err
}

// namespace gives a namespace as far as the values tell of it, or nil.
func (w *world) namespace(name string) map[string]any {
	if value := w.named[name]; value != nil {
		return value
	}
	known, ok := w.namespaces[name]
	if !ok {
		return nil
	}
	labels := make(map[string]any, len(known))
	for k, v := range known {
		labels[k] = v
	}
	return map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name, "labels": labels}}
}

// namespaceObject gives a namespace of the values as a cluster would show it.
func namespaceObject(n *corev1.Namespace) (map[string]any, error) {
	raw, err := json.Marshal(n)
	if err != nil {
		return nil, err
	}
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		return nil, err
	}
	return with(with(tidy(value).(map[string]any), "apiVersion", "v1"), "kind", "Namespace"), nil
}

// Map finds the kind of a plural name among those of the test.
func (w *world) Map(_ context.Context, kind schema.GroupVersionKind) (schema.GroupVersionKind, schema.GroupVersionResource, error) {
	for _, known := range w.known() {
		if known.GroupVersion() != kind.GroupVersion() {
			continue
		}
		if plural := w.plural(known); known.Kind == kind.Kind || plural == kind.Kind {
			return known, known.GroupVersion().WithResource(plural), nil
		}
	}
	return kind, schema.GroupVersionResource{}, fmt.Errorf("%s is no kind of the resources of the test: %w", kind.Kind, engine.ErrNoLookup)
}

// Namespaced tells the scope of a kind that is built in or that the test's CRDs declare.
func (w *world) Namespaced(_ context.Context, kind schema.GroupVersionKind) (bool, error) {
	namespaced, known := w.scopes.Namespaced(kind.GroupKind())
	if !known {
		return false, engine.ErrNoLookup
	}
	return namespaced, nil
}

// List finds objects among those of the test, in their order.
func (w *world) List(_ context.Context, kind schema.GroupVersionKind, namespace string, selector labels.Selector) ([]map[string]any, error) {
	out := []map[string]any{}
	for _, o := range w.objects {
		if o.kind == kind && (namespace == "" || o.in(namespace)) && (selector == nil || selector.Matches(labels.Set(o.labels()))) {
			out = append(out, o.value)
		}
	}
	return out, nil
}

// in reports whether the object is found by asking for it in the namespace: one without a namespace is found in each, as
// by an API server's client that knows its scope.
func (o *object) in(namespace string) bool { return o.namespace == namespace || o.namespace == "" }

func (o *object) labels() map[string]string {
	out := map[string]string{}
	meta, _ := o.value["metadata"].(map[string]any)
	own, _ := meta["labels"].(map[string]any)
	for key, value := range own {
		if s, ok := value.(string); ok {
			out[key] = s
		}
	}
	return out
}

// Call answers from the test's apiCallResponses; a path of the API server also from its objects.
func (w *world) Call(ctx context.Context, call *engine.Call) (any, error) {
	address := call.URL + call.Path
	response, ok := w.calls[call.Method+":"+address]
	if !ok {
		response, ok = w.calls[address]
	}
	switch {
	case ok && (response.Response.StatusCode < 200 || response.Response.StatusCode > 299):
		return nil, fmt.Errorf("%s %s: the test answers with status %d", call.Method, address, response.Response.StatusCode)
	case ok && call.Status:
		return map[string]any{"status": float64(response.Response.StatusCode), "body": response.Response.Body}, nil
	case ok:
		return response.Response.Body, nil
	case call.Path != "" && call.Method == "GET":
		return w.serve(ctx, call.Path)
	}
	return nil, fmt.Errorf("%s %s is not among the apiCallResponses of the test: %w", call.Method, address, engine.ErrNoLookup)
}

// GlobalContext answers from the test's globalContextEntries.
func (w *world) GlobalContext(_ context.Context, name string) (any, error) {
	value, ok := w.globals[name]
	if !ok {
		return nil, fmt.Errorf("%s is not among the globalContextEntries of the test: %w", name, engine.ErrNoLookup)
	}
	return value, nil
}

// Image answers from the images of the test's context.
func (w *world) Image(_ context.Context, image *engine.ImageCall) (map[string]any, error) {
	data, ok := w.images[image.Reference]
	if !ok {
		return nil, &needsNetwork{"an image registry for " + image.Reference + ", which is not among the images of the test's context"}
	}
	return data, nil
}

// AccessReview answers from the test's apiCallResponses, as it would be called, whatever is asked.
func (w *world) AccessReview(ctx context.Context, _ *authorizationv1.SubjectAccessReviewSpec) (authorizationv1.SubjectAccessReviewStatus, error) {
	var review authorizationv1.SubjectAccessReview
	answer, err := w.Call(ctx, &engine.Call{Method: "POST", Path: accessReviews})
	if err != nil {
		return review.Status, err
	}
	raw, err := json.Marshal(answer)
	if err != nil {
		return review.Status, err
	}
	err = json.Unmarshal(raw, &review)
	return review.Status, err
}

// accessReviews is the path of questions about what users may do.
const accessReviews = "/apis/authorization.k8s.io/v1/subjectaccessreviews"

// registered is the image data in the words of the policy language.
func (d *imageData) registered() map[string]any {
	identifier := d.Digest
	if identifier == "" {
		identifier = d.Tag
	}
	return map[string]any{
		"image": d.Image, "resolvedImage": d.ResolvedImage, "registry": d.Registry, "repository": d.Repository,
		"identifier": identifier, "manifestList": d.ImageIndex, "manifest": d.Manifest, "configData": d.ConfigData,
	}
}

// known lists the kinds of the test's objects, in a fixed order.
func (w *world) known() []schema.GroupVersionKind {
	kinds := map[schema.GroupVersionKind]bool{}
	for _, o := range w.objects {
		kinds[o.kind] = true
	}
	for kind := range w.plurals {
		kinds[kind] = true
	}
	return slices.SortedFunc(maps.Keys(kinds), func(a, b schema.GroupVersionKind) int {
		return strings.Compare(a.String(), b.String())
	})
}
