package engine

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine/cel"
)

// celInput is what expressions may read of the request in hand, for an object that is judged.
func (e *evaluation) celInput(object any, reads celReads) *cel.Input {
	in := &cel.Input{OldObject: e.req.Old, Request: e.celRequest, Exceptions: e.allowed}
	if e.policy != nil {
		in.World = e.world(e.policy)
	}
	if e.payload != nil {
		in.Payload, in.Request = e.payload, nil
		return in
	}
	if e.req.Operation != Delete {
		in.Object, _ = object.(map[string]any)
	}
	namespace := e.req.Namespace
	if namespace == "" || e.isNamespace() {
		return in
	}
	in.Namespace = func() (map[string]any, error) {
		if !reads.namespace {
			return map[string]any{"metadata": map[string]any{"name": namespace}}, nil
		}
		// not through the gate: this is the namespace of the object, which is the policy's own if it has one
		kind := schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}
		e.asked.restsOn(Dependency{Kind: kind, Name: namespace})
		value, err := e.asked.once("get\x00"+kind.String()+"\x00\x00"+namespace, func() (any, error) {
			return e.in.Lookups.Get(e.ctx, kind, "", namespace)
		})
		if e.in.Given != nil && errors.Is(err, ErrNoLookup) {
			// in a test without a cluster a namespace has a name and nothing else, as in the tests of Kyverno's CLI
			return map[string]any{"metadata": map[string]any{"name": namespace}}, nil
		}
		found, _ := value.(map[string]any)
		return found, err
	}
	return in
}

// celRequest is the request in the words of the admission API. As there, what is empty is left out.
func (e *evaluation) celRequest() map[string]any {
	req := e.req
	sent := req.Sent
	resource := e.requested()
	if sent == nil {
		sent = &Sent{Kind: req.Kind, RequestKind: req.Kind, RequestResource: resource, RequestSubResource: req.SubResource}
	}
	out := map[string]any{
		"kind": celKind(sent.Kind), "requestKind": celKind(sent.RequestKind),
		"resource": celResource(resource), "requestResource": celResource(sent.RequestResource),
		"name": e.name, "operation": string(req.Operation), "dryRun": req.DryRun, "options": nil,
	}
	if req.Namespace != "" {
		out["namespace"] = req.Namespace
	}
	if req.SubResource != "" {
		out["subResource"] = req.SubResource
	}
	if sent.RequestSubResource != "" {
		out["requestSubResource"] = sent.RequestSubResource
	}
	if req.Options != nil {
		out["options"] = req.Options
	}
	user := map[string]any{}
	if u := req.User; u != nil {
		if u.Username != "" {
			user["username"] = u.Username
		}
		if u.UID != "" {
			user["uid"] = u.UID
		}
		if len(u.Groups) > 0 {
			user["groups"] = anyList(u.Groups)
		}
		if len(u.Extra) > 0 {
			extra := make(map[string]any, len(u.Extra))
			for k, v := range u.Extra {
				extra[k] = anyList(v)
			}
			user["extra"] = extra
		}
	}
	out["userInfo"] = user
	return out
}

// requested is the resource of the request.
func (e *evaluation) requested() schema.GroupVersionResource {
	if e.req.Resource.Resource == "" { // an object at rest, whose kind is known
		return e.req.Kind.GroupVersion().WithResource(e.resource.plural())
	}
	return e.req.Resource
}

func celKind(k schema.GroupVersionKind) map[string]any {
	return map[string]any{"group": k.Group, "version": k.Version, "kind": k.Kind}
}

func celResource(r schema.GroupVersionResource) map[string]any {
	return map[string]any{"group": r.Group, "version": r.Version, "resource": r.Resource}
}

// celParameters looks up the parameters of a rule. None at all is an answer only where the policy allows it.
func (e *evaluation) celParameters(p *Policy, params *celParams) ([]map[string]any, error) {
	namespace := params.namespace
	if namespace == "" {
		namespace = e.req.Namespace
	}
	if params.name == "" {
		found, err := e.list(p, params.kind, namespace, params.selector)
		if err == nil && len(found) == 0 && !params.optional {
			err = fmt.Errorf("no %s with the labels %s: %w", params.kind.Kind, params.selector, ErrNotFound)
		}
		return found, err
	}
	param, err := e.get(p, params.kind, namespace, params.name)
	switch {
	case errors.Is(err, ErrNotFound) && params.optional:
		return nil, nil
	case err != nil:
		return nil, err
	}
	return []map[string]any{param}, nil
}
