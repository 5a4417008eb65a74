package engine

import "slices"

// Key names the rule for people: policy/rule, and of a rule without a name the policy alone, as policies in CEL
// speak as a whole. It does not tell apart policies of different kinds; ID does.
func (r *Rule) Key() string {
	if r.Name == "" {
		return r.Policy.Key()
	}
	return r.Policy.Key() + "/" + r.Name
}

// ID names the rule among those of all kinds: see RuleID.
func (r *Rule) ID() string { return RuleID(r.Policy.Kind, r.Policy.Key(), r.Name) }

// ID names the policy among those of all kinds: see RuleID.
func (p *Policy) ID() string { return RuleID(p.Kind, p.Key(), "") }

// RuleID names a rule among those of all kinds: policy/rule for the kinds that have been named so from the
// beginning, ClusterPolicy and Policy, and Kind/policy or Kind/policy/rule for the others. Names of objects have no
// capital letters, so that no kind is taken for one. Key is the policy's, as Policy.Key gives it; name may be empty.
func RuleID(kind, key, name string) string {
	if kind != "" && !slices.Contains([]string{"ClusterPolicy", "Policy"}, kind) {
		key = kind + "/" + key
	}
	if name == "" {
		return key
	}
	return key + "/" + name
}
