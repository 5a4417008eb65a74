package report

import (
	"encoding/json"
	"fmt"

	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/engine/mutate"
)

// change is what a rule wants of an object other than the subject: one that it generates, or a target of a
// mutation.
type change struct {
	Action     string `json:"action"` // create, update or delete
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
	// Object is the whole object that is to be created, Patch what is to be changed in one that is there.
	Object any                `json:"object,omitempty"`
	Patch  []mutate.Operation `json:"patch,omitempty"`
}

// changesOf writes the changes without the values of Secrets: neither those of the subject nor those of the
// objects that are to be changed.
func changesOf(list []engine.Change, subject *redactor) []change {
	out := make([]change, len(list))
	for i := range list {
		c := &list[i]
		apiVersion, kind := c.Kind.ToAPIVersionAndKind()
		out[i] = change{Action: string(c.Action), APIVersion: apiVersion, Kind: kind, Namespace: c.Namespace, Name: c.Name}
		var object any
		if c.Action == engine.CreateObject {
			object = c.Object
		}
		patch := c.Patch
		resource := Resource{APIVersion: apiVersion, Kind: kind}
		for _, secret := range []*redactor{subject, newRedactor(Subject{resource, c.Object}), newRedactor(Subject{resource, c.Current})} {
			if secret == nil {
				continue
			}
			patch = secret.patch(patch)
			if object != nil {
				object = secret.value([]string{""}, object)
			}
		}
		out[i].Object, out[i].Patch = object, patch
	}
	return out
}

// SecretChange reports whether a change holds values of a Secret, so that it must not be written down as it is.
func SecretChange(s Subject, c *engine.Change) bool {
	apiVersion, kind := c.Kind.ToAPIVersionAndKind()
	return newRedactor(s) != nil || newRedactor(Subject{Resource: Resource{APIVersion: apiVersion, Kind: kind}}) != nil
}

// setJSON sets a property to a value as compact JSON, or says in the other why it is left out.
func (r *Result) setJSON(property, omitted string, value any) {
	raw, err := json.Marshal(value)
	switch {
	case err != nil:
		r.set(omitted, err.Error())
	case len(raw) > maxPatch:
		r.set(omitted, fmt.Sprintf("it has %d bytes, a report takes %d", len(raw), maxPatch))
	default:
		r.set(property, string(raw))
	}
}
