package engine

import (
	"errors"
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine/cel"
)

type admissionOperation = admissionregistrationv1.OperationType

// expressedTargets are given by an expression over the trigger.
type expressedTargets struct {
	rule  *cel.Rule
	reads celReads
}

func (t *expressedTargets) decide(x *scope) []Decision {
	in := x.e.celInput(x.e.object, t.reads)
	in.Object = x.e.object // of a DELETE, what is deleted
	found := t.rule.Targets(x.e.ctx, in)
	if found.Outcome == cel.Error {
		return []Decision{*x.rule.failed(fmt.Errorf("targetMatchConstraints.expression: %w", found.Err))}
	}
	var out []Decision
	for _, object := range found.Objects {
		// An expression may make up what it likes: what counts is what is there, within the policy's reach.
		version, _ := object["apiVersion"].(string)
		name, _ := object["kind"].(string)
		kind := schema.FromAPIVersionAndKind(version, name)
		change := x.rule.changeOf(kind, object)
		if version == "" || name == "" || change.Name == "" {
			err := errors.New("targetMatchConstraints.expression: it gives an object without apiVersion, kind or name")
			out = append(out, *x.rule.failed(err))
			continue
		}
		current, err := x.e.get(x.rule.Policy, kind, change.Namespace, change.Name)
		switch {
		case errors.Is(err, ErrNotFound):
		case err != nil:
			out = append(out, *x.rule.failed(fmt.Errorf("target %s: %w", change.String(), err)))
		default:
			out = append(out, *x.rule.changeSelected(x, kind, current))
		}
	}
	return out
}

// selectedTargets are all objects that constraints select.
type selectedTargets struct {
	resources      []listed
	match, exclude matcher
}

// listed is a resource whose objects are listed. The kind of a custom one is known to who answers look-ups.
type listed struct {
	resource schema.GroupVersionResource
	kind     schema.GroupVersionKind
	known    bool
}

func (t *selectedTargets) decide(x *scope) []Decision {
	var out []Decision
	for i := range t.resources {
		l := &t.resources[i]
		kind, err := l.kind, error(nil)
		if !l.known {
			kind, err = x.e.world(x.rule.Policy).kind(l.resource)
		}
		var objects []map[string]any
		if err == nil {
			objects, err = x.e.list(x.rule.Policy, kind, x.rule.Policy.Namespace, nil)
		}
		if err != nil {
			out = append(out, *x.rule.failed(fmt.Errorf("targets %s: %w", l.resource.Resource, err)))
			continue
		}
		for _, object := range objects {
			selected, err := t.selects(x.e, l.resource, kind, object)
			switch {
			case err != nil:
				out = append(out, *x.rule.failed(fmt.Errorf("targets %s: %w", l.resource.Resource, err)))
			case selected:
				out = append(out, *x.rule.changeSelected(x, kind, object))
			}
		}
	}
	return out
}

// selects reports whether the constraints select an object, as if it were written now.
func (t *selectedTargets) selects(e *evaluation, resource schema.GroupVersionResource, kind schema.GroupVersionKind, object map[string]any) (bool, error) {
	meta := metadata(object)
	req := &Request{Operation: Update, Kind: kind, Resource: resource, Object: object, OldObject: object}
	req.Name, _ = meta["name"].(string)
	req.Namespace, _ = meta["namespace"].(string)
	own := &evaluation{ctx: e.ctx, req: req, in: e.in, object: object, before: object, name: req.Name, asked: e.asked, resource: req.Target()}
	matched, err := t.match.match(own)
	if err != nil || matched != yes {
		return false, err
	}
	excluded, err := t.exclude.match(own)
	return excluded != yes, err
}

// changeSelected passes with a change that is to be made, and skips a target that is as the rule wants it.
func (r *Rule) changeSelected(x *scope, kind schema.GroupVersionKind, object map[string]any) *Decision {
	change := r.changeOf(kind, object)
	d := r.wanted(x, &change)
	d.Changes = []Change{change}
	return d
}
