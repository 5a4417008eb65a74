package migrate

import (
	"fmt"

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
		message := v.Message
		if message == "" && v.MessageExpression == "" {
			message = r.Validation.Message
		}
		out.add("message", message)
		out.add("messageExpression", v.MessageExpression)
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
	d.validations = append(d.validations, validation(test, "the condition "+c.Name+" of the policy cannot be told"))
	return err
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
		in.variables[v.Name] = in.read(v.Expression)
	}
	for _, v := range r.Validation.CEL.Expressions {
		in.read(v.Expression)
	}
	return in.object, nil
}
