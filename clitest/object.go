package clitest

import (
	"context"
	"errors"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/bundle/manifest"
)

// object is a resource of a test.
type object struct {
	kind            schema.GroupVersionKind
	namespace, name string
	value           map[string]any
	payload         *any // a JSON value in the place of a resource, or nil; then the name is that of its file
}

// String is namespace/name, or the name alone.
func (o *object) String() string {
	if o.namespace == "" {
		return o.name
	}
	return o.namespace + "/" + o.name
}

// same reports whether both are one object of a cluster, in whichever version.
func (o *object) same(other *object) bool {
	return o.kind.GroupKind() == other.kind.GroupKind() && o.namespace == other.namespace && o.name == other.name
}

// objects reads the resources of files. One that stands there twice counts once, as it does in a cluster.
func (f *folder) objects(ctx context.Context, names []string, scopes manifest.Scopes) ([]*object, error) {
	var out []*object
	err := f.texts(ctx, names, func(path string, data []byte) error {
		documents, errs := manifest.Parse(path, data)
		if len(errs) > 0 {
			return errs[0]
		}
		for _, d := range documents {
			o, err := newObject(d.Object, scopes)
			if err != nil {
				return &manifest.Error{Position: d.Start(), Message: err.Error()}
			}
			if !slices.ContainsFunc(out, o.same) {
				out = append(out, o)
			}
		}
		return nil
	})
	return out, err
}

// newObject takes over a resource as kubectl would send it: in the namespace default if it names none, unless
// its kind lives in none, and with empty maps where a known map is null.
func newObject(value map[string]any, scopes manifest.Scopes) (*object, error) {
	apiVersion, _ := value["apiVersion"].(string)
	kind, _ := value["kind"].(string)
	if kind == "" {
		return nil, errors.New("has no kind: expected a Kubernetes object")
	}
	o := &object{kind: schema.FromAPIVersionAndKind(apiVersion, kind), value: value}
	fillMaps(value)
	meta, ok := value["metadata"].(map[string]any)
	if !ok {
		meta = map[string]any{}
		value["metadata"] = meta
	}
	o.name, _ = meta["name"].(string)
	o.namespace, _ = meta["namespace"].(string)
	if o.namespace == "" && !scopes.Cluster(o.kind.GroupKind()) {
		o.namespace = "default"
		meta["namespace"] = o.namespace
	}
	return o, nil
}

// nullMaps are fields that templates often leave without a value.
var nullMaps = [...]string{"annotations", "data", "labels", "matchLabels", "nodeSelector", "stringData"}

// fillMaps makes empty maps of known maps that are null.
func fillMaps(value any) {
	switch value := value.(type) {
	case map[string]any:
		for k, v := range value {
			if v == nil && slices.Contains(nullMaps[:], k) {
				value[k] = map[string]any{}
				continue
			}
			fillMaps(v)
		}
	case []any:
		for _, v := range value {
			fillMaps(v)
		}
	}
}
