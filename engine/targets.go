package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine/condition"
	"github.com/holdfast-io/holdfast/engine/expr"
	"github.com/holdfast-io/holdfast/engine/glob"
	"github.com/holdfast-io/holdfast/engine/mutate"
)

// target selects existing objects that a mutate rule changes when it matches another.
type target struct {
	spec          *expr.Template // kyvernov1.TargetSelector as JSON
	context       block
	preconditions *condition.Conditions
}

func (c *compiler) compileTargets(list []kyvernov1.TargetResourceSpec, path []any) targetList {
	out := make(targetList, len(list))
	for i := range list {
		src, where, t := &list[i], at(path, i), &out[i]
		if src.Kind == "" {
			c.problem(at(where, "kind"), "is missing")
			continue
		}
		if src.APIVersion == "" {
			c.problem(at(where, "apiVersion"), "is missing")
			continue
		}
		if sel, err := ParseKind(src.APIVersion + "/" + src.Kind); err == nil && sel.SubResource.String() != "" {
			c.unbuilt(at(where, "kind"), "mutate.targets on a subresource")
		}
		spec, err := jsonValue(src.TargetSelector)
		if err != nil {
			c.problem(where, err.Error())
			continue
		}
		t.spec = c.compileTemplate(spec, where)
		t.context = c.compileContext(src.Context, at(where, "context"))
		refs := c.collect(func() {
			if src.RawAnyAllConditions != nil {
				t.preconditions, _ = c.compileConditions(src.RawAnyAllConditions.Conditions, at(where, "preconditions"))
			}
		})
		t.context.plan(refs, []string{"@"}, nil) // the patch, which is compiled later, may read any
	}
	return out
}

// find gives the objects that the target selects.
func (t *target) find(x *scope) ([]map[string]any, schema.GroupVersionKind, error) {
	var spec kyvernov1.TargetSelector
	doc, err := t.spec.Render(x.env)
	if err != nil {
		return nil, schema.GroupVersionKind{}, err
	}
	raw, err := json.Marshal(doc)
	if err == nil {
		err = json.Unmarshal(raw, &spec)
	}
	if err != nil {
		return nil, schema.GroupVersionKind{}, fmt.Errorf("reading the target: %w", err)
	}
	kind := schema.FromAPIVersionAndKind(spec.APIVersion, spec.Kind)
	p := x.rule.Policy
	if p.Namespace != "" {
		spec.Namespace = p.Namespace
	}
	if spec.Namespace != "" && spec.Name != "" && spec.Selector == nil && !glob.HasWildcard(spec.Namespace) && !glob.HasWildcard(spec.Name) {
		object, err := x.e.get(p, kind, spec.Namespace, spec.Name)
		if errors.Is(err, ErrNotFound) {
			return nil, kind, nil
		}
		return []map[string]any{object}, kind, err
	}
	objects, err := t.list(x, kind, &spec)
	return objects, kind, err
}

func (t *target) list(x *scope, kind schema.GroupVersionKind, spec *kyvernov1.TargetSelector) ([]map[string]any, error) {
	within := spec.Namespace
	if glob.HasWildcard(within) {
		within = ""
	}
	var selector *selector
	var err error
	if selector, err = compileSelector(spec.Selector); err != nil {
		return nil, fmt.Errorf("selector: %w", err)
	}
	all, err := x.e.list(x.rule.Policy, kind, within, nil)
	if err != nil {
		return nil, err
	}
	var out []map[string]any
	for _, object := range all {
		meta := metadata(object)
		name, _ := meta["name"].(string)
		namespace, _ := meta["namespace"].(string)
		labels, _ := meta["labels"].(map[string]any)
		if (spec.Name == "" || glob.Match(spec.Name, name)) && (spec.Namespace == "" || glob.Match(spec.Namespace, namespace)) &&
			(selector == nil || selector.match(labels)) {
			out = append(out, object)
		}
	}
	return out, nil
}

// targets says which existing objects a rule changes when it matches another.
type targets interface {
	// decide applies the rule's change to what is selected.
	decide(x *scope) []Decision
}

// targetList is targets of a kyverno.io rule.
type targetList []target

// eachTarget applies the rule's change to what its targets select. A decision is about one target, or about
// targets that could not be found.
func (r *Rule) eachTarget(e *evaluation) []Decision {
	x, d := r.prepare(e)
	if d != nil {
		return []Decision{*d}
	}
	return r.mutate.targets.decide(x)
}

func (list targetList) decide(x *scope) []Decision {
	r := x.rule
	var out []Decision
	for i := range list {
		t := &list[i]
		objects, kind, err := t.find(x)
		if err != nil {
			out = append(out, *r.failed(fmt.Errorf("targets[%d]: %w", i, err)))
			continue
		}
		for _, object := range objects {
			out = append(out, *r.changeTarget(x, t, kind, object))
		}
	}
	return out
}

// changeTarget passes with a change that is to be made, and skips a target that is as the rule wants it.
func (r *Rule) changeTarget(x *scope, t *target, kind schema.GroupVersionKind, object map[string]any) *Decision {
	change := r.changeOf(kind, object)
	d := r.decideTarget(x, t, &change)
	d.Changes = []Change{change}
	return d
}

// changeOf is a change of a target that changes nothing yet.
func (r *Rule) changeOf(kind schema.GroupVersionKind, object map[string]any) Change {
	meta := metadata(object)
	name, _ := meta["name"].(string)
	namespace, _ := meta["namespace"].(string)
	return Change{Action: UpdateObject, Kind: kind, Namespace: namespace, Name: name, Current: object, Object: object, Existing: r.mutate.existing}
}

func (r *Rule) decideTarget(x *scope, t *target, change *Change) *Decision {
	in := x.inner()
	in.object = change.Current
	in.set("target", change.Current)
	if err := in.load(t.context.before); err != nil {
		return r.failed(err)
	}
	res, err := t.preconditions.Evaluate(in.env)
	if err != nil {
		return r.failed(fmt.Errorf("preconditions of the target: %w", err))
	}
	if !res.Met {
		return r.decide(Skip, joinNonEmpty("; ", "preconditions of the target not met", res.Message))
	}
	if err := in.load(t.context.body); err != nil {
		return r.failed(err)
	}
	return r.wanted(in, change)
}

// wanted completes a change with what the rule makes of the target.
func (r *Rule) wanted(x *scope, change *Change) *Decision {
	if err := r.Policy.writes(change.Kind); err != nil {
		return r.failed(err)
	}
	made := r.mutate.change.apply(x, mutate.Target{Object: change.Current, GVK: change.Kind})
	switch made.Outcome {
	case mutate.Error:
		return r.failed(made.Err)
	case mutate.Skip:
		return r.decide(Skip, made.Message)
	case mutate.Unchanged:
		return r.decide(Skip, asWanted)
	}
	patch, err := mutate.Diff(change.Current, made.Object)
	switch {
	case err != nil:
		return r.failed(fmt.Errorf("computing the patch: %w", err))
	case len(patch) == 0:
		return r.decide(Skip, asWanted)
	}
	change.Patch, change.Object = patch, made.Object
	return r.decide(Pass, mutated)
}

const asWanted = "the target is as the rule wants it"

// driftOfTargets is the finding of a rule with targets: those that are not as it wants them.
func (r *Rule) driftOfTargets(e *evaluation) *Decision {
	var drifted []Change
	var names []string
	decisions := r.eachTarget(e)
	for i := range decisions {
		d := &decisions[i]
		switch {
		case d.Status == Error, d.Changes == nil:
			return d // an error, or preconditions of the rule itself
		case d.Status == Pass:
			drifted = append(drifted, d.Changes...)
			names = append(names, d.Changes[0].String())
		}
	}
	if len(drifted) == 0 {
		return r.decide(Pass, "")
	}
	if more := len(names) - maxListed; more > 0 {
		names = append(names[:maxListed], fmt.Sprintf("%d more", more))
	}
	d := r.decide(Fail, "targets differ from what the rule wants: "+strings.Join(names, ", "))
	d.Changes = drifted
	return d
}

// String names the object: Deployment shop/web.
func (c *Change) String() string {
	name := c.Name
	if c.Namespace != "" {
		name = c.Namespace + "/" + name
	}
	return c.Kind.Kind + " " + name
}

// MutateExisting gives what the mutate rules with targets that match the request want of their targets: a
// decision for each target, whose status is Pass and whose change has a patch if it is to be changed, and Skip
// if it is not; an Error where targets could not be told.
func (s *Snapshot) MutateExisting(ctx context.Context, req *Request, in *Inputs) []Decision {
	e := s.begin(ctx, req, in)
	var out []Decision
	unjudged := e.each(s.index[Mutate].rules(&e.resource), atAdmission, func(r *Rule) *Decision {
		if r.mutate.targets != nil {
			out = append(out, r.eachTarget(e)...)
		}
		return nil
	})
	for i := range unjudged {
		if unjudged[i].Rule.mutate.targets != nil {
			out = append(out, unjudged[i])
		}
	}
	return out
}
