package engine

import "k8s.io/apimachinery/pkg/runtime/schema"

// Generates lists the kinds of the objects that a generate rule makes. Open says that there may be more, which
// only variables tell.
func (r *Rule) Generates() (kinds []schema.GroupVersionKind, open bool) {
	if r.generate == nil {
		return nil, false
	}
	if c := r.generate.cel; c != nil {
		return c.kinds, c.open
	}
	for i := range r.generate.parts {
		p := r.generate.parts[i].make
		if p.list != nil {
			for _, kind := range p.list.kinds {
				text, ok := constant(kind)
				gvk, err := parseGVK(text)
				if !ok || err != nil {
					open = true
					continue
				}
				kinds = append(kinds, gvk)
			}
			continue
		}
		version, constVersion := constant(p.apiVersion)
		kind, constKind := constant(p.kind)
		if !constVersion || !constKind {
			open = true
			continue
		}
		kinds = append(kinds, schema.FromAPIVersionAndKind(version, kind))
	}
	return kinds, open
}

// Synchronizes reports whether a generate rule keeps what it makes, and deletes it with its trigger.
func (r *Rule) Synchronizes() bool { return r.generate != nil && r.generate.synchronize }

// GeneratedBy selects, by their labels, the objects that the rule has made; with the UID of a trigger, for
// that one.
func (r *Rule) GeneratedBy(triggerUID string) map[string]string {
	by := map[string]string{labelPolicy: r.Policy.Name}
	if r.Name != "" || r.Policy.Namespace != "" {
		by[labelPolicyNamespace] = r.Policy.Namespace
	}
	if r.Name != "" {
		by[labelRule] = r.Name
	}
	if triggerUID != "" {
		by[labelTriggerUID] = triggerUID
	}
	return by
}
