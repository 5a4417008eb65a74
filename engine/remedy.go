package engine

import (
	"context"

	"github.com/holdfast-io/holdfast/engine/pattern"
)

// What would bring an object back to what its rules want. A mutate rule says so itself, in its finding's patch; what is
// here is for findings of rules that validate. All of it is a guess until the changed object has been judged.

// Fixes gives what the object of the request could be, so that the validate rule passes which fails on it: its pattern's
// own constants stand where they are asked for, and keys that it forbids are gone. None where the rule has no pattern, or
// one whose constants do not suffice. Most take but one; the likeliest comes first.
func (s *Snapshot) Fixes(ctx context.Context, req *Request, in *Inputs, r *Rule) []map[string]any {
	if r.Kind != Validate {
		return nil
	}
	body, ok := r.validate.body.(fixer)
	if !ok {
		return nil
	}
	e := s.begin(ctx, req, in)
	e.atRest, e.policy = true, r.Policy
	x, d := r.prepare(e)
	if d != nil {
		return nil
	}
	return body.fixes(x)
}

// fixer is the body of a validate rule that can tell what would pass it.
type fixer interface {
	fixes(x *scope) []map[string]any
}

func (p *patternCheck) fixes(x *scope) []map[string]any { return repairs(x, p.pattern) }

// fixes are those of each pattern, in their order.
func (p *anyPatternCheck) fixes(x *scope) []map[string]any { return repairs(x, p.patterns...) }

func repairs(x *scope, patterns ...*pattern.Pattern) []map[string]any {
	var out []map[string]any
	for _, p := range patterns {
		for _, repaired := range p.Repairs(x.env, x.object) {
			if object, ok := repaired.(map[string]any); ok {
				out = append(out, object)
			}
		}
	}
	return out
}

// Remedy applies mutate rules to an object at rest, in their order, whether or not their policies are off in the
// background: somebody has named them as the remedy for what others find. The answer is as that of Audit.
func (s *Snapshot) Remedy(ctx context.Context, req *Request, in *Inputs, rules []*Rule) (Mutation, error) {
	e := s.begin(ctx, req, in)
	e.atRest = true
	decisions := e.mutate(rules, func(*Policy) bool { return true })
	return e.mutated(decisions)
}
