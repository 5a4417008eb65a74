package engine

import (
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Narrowing is what keeps a rule from requests that are within one of its scopes, as far as an API server can tell by
// itself, so that it need not ask. It never keeps out what the rule is about; but it may let in what it is not.
type Narrowing struct {
	// Namespaces selects by the labels of the namespace, Objects by those of the object or the one before. Nil: all.
	Namespaces, Objects *metav1.LabelSelector
	// Conditions are the policy's matchConditions; nil when there are none, or an API server cannot evaluate them.
	Conditions []admissionregistrationv1.MatchCondition
	// OfRequest says that the conditions read nothing but the request, which no mutation changes.
	OfRequest bool
	// Exact says that nothing else keeps the rule from a request: where the selectors are met and the conditions have no
	// result, that is an error of this rule.
	Exact bool
}

// narrowing of a filter of the rule.
func (r *Rule) narrowing(f *filter) Narrowing {
	out := Narrowing{Exact: len(r.exclude.filters) == 0 && len(f.kindList) > 0}
	if c := r.conditions; c != nil && c.portable {
		out.Conditions, out.OfRequest = c.list, c.ofRequest
	}
	if f.needsUser() || len(f.names) > 0 || len(f.annotations) > 0 {
		out.Exact = false
	}
	if c := f.constraints; c != nil {
		out.Namespaces, out.Objects = c.namespaceSelector, c.objectSelector
		out.Exact = out.Exact && len(c.names) == 0 && !c.exact
		return out
	}
	if len(f.namespaces) > 0 || f.nsSelector != nil {
		out.Exact = false // a Namespace, and what is in none, is sent and does not match
		out.Namespaces = f.inNamespaces()
	}
	if f.selector != nil {
		out.Exact = false // what has lost its labels is sent and does not match
		out.Objects = f.selector.plain
	}
	return out
}

// inNamespaces selects the namespaces that a filter names, or selects; nil where that takes wildcards.
func (f *filter) inNamespaces() *metav1.LabelSelector {
	out := &metav1.LabelSelector{}
	if s := f.nsSelector; s != nil {
		if s.plain == nil {
			return nil
		}
		s.plain.DeepCopyInto(out)
	}
	if len(f.namespaces) == 0 {
		return out
	}
	names := make([]string, len(f.namespaces))
	for i := range f.namespaces {
		if !f.namespaces[i].Literal() {
			return nil
		}
		names[i] = f.namespaces[i].String()
	}
	out.MatchExpressions = append(out.MatchExpressions, metav1.LabelSelectorRequirement{
		Key: "kubernetes.io/metadata.name", Operator: metav1.LabelSelectorOpIn, Values: names,
	})
	if _, err := metav1.LabelSelectorAsSelector(out); err != nil {
		return nil // no namespace has such a name
	}
	return out
}
