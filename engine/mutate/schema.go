package mutate

import (
	"fmt"
	"reflect"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	appsv1beta1 "k8s.io/api/apps/v1beta1"
	appsv1beta2 "k8s.io/api/apps/v1beta2"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	batchv1beta1 "k8s.io/api/batch/v1beta1"
	certificatesv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	eventsv1 "k8s.io/api/events/v1"
	extensionsv1beta1 "k8s.io/api/extensions/v1beta1"
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	networkingv1 "k8s.io/api/networking/v1"
	nodev1 "k8s.io/api/node/v1"
	policyv1 "k8s.io/api/policy/v1"
	policyv1beta1 "k8s.io/api/policy/v1beta1"
	rbacv1 "k8s.io/api/rbac/v1"
	resourcev1 "k8s.io/api/resource/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Schema knows which lists of Kubernetes' own kinds are merged element by element, and by which keys. It
// is read from the patchStrategy and patchMergeKey tags of k8s.io/api, is immutable, and is safe for
// concurrent use. Make one for a process and share it: building it walks a few hundred types.
type Schema struct {
	kinds map[schema.GroupVersionKind]*shape
	types map[schema.GroupVersionKind]reflect.Type
}

// shape is what a strategic merge needs to know of a type. Nil is a type without mergeable lists.
type shape struct {
	fields map[string]*shape // of a struct
	each   *shape            // of the elements of a list, or the values of a map
	merge  bool              // a list whose elements are merged
	keys   []mergeKey        // what tells the elements apart; none for a list of scalars
}

type mergeKey struct {
	name     string
	required bool
	// missing is what the API server puts in for an element that leaves the key out, or "".
	missing string
}

func (s *shape) field(name string) *shape {
	if s == nil {
		return nil
	}
	if f, ok := s.fields[name]; ok {
		return f
	}
	if s.merge {
		return nil
	}
	return s.each
}

func (s *shape) element() *shape {
	if s == nil {
		return nil
	}
	return s.each
}

func (s *shape) mergeable() bool { return s != nil && s.merge }

// NewSchema builds the schema. An error means that the API types cannot be registered, which the tests
// would have found.
func NewSchema() (*Schema, error) {
	known := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		admissionregistrationv1.AddToScheme,
		appsv1.AddToScheme, appsv1beta1.AddToScheme, appsv1beta2.AddToScheme,
		autoscalingv1.AddToScheme, autoscalingv2.AddToScheme,
		batchv1.AddToScheme, batchv1beta1.AddToScheme,
		certificatesv1.AddToScheme,
		coordinationv1.AddToScheme,
		corev1.AddToScheme,
		discoveryv1.AddToScheme,
		eventsv1.AddToScheme,
		extensionsv1beta1.AddToScheme,
		flowcontrolv1.AddToScheme,
		networkingv1.AddToScheme,
		nodev1.AddToScheme,
		policyv1.AddToScheme, policyv1beta1.AddToScheme,
		rbacv1.AddToScheme,
		resourcev1.AddToScheme,
		schedulingv1.AddToScheme,
		storagev1.AddToScheme,
	} {
		if err := add(known); err != nil {
			return nil, fmt.Errorf("building the patch schema: %w", err)
		}
	}
	b := shaper{done: map[reflect.Type]*shape{}}
	s := &Schema{kinds: map[schema.GroupVersionKind]*shape{}, types: map[schema.GroupVersionKind]reflect.Type{}}
	for gvk, t := range known.AllKnownTypes() {
		if _, isObject := t.FieldByName("ObjectMeta"); isObject {
			s.kinds[gvk], s.types[gvk] = b.shape(t), t
		}
	}
	// Kinds of every API server whose types live elsewhere and hold no mergeable list but metadata's.
	plain := b.shape(reflect.TypeFor[struct {
		metav1.ObjectMeta `json:"metadata"`
	}]())
	s.kinds[schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"}] = plain
	s.kinds[schema.GroupVersionKind{Group: "apiregistration.k8s.io", Version: "v1", Kind: "APIService"}] = plain
	return s, nil
}

// Kind gives the built-in kind that an API server serves under a plural name.
func (s *Schema) Kind(resource schema.GroupVersionResource) (schema.GroupVersionKind, bool) {
	for kind := range s.kinds {
		if kind.GroupVersion() != resource.GroupVersion() {
			continue
		}
		if plural, _ := meta.UnsafeGuessKindToResource(kind); plural == resource {
			return kind, true
		}
	}
	return schema.GroupVersionKind{}, false
}

// lookup gives the shape of a kind, nil for one that is not built in: its lists are replaced.
func (s *Schema) lookup(gvk schema.GroupVersionKind) *shape { return s.kinds[gvk] }

// lookupObject gives the shape of an object that names its own kind, such as a template inside a custom
// resource.
func (s *Schema) lookupObject(obj map[string]any) *shape {
	kind, _ := obj["kind"].(string)
	version, _ := obj["apiVersion"].(string)
	if kind == "" || version == "" {
		return nil
	}
	return s.kinds[schema.FromAPIVersionAndKind(version, kind)]
}

// mergeKeys gives the keys of a list from its patchMergeKey tag. Where elements may share that one it adds
// the second: x-kubernetes-list-map-keys of the API's OpenAPI description, which Go's struct tags do not
// carry.
func mergeKeys(key string) []mergeKey {
	switch key {
	case "containerPort", "port":
		return []mergeKey{{name: key, required: true}, {name: "protocol", missing: "TCP"}}
	case "topologyKey":
		return []mergeKey{{name: key, required: true}, {name: "whenUnsatisfiable"}}
	case "":
		return nil
	default:
		return []mergeKey{{name: key, required: true}}
	}
}

// shaper turns Go types into shapes, each once.
type shaper struct{ done map[reflect.Type]*shape }

func (b *shaper) shape(t reflect.Type) *shape {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if s, ok := b.done[t]; ok {
		return s
	}
	b.done[t] = nil // a type that holds itself: the API has none below a mergeable list
	s := b.build(t)
	b.done[t] = s
	return s
}

func (b *shaper) build(t reflect.Type) *shape {
	switch t.Kind() {
	case reflect.Struct:
		fields := map[string]*shape{}
		b.structFields(t, fields)
		if len(fields) == 0 {
			return nil
		}
		return &shape{fields: fields}
	case reflect.Slice, reflect.Map:
		if each := b.shape(t.Elem()); each != nil {
			return &shape{each: each}
		}
	}
	return nil
}

func (b *shaper) structFields(t reflect.Type, fields map[string]*shape) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, rest, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || !f.IsExported() {
			continue
		}
		if name == "" && (f.Anonymous || strings.Contains(rest, "inline")) {
			if f.Type.Kind() == reflect.Struct {
				b.structFields(f.Type, fields)
			}
			continue
		}
		s := b.shape(f.Type)
		if f.Type.Kind() == reflect.Slice && hasOption(f.Tag.Get("patchStrategy"), "merge") {
			s = &shape{merge: true, keys: mergeKeys(f.Tag.Get("patchMergeKey")), each: s.element()}
		}
		if s != nil {
			fields[name] = s
		}
	}
}

func hasOption(list, want string) bool {
	for option := range strings.SplitSeq(list, ",") {
		if option == want {
			return true
		}
	}
	return false
}

// of gives sh, or where that is nothing the shape of the kind that the object itself names.
func (s *Schema) of(sh *shape, obj map[string]any) *shape {
	if sh != nil || obj == nil {
		return sh
	}
	return s.lookupObject(obj)
}

// keyedBy reports whether a field tells the elements of a list apart. In a list without known keys the
// name does, by custom.
func (s *shape) keyedBy(name string) bool {
	if !s.mergeable() || len(s.keys) == 0 {
		return name == "name"
	}
	for _, k := range s.keys {
		if k.name == name {
			return true
		}
	}
	return false
}

// same reports whether two elements agree in this key. One that leaves the key out has the server's
// default, or, where there is none, agrees with any; but the first key of a list must be there.
func (k mergeKey) same(a, b any) bool {
	if k.required && (a == nil || b == nil) {
		return false
	}
	if a == nil {
		a = k.missing
	}
	if b == nil {
		b = k.missing
	}
	return a == "" || b == "" || equal(a, b)
}
