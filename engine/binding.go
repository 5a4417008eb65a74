package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"maps"
	"slices"
)

// Binding is a compiled ValidatingAdmissionPolicyBinding or MutatingAdmissionPolicyBinding: it says where a policy of the
// API server is in force, by which parameters, and what its failures mean. It is immutable.
type Binding struct {
	Kind, Name string
	// PolicyKind and PolicyName are those of the policy that it binds.
	PolicyKind, PolicyName string
	// Digest names the binding's content: sha256 in hex over its canonical JSON.
	Digest string
	// Warnings are remarks of the compiler that do not keep the binding from working.
	Warnings []Problem

	scope  *bindingScope // nil: everything that the policy matches
	params *celParams    // nil: none
	action Action
}

// Key is the binding's name.
func (b *Binding) Key() string { return b.Name }

// Binds reports whether the binding is about the policy.
func (b *Binding) Binds(p *Policy) bool {
	return p.inTree != nil && b.PolicyKind == p.Kind && b.PolicyName == p.Name
}

// NeedsBinding reports whether the policy does nothing unless a binding says where.
func (p *Policy) NeedsBinding() bool { return p.inTree != nil }

// BindEverywhere gives a binding that puts a policy of the API server in force wherever it matches, without parameters.
// It is for a test of the policy alone.
func (p *Policy) BindEverywhere() *Binding {
	return &Binding{Kind: p.Kind + "Binding", PolicyKind: p.Kind, PolicyName: p.Name, Digest: p.Digest, action: Enforce}
}

// Binding names the binding that puts the rule in force, of an API server's own policy; else it is empty.
func (r *Rule) Binding() string {
	if r.bound == nil {
		return ""
	}
	return r.bound.Name
}

// bindingScope narrows what a policy matches.
type bindingScope struct{ match, exclude matcher }

// matches reports whether the binding is about the request that its policy matches.
func (b *bindingScope) matches(e *evaluation) (bool, error) {
	if b == nil {
		return true, nil
	}
	matched, err := b.match.match(e)
	if err != nil || matched == no {
		return false, err
	}
	excluded, err := b.exclude.match(e)
	return excluded == no, err
}

// join gives the policies with their bindings: one of an API server's own with a rule for each binding, and none if it has
// no binding; others as they are. What was joined before is joined anew.
func join(policies []*Policy, bindings []*Binding) []*Policy {
	out := make([]*Policy, len(policies))
	for i, p := range policies {
		if p.inTree == nil {
			out[i] = p
			continue
		}
		if p.inTree.source != nil {
			p = p.inTree.source
		}
		out[i] = p.bound(slices.Collect(func(yield func(*Binding) bool) {
			for _, b := range bindings {
				if b.Binds(p) && !yield(b) {
					return
				}
			}
		}))
	}
	return out
}

// bound gives a policy of its own with a rule for each binding. Its digest covers them.
func (p *Policy) bound(bindings []*Binding) *Policy {
	if len(bindings) == 0 {
		return p
	}
	q := *p
	own := *p.inTree
	own.source = p
	q.inTree, q.Rules = &own, nil
	sum := sha256.New()
	_, _ = io.WriteString(sum, p.Digest+"\n") // a hash does not fail
	for _, b := range bindings {
		_, _ = io.WriteString(sum, b.Digest+"\n")
		q.Rules = append(q.Rules, own.rule.under(&q, b))
	}
	q.Digest = hex.EncodeToString(sum.Sum(nil))
	return &q
}

// under is the rule as a binding puts it in force.
func (r *Rule) under(p *Policy, b *Binding) *Rule {
	out := *r
	out.Policy, out.bound = p, b
	if b.Name != "" {
		out.Properties = maps.Clone(r.Properties)
		if out.Properties == nil {
			out.Properties = map[string]string{}
		}
		out.Properties[b.property()] = b.Name
	}
	if b.scope != nil {
		named := operations(0)
		for i := range b.scope.match.filters {
			named |= b.scope.match.filters[i].operations
		}
		out.operations &= named
	}
	if out.mutate != nil {
		body := *out.mutate
		if change, ok := body.change.(*admissionChange); ok {
			body.change = change.under(p, b)
		}
		out.mutate = &body
	}
	if out.validate != nil {
		out.action.always = b.action
		body := *out.validate
		if check, ok := body.body.(*admissionCheck); ok {
			body.body = check.under(p, b)
		}
		out.validate = &body
	}
	return &out
}

// property is the name under which a report shows the binding, as in Kyverno's.
func (b *Binding) property() string {
	if b.PolicyKind == kindMutatingAdmissionPolicy {
		return "mapBinding"
	}
	return "binding"
}
