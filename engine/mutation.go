package engine

import (
	"errors"
	"fmt"
	"strings"

	"github.com/holdfast-io/holdfast/engine/mutate"
)

func (e *evaluation) mutate(rules []*Rule, at func(*Policy) bool) []Decision {
	decisions := e.each(rules, at, func(r *Rule) *Decision { return r.change(e) })
	return e.reinvoke(rules, at, decisions)
}

// change applies a matching mutate rule to the object in hand.
//
// At admission the rule passes once it is applied, and is skipped when it has nothing to change. At rest a
// rule that would still change the object fails: the object has drifted from what the rule wants.
func (r *Rule) change(e *evaluation) *Decision {
	if r.mutate.targets != nil {
		if !e.atRest {
			return nil // other objects are not changed while a request waits
		}
		return r.driftOfTargets(e)
	}
	if e.req.Own && r.mutate.leavesOwn {
		return nil // else it would take back at once what another rule wants
	}
	x, d := r.prepare(e)
	if d != nil {
		return d
	}
	alone := !e.changed
	earlier := e.object
	res := r.mutate.change.apply(x, mutate.Target{Object: earlier, GVK: e.req.Kind})
	e.note(r)
	switch res.Outcome {
	case mutate.Skip:
		return r.decide(Skip, res.Message)
	case mutate.Error:
		return r.unresolved(res.Err)
	case mutate.Unchanged:
		if e.atRest {
			return r.decide(Pass, "")
		}
		d := r.decide(r.mutate.unchanged, "the object is as the rule wants it")
		d.Annotations = res.Annotations
		return d
	}
	e.replace(res.Object)
	e.note(r)
	if !e.atRest {
		d := r.decide(Pass, mutated)
		d.Annotations = res.Annotations
		return d
	}
	if d := r.settles(e, res.Object); d != nil {
		return d
	}
	after := e.object
	if !alone {
		after = r.changeAlone(e)
	}
	return r.drift(e.before, after)
}

// mutated is the message of a rule that changes the object of a request.
const mutated = "mutated"

// unresolved is the decision of a change without a result: an error, unless only a request could give one.
func (r *Rule) unresolved(err error) *Decision {
	if errors.Is(err, ErrNotAuditable) {
		d := r.decide(Skip, err.Error())
		d.Err = err
		return d
	}
	return r.failed(err)
}

// settles finds a rule that changes what it has just made, and would do so for ever: its drift cannot be
// cleared.
func (r *Rule) settles(e *evaluation, made map[string]any) *Decision {
	again := &evaluation{ctx: e.ctx, req: e.req, in: e.in, env: e.env, object: made, before: made, name: e.name, asked: e.asked}
	if u := again.unmet(r.conditions); u.err != nil || u.reason != "" {
		return nil
	}
	x, d := r.prepare(again)
	if d != nil {
		return nil // its preconditions do not hold any more: it has come to rest
	}
	res := r.mutate.change.apply(x, mutate.Target{Object: made, GVK: e.req.Kind})
	if res.Outcome != mutate.Applied {
		return nil
	}
	ops, err := mutate.Diff(made, res.Object)
	if err != nil {
		return r.failed(fmt.Errorf("computing the patch: %w", err))
	}
	if len(ops) == 0 {
		return nil
	}
	return r.failed(fmt.Errorf("the rule never comes to rest: applied to its own result it changes %s again", listPaths(ops)))
}

// changeAlone gives what the rule makes of the object as it is, without the rules before it; if it has
// nothing to change there, because it builds on them, what they make together.
func (r *Rule) changeAlone(e *evaluation) map[string]any {
	own := &evaluation{ctx: e.ctx, req: e.req, in: e.in, env: e.env, object: e.before, before: e.before, name: e.name, asked: e.asked}
	if u := own.unmet(r.conditions); u.err != nil || u.reason != "" {
		return e.object
	}
	x, d := r.prepare(own)
	if d != nil {
		return e.object
	}
	res := r.mutate.change.apply(x, mutate.Target{Object: e.before, GVK: e.req.Kind})
	if res.Outcome != mutate.Applied {
		return e.object
	}
	return res.Object
}

// drift is the finding of a mutate rule, with the patch that clears it.
func (r *Rule) drift(before, after map[string]any) *Decision {
	ops, err := mutate.Diff(before, after)
	if err != nil {
		return r.failed(fmt.Errorf("computing the patch: %w", err))
	}
	if len(ops) == 0 {
		return r.decide(Pass, "")
	}
	d := r.decide(Fail, "the object differs from what the rule wants at "+listPaths(ops))
	d.Path, d.Patch = ops[0].Path, ops
	return d
}

// maxListed is how many paths a message names: a report is read, and the patch beside it has them all.
const maxListed = 5

func listPaths(ops []mutate.Operation) string {
	paths := make([]string, min(len(ops), maxListed))
	for i := range paths {
		paths[i] = ops[i].Path
	}
	text := strings.Join(paths, ", ")
	if more := len(ops) - len(paths); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// mutated gathers what the mutate rules made of the object.
func (e *evaluation) mutated(decisions []Decision) (Mutation, error) {
	out := Mutation{Object: e.before, Decisions: decisions}
	if !e.changed {
		return out, nil
	}
	patch, err := mutate.Diff(e.before, e.object)
	if err != nil {
		return out, fmt.Errorf("computing the patch of %s %s: %w", e.req.Kind.Kind, e.name, err)
	}
	out.Object, out.Patch = e.object, patch
	return out, nil
}
