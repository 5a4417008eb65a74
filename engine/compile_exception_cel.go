package engine

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	policiesv1beta1 "github.com/kyverno/api/api/policies.kyverno.io/v1beta1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"github.com/holdfast-io/holdfast/engine/cel"
)

// labelPriority says which of several exceptions decides how an object is reported that all of them excuse.
const labelPriority = "polex.kyverno.io/priority"

// namespacedKind begins the kinds of policies.kyverno.io that are in a namespace.
const namespacedKind = "Namespaced"

// The words of reportResult.
const (
	reportSkip = "skip"
	reportPass = "pass"
)

// CompileCELException compiles a policies.kyverno.io PolicyException. All that is wrong with it comes back in one
// *CompileError.
//
// A policy that is in a namespace is named from its own namespace by its name, and from others as namespace/name: a name
// alone would mean those of all tenants.
// Source: https://kyverno.io/docs/exceptions/
func (cc *Compiler) CompileCELException(src *policiesv1beta1.PolicyException) (*Exception, error) {
	spec := &src.Spec
	c := &compiler{
		schema: cc.schema, cel: cc.cel, celSource: cel.Source{Language: cel.Kyverno, Namespace: src.Namespace},
		policy: &Policy{Kind: kindCELException, Namespace: src.Namespace, Name: src.Name},
	}
	x := &Exception{
		Namespace: src.Namespace, Name: src.Name, Background: true,
		inCEL: &celExcuse{allowed: cel.Exceptions{AllowedImages: spec.Images, AllowedValues: spec.AllowedValues}},
	}
	if x.Name == "" {
		c.problem([]any{"metadata", "name"}, "is missing")
	}
	c.compilePolicyRefs(x, spec.PolicyRefs)
	c.compileExceptionConditions(x.inCEL, spec.MatchConditions)
	c.compileExceptionMode(x, spec.EvaluationMode)
	if spec.ExpiresAt != nil {
		x.inCEL.until = spec.ExpiresAt.Time
	}
	switch spec.ReportResult {
	case "", reportSkip:
	case reportPass:
		x.inCEL.passes = true
	default:
		c.problem([]any{"spec", "reportResult"}, fmt.Sprintf("unknown value %q: expected %s or %s", spec.ReportResult, reportSkip, reportPass))
	}
	if value, ok := src.Labels[labelPriority]; ok {
		var err error
		if x.inCEL.priority, err = strconv.Atoi(value); err != nil {
			x.inCEL.priority = 0
			x.warn([]any{"metadata", "labels", labelPriority}, fmt.Sprintf("%q is no whole number: the priority is 0", value))
		}
	}
	if len(c.problems) > 0 {
		return nil, c.error()
	}
	var err error
	x.Digest, err = c.digest(struct {
		Spec     any
		Priority int
	}{spec, x.inCEL.priority})
	if err != nil {
		return nil, err
	}
	return x, nil
}

func (c *compiler) compilePolicyRefs(x *Exception, refs []policiesv1beta1.PolicyRef) {
	path := []any{"spec", "policyRefs"}
	if len(refs) == 0 {
		c.problem(path, "is empty: expected at least one policy")
	}
	for i, ref := range refs {
		if ref.Name == "" {
			c.problem(at(path, i, "name"), "is missing")
		}
		switch {
		case ref.Kind == "":
			c.problem(at(path, i, "kind"), "is missing")
		case !slices.Contains(excusableKinds(), ref.Kind):
			x.warn(at(path, i, "kind"), fmt.Sprintf("%q is no kind of policy that this exception excuses from: expected one of %s", ref.Kind, strings.Join(excusableKinds(), ", ")))
		}
		name := ref.Name
		if strings.HasPrefix(ref.Kind, namespacedKind) && !strings.Contains(name, "/") {
			name = x.Namespace + "/" + name
		}
		x.Excuses = append(x.Excuses, ExcusedRules{Kind: ref.Kind, Policy: name})
	}
}

// excusableKinds are the kinds of policies.kyverno.io.
func excusableKinds() []string {
	var out []string
	for _, kind := range []string{"DeletingPolicy", "GeneratingPolicy", "ImageValidatingPolicy", "MutatingPolicy", "ValidatingPolicy"} {
		out = append(out, kind, namespacedKind+kind)
	}
	return out
}

// compileExceptionConditions compiles the conditions, and once more those of them that need no request.
func (c *compiler) compileExceptionConditions(x *celExcuse, list []admissionregistrationv1.MatchCondition) {
	path := []any{"spec", "matchConditions"}
	if x.conditions = c.compileMatchConditions(list, path); x.conditions == nil {
		return
	}
	var atRest []admissionregistrationv1.MatchCondition
	for i := range list {
		one := c.compileMatchConditions(list[i:i+1], path)
		for _, fact := range one.rule.References() {
			if !slices.Contains([]string{"object", "oldObject", "request"}, fact) && !strings.HasPrefix(fact, "request.") && !strings.HasPrefix(fact, "namespaceObject") {
				c.problem(at(path, i, "expression"), fmt.Sprintf("reads %s: an exception has the object, oldObject, the request and namespaceObject to read, and looks nothing up", fact))
			}
		}
		slices.Sort(one.refs)
		if fact := (needs{refs: one.refs}).request(); fact == "" {
			atRest = append(atRest, list[i])
		} else if x.fact == "" {
			x.fact = fact
		}
	}
	if x.fact != "" {
		x.atRest = c.compileMatchConditions(atRest, path)
	}
}

// compileExceptionMode takes up for which policies the exception is, by the way in which they are evaluated.
func (c *compiler) compileExceptionMode(x *Exception, mode string) {
	x.inCEL.mode = evaluationMode(mode)
	switch x.inCEL.mode {
	case "", modeKubernetes, modeJSON:
	case modeEnvoy, modeHTTP:
		x.warn([]any{"spec", "evaluationMode"}, fmt.Sprintf("is %s: nothing is evaluated so here, so that nothing is excused", mode))
	default:
		c.problem([]any{"spec", "evaluationMode"}, fmt.Sprintf("unknown mode %q: expected Kubernetes, JSON, HTTP or Envoy", mode))
	}
}
