package webhook

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-io/holdfast/engine"
)

// demand gathers what a group of policies has to be asked about: for each place and operation what keeps the rules that
// ask there from some of the requests. No narrowing at all is one that keeps nothing away.
type demand map[place]wishes

// wishes are those of the rules at a place, by operation.
type wishes [len(operationOrder)][]engine.Narrowing

// add takes up what a rule asks for.
func (d demand) add(p place, ops operationSet, n engine.Narrowing) {
	w := d[p]
	for i := range w {
		if ops&(1<<i) != 0 {
			w[i] = append(w[i], n)
		}
	}
	d[p] = w
}

// filter is what an entry tells the API server beside its rules: which requests not to send.
type filter struct {
	namespaces, objects *metav1.LabelSelector
	condition           string
}

// sieve says how far the requests of one entry may be sieved.
type sieve struct {
	hook  Hook
	group Group
	// conditions may be evaluated by the API server.
	conditions bool
}

const (
	// A condition of several policies costs the API server what those of each cost, and all of it may cost no more than
	// 2,500,000 units (celconfig.RuntimeCELCostBudgetMatchConditions), or the request is refused. A usual one
	// costs dozens, one that looks at each container of a large Pod thousands.
	maxUnion = 8
	// Beyond what anybody writes by hand; entries are sent to every API server whenever one changes.
	maxConditionBytes = 8 << 10
)

// filter finds what holds for all rules at a place. Whatever it keeps away, none of them is about; and what it cannot tell is
// settled by the failurePolicy of those that it is about.
func (s sieve) filter(rules []engine.Narrowing) filter {
	first, out := &rules[0], filter{}
	all := func(holds func(n *engine.Narrowing) bool) bool {
		for i := range rules {
			if !holds(&rules[i]) {
				return false
			}
		}
		return true
	}
	if all(func(n *engine.Narrowing) bool { return equality.Semantic.DeepEqual(n.Namespaces, first.Namespaces) }) {
		out.namespaces = first.Namespaces
	}
	// Other mutations may add the labels later, and a webhook that was not asked at first is not asked again.
	if s.hook == Validate && all(func(n *engine.Narrowing) bool { return equality.Semantic.DeepEqual(n.Objects, first.Objects) }) {
		out.objects = first.Objects
	}
	told := func(n *engine.Narrowing) bool {
		switch {
		case len(n.Conditions) == 0, s.hook == Mutate && !n.OfRequest: // as with labels
			return false
		case s.group.FailurePolicy == engine.IgnoreOnError: // what has no result is let pass, whoever says so
			return true
		default: // a condition without a result refuses the write, which has to be one that the rule is about
			return n.Exact && equality.Semantic.DeepEqual(n.Namespaces, out.namespaces) && equality.Semantic.DeepEqual(n.Objects, out.objects)
		}
	}
	if s.conditions && all(told) {
		out.condition = union(rules)
	}
	return out
}

// union is a condition that holds where those of one rule do. One without a result is absorbed by another that holds, as it
// should be: the request is sent, and each policy settles its own. Empty when there are too many.
func union(rules []engine.Narrowing) string {
	var lists []string
	for i := range rules {
		var list []string
		for _, c := range rules[i].Conditions {
			list = append(list, "("+c.Expression+"\n)") // a comment may end it
		}
		lists = append(lists, strings.Join(list, " && "))
	}
	slices.Sort(lists)
	lists = slices.Compact(lists)
	out := strings.Join(lists, " || ")
	if len(lists) > maxUnion || len(out) > maxConditionBytes {
		return ""
	}
	return out
}

// sieved is a part of a demand with what keeps requests away from all of it.
type sieved struct {
	filter
	suffix string // tells entries apart; empty where nothing is kept away
	places places
}

// sieve divides the demand by what can be kept away. Each request goes to one part, or to none.
func (d demand) sieve(s sieve) []sieved {
	parts := map[string]*sieved{}
	for p, w := range d.uncovered() {
		for i, rules := range w {
			if len(rules) == 0 {
				continue
			}
			f := s.filter(rules)
			suffix := f.suffix()
			if parts[suffix] == nil {
				parts[suffix] = &sieved{filter: f, suffix: suffix, places: places{}}
			}
			parts[suffix].places[p] |= 1 << i
		}
	}
	out := make([]sieved, 0, len(parts))
	for _, part := range parts {
		out = append(out, *part)
	}
	// What is asked without a filter comes first, so that a mutation which its condition waits for has been made.
	slices.SortFunc(out, func(a, b sieved) int { return strings.Compare(a.suffix, b.suffix) })
	return out
}

// uncovered leaves out places that another one holds, which then has their rules: there they are not exact.
func (d demand) uncovered() demand {
	out := demand{}
	for p, w := range d {
		for i, rules := range w {
			covered := false
			for q := range d {
				covered = covered || p != q && q.covers(p) && len(d[q][i]) > 0
			}
			if covered || len(rules) == 0 {
				continue
			}
			rules = slices.Clone(rules)
			for q, others := range d {
				if p == q || !p.covers(q) {
					continue
				}
				for _, n := range others[i] {
					n.Exact = false
					rules = append(rules, n)
				}
			}
			kept := out[p]
			kept[i] = rules
			out[p] = kept
		}
	}
	return out
}

// suffix names the filter: the same one has the same name, whatever else there is.
func (f *filter) suffix() string {
	if f.namespaces == nil && f.objects == nil && f.condition == "" {
		return ""
	}
	text, err := json.Marshal([]any{f.namespaces, f.objects, f.condition})
	if err != nil {
		panic(fmt.Sprintf("encoding selectors: %v", err)) // they are texts
	}
	sum := sha256.Sum256(text)
	return ".some-" + hex.EncodeToString(sum[:4])
}

// joined selects what both do; nil selects all.
func joined(a, b *metav1.LabelSelector) *metav1.LabelSelector {
	out := &metav1.LabelSelector{}
	for _, s := range []*metav1.LabelSelector{a, b} {
		if s == nil {
			continue
		}
		for key, value := range s.MatchLabels {
			out.MatchExpressions = append(out.MatchExpressions, metav1.LabelSelectorRequirement{Key: key, Operator: metav1.LabelSelectorOpIn, Values: []string{value}})
		}
		out.MatchExpressions = append(out.MatchExpressions, s.MatchExpressions...)
	}
	slices.SortStableFunc(out.MatchExpressions, func(a, b metav1.LabelSelectorRequirement) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// conditions are those of an entry of the part.
func (p *sieved) conditions(s Spared) []admissionregistrationv1.MatchCondition {
	out := s.conditions(p.places)
	if p.condition != "" {
		out = append(out, admissionregistrationv1.MatchCondition{Name: "what-policies-are-about", Expression: p.condition})
	}
	return out
}
