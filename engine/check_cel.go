package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine/cel"
)

// celCheck passes an object of which all expressions are true.
type celCheck struct {
	rule     *cel.Rule
	reads    celReads
	params   *celParams // nil: the expressions read none
	policyOf *Policy
	// annotates says that there are auditAnnotations.
	annotates bool
	// strict makes an expression without a result an error, as in an API server.
	strict bool
}

// celReads is what expressions read beside the object in hand.
type celReads struct {
	oldObject bool
	namespace bool // more of it than its name
	// exceptions says that what exceptions allow is read.
	exceptions bool
}

// celParams says which objects are parameters.
type celParams struct {
	kind      schema.GroupVersionKind
	namespace string // empty: the object's own
	name      string // empty: all that the selector selects
	selector  labels.Selector
	optional  bool // without a parameter the object passes
}

func (c *compiler) compileCEL(r *kyvernov1.Rule, path []any) (check checker, atDelete bool) {
	spec := r.Validation.CEL
	body := at(path, "validate", "cel")
	src := cel.Source{
		Conditions: r.CELPreconditions, Variables: spec.Variables, Validations: spec.Expressions, Annotations: spec.AuditAnnotations,
		Message: r.Validation.Message, Params: cel.ParamsUse(spec.HasParam()),
		Paths: cel.Paths{
			Conditions: at(path, "celPreconditions"), Variables: at(body, "variables"),
			Validations: at(body, "expressions"), Annotations: at(body, "auditAnnotations"),
		},
	}
	if len(src.Validations) == 0 && len(src.Annotations) == 0 {
		c.problem(at(body, "expressions"), "is empty: expected at least one expression")
	}
	out := &celCheck{policyOf: c.policy, annotates: len(spec.AuditAnnotations) > 0}
	if spec.HasParam() {
		out.params = c.compileCELParams(spec, body)
	}
	out.rule = c.compileCELSource(src, body)
	if out.rule == nil {
		return nil, false
	}
	facts := out.rule.References()
	out.reads = readsOf(facts)
	// an object that goes is null to an expression, which can be about what went and who asked only if it reads that
	atDelete = !slices.Contains(facts, "object") || out.reads.oldObject || slices.ContainsFunc(facts, func(fact string) bool {
		return fact == "request" || fact == "request.operation"
	})
	return out, atDelete
}

// compileCELSource compiles expressions, counts what they read of the request, and gives nil if anything is wrong.
func (c *compiler) compileCELSource(src cel.Source, path []any) *cel.Rule {
	rule, err := c.cel.Compile(src)
	var wrong *cel.CompileError
	switch {
	case errors.As(err, &wrong):
		for _, p := range wrong.Problems {
			c.problem(p.Path, p.Text())
		}
		return nil
	case err != nil:
		c.problem(path, err.Error())
		return nil
	}
	for _, fact := range rule.References() {
		switch {
		case strings.HasPrefix(fact, "request."):
			c.refs = append(c.refs, fact)
		case fact == "globalContext":
			c.refs = append(c.refs, refGlobalContext)
		case fact == "authorizer": // it is about who asks
			c.refs = append(c.refs, "request.userInfo")
		}
	}
	return rule
}

func readsOf(facts []string) celReads {
	return celReads{
		oldObject: slices.Contains(facts, "oldObject"), namespace: slices.Contains(facts, "namespaceObject"),
		exceptions: slices.Contains(facts, "exceptions"),
	}
}

func (c *compiler) compileCELParams(spec *kyvernov1.CEL, path []any) *celParams {
	out := &celParams{kind: c.paramKind(spec.ParamKind, at(path, "paramKind"))}
	c.paramRef(out, spec.ParamRef, at(path, "paramRef"))
	if err := c.policy.reaches(out.namespace); err != nil && out.namespace != "" {
		c.problem(at(path, "paramRef", "namespace"), err.Error())
	}
	return out
}

func (c *compiler) paramKind(kind *admissionregistrationv1.ParamKind, path []any) schema.GroupVersionKind {
	version, err := schema.ParseGroupVersion(kind.APIVersion)
	if err != nil || kind.APIVersion == "" {
		c.problem(at(path, "apiVersion"), fmt.Sprintf("%q is no version: expected one like v1 or example.com/v1", kind.APIVersion))
	}
	if kind.Kind == "" {
		c.problem(at(path, "kind"), "is missing")
	}
	return version.WithKind(kind.Kind)
}

// paramRef reads which objects of a kind are parameters.
func (c *compiler) paramRef(out *celParams, ref *admissionregistrationv1.ParamRef, path []any) {
	out.namespace, out.name = ref.Namespace, ref.Name
	if (ref.Name == "") == (ref.Selector == nil) {
		c.problem(path, "expected one of name and selector")
	}
	if ref.Selector != nil {
		var err error
		if out.selector, err = metav1.LabelSelectorAsSelector(ref.Selector); err != nil {
			c.problem(at(path, "selector"), err.Error())
		}
	}
	if action := ref.ParameterNotFoundAction; action != nil {
		switch *action {
		case admissionregistrationv1.AllowAction:
			out.optional = true
		case admissionregistrationv1.DenyAction:
		default:
			c.problem(at(path, "parameterNotFoundAction"), fmt.Sprintf("unknown value %q: expected Allow or Deny", *action))
		}
	}
}

func (k *celCheck) check(x *scope) *Decision {
	if k.params == nil {
		return k.judge(x, x.e.celInput(x.object, k.reads))
	}
	params, err := x.e.celParameters(k.policyOf, k.params)
	if err != nil {
		return x.rule.failed(fmt.Errorf("the parameters: %w", err))
	}
	if len(params) == 0 {
		return x.rule.decide(Pass, "there is no parameter to judge by")
	}
	// One failure among the parameters is enough, in whatever order they come; without one, an error is; and the rule is
	// skipped only where each of them skips it.
	var worst *Decision
	for _, param := range params {
		in := x.e.celInput(x.object, k.reads)
		in.Params = param
		d := k.judge(x, in)
		if d.Status == Fail {
			return d
		}
		if worst == nil || d.Status == Error || (worst.Status == Skip && d.Status == Pass) {
			worst = d
		}
	}
	return worst
}

// judge evaluates the rule and, for the audit log of a request, its annotations. One without a result is an error, as in
// an API server.
func (k *celCheck) judge(x *scope, in *cel.Input) *Decision {
	d := k.decide(x, k.rule.Evaluate(x.e.ctx, in))
	if !k.annotates || x.e.unasked() || d.Status == Skip || d.Status == Error {
		return d
	}
	notes, err := k.rule.Annotate(x.e.ctx, in)
	if err != nil {
		return x.rule.failed(err)
	}
	d.Annotations = notes
	return d
}

// decide gives a result as the rule's verdict. An expression without a result (a field that the object does not have) is
// a failure in a rule of a ClusterPolicy, as in Kyverno: the object could not be shown to be in order. At rest it is none where the expressions read
// the old object, which only an update has.
func (k *celCheck) decide(x *scope, res cel.Result) *Decision {
	switch res.Outcome {
	case cel.Pass:
		return x.rule.decide(Pass, "")
	case cel.Skip:
		return x.rule.decide(Skip, joinNonEmpty(": ", "celPreconditions not met", res.Condition))
	case cel.Fail:
		return x.rule.decide(Fail, res.Message)
	}
	switch {
	case !errors.Is(res.Err, cel.ErrExpression):
		return x.rule.failed(res.Err)
	case x.e.unasked() && k.reads.oldObject:
		return x.rule.notAuditable("needs oldObject")
	case k.strict:
		return x.rule.failed(res.Err)
	default:
		return x.rule.decide(Fail, res.Err.Error())
	}
}
