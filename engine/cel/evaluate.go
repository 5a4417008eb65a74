package cel

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
)

// Input is what expressions may read. Values are as encoding/json decodes them; they are read in place and never changed.
type Input struct {
	// Object is the object as it will be, nil on DELETE; OldObject gives it as it was, nil on CREATE, and is asked when an
	// expression reads it. A nil function means that there was none. To an expression of Kubernetes' language what is not
	// there is null, to one of Kyverno's it is an object without fields.
	Object    map[string]any
	OldObject func() map[string]any
	// Payload, if it is set, is what expressions read as object in the place of Object: any JSON value.
	Payload *any
	// Request gives the fields of the admission request, and is asked once at most, when an expression reads one. A
	// field that is left out is one that the request does not have. Nil means no fields at all.
	Request func() map[string]any
	// Namespace gives the namespace of the object, or nil if it has none, and is asked once at most. A nil function
	// means that there is none.
	Namespace func() (map[string]any, error)
	// Params is the parameter, if the Source has one.
	Params map[string]any
	// Exceptions is what exceptions allow, for Kyverno's language.
	Exceptions Exceptions
	// World answers what expressions ask beyond the request. Where it is nil, nothing can be looked up, and there is no
	// time and no randomness.
	World World
}

// Outcome tells how an evaluation ended.
type Outcome uint8

// The outcomes. Skip means that a condition is not met, Error that an expression has no result.
const (
	Pass Outcome = iota
	Fail
	Skip
	Error
)

func (o Outcome) String() string {
	switch o {
	case Pass:
		return "pass"
	case Fail:
		return "fail"
	case Skip:
		return "skip"
	default:
		return "error"
	}
}

// Result is the verdict of a Rule.
type Result struct {
	Outcome Outcome
	// Message says why a validation failed, in the policy's words where it has any.
	Message string
	// Reason goes with a failure, for the status of the answer.
	Reason metav1.StatusReason
	// Expression is the index of the validation that failed or has no result; -1 if it is none of them.
	Expression int
	// Condition is the name of the condition that is not met.
	Condition string
	// Err is the cause of an Error. It wraps ErrExpression if an expression is to blame.
	Err error
}

// Evaluate judges the input: the conditions first, then the validations in their order, up to the first that is not true.
func (r *Rule) Evaluate(ctx context.Context, in *Input) Result {
	e := r.begin(ctx, in)
	met, name, err := e.match()
	if err != nil {
		return Result{Outcome: Error, Expression: -1, Err: fmt.Errorf("conditions: %w", err)}
	}
	if !met {
		return Result{Outcome: Skip, Expression: -1, Condition: name}
	}
	e.budget = celconfig.RuntimeCELCostBudget
	for i := range r.validations {
		v := &r.validations[i]
		ok, err := e.isTrue(&v.program)
		if err != nil {
			return Result{Outcome: Error, Expression: i, Err: err}
		}
		if !ok {
			return Result{Outcome: Fail, Expression: i, Message: e.message(v), Reason: v.reason}
		}
	}
	return Result{Outcome: Pass, Expression: -1}
}

// Match evaluates the conditions alone. It gives the name of the one that is not met. A condition without a result is an
// error only if no other is false, as in an API server.
func (r *Rule) Match(ctx context.Context, in *Input) (met bool, name string, err error) {
	return r.begin(ctx, in).match()
}

// Annotate evaluates the audit annotations. Those with an empty text or null as their value are left out.
func (r *Rule) Annotate(ctx context.Context, in *Input) (map[string]string, error) {
	return r.begin(ctx, in).annotate()
}

func (e *evaluation) annotate() (map[string]string, error) {
	list := e.rule.annotations
	defer e.unauthorize()()
	out := make(map[string]string, len(list))
	for i := range list {
		a := &list[i]
		v, err := e.run(&a.program)
		if err != nil {
			return nil, fmt.Errorf("audit annotation %s: %w", a.key, err)
		}
		switch v := v.(type) {
		case types.Null:
		case types.String:
			if text := strings.TrimSpace(string(v)); text != "" {
				out[a.key] = text
			}
		default:
			return nil, fmt.Errorf("audit annotation %s: %w", a.key, a.failed(fmt.Errorf("it gives %s: expected string or null", v.Type().TypeName())))
		}
	}
	return out, nil
}

// evaluation is one Input on its way through the expressions of one Rule.
type evaluation struct {
	ctx    context.Context
	rule   *Rule
	in     *Input
	budget int64     // what further work may cost
	values []ref.Val // of variables; nil: not evaluated
	vars   variables

	request, namespace             any
	requestAsked, namespaceIsAsked bool
	unauthorized                   bool  // the authorizer is not known
	calls                          int   // to the World
	generated, generatedText       int   // objects, and what they hold
	outside                        error // of a look-up, or the end of the time
	exhausted                      bool
}

func (r *Rule) begin(ctx context.Context, in *Input) *evaluation {
	e := &evaluation{ctx: ctx, rule: r, in: in, budget: celconfig.RuntimeCELCostBudget}
	e.vars.e = e
	return e
}

func (e *evaluation) match() (met bool, name string, err error) {
	e.budget = celconfig.RuntimeCELCostBudgetMatchConditions
	var errs []error
	for i := range e.rule.conditions {
		c := &e.rule.conditions[i]
		ok, err := e.isTrue(&c.program)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("%s: %w", c.name, err))
			if !errors.Is(err, ErrExpression) || e.exhausted || e.calls > maxCalls {
				return false, "", errors.Join(errs...)
			}
		case !ok:
			return false, c.name, nil
		}
	}
	return len(errs) == 0, "", errors.Join(errs...)
}

func (e *evaluation) isTrue(p *program) (bool, error) {
	v, err := e.run(p)
	if err != nil {
		return false, err
	}
	b, ok := v.(types.Bool)
	if !ok {
		return false, p.failed(fmt.Errorf("it gives %s: expected bool", v.Type().TypeName()))
	}
	return bool(b), nil
}

// run evaluates one expression and pays for it.
func (e *evaluation) run(p *program) (ref.Val, error) {
	if err := e.ctx.Err(); err != nil {
		return nil, fmt.Errorf("not evaluated in time: %w", err)
	}
	v, details, err := p.ContextEval(e.ctx, e)
	e.pay(details)
	switch late := e.ctx.Err(); {
	case err != nil && late != nil:
		return nil, fmt.Errorf("not evaluated in time: %w", late)
	case e.exhausted:
		return nil, p.failed(errors.New("the expressions of the rule cost more than an evaluation may"))
	case e.calls > maxCalls:
		return nil, p.failed(errTooManyCalls)
	case e.outside != nil: // also where || or orValue has another answer: what could not be told is neither true nor false
		return nil, e.outside
	case err != nil:
		return nil, p.failed(err)
	}
	return v, nil
}

func (e *evaluation) pay(details *cel.EvalDetails) {
	cost := details.ActualCost()
	switch {
	case cost == nil: // cannot be, as the environment tracks it
		e.exhausted = true
	case *cost > math.MaxInt64 || int64(*cost) > e.budget:
		e.exhausted = true
	default:
		e.budget -= int64(*cost)
	}
}

func (p *program) failed(err error) error { return &failure{strings.TrimSpace(p.text), err} }

// message is the text of a failed validation: of messageExpression, if that gives one that can be shown, else the one in
// the policy, else the expression itself.
func (e *evaluation) message(v *validation) string {
	if v.messageCEL != nil {
		if text := e.messageText(v.messageCEL); text != "" {
			return text
		}
	}
	if v.message != "" {
		return v.message
	}
	return "failed expression: " + strings.TrimSpace(v.text)
}

func (e *evaluation) messageText(p *program) string {
	defer e.unauthorize()()
	v, err := e.run(p)
	if err != nil {
		return ""
	}
	s, ok := v.(types.String)
	if !ok {
		return ""
	}
	text := strings.TrimSpace(string(s))
	if len(text) > celconfig.MaxEvaluatedMessageExpressionSizeBytes || strings.Contains(text, "\n") {
		return ""
	}
	return text
}

// Parent ends the chain of activations.
func (e *evaluation) Parent() cel.Activation { return nil }

// ResolveName gives the values of the declared names. An object that is not there is null.
func (e *evaluation) ResolveName(name string) (any, bool) {
	switch name {
	case varObject:
		return e.object(), true
	case varOldObject:
		return e.orAbsent(e.oldObject()), true
	case varParams:
		return orNull(e.in.Params), true
	case varVariables:
		return &e.vars, true
	case varRequest:
		if !e.requestAsked {
			e.requestAsked = true
			e.request = e.askRequest()
		}
		return e.request, true
	case varNamespace:
		if !e.namespaceIsAsked {
			e.namespaceIsAsked = true
			e.namespace = e.askNamespace()
		}
		return e.namespace, true
	case varAuthorizer, varRequestAuthorizer:
		return e.authorizer(name), true
	default:
		return e.library(name)
	}
}

func (e *evaluation) object() any {
	if e.in.Payload != nil {
		return *e.in.Payload
	}
	return e.orAbsent(e.in.Object)
}

func (e *evaluation) oldObject() map[string]any {
	if e.in.OldObject == nil {
		return nil
	}
	return e.in.OldObject()
}

func (e *evaluation) askRequest() map[string]any {
	request := map[string]any{}
	if e.in.Request != nil {
		request = e.in.Request()
	}
	if e.rule.requestObjects {
		request = maps.Clone(request)
		request[varObject], request[varOldObject] = e.object(), orNull(e.oldObject())
	}
	return request
}

func (e *evaluation) askNamespace() any {
	if e.in.Namespace == nil {
		return nil
	}
	namespace, err := e.in.Namespace()
	if err != nil {
		e.outside = fmt.Errorf("reading the namespace: %w", err)
		return types.WrapErr(e.outside)
	}
	return orNull(namespace)
}

// orAbsent makes a missing object what it is in the language of the rule.
func (e *evaluation) orAbsent(o map[string]any) any {
	if o == nil && e.rule.language == Kyverno {
		return map[string]any{}
	}
	return orNull(o)
}

// orNull makes a missing object the nil that is null to CEL.
func orNull(o map[string]any) any {
	if o == nil {
		return nil
	}
	return o
}
