package engine

import (
	"fmt"
	"slices"
	"strings"

	policiesv1beta1 "github.com/kyverno/api/api/policies.kyverno.io/v1beta1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine/cel"
)

// compileCELTargets compiles what a MutatingPolicy says of the objects that it changes when it matches another: an
// expression that gives them, or else constraints that select them among all.
func (c *compiler) compileCELTargets(t *policiesv1beta1.TargetMatchConstraints, src cel.Source) targets {
	path := []any{"spec", "targetMatchConstraints"}
	for i := range t.ResourceRules {
		if slices.ContainsFunc(t.ResourceRules[i].Resources, func(s string) bool { return strings.Contains(s, "/") }) {
			c.unbuilt(at(path, "resourceRules", i, "resources"), "targetMatchConstraints on a subresource")
		}
	}
	if t.Expression != "" {
		src.Target, src.Paths.Target = t.Expression, at(path, "expression")
		rule := c.compileCELSource(src, path)
		if rule == nil {
			return nil
		}
		return &expressedTargets{rule, readsOf(rule.References())}
	}
	out := &selectedTargets{}
	// An object at rest is in no operation: the ones that are named, if any, say nothing.
	rules := slices.Clone(t.ResourceRules)
	for i := range rules {
		rules[i].Operations = []admissionOperation{"*"}
	}
	match := t.MatchResources
	match.ResourceRules = rules
	match.ExcludeResourceRules = slices.Clone(t.ExcludeResourceRules)
	for i := range match.ExcludeResourceRules {
		match.ExcludeResourceRules[i].Operations = []admissionOperation{"*"}
	}
	out.match, out.exclude = c.compileMatchConstraints(&match, path)
	for i := range rules {
		where := at(path, "resourceRules", i)
		for _, group := range rules[i].APIGroups {
			for _, version := range rules[i].APIVersions {
				for _, plural := range rules[i].Resources {
					out.add(c, schema.GroupVersionResource{Group: group, Version: version, Resource: plural}, where)
				}
			}
		}
	}
	return out
}

// add takes up a resource whose objects are to be listed: it must be named in full.
func (t *selectedTargets) add(c *compiler, resource schema.GroupVersionResource, path []any) {
	if slices.Contains([]string{resource.Group, resource.Version, resource.Resource}, "*") {
		c.problem(path, fmt.Sprintf("selects %s of the group %q in version %s: expected targets without *, so that they can be listed", resource.Resource, resource.Group, resource.Version))
		return
	}
	one := listed{resource: resource}
	one.kind, one.known = c.schema.Kind(resource)
	t.resources = append(t.resources, one)
}
