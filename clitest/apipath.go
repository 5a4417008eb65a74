package clitest

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine"
)

// apiPath is a path of the API server: a collection of objects, or one of them.
type apiPath struct {
	group, version, namespace, resource, name string
	selector                                  labels.Selector
}

// parseAPIPath reads /api/VERSION/... and /apis/GROUP/VERSION/..., with [namespaces/NAMESPACE/]RESOURCE[/NAME].
func parseAPIPath(text string) (*apiPath, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("reading the path %q: %w", text, err)
	}
	p := &apiPath{}
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	switch {
	case parts[0] == "api" && len(parts) >= 3:
		p.version, parts = parts[1], parts[2:]
	case parts[0] == "apis" && len(parts) >= 4:
		p.group, p.version, parts = parts[1], parts[2], parts[3:]
	default:
		return nil, fmt.Errorf("the path %q is none of objects: %w", text, engine.ErrNoLookup)
	}
	if parts[0] == "namespaces" && len(parts) >= 3 {
		p.namespace, parts = parts[1], parts[2:]
	}
	p.resource = parts[0]
	switch len(parts) {
	case 1:
	case 2:
		p.name = parts[1]
	default:
		return nil, fmt.Errorf("the path %q leads into an object: %w", text, engine.ErrNoLookup)
	}
	if p.selector, err = labels.Parse(u.Query().Get("labelSelector")); err != nil {
		return nil, fmt.Errorf("the labelSelector of %q: %w", text, err)
	}
	return p, nil
}

// serve answers a GET of the API server from the test's objects.
func (w *world) serve(ctx context.Context, path string) (any, error) {
	p, err := parseAPIPath(path)
	if err != nil {
		return nil, err
	}
	kind := p.kind(w)
	if p.name != "" {
		return w.Get(ctx, kind, p.namespace, p.name)
	}
	found, err := w.List(ctx, kind, p.namespace, p.selector)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 && !w.cluster {
		return nil, fmt.Errorf("%s: the test has no clusterResources: %w", path, engine.ErrNoLookup)
	}
	items := make([]any, len(found))
	for i, object := range found {
		items[i] = object
	}
	return map[string]any{
		"apiVersion": kind.GroupVersion().String(), "kind": kind.Kind + "List",
		"metadata": map[string]any{}, "items": items,
	}, nil
}

// kind finds the kind of the path's objects: by the test's CustomResourceDefinitions, or by how the plurals of
// kinds are made. A kind that no object of the test has is nameless, as there is nothing to be found of it.
func (p *apiPath) kind(w *world) schema.GroupVersionKind {
	for _, kind := range w.known() {
		if kind.Group != p.group || kind.Version != p.version {
			continue
		}
		if w.plural(kind) == p.resource {
			return kind
		}
	}
	return schema.GroupVersionKind{Group: p.group, Version: p.version}
}

// plural is the name of a kind's resource.
func (w *world) plural(kind schema.GroupVersionKind) string {
	if plural, ok := w.plurals[kind]; ok {
		return plural
	}
	guessed, _ := meta.UnsafeGuessKindToResource(kind)
	return guessed.Resource
}
