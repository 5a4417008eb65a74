package mutate

import (
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// KindOf gives the built-in kind of a resource; false for others.
func (s *Schema) KindOf(resource schema.GroupVersionResource) (schema.GroupVersionKind, bool) {
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
