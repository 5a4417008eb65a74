package plan

import (
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine"
)

// maxOwners bounds the way up from an object: Pod, Job, CronJob and what made that are four.
const maxOwners = 8

// ownerRef is the owner that controls an object.
type ownerRef struct {
	kind      schema.GroupVersionKind
	name, uid string
}

// controller finds the one owner that is the object's controller; nil if it has none.
func controller(object map[string]any) *ownerRef {
	list, _ := metadata(object)["ownerReferences"].([]any)
	for _, entry := range list {
		entry, _ := entry.(map[string]any)
		if controls, _ := entry["controller"].(bool); controls {
			return &ownerRef{schema.FromAPIVersionAndKind(text(entry, "apiVersion"), text(entry, "kind")), text(entry, "name"), text(entry, "uid")}
		}
	}
	return nil
}

// atOwner plans in the place where an object comes from. What the same rule, or the one that autogen made of it, finds
// there is mended there; what it does not find there nobody can mend for good, and the item says where to look.
func (o *planning) atOwner(items []Item, ref ownerRef) ([]Item, error) {
	owner, err := o.root(ref)
	switch {
	case errors.Is(err, engine.ErrNotFound):
		return items, nil // an orphan: the owner is gone, and nobody will undo a change
	case err != nil:
		return nil, err
	}
	var above []Item
	if owner.known {
		up := &planning{Planner: o.Planner, ctx: o.ctx, subject: owner.Subject}
		if above, err = up.own(); err != nil {
			return nil, err
		}
	}
	var out []Item
	for i := range items {
		it := &items[i]
		at := slices.IndexFunc(above, func(a Item) bool { return a.Policy == it.Policy && a.Rule == it.Rule })
		if at >= 0 {
			out = append(out, above[at])
			continue
		}
		it.Target.ManagedBy = &v1alpha1.Manager{Tool: cut(owner.Kind.Kind, 64), Source: cut(owner.String(), 600)}
		it.Target.Obstacle = &v1alpha1.Obstacle{Reason: v1alpha1.Owned, Message: cut(owner.why(), v1alpha1.MaxMessageBytes)}
		out = append(out, *it)
	}
	return out, nil
}

// owner is where an object comes from.
type owner struct {
	Subject
	known bool // it could be read
}

func (o *owner) why() string {
	if !o.known {
		return fmt.Sprintf("%s makes this object: the change belongs there", o)
	}
	return fmt.Sprintf("%s makes this object, and the rule finds nothing wrong there: it goes when its owner replaces it", o)
}

// root goes up to the owner that nobody controls. Where the way cannot be seen, it is the last that is known by name.
func (o *planning) root(ref ownerRef) (*owner, error) {
	namespace := text(metadata(o.subject.Object), "namespace")
	at := &owner{Subject: Subject{Namespace: o.subject.Namespace}}
	for range maxOwners {
		at.Kind, at.known = ref.kind, false
		at.Object = map[string]any{"metadata": map[string]any{"namespace": namespace, "name": ref.name}}
		if o.opts.Server == nil {
			return at, nil
		}
		object, err := o.opts.Server.Get(o.ctx, ref.kind, namespace, ref.name)
		switch {
		case errors.Is(err, ErrForbidden):
			return at, nil
		case err != nil:
			return nil, fmt.Errorf("reading the owner %s: %w", at, err)
		case text(metadata(object), "uid") != ref.uid:
			return nil, fmt.Errorf("reading the owner %s: another has its name: %w", at, engine.ErrNotFound)
		}
		at.Object, at.known = object, true
		next := controller(object)
		if next == nil {
			return at, nil
		}
		ref = *next
	}
	return at, nil
}
