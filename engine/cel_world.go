package engine

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine/cel"
)

// celWorld answers what the expressions of one policy ask. Everything goes through the gate: a namespaced policy reaches its
// own namespace, and what expressions compute (a host, a path) is looked at when it is there.
type celWorld struct {
	e *evaluation
	p *Policy
}

var _ cel.World = (*celWorld)(nil)

// world is what the expressions of a policy may ask in this evaluation.
func (e *evaluation) world(p *Policy) *celWorld { return &celWorld{e, p} }

// Get looks up one object; nil where it does not exist.
func (w *celWorld) Get(apiVersion, resource, namespace, name string) (map[string]any, error) {
	r, err := w.resource(apiVersion, resource, namespace, name)
	if err != nil {
		return nil, err
	}
	if name == "" {
		return nil, errors.New("the name is empty")
	}
	var object map[string]any
	if r.sub != "" {
		answer, callErr := w.e.call(w.p, &Call{Path: r.path(namespace, name), Method: "GET"})
		object, _ = answer.(map[string]any)
		err = callErr
	} else {
		kind, kindErr := w.kind(r.gvr)
		if kindErr != nil {
			return nil, kindErr
		}
		object, err = w.e.get(w.p, kind, namespace, name)
	}
	if w.absent(err) {
		return nil, nil //nolint:nilnil // what does not exist is null, and no error
	}
	return object, err
}

// absent tells that what was asked for does not exist. Without a cluster that cannot be told, except in a test, where it is
// as in the tests of Kyverno's CLI.
func (w *celWorld) absent(err error) bool {
	return errors.Is(err, ErrNotFound) && (!errors.Is(err, ErrNoLookup) || w.e.in.Given != nil)
}

// List looks up the objects of a resource.
func (w *celWorld) List(apiVersion, resource, namespace string, with map[string]string) ([]map[string]any, error) {
	r, err := w.resource(apiVersion, resource, namespace)
	if err != nil {
		return nil, err
	}
	if r.sub != "" {
		return nil, fmt.Errorf("%s: a subresource cannot be listed", resource)
	}
	kind, err := w.kind(r.gvr)
	if err != nil {
		return nil, err
	}
	var selector labels.Selector
	if len(with) > 0 {
		if selector, err = labels.ValidatedSelectorFromSet(with); err != nil {
			return nil, fmt.Errorf("the labels: %w", err)
		}
	}
	found, err := w.e.list(w.p, kind, namespace, selector)
	// a cache lists in any order: the same world gives the same list
	return slices.SortedStableFunc(slices.Values(found), func(a, b map[string]any) int {
		x, _ := metadata(a)["namespace"].(string)
		y, _ := metadata(b)["namespace"].(string)
		return cmp.Or(strings.Compare(x, y), strings.Compare(objectName(a), objectName(b)))
	}), err
}

// Post asks a review of the API server. Anything else would be a write, which is not an expression's to make.
func (w *celWorld) Post(apiVersion, resource, namespace string, object map[string]any) (map[string]any, error) {
	r, err := w.resource(apiVersion, resource, namespace)
	if err != nil {
		return nil, err
	}
	group := r.gvr.Group
	if r.sub != "" || !strings.HasSuffix(r.gvr.Resource, "reviews") || (group != "authorization.k8s.io" && group != "authentication.k8s.io") {
		return nil, fmt.Errorf("%w: an expression writes nothing: it may post reviews of authorization.k8s.io and authentication.k8s.io only", ErrOutOfReach)
	}
	answer, err := w.e.call(w.p, &Call{Path: r.path(namespace), Method: "POST", Body: object})
	if err != nil {
		return nil, err
	}
	review, ok := answer.(map[string]any)
	if !ok {
		return nil, errors.New("the answer is no object")
	}
	return review, nil
}

// namedResource is a resource that an expression names, with its subresource.
type namedResource struct {
	gvr schema.GroupVersionResource
	sub string
}

// resource reads what an expression names, and refuses what would not be a name in a path.
func (w *celWorld) resource(apiVersion, resource string, names ...string) (namedResource, error) {
	gv, err := schema.ParseGroupVersion(apiVersion)
	if err != nil || gv.Version == "" {
		return namedResource{}, fmt.Errorf("%q is no version: expected one like v1 or apps/v1", apiVersion)
	}
	plural, sub, _ := strings.Cut(resource, "/")
	if plural == "" {
		return namedResource{}, errors.New("the resource is empty: expected a plural name such as configmaps")
	}
	for _, part := range append([]string{gv.Group, gv.Version, plural, sub}, names...) {
		if wrong := content.IsPathSegmentName(part); len(wrong) > 0 {
			return namedResource{}, fmt.Errorf("%q is no name: it %s", part, wrong[0])
		}
	}
	return namedResource{gv.WithResource(plural), sub}, nil
}

// path leads to the resource on the API server: names are a namespace, and the name of an object.
func (r namedResource) path(names ...string) string {
	parts := []string{"", "apis", r.gvr.Group, r.gvr.Version}
	if r.gvr.Group == "" {
		parts = []string{"", "api", r.gvr.Version}
	}
	if names[0] != "" {
		parts = append(parts, "namespaces", url.PathEscape(names[0]))
	}
	parts = append(parts, r.gvr.Resource)
	for _, name := range names[1:] {
		parts = append(parts, url.PathEscape(name))
	}
	if r.sub != "" {
		parts = append(parts, r.sub)
	}
	return strings.Join(parts, "/")
}

// kind is the kind of a resource. Where nobody knows it, the resource's own name stands for it.
func (w *celWorld) kind(resource schema.GroupVersionResource) (schema.GroupVersionKind, error) {
	named := resource.GroupVersion().WithKind(resource.Resource)
	mapper, ok := w.e.in.Lookups.(Mapper)
	if !ok {
		return named, nil
	}
	kind, _, err := mapper.Map(w.e.ctx, named)
	if errors.Is(err, ErrNoLookup) {
		return named, nil
	}
	return kind, err
}

// Resource gives the resource of a kind: what the cluster serves, or without one the kind's plural.
func (w *celWorld) Resource(apiVersion, kind string) (schema.GroupVersionResource, error) {
	gv, err := schema.ParseGroupVersion(apiVersion)
	if err != nil || gv.Version == "" {
		return schema.GroupVersionResource{}, fmt.Errorf("%q is no version: expected one like v1 or apps/v1", apiVersion)
	}
	if mapper, ok := w.e.in.Lookups.(Mapper); ok {
		_, resource, err := mapper.Map(w.e.ctx, gv.WithKind(kind))
		if !errors.Is(err, ErrNoLookup) {
			return resource, err
		}
	}
	guessed, _ := meta.UnsafeGuessKindToResource(gv.WithKind(kind))
	return guessed, nil
}

// GlobalContext gives an entry; nil where there is none. A projection that is not there is an error.
func (w *celWorld) GlobalContext(name, projection string) (any, error) {
	if projection != "" {
		return w.e.globalContext(w.p, name+"."+projection)
	}
	value, err := w.e.globalContext(w.p, name)
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrNoLookup) && w.e.in.Given != nil { // what a test does not give is not there
		return nil, nil
	}
	return value, err
}

// HTTP calls a service. The URL is computed by the expression, and so nothing about it can be trusted: whoever makes the
// call compares it with what the operator allows, and looks at where the connection and each redirect lead
// (GHSA-rggm-jjmc-3394, GHSA-qr4g-8hrp-c4rw).
func (w *celWorld) HTTP(call cel.HTTPCall) (any, error) {
	target, err := url.Parse(call.URL)
	if err != nil || target.Host == "" || target.Scheme != "http" && target.Scheme != "https" {
		return nil, errors.New("the URL cannot be called: expected https://HOST/PATH")
	}
	request := &Call{URL: call.URL, Method: call.Method, Body: call.Body, CABundle: call.CABundle, Status: true}
	for _, name := range slices.Sorted(maps.Keys(call.Headers)) {
		request.Headers = append(request.Headers, Header{name, call.Headers[name]})
	}
	answer, err := w.e.call(w.p, request)
	if err != nil {
		return nil, err
	}
	whole, ok := answer.(map[string]any)
	if !ok {
		return nil, errors.New("the answer has no status")
	}
	out := map[string]any{"body": whole["body"]}
	if fields, ok := whole["body"].(map[string]any); ok {
		out = maps.Clone(fields)
		if _, own := fields["body"]; !own && w.e.in.Given != nil {
			out["body"] = whole["body"] // the answers of a test have their body there, in Kyverno's CLI
		}
	}
	out["statusCode"] = whole["status"]
	return out, nil
}

// Image asks a registry, and gives the answer in the words of CEL policies.
func (w *celWorld) Image(reference string) (map[string]any, error) {
	data, err := w.e.image(w.p, &ImageCall{Reference: reference})
	if err != nil {
		return nil, err
	}
	out := make(map[string]any, len(data)+2)
	for key, value := range data {
		switch key {
		case "manifestList":
			key = "imageIndex"
		case "configData":
			key = "config"
		}
		if value != nil {
			out[key] = value
		}
	}
	resolved, _ := data["resolvedImage"].(string)
	if _, digest, ok := strings.Cut(resolved, "@"); ok {
		out["digest"] = digest
	}
	identifier, _ := data["identifier"].(string)
	if tag, _, _ := strings.Cut(identifier, "@"); tag != "" && !strings.Contains(tag, ":") {
		out["tag"] = tag
	}
	return out, nil
}

// Generate is for generatorWorld: nothing else generates.
func (w *celWorld) Generate(string, []map[string]any) error {
	return errors.New("only a GeneratingPolicy generates")
}

// Requester tells who asks, and for what. A Namespace is in itself, as at the API server.
func (w *celWorld) Requester() cel.Requester {
	e := w.e
	out := cel.Requester{User: e.req.User, Resource: e.requested(), SubResource: e.req.SubResource, Namespace: e.req.Namespace, Name: e.req.Name}
	if e.isNamespace() {
		out.Namespace = e.req.Name
	}
	if out.User == nil && e.in.Given != nil { // a test has a request, if it does not say whose
		out.User = &authenticationv1.UserInfo{}
	}
	return out
}

// Authorize asks whether a user may do something.
func (w *celWorld) Authorize(question *authorizationv1.SubjectAccessReviewSpec) (authorizationv1.SubjectAccessReviewStatus, error) {
	return w.e.access(w.p, question)
}

// Now is the time of the evaluation. A decision that rests on it can change by itself.
func (w *celWorld) Now() time.Time {
	w.e.asked.readsClock()
	return w.e.in.Now()
}

// Random reads random bytes.
func (w *celWorld) Random(p []byte) (int, error) {
	w.e.asked.unwatched = true
	if w.e.in.Rand == nil {
		return 0, errors.New("there is no source of randomness here")
	}
	return io.ReadFull(w.e.in.Rand, p)
}
