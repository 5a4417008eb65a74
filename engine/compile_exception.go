package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	kyvernov2 "github.com/kyverno/kyverno/api/kyverno/v2"

	"github.com/holdfast-io/holdfast/engine/glob"
	"github.com/holdfast-io/holdfast/engine/podsecurity"
)

// CompileException compiles a kyverno.io PolicyException. All that is wrong with it comes back in one
// *CompileError. Document is the same exception as JSON values, for its conditions, as Compile has it; it may
// be nil.
// Source: https://kyverno.io/docs/exceptions/
func (cc *Compiler) CompileException(src *kyvernov2.PolicyException, document map[string]any) (*Exception, error) {
	c := &compiler{
		schema: cc.schema, document: document,
		policy: &Policy{Kind: kindException, Namespace: src.Namespace, Name: src.Name},
	}
	spec := &src.Spec
	x := &Exception{Namespace: src.Namespace, Name: src.Name, Background: spec.BackgroundProcessingEnabled()}
	if x.Name == "" {
		c.problem([]any{"metadata", "name"}, "is missing")
	}
	c.compileExcuses(x, spec.Exceptions)
	x.match = c.compileAnyAll(&spec.Match, []any{"spec", "match"})
	if len(x.match.filters) == 0 {
		x.warn([]any{"spec", "match"}, "selects nothing, so that nothing is excused: expected any or all")
	}
	if spec.Conditions != nil {
		x.conditions, _ = c.compileConditions(spec.Conditions, []any{"spec", "conditions"})
	}
	if len(spec.PodSecurity) > 0 {
		controls, err := podsecurity.CompileExclusions(spec.PodSecurity)
		path := []any{"spec", "podSecurity"}
		var wrong *podsecurity.CompileError
		if errors.As(err, &wrong) {
			path, err = at(path, wrong.Path...), wrong.Err
		}
		if err != nil {
			c.problem(path, err.Error())
		}
		x.controls = controls
	}
	if len(c.problems) > 0 {
		return nil, c.error()
	}
	slices.Sort(c.refs)
	x.needs = needs{refs: slices.Compact(c.refs)}
	var err error
	if x.Digest, err = c.digest(spec); err != nil {
		return nil, err
	}
	return x, nil
}

func (c *compiler) compileExcuses(x *Exception, list []kyvernov2.Exception) {
	path := []any{"spec", "exceptions"}
	if len(list) == 0 {
		x.warn(path, "is empty, so that nothing is excused: expected a policyName with ruleNames")
	}
	for i, e := range list {
		switch {
		case e.PolicyName == "":
			c.problem(at(path, i, "policyName"), "is missing")
		case strings.ContainsAny(e.PolicyName, "*?"):
			x.warn(at(path, i, "policyName"), fmt.Sprintf("%q names no policy: wildcards are for ruleNames", e.PolicyName))
		}
		if len(e.RuleNames) == 0 {
			x.warn(at(path, i, "ruleNames"), "is empty, so that nothing is excused: expected names of rules, with wildcards")
		}
		x.Excuses = append(x.Excuses, ExcusedRules{Policy: e.PolicyName, Rules: glob.CompileAll(e.RuleNames)})
	}
}

func (x *Exception) warn(path []any, message string) {
	x.Warnings = append(x.Warnings, Problem{Path: path, Message: message})
}

// compileAnyAll compiles a match block of the kinds that know any and all only.
func (c *compiler) compileAnyAll(m *kyvernov2.MatchResources, path []any) matcher {
	return c.compileMatch(&kyvernov1.MatchResources{Any: m.Any, All: m.All}, path)
}
