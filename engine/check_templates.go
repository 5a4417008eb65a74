package engine

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// templatesCheck judges the Pods that come of an object of a kind that nobody knows: each pod template in its spec as a
// Pod. The first that is not in order decides.
type templatesCheck struct {
	conditions *celConditions // of each Pod
	body       checker
}

const podKind = "Pod"

// judgesTemplates reports whether the rule judges the pod templates in an object.
func (r *Rule) judgesTemplates() bool {
	if r.validate == nil {
		return false
	}
	_, ok := r.validate.body.(*templatesCheck)
	return ok
}

func (k *templatesCheck) check(x *scope) *Decision {
	e := x.e
	found := podTemplates(e.object)
	if len(found) == 0 {
		return x.rule.failed(fmt.Errorf("there is no pod template in the spec of the %s", e.req.Kind.Kind))
	}
	before := map[string]map[string]any{}
	if e.req.Operation != Delete {
		for _, t := range podTemplates(e.req.Old()) {
			before[t.path] = t.template
		}
	}
	var sum *Decision
	for _, t := range found {
		d := k.checkPod(x.rule, e.about(e.podRequest(t.template, before[t.path])))
		switch unknown := errors.Is(d.Err, ErrNotAuditable); {
		case d.Status == Fail || d.Status == Error:
			d.Message += " (pod template at " + t.path + ")"
			return d
		case sum == nil || unknown || (d.Status == Pass && sum.Err == nil): // one that is judged says more than one that is skipped
			sum = d
		}
	}
	return sum
}

// checkPod judges one Pod. Exceptions come first: the conditions may read what they allow.
func (k *templatesCheck) checkPod(r *Rule, e *evaluation) *Decision {
	if d := e.excusal(r); d != nil {
		return d
	}
	if barred, d := k.conditions.bars(r, e); barred {
		return d
	}
	x, err := r.scope(e)
	if err != nil {
		return r.failed(err)
	}
	return k.body.check(x)
}

// podRequest is the request in hand as if it were about the Pod of a template, and of what the template was (nil: it was
// not there).
func (e *evaluation) podRequest(template, before map[string]any) *Request {
	req := *e.req
	req.Kind = schema.GroupVersionKind{Version: "v1", Kind: podKind}
	req.Resource = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	req.Object, req.OldObject, req.Late = e.pod(template), nil, nil
	switch {
	case req.Operation == Delete:
		req.Object, req.OldObject = nil, req.Object
	case before != nil:
		req.OldObject = e.pod(before)
	}
	return &req
}

// pod makes a Pod of a template, with the name and the namespace of the object where the template has none.
func (e *evaluation) pod(template map[string]any) map[string]any {
	meta, _ := template["metadata"].(map[string]any)
	meta = maps.Clone(meta)
	if meta == nil {
		meta = map[string]any{}
	}
	if name, _ := meta["name"].(string); name == "" {
		meta["name"] = e.name
	}
	if namespace, _ := meta["namespace"].(string); namespace == "" {
		meta["namespace"] = e.req.Namespace
	}
	return map[string]any{"apiVersion": "v1", "kind": podKind, "metadata": meta, "spec": template["spec"]}
}

// podTemplate is a pod template in an object, at a path such as spec.jobs[0].template.
type podTemplate struct {
	path     string
	template map[string]any
}

// podTemplates lists what has the form of a pod template in the spec of an object, in the order of the paths. What
// stands in the status is what was, not what is wanted.
func podTemplates(object map[string]any) []podTemplate {
	spec, ok := object["spec"].(map[string]any)
	if !ok {
		return nil
	}
	return collectTemplates(nil, spec, "spec")
}

func collectTemplates(out []podTemplate, value any, path string) []podTemplate {
	switch v := value.(type) {
	case map[string]any:
		if isPodTemplate(v) {
			return append(out, podTemplate{path, v})
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			out = collectTemplates(out, v[key], path+"."+key)
		}
	case []any:
		for i := range v {
			out = collectTemplates(out, v[i], fmt.Sprintf("%s[%d]", path, i))
		}
	}
	return out
}

// isPodTemplate tells a pod template by its form: containers with a name and an image, in a spec, beside metadata or none.
func isPodTemplate(v map[string]any) bool {
	if meta, ok := v["metadata"]; ok {
		if _, ok := meta.(map[string]any); !ok {
			return false
		}
	}
	spec, _ := v["spec"].(map[string]any)
	containers, _ := spec["containers"].([]any)
	return len(containers) > 0 && !slices.ContainsFunc(containers, func(c any) bool {
		container, _ := c.(map[string]any)
		name, _ := container["name"].(string)
		_, ok := container["image"].(string)
		return name == "" || !ok
	})
}
