package migrate

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
)

// translateCEL takes over the expressions of a validate.cel rule.
func (d *draft) translateCEL(r *kyvernov1.Rule) error {
	spec := r.Validation.CEL
	if spec.HasParam() {
		return under(refuse("parameters: a ValidatingPolicy has none"), "paramKind")
	}
	total, err := newTotaler(d.selection)
	if err != nil {
		return err
	}
	for i, v := range spec.Variables {
		if err := total.declare(v.Name, v.Expression); err != nil {
			return under(err, "variables", i)
		}
		d.variables = append(d.variables, fields{{"name", v.Name}, {"expression", v.Expression}})
	}
	for i, c := range r.CELPreconditions {
		if err := d.precondition(total, c); err != nil {
			return under(err, "celPreconditions", i)
		}
	}
	for i, v := range spec.Expressions {
		test, err := total.total(v.Expression)
		if err != nil {
			return under(err, "expressions", i)
		}
		var out fields
		message, inCEL := v.Message, v.MessageExpression
		if message == "" && inCEL == "" {
			if message, inCEL, err = d.message(r.Validation.Message, "object"); err != nil {
				return err
			}
		}
		out.add("message", message)
		out.add("messageExpression", inCEL)
		out.add("expression", test.Lines())
		if v.Reason != nil {
			out.add("reason", string(*v.Reason))
		}
		d.validations = append(d.validations, out)
	}
	for _, a := range spec.AuditAnnotations {
		d.annotations = append(d.annotations, fields{{"key", a.Key}, {"valueExpression", a.ValueExpression}})
	}
	return nil
}

// precondition writes a celPrecondition: one without a result is a failure of the rule, too.
func (d *draft) precondition(total *totaler, c admissionregistrationv1.MatchCondition) error {
	refuted, changed, err := total.refuted(c.Expression)
	if err != nil {
		return err
	}
	if !changed {
		d.conditions = append(d.conditions, condition{c.Name, is(c.Expression)})
		return nil
	}
	d.conditions = append(d.conditions, condition{c.Name, not(refuted)})
	test, err := total.total(c.Expression)
	d.validations = append(d.validations, validation(test, "the condition "+c.Name+" of the policy cannot be told", ""))
	return err
}

var (
	variableName = regexp.MustCompile(`\bvariables\.([a-zA-Z_][a-zA-Z0-9_]*)`)
	objectName   = regexp.MustCompile(`(^|[^.\w'"])object\b`)
	otherFacts   = regexp.MustCompile(`(^|[^.\w'"])(oldObject|request)\b`)
)

// celBefore gives what the rule says of the old object of an update and of the new one: that it does not fail.
// matchConditions know no variables, so that they are written out.
func (d *draft) celBefore(r *kyvernov1.Rule) (was, is expression, err error) {
	spec := r.Validation.CEL
	variables := map[string]string{}
	inlined := func(source string) string {
		return variableName.ReplaceAllStringFunc(source, func(found string) string {
			if value, ok := variables[strings.TrimPrefix(found, "variables.")]; ok {
				return "(" + value + ")"
			}
			return found
		})
	}
	for _, v := range spec.Variables {
		variables[v.Name] = inlined(v.Expression)
	}
	var sources []string
	for _, c := range r.CELPreconditions {
		sources = append(sources, inlined(c.Expression))
	}
	preconditions := len(sources)
	for _, v := range spec.Expressions {
		sources = append(sources, inlined(v.Expression))
	}
	total, err := newTotaler(d.selection)
	if err != nil {
		return was, is, err
	}
	judge := func(rename func(string) string) (expression, error) {
		holds := expression{op: always}
		for i, source := range slices.Backward(sources) {
			if otherFacts.MatchString(source) {
				return holds, refuse("allowExistingViolations of a rule that reads the request")
			}
			test, err := total.total(rename(source))
			if err != nil {
				return holds, err
			}
			holds = and(test.asPart(), holds)
			if i >= preconditions {
				continue
			}
			left, _, err := total.refuted(rename(source))
			if err != nil {
				return holds, err
			}
			holds = or(left, holds)
		}
		return holds, nil
	}
	if was, err = judge(func(s string) string { return objectName.ReplaceAllString(s, "${1}oldObject") }); err != nil {
		return was, is, err
	}
	is, err = judge(func(s string) string { return s })
	return was, is, err
}

// shapeOfCEL is what the expressions of a rule say of the object.
func shapeOfCEL(r *kyvernov1.Rule) (*shape, error) {
	in, err := newReader()
	if err != nil {
		return nil, fmt.Errorf("reading the expressions: %w", err)
	}
	for _, c := range r.CELPreconditions {
		in.read(c.Expression)
	}
	for _, v := range r.Validation.CEL.Variables {
		in.declare(v.Name, v.Expression)
	}
	for _, v := range r.Validation.CEL.Expressions {
		in.read(v.Expression)
	}
	return in.object, nil
}
