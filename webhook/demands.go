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
	served.ask(r, missing, func(versions string, p place, ops operationSet) {
		if d[versions] == nil {
			d[versions] = &layer{wide: demand{}, own: demand{}, namespaces: map[string]struct{}{}}
		}
		l := d[versions]
		if r.Policy.Namespace == "" {
			l.wide[p] |= ops
			return
		}
		l.own[p] |= ops
		l.namespaces[r.Policy.Namespace] = struct{}{}
	})
}

// part is one webhook entry in the making.
type part struct {
	// suffix tells the entries of a group apart.
	suffix     string
	demand     demand
	namespaces *metav1.LabelSelector
}

// parts gives for each layer one entry for what is asked everywhere, and one for what is asked in single namespaces and
// not everywhere anyhow: a tenant's policy is no reason to be called about the writes of all others. Whichever entry
// asks, all policies of the group answer.
func (d demands) parts(excluded []string) []part {
	var out []part
	for _, versions := range slices.Sorted(maps.Keys(d)) {
		l, suffix := d[versions], ""
		if versions != "" {
			suffix = "." + versions
		}
		out = append(out, part{suffix: suffix, demand: l.wide, namespaces: except(excluded)})
		own := slices.DeleteFunc(slices.Sorted(maps.Keys(l.namespaces)), func(n string) bool { return slices.Contains(excluded, n) })
		if len(own) > 0 {
			out = append(out, part{suffix: suffix + ".namespaces", demand: l.own.without(l.wide), namespaces: selectNamespaces(metav1.LabelSelectorOpIn, own)})
		}
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
