package bundle

import (
	"maps"
	"reflect"
	"slices"
	"strconv"
)

// Verb says what became of a policy, a rule or a field.
type Verb string

// The verbs of a diff.
const (
	Added   Verb = "added"
	Removed Verb = "removed"
	Changed Verb = "changed"
)

// Change is the difference of one policy between two bundles, or of an exception, a binding or a global context entry.
type Change struct {
	// Policy is the kind and name, such as ClusterPolicy/require-labels or PolicyException/team-a/legacy.
	Policy string `json:"policy"`
	Change Verb   `json:"change"`
	// Fields are those that differ outside of the rules, of a changed policy.
	Fields []FieldChange `json:"fields,omitempty"`
	// Rules are those that differ, of a changed policy.
	Rules []RuleChange `json:"rules,omitempty"`
}

// RuleChange is the difference of one rule, as written: the rules made from it for pod controllers follow it.
type RuleChange struct {
	Rule   string        `json:"rule"`
	Change Verb          `json:"change"`
	Fields []FieldChange `json:"fields,omitempty"`
}

// FieldChange is one value that differs. Old or New is nil where there is none.
type FieldChange struct {
	Path string `json:"path"`
	Old  any    `json:"old,omitempty"`
	New  any    `json:"new,omitempty"`
}

// Diff lists what differs from one bundle to another, in the order of the policies' names. Policies of the
// same digest are the same, whatever their texts look like.
func Diff(from, to *Summary) []Change {
	before, after := byName(from), byName(to)
	names := slices.Collect(maps.Keys(before))
	for n := range after {
		if _, ok := before[n]; !ok {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	var changes []Change
	for _, n := range names {
		a, had := before[n]
		b, has := after[n]
		switch {
		case !had:
			changes = append(changes, Change{Policy: n, Change: Added})
		case !has:
			changes = append(changes, Change{Policy: n, Change: Removed})
		case a.Digest() != b.Digest():
			c := Change{Policy: n, Change: Changed}
			c.Fields, c.Rules = diffPolicy(a.Document, b.Document)
			changes = append(changes, c)
		}
	}
	return changes
}

func byName(s *Summary) map[string]*Loaded {
	m := map[string]*Loaded{}
	for _, list := range [][]Loaded{s.Policies, s.Exceptions, s.Bindings, s.GlobalContexts} {
		for i := range list {
			m[list[i].Key()] = &list[i]
		}
	}
	return m
}

// diffPolicy compares what makes a policy: its annotations, its spec and, by name, its rules.
func diffPolicy(from, to map[string]any) ([]FieldChange, []RuleChange) {
	specA, rulesA := splitSpec(from)
	specB, rulesB := splitSpec(to)
	var fields []FieldChange
	diffValues("metadata.annotations", annotations(from), annotations(to), &fields)
	diffValues("spec", specA, specB, &fields)

	names := slices.Clone(rulesB.names)
	for _, n := range rulesA.names {
		if _, ok := rulesB.byName[n]; !ok {
			names = append(names, n)
		}
	}
	var rules []RuleChange
	for _, n := range names {
		a, had := rulesA.byName[n]
		b, has := rulesB.byName[n]
		switch {
		case !had:
			rules = append(rules, RuleChange{Rule: n, Change: Added})
		case !has:
			rules = append(rules, RuleChange{Rule: n, Change: Removed})
		default:
			c := RuleChange{Rule: n, Change: Changed}
			if diffValues("", a, b, &c.Fields); len(c.Fields) > 0 {
				rules = append(rules, c)
			}
		}
	}
	orderA, orderB := rulesA.common(rulesB), rulesB.common(rulesA)
	if !reflect.DeepEqual(orderA, orderB) {
		fields = append(fields, FieldChange{"order of spec.rules", orderA, orderB})
	}
	return fields, rules
}

type ruleSet struct {
	names  []string
	byName map[string]any
}

// common lists the names that both have, in this one's order.
func (r ruleSet) common(other ruleSet) []any {
	var out []any
	for _, n := range r.names {
		if _, ok := other.byName[n]; ok {
			out = append(out, n)
		}
	}
	return out
}

func splitSpec(document map[string]any) (rest any, rules ruleSet) {
	spec, _ := document["spec"].(map[string]any)
	spec = maps.Clone(spec)
	list, _ := spec["rules"].([]any)
	delete(spec, "rules")
	rules.byName = map[string]any{}
	for _, r := range list {
		rule, _ := r.(map[string]any)
		n, _ := rule["name"].(string)
		rules.names = append(rules.names, n)
		rules.byName[n] = rule
	}
	return spec, rules
}

func annotations(document map[string]any) any {
	meta, _ := document["metadata"].(map[string]any)
	m, _ := meta["annotations"].(map[string]any)
	return m
}

// diffValues gathers the smallest parts that differ.
func diffValues(path string, a, b any, out *[]FieldChange) {
	objectA, isA := a.(map[string]any)
	objectB, isB := b.(map[string]any)
	if isA && isB {
		keys := slices.Collect(maps.Keys(objectA))
		for k := range objectB {
			if _, ok := objectA[k]; !ok {
				keys = append(keys, k)
			}
		}
		slices.Sort(keys)
		for _, k := range keys {
			at := k
			if path != "" {
				at = path + "." + k
			}
			diffValues(at, objectA[k], objectB[k], out)
		}
		return
	}
	listA, isA := a.([]any)
	listB, isB := b.([]any)
	if isA && isB && len(listA) == len(listB) {
		for i := range listA {
			diffValues(path+"["+strconv.Itoa(i)+"]", listA[i], listB[i], out)
		}
		return
	}
	if !reflect.DeepEqual(a, b) {
		*out = append(*out, FieldChange{path, a, b})
	}
}
