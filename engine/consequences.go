package engine

import (
	"context"
	"slices"
)

// FollowsRequests reports whether the rule wants something of other objects that only a request can tell: it
// reads who asks, is about subresources alone, generates when its trigger is deleted, or its policy is off in the
// background. What other rules want, the audit finds.
func (r *Rule) FollowsRequests() bool { return r.follows(Delete) || r.followsAll() }

// follows reports whether the rule follows requests with this operation. At a deletion the audit sees nothing that it
// could generate for.
func (r *Rule) follows(op Operation) bool {
	return r.operations.has(op) && (r.followsAll() || op == Delete && r.Kind == Generate)
}

func (r *Rule) followsAll() bool {
	if r.Kind != Generate && !r.ChangesOthers() {
		return false
	}
	auditable, _ := r.Auditable()
	objects := slices.ContainsFunc(r.match.kinds(), func(k KindSelector) bool { return k.SubResource.Match("") })
	return !r.Policy.Background || !auditable || !objects || r.match.needsUser() || r.exclude.needsUser()
}

// ChangesOthers reports whether the rule is a mutate rule with targets, which leaves the object that it matches
// as it is.
func (r *Rule) ChangesOthers() bool { return r.Kind == Mutate && r.mutate.targets != nil }

func (m *matcher) needsUser() bool {
	return slices.ContainsFunc(m.filters, func(f filter) bool { return f.needsUser() })
}

// HasConsequences reports whether a rule that follows requests may look at such a request, by the index alone.
func (s *Snapshot) HasConsequences(resource *Resource, op Operation) bool {
	return slices.ContainsFunc(s.following.rules(resource), func(r *Rule) bool { return r.follows(op) && r.Selects(resource) })
}

// Consequences gives what the rules that follow requests want of other objects once this one has been carried
// out: a decision for each rule and, of one with targets, for each target. It writes nothing.
func (s *Snapshot) Consequences(ctx context.Context, req *Request, in *Inputs) []Decision {
	e := s.begin(ctx, req, in)
	var out []Decision
	chance := e.watchChance()
	rules := slices.DeleteFunc(slices.Clone(s.following.rules(&e.resource)), func(r *Rule) bool { return !r.follows(req.Operation) })
	unjudged := e.each(rules, atAdmission, func(r *Rule) *Decision {
		if req.Own && !r.ownToo {
			return nil // else rules would follow one another for ever
		}
		if r.Kind == Generate {
			*chance = false
			out = append(out, *(&generator{e: e, rule: r, snapshot: s, chance: chance}).decide())
		} else {
			out = append(out, r.eachTarget(e)...)
		}
		return nil
	})
	return append(out, unjudged...)
}
