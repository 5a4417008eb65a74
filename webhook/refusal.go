package webhook

import (
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine"
)

// Refusal is a write that rules refused.
type Refusal struct {
	// Object is what was to be written, and Owner the controller that it is of; nil for none.
	Object ObjectName
	Owner  *ObjectName
	// Operation is what was to be done.
	Operation engine.Operation
	// Messages say what the rules have against it, one each, with their names. Of a Secret they are the names alone.
	Messages []string
	// Decisions are those that refuse: rules that say no, and rules that could not be evaluated and must not be passed.
	// Bundle is the digest of the bundle that they come from. Neither Decisions nor Request are to be kept.
	Decisions []*engine.Decision
	Bundle    string
	Request   *engine.Request
}

// ObjectName names an object. One that is to be created has no UID that means anything.
type ObjectName struct {
	Kind                 schema.GroupVersionKind
	Namespace, Name, UID string
}

// tell tells of a write that findings refuse. A dry run has no consequences.
func (h *Handler) tell(rules *engine.Snapshot, req *engine.Request, f *findings) {
	if h.opts.Refused == nil || req.DryRun {
		return
	}
	r := &Refusal{Decisions: f.refusing(), Bundle: rules.Digest(), Request: req, Operation: req.Operation, Object: ObjectName{Kind: req.Kind, Namespace: req.Namespace, Name: req.Name}}
	object := req.Object
	if req.Operation == engine.Delete || object == nil {
		object = req.OldObject
	}
	meta, _ := object["metadata"].(map[string]any)
	if r.Object.Name == "" {
		if r.Object.Name, _ = meta["name"].(string); r.Object.Name == "" {
			name, _ := meta["generateName"].(string)
			r.Object.Name = strings.TrimSuffix(name, "-")
		}
	}
	if req.Operation != engine.Create {
		r.Object.UID, _ = meta["uid"].(string)
	}
	r.Owner = controllerOf(meta, req.Namespace)
	for _, list := range [][]*engine.Decision{f.denials, f.blocking} {
		for _, d := range list {
			switch {
			case len(r.Messages) == maxListed:
			case f.private:
				r.Messages = append(r.Messages, named(d))
			default:
				r.Messages = append(r.Messages, cut(sentence(d), maxLineRunes))
			}
		}
	}
	h.opts.Refused(r)
}

// controllerOf finds the owner of an object that made it and will try again.
func controllerOf(meta map[string]any, namespace string) *ObjectName {
	owners, _ := meta["ownerReferences"].([]any)
	for _, o := range owners {
		owner, _ := o.(map[string]any)
		if is, _ := owner["controller"].(bool); !is {
			continue
		}
		apiVersion, _ := owner["apiVersion"].(string)
		kind, _ := owner["kind"].(string)
		out := &ObjectName{Kind: schema.FromAPIVersionAndKind(apiVersion, kind), Namespace: namespace}
		out.Name, _ = owner["name"].(string)
		out.UID, _ = owner["uid"].(string)
		return out
	}
	return nil
}
