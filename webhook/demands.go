package webhook

import (
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-io/holdfast/engine"
)

// namespaceName is the label that the API server itself puts on each namespace.
const namespaceName = "kubernetes.io/metadata.name"

// demands are what a group of policies has to be asked about, in layers: the first for rules that look at a resource in
// every version that is served, and one more for each choice of versions. An entry that asks about a resource in one
// version gets the writes of all others converted to it; were it to ask about several, it would get each as it was
// written, and a rule on the one version would not see the other.
type demands map[string]*layer

// layer is what is asked about everywhere, and in the namespaces of those policies that rule one.
type layer struct {
	wide, own  demand
	namespaces map[string]struct{} // of own
}

func (d demands) add(r *engine.Rule, served *servedResources, missing unserved) {
	served.ask(r, missing, func(versions string, p place, ops operationSet, n engine.Narrowing) {
		if d[versions] == nil {
			d[versions] = &layer{wide: demand{}, own: demand{}, namespaces: map[string]struct{}{}}
		}
		l := d[versions]
		if r.Policy.Namespace == "" {
			l.wide.add(p, ops, n)
			return
		}
		l.own.add(p, ops, n)
		l.namespaces[r.Policy.Namespace] = struct{}{}
	})
}

// settle takes out of what is asked in single namespaces what is asked everywhere anyhow. There nothing may be kept away
// then: the policy of the namespace is not narrowed as the others are.
func (l *layer) settle() {
	for p, w := range l.own {
		for q, others := range l.wide {
			if !q.covers(p) {
				continue
			}
			for i := range w {
				if len(w[i]) > 0 && len(others[i]) > 0 {
					w[i], others[i] = nil, append(others[i], engine.Narrowing{})
				}
			}
			l.wide[q] = others
		}
		l.own[p] = w
	}
}

// part is one webhook entry in the making.
type part struct {
	sieved
	// suffix tells the entries of a group apart.
	suffix string
}

// parts gives for each layer entries for what is asked everywhere, and for what is asked in single namespaces and not
// everywhere anyhow: a tenant's policy is no reason to be called about the writes of all others. Each has an entry without a
// filter, and one for each filter. Whichever entry asks, all policies of the group answer.
func (d demands) parts(s sieve, excluded []string) []part {
	var out []part
	for _, versions := range slices.Sorted(maps.Keys(d)) {
		l, suffix := d[versions], ""
		// Of what is converted, conditions would see the resource as it was before, and policies do not.
		s.conditions = versions == ""
		if versions != "" {
			suffix = "." + versions
		}
		own := slices.DeleteFunc(slices.Sorted(maps.Keys(l.namespaces)), func(n string) bool { return slices.Contains(excluded, n) })
		l.settle()
		out = append(out, l.wide.parts(s, suffix, except(excluded))...)
		if len(own) > 0 {
			// The conditions of one tenant's policy say nothing about another's objects.
			s.conditions = s.conditions && len(own) == 1
			out = append(out, l.own.parts(s, suffix+".namespaces", selectNamespaces(metav1.LabelSelectorOpIn, own))...)
		}
	}
	return out
}

// parts gives the entries of a demand in the selected namespaces.
func (d demand) parts(s sieve, suffix string, namespaces *metav1.LabelSelector) []part {
	var out []part
	for _, sieved := range d.sieve(s) {
		sieved.namespaces = joined(namespaces, sieved.namespaces)
		out = append(out, part{sieved: sieved, suffix: suffix + sieved.suffix})
	}
	return out
}

// except selects all namespaces but these.
func except(names []string) *metav1.LabelSelector {
	if len(names) == 0 {
		return &metav1.LabelSelector{}
	}
	return selectNamespaces(metav1.LabelSelectorOpNotIn, slices.Compact(slices.Sorted(slices.Values(names))))
}

func selectNamespaces(how metav1.LabelSelectorOperator, names []string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: namespaceName, Operator: how, Values: names}}}
}
