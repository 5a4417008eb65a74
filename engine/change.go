package engine

import (
	"fmt"
	"maps"
	"slices"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"

	"github.com/holdfast-io/holdfast/engine/expr"
	"github.com/holdfast-io/holdfast/engine/mutate"
)

// mutation is the mutate part of a rule.
type mutation struct {
	change  changer
	targets targets // of a rule that changes existing objects, and not the one that it matches; nil: none
	// unchanged is what the rule says at admission of an object that is as it wants it: Skip, or Pass.
	unchanged Status
	reinvoke  reinvocation
	// existing makes triggers count that are older than the policy.
	existing bool
	// leavesOwn keeps the rule from changing, at admission, what rules write (skipBackgroundRequests of a MutatingPolicy;
	// that of a ClusterPolicy's rule is about what follows requests, as in Kyverno).
	leavesOwn bool
}

// changer is the body of a mutate rule.
type changer interface {
	// apply gives what becomes of an object.
	apply(x *scope, target mutate.Target) mutate.Result
}

// patch is a changer that is one patch.
type patch struct {
	patch interface {
		Apply(env *expr.Env, target mutate.Target) mutate.Result
	}
	paths [][]string // of the object
}

func (p patch) apply(x *scope, target mutate.Target) mutate.Result {
	return p.patch.Apply(x.env, target)
}

// selfTarget is where {{ @ }} points in a patch for targets.
var selfTarget = []string{"target"}

func (c *compiler) compileMutation(m *kyvernov1.Mutation, spec *kyvernov1.Spec, path []any) *mutation {
	out := &mutation{existing: spec.MutateExistingOnPolicyUpdate, unchanged: Skip}
	if m.MutateExistingOnPolicyUpdate != nil {
		out.existing = *m.MutateExistingOnPolicyUpdate
	}
	self := self
	if len(m.Targets) > 0 {
		self = selfTarget
		out.targets = c.compileTargets(m.Targets, at(path, "targets"))
	}
	strategic := m.GetPatchStrategicMerge()
	if !c.oneForm(path, strategic != nil, m.PatchesJSON6902 != "", len(m.ForEachMutation) > 0) {
		return out
	}
	if len(m.ForEachMutation) > 0 {
		out.change = c.compileForEachChange(m.ForEachMutation, at(path, "foreach"), self, 0)
	} else {
		out.change = c.compilePatch(strategic, m.PatchesJSON6902, path, self)
	}
	return out
}

// oneForm checks that exactly one of the three forms of a change is used.
func (c *compiler) oneForm(path []any, strategic, json6902, foreach bool) bool {
	forms := 0
	for _, used := range []bool{strategic, json6902, foreach} {
		if used {
			forms++
		}
	}
	if forms != 1 {
		c.problem(path, fmt.Sprintf("has %d of patchStrategicMerge, patchesJson6902 and foreach: expected exactly one", forms))
	}
	return forms == 1
}

// compilePatch compiles the one of the two forms that is there.
func (c *compiler) compilePatch(strategic any, json6902 string, path []any, self []string) changer {
	if strategic != nil {
		strategic, err := resolveReferences(strategic)
		if err != nil {
			c.wrong(at(path, "patchStrategicMerge"), err)
			return nil
		}
		p, err := mutate.CompileStrategic(strategic, mutate.Options{Self: self, Schema: c.schema})
		if err != nil {
			c.wrong(at(path, "patchStrategicMerge"), err)
			return nil
		}
		c.refs = append(c.refs, p.References()...)
		return patch{p, documentPaths(strategic)}
	}
	p, err := mutate.CompileJSON6902(json6902, mutate.Options{Self: self})
	if err != nil {
		// the operations stand inside a text, so that their own path is not one of the document
		c.problem(at(path, "patchesJson6902"), err.Error())
		return nil
	}
	c.refs = append(c.refs, p.References()...)
	return patch{p, p.ObjectPaths()}
}

// forEachChange applies a patch for each element of lists, each on what the one before made.
type forEachChange struct{ loops []changeLoop }

type changeLoop struct {
	loop
	change    changer
	backwards bool
}

func (c *compiler) compileForEachChange(list []kyvernov1.ForEachMutation, path []any, self []string, depth int) changer {
	out := &forEachChange{}
	if depth > maxForEach {
		c.problem(path, fmt.Sprintf("is nested more than %d deep", maxForEach))
		return out
	}
	for i := range list {
		m, where := &list[i], at(path, i)
		strategic, nested := m.GetPatchStrategicMerge(), m.GetForEachMutation()
		// The peer merges lists of a strategic patch from their end.
		one := changeLoop{backwards: strategic != nil}
		if m.Order != nil {
			switch *m.Order {
			case kyvernov1.Ascending, kyvernov1.Descending:
				one.backwards = *m.Order == kyvernov1.Descending
			default:
				c.problem(at(where, "order"), fmt.Sprintf("unknown order %q: expected Ascending or Descending", *m.Order))
			}
		}
		if !c.oneForm(where, strategic != nil, m.PatchesJSON6902 != "", len(nested) > 0) {
			continue
		}
		one.loop, _ = c.compileLoop(m.List, m.Context, m.AnyAllConditions, where, func() []string {
			if len(nested) > 0 {
				one.change = c.compileForEachChange(nested, at(where, "foreach"), self, depth+1)
			} else {
				one.change = c.compilePatch(strategic, m.PatchesJSON6902, where, self)
			}
			return nil
		})
		out.loops = append(out.loops, one)
	}
	return out
}

// apply walks the lists. A list is evaluated on what the lists before it made; within a list the variables
// show the object as it was when the list began.
func (f *forEachChange) apply(x *scope, target mutate.Target) mutate.Result {
	result := mutate.Result{Outcome: mutate.Skip, Object: target.Object, Message: "no element was changed"}
	for i := range f.loops {
		l := &f.loops[i]
		changed, err := l.apply(x, target)
		if err != nil {
			return mutate.Result{Outcome: mutate.Error, Object: target.Object, Err: err}
		}
		if changed == nil {
			continue
		}
		result = mutate.Result{Outcome: mutate.Applied, Object: changed}
		target.Object = changed
		x = x.withObject(changed)
	}
	return result
}

func (l *changeLoop) apply(x *scope, target mutate.Target) (changed map[string]any, err error) {
	elements, err := l.elements(x)
	if err != nil {
		return nil, err
	}
	indexes := make([]int, len(elements))
	for i := range indexes {
		indexes[i] = i
	}
	if l.backwards {
		slices.Reverse(indexes)
	}
	for _, index := range indexes {
		if elements[index] == nil {
			continue
		}
		in, err := l.enter(x, elements[index], index)
		if err != nil {
			return nil, err
		}
		if in == nil {
			continue
		}
		res := l.change.apply(in, target)
		switch res.Outcome {
		case mutate.Error:
			return nil, fmt.Errorf("%s, element %d: %w", l.where, index, res.Err)
		case mutate.Applied:
			target.Object, changed = res.Object, res.Object
		}
	}
	return changed, nil
}

// withObject shows further expressions the object as it has become: where the rule changes the object of the
// request that one, else the target.
func (x *scope) withObject(object map[string]any) *scope {
	in := x.inner()
	in.object = object
	if x.rule.mutate.targets != nil {
		in.set("target", object)
		return in
	}
	request, _ := x.env.Root["request"].(map[string]any)
	request = maps.Clone(request)
	request["object"] = object
	in.set("request", request)
	return in
}
