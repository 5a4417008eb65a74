package engine

import (
	"fmt"
	"slices"

	kyvernov2 "github.com/kyverno/kyverno/api/kyverno/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// CompileCleanup compiles a kyverno.io CleanupPolicy or ClusterCleanupPolicy into a policy with one rule, which
// is evaluated in audits only. All that is wrong with it comes back in one *CompileError. Document is the same
// policy as JSON values, for its conditions, as Compile has it; it may be nil.
// Source: https://kyverno.io/docs/policy-types/cleanup-policy/
func (cc *Compiler) CompileCleanup(src kyvernov2.CleanupPolicyInterface, document map[string]any) (*Policy, error) {
	p := newPolicy(src, src.GetKind())
	p.Scored, p.FailurePolicy, p.Background = true, IgnoreOnError, true
	c := &compiler{schema: cc.schema, document: document, policy: p}
	spec := src.GetSpec()
	if p.Name == "" {
		c.problem([]any{"metadata", "name"}, "is missing")
	}
	rule := &Rule{Policy: p, Name: "cleanup", Kind: Cleanup, cleanup: &cleanup{}}
	c.compileCleanupMatch(rule, spec)
	rule.context = c.compileContext(spec.Context, []any{"spec", "context"})
	rule.cleanup.schedule = c.compileSchedule(spec.Schedule)
	read := c.collect(func() {
		if spec.Conditions != nil {
			rule.cleanup.conditions, _ = c.compileConditions(spec.Conditions, []any{"spec", "conditions"})
		}
	})
	rule.context.plan(read, nil, nil)
	rule.cleanup.propagation = c.compilePropagation(spec.DeletionPropagationPolicy)
	slices.Sort(c.refs)
	rule.needs = needs{refs: slices.Compact(c.refs)}
	if fact := rule.needs.request(); fact != "" {
		c.problem([]any{"spec", "conditions"}, fmt.Sprintf("reads %s: a cleanup is no request", fact))
	}
	c.rules = []*Rule{rule}
	return c.finish(spec)
}

// compileCleanupMatch compiles what the policy selects. There is no request and so no user to select by.
func (c *compiler) compileCleanupMatch(rule *Rule, spec *kyvernov2.CleanupPolicySpec) {
	path := []any{"spec", "match"}
	rule.match = c.compileAnyAll(&spec.MatchResources, path)
	if len(rule.match.kinds()) == 0 {
		c.problem(path, "names no kinds: expected any or all with resources.kinds")
	}
	c.refuseUsers(&rule.match, path)
	if spec.ExcludeResources != nil {
		path = []any{"spec", "exclude"}
		rule.exclude = c.compileAnyAll(spec.ExcludeResources, path)
		c.refuseUsers(&rule.exclude, path)
	}
	rule.operations = operationBit(Create)
}

func (c *compiler) refuseUsers(m *matcher, path []any) {
	form := "any"
	if m.all {
		form = "all"
	}
	for i := range m.filters {
		if m.filters[i].needsUser() {
			c.problem(at(path, form, i), "selects by the user: a cleanup is no request")
		}
	}
}

func (c *compiler) compileSchedule(text string) Schedule {
	schedule, err := ParseSchedule(text)
	if err != nil {
		c.problem([]any{"spec", "schedule"}, err.Error())
	}
	return schedule
}

func (c *compiler) compilePropagation(how *metav1.DeletionPropagation) string {
	if how == nil {
		return ""
	}
	switch *how {
	case metav1.DeletePropagationForeground, metav1.DeletePropagationBackground, metav1.DeletePropagationOrphan:
	default:
		c.problem([]any{"spec", "deletionPropagationPolicy"}, fmt.Sprintf("unknown value %q: expected Foreground, Background or Orphan", *how))
	}
	return string(*how)
}
