package engine

import (
	"fmt"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/holdfast-io/holdfast/engine/cel"
	"github.com/holdfast-io/holdfast/engine/glob"
)

// constraints narrow a filter as the selectors and scopes of an API server's matchResources do. They differ from
// the parts of a kyverno.io filter: an object without a namespace meets every namespaceSelector, a Namespace is
// selected by its own labels, and an update by those of the old object too.
type constraints struct {
	scope      admissionregistrationv1.ScopeType // empty: both
	namespaces labels.Selector                   // nil: all
	objects    labels.Selector                   // nil: all
	// namespaceSelector and objectSelector are the same, as written.
	namespaceSelector, objectSelector *metav1.LabelSelector
	names                             []string // none: all
	// exact leaves out what was written in another version, or of another group, than the one that it was converted to.
	exact bool
	// beginnings says that the names select what will be given a name by the beginning of that, as in Kyverno.
	beginnings bool
}

func (c *constraints) match(e *evaluation) (bool, error) {
	namespaced := e.req.Namespace != "" && !e.isNamespace() // which is in none, whatever a request says
	switch c.scope {
	case admissionregistrationv1.NamespacedScope:
		if !namespaced {
			return false, nil
		}
	case admissionregistrationv1.ClusterScope:
		if namespaced {
			return false, nil
		}
	}
	if sent := e.req.Sent; c.exact && sent != nil && sent.RequestResource != e.req.Resource {
		return false, nil
	}
	if len(c.names) > 0 && !c.named(e) {
		return false, nil
	}
	if c.objects != nil && !c.objects.Matches(labelMap(e.metadata("labels"))) {
		old, _ := metadata(e.req.Old())["labels"].(map[string]any)
		if e.req.Old() == nil || !c.objects.Matches(labelMap(old)) {
			return false, nil
		}
	}
	if c.namespaces == nil {
		return true, nil
	}
	if e.isNamespace() {
		return c.namespaces.Matches(labelMap(e.metadata("labels"))), nil
	}
	if !namespaced {
		return true, nil
	}
	found, err := e.namespaceLabels()
	if err != nil {
		return false, err
	}
	return c.namespaces.Matches(labelMap(found)), nil
}

func (c *constraints) named(e *evaluation) bool {
	meta := metadata(e.object)
	name := e.req.Name
	if name == "" {
		name, _ = meta["name"].(string)
	}
	if name != "" || !c.beginnings {
		return slices.Contains(c.names, name)
	}
	generated, _ := meta["generateName"].(string)
	return slices.ContainsFunc(c.names, func(n string) bool { return strings.HasPrefix(generated, n) })
}

// isNamespace reports whether the request is about a Namespace itself.
func (e *evaluation) isNamespace() bool {
	return e.req.Kind.Kind == "Namespace" && e.req.Kind.Group == ""
}

// compileMatchConstraints compiles what an API server calls matchResources into what the rule matches and what it
// excludes. An API server refuses its own policies without resourceRules, or whose rules leave a list empty. It stores
// Kyverno's: to Kyverno's engine constraints that are missing select nothing, constraints without resourceRules everything,
// and a rule with an empty list nothing.
func (c *compiler) compileMatchConstraints(m *admissionregistrationv1.MatchResources, path []any) (match, exclude matcher) {
	lenient := c.celSource.Language == cel.Kyverno
	switch {
	case m == nil && lenient:
		c.warn(path, "is missing: the policy selects nothing")
		return match, exclude
	case m == nil || len(m.ResourceRules) == 0 && !lenient:
		c.problem(path, "selects nothing: expected resourceRules")
		return match, exclude
	}
	if p := m.MatchPolicy; p != nil && *p != admissionregistrationv1.Exact && *p != admissionregistrationv1.Equivalent {
		c.problem(at(path, "matchPolicy"), fmt.Sprintf("unknown value %q: expected Exact or Equivalent", *p))
	}
	narrow := constraints{
		namespaces: c.compileLabelSelector(m.NamespaceSelector, at(path, "namespaceSelector")),
		objects:    c.compileLabelSelector(m.ObjectSelector, at(path, "objectSelector")),
		exact:      m.MatchPolicy != nil && *m.MatchPolicy == admissionregistrationv1.Exact,
		beginnings: lenient,
	}
	if narrow.namespaces != nil {
		narrow.namespaceSelector = m.NamespaceSelector
	}
	if narrow.objects != nil {
		narrow.objectSelector = m.ObjectSelector
	}
	rules := m.ResourceRules
	if len(rules) == 0 {
		c.warn(at(path, "resourceRules"), "is empty: the policy selects every resource")
		rules = everyResource()
	}
	match.filters = c.compileResourceRules(rules, narrow, at(path, "resourceRules"))
	exclude.filters = c.compileResourceRules(m.ExcludeResourceRules, constraints{beginnings: narrow.beginnings}, at(path, "excludeResourceRules"))
	return match, exclude
}

// empty tells of a list of a rule in which nothing stands.
func (c *compiler) empty(path []any, expected string) {
	if c.celSource.Language == cel.Kyverno {
		c.warn(path, "is empty: the rule selects nothing; "+expected)
		return
	}
	c.problem(path, "is empty: "+expected)
}

func everyResource() []admissionregistrationv1.NamedRuleWithOperations {
	every := []string{"*"}
	return []admissionregistrationv1.NamedRuleWithOperations{{RuleWithOperations: admissionregistrationv1.RuleWithOperations{
		Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.OperationAll},
		Rule:       admissionregistrationv1.Rule{APIGroups: every, APIVersions: every, Resources: []string{"*/*"}},
	}}}
}

// compileResourceRules gives a filter for each rule that can select anything.
func (c *compiler) compileResourceRules(rules []admissionregistrationv1.NamedRuleWithOperations, narrow constraints, path []any) []filter {
	var filters []filter
	for i := range rules {
		if f := c.compileResourceRule(&rules[i], narrow, at(path, i)); f.operations != 0 && len(f.kindList) > 0 {
			filters = append(filters, f)
		}
	}
	return filters
}

func (c *compiler) compileLabelSelector(s *metav1.LabelSelector, path []any) labels.Selector {
	if s == nil {
		return nil
	}
	selector, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		c.problem(path, "not a label selector: "+err.Error())
		return nil
	}
	if selector.Empty() {
		return nil
	}
	return selector
}

func (c *compiler) compileResourceRule(r *admissionregistrationv1.NamedRuleWithOperations, narrow constraints, path []any) filter {
	narrow.names = r.ResourceNames
	f := filter{constraints: &narrow}
	switch {
	case len(r.Operations) > 0:
	case c.policy.inTree != nil:
		f.operations = allOperations
		c.policy.Warnings = append(c.policy.Warnings, Problem{Path: at(path, "operations"), Message: "is empty: an API server refuses the policy; here it is taken for *"}.String())
	default:
		c.empty(at(path, "operations"), "expected CREATE, UPDATE, DELETE, CONNECT or *")
	}
	for i, op := range r.Operations {
		if op == admissionregistrationv1.OperationAll {
			f.operations |= allOperations
			continue
		}
		bit := operationBit(Operation(op))
		if bit == 0 {
			c.problem(at(path, "operations", i), fmt.Sprintf("unknown operation %q: expected CREATE, UPDATE, DELETE, CONNECT or *", op))
		}
		f.operations |= bit
	}
	if r.Scope != nil {
		switch *r.Scope {
		case admissionregistrationv1.AllScopes:
		case admissionregistrationv1.NamespacedScope, admissionregistrationv1.ClusterScope:
			f.constraints.scope = *r.Scope
		default:
			c.problem(at(path, "scope"), fmt.Sprintf("unknown value %q: expected Cluster, Namespaced or *", *r.Scope))
		}
	}
	for _, part := range []struct {
		name string
		list []string
	}{{"apiGroups", r.APIGroups}, {"apiVersions", r.APIVersions}, {"resources", r.Resources}} {
		if len(part.list) == 0 {
			c.empty(at(path, part.name), "expected at least one, or *")
		}
	}
	for _, group := range r.APIGroups {
		for _, version := range r.APIVersions {
			for _, resource := range r.Resources {
				f.kindList = append(f.kindList, resourceSelector(group, version, resource))
			}
		}
	}
	return f
}

// resourceSelector reads an entry of resources: pods, pods/status, pods/*, *, */scale or */*. A * alone stands
// for all resources, and for none of their subresources.
func resourceSelector(group, version, resource string) KindSelector {
	plural, sub, _ := strings.Cut(resource, "/")
	return KindSelector{
		Group: wildOrLiteral(group), Version: wildOrLiteral(version),
		Plural: wildOrLiteral(plural), SubResource: wildOrLiteral(sub), ByName: true,
	}
}

// wildOrLiteral is a text in which a * by itself, and nothing else, is a wildcard.
func wildOrLiteral(s string) glob.Glob {
	if s == "*" {
		return glob.Compile(s)
	}
	return glob.Exactly(s)
}
