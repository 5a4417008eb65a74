package engine

import (
	"fmt"
	"slices"

	policiesv1beta1 "github.com/kyverno/api/api/policies.kyverno.io/v1beta1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine/cel"
	"github.com/holdfast-io/holdfast/engine/mutate"
)

// CompileGenerating compiles a policies.kyverno.io GeneratingPolicy or NamespacedGeneratingPolicy into a policy with one
// generate rule. All that is wrong with it comes back in one *CompileError. Document is the same policy as JSON values,
// which may tell how old it is; it may be nil.
// Source: https://kyverno.io/docs/policy-types/generating-policy/
func (cc *Compiler) CompileGenerating(src policiesv1beta1.GeneratingPolicyLike, document map[string]any) (*Policy, error) {
	spec := src.GetSpec()
	c := cc.celPolicy(src, src.GetKind())
	c.document = document
	p := c.policy
	p.FailurePolicy, p.Admission, p.Background = IgnoreOnError, spec.AdmissionEnabled(), true
	if len(p.Name) > maxLabel {
		c.problem([]any{"metadata", "name"}, fmt.Sprintf("is longer than %d characters: what the policy generates is labelled with it", maxLabel))
	}
	if w := spec.WebhookConfiguration; w != nil {
		c.compileTimeout(w.TimeoutSeconds, []any{"spec", "webhookConfiguration", "timeoutSeconds"})
	}
	rule := &Rule{Policy: p, Kind: Generate, ownToo: !spec.SkipBackgroundRequestsEnabled()}
	if m := spec.MatchConstraints; m == nil || len(m.ResourceRules) == 0 { // policies that validate would select nothing, or everything
		c.problem([]any{"spec", "matchConstraints"}, "selects nothing: expected resourceRules")
	}
	rule.match, rule.exclude = c.compileMatchConstraints(plainOperations(spec.MatchConstraints), []any{"spec", "matchConstraints"})
	rule.conditions = c.compileMatchConditions(spec.MatchConditions, []any{"spec", "matchConditions"})
	if rule.conditions != nil {
		rule.conditions.told = false      // as with the peer, there is no result where they are not met
		rule.conditions.forgiving = false // no write waits for the policy, and an error is to be seen
	}
	rule.generate = &generation{
		synchronize: spec.SynchronizationEnabled(), orphan: spec.OrphanDownstreamOnPolicyDeleteEnabled(),
		existing: spec.GenerateExistingEnabled(), serverSideApply: spec.UseServerSideApply,
		created: creationTime(document), version: resourceVersion(document), schema: c.schema,
		cel: c.compileCELGeneration(spec),
	}
	c.addCELRule(rule)
	return c.finish(spec)
}

// plainOperations are the constraints with * written out. It does not stand for DELETE, as with the peer: a policy that
// means to generate when its trigger goes says so.
func plainOperations(m *admissionregistrationv1.MatchResources) *admissionregistrationv1.MatchResources {
	if m == nil {
		return nil
	}
	m = m.DeepCopy()
	for i := range m.ResourceRules {
		r := &m.ResourceRules[i]
		if slices.Contains(r.Operations, admissionregistrationv1.OperationAll) {
			r.Operations = append(slices.DeleteFunc(r.Operations, func(op admissionregistrationv1.OperationType) bool { return op == admissionregistrationv1.OperationAll }),
				admissionregistrationv1.Create, admissionregistrationv1.Update, admissionregistrationv1.Connect)
		}
	}
	return m
}

// celGeneration is what a GeneratingPolicy generates.
type celGeneration struct {
	rule      *cel.Rule
	reads     celReads
	annotates bool
	// makes is what the text of the policy tells of it. Open says that this is not all.
	makes []cel.Made
	kinds []schema.GroupVersionKind
	open  bool
}

// compileCELGeneration compiles the generations with their variables and annotations; nil if anything is wrong.
func (c *compiler) compileCELGeneration(spec *policiesv1beta1.GeneratingPolicySpec) *celGeneration {
	src := c.celSource
	src.Variables, src.Paths.Variables = spec.Variables, []any{"spec", "variables"}
	src.Annotations, src.Paths.Annotations = spec.AuditAnnotations, []any{"spec", "auditAnnotations"}
	src.Paths.Generations = []any{"spec", "generate"}
	if len(spec.Generation) == 0 {
		c.problem(src.Paths.Generations, "is empty: expected at least one expression or template")
	}
	for i := range spec.Generation {
		src.Generations = append(src.Generations, c.celGenerationOf(&spec.Generation[i], at(src.Paths.Generations, i)))
	}
	rule := c.compileCELSource(src, []any{"spec"})
	if rule == nil {
		return nil
	}
	out := &celGeneration{rule: rule, reads: readsOf(rule.References()), annotates: len(spec.AuditAnnotations) > 0}
	out.findKinds(c.schema)
	return out
}

func (c *compiler) celGenerationOf(g *policiesv1beta1.Generation, path []any) cel.Generation {
	out := cel.Generation{Expression: g.Expression}
	if g.Template == nil {
		return out
	}
	out.Template = &cel.Template{Value: g.Template.Value}
	switch g.Template.Interpolate {
	case "", policiesv1beta1.InterpolationModeNone:
	case policiesv1beta1.InterpolationModeCEL:
		out.Template.Interpolate = cel.CELTemplate
	default:
		c.problem(at(path, "template", "interpolate"), fmt.Sprintf("unknown value %q: expected none or cel", g.Template.Interpolate))
	}
	return out
}

// findKinds names the kinds of what the text of the policy tells that it generates.
func (c *celGeneration) findKinds(known *mutate.Schema) {
	var more bool
	c.makes, more = c.rule.Makes()
	c.open = more && len(c.makes) == 0
	for _, m := range c.makes {
		kind := schema.FromAPIVersionAndKind(m.APIVersion, m.Kind)
		if m.Kind == "" {
			found, ok := known.KindOf(kind.GroupVersion().WithResource(m.Plural))
			if !ok {
				c.open = true
				continue
			}
			kind = found
		}
		if !slices.Contains(c.kinds, kind) {
			c.kinds = append(c.kinds, kind)
		}
	}
}
