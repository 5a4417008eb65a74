package engine

import "k8s.io/apimachinery/pkg/runtime/schema"

// Targets lists the resources of the objects that a mutate rule changes beside the one that it matches. Open says that
// there may be more, which only an evaluation tells.
func (r *Rule) Targets() (resources []schema.GroupResource, open bool) {
	if !r.ChangesOthers() {
		return nil, false
	}
	selected, ok := r.mutate.targets.(*selectedTargets)
	if !ok {
		return nil, true
	}
	for _, one := range selected.resources {
		resources = append(resources, one.resource.GroupResource())
	}
	return resources, false
}
