package migrate

import (
	"encoding/json"
	"slices"
	"strings"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
)

// translateRule writes a rule as a CEL policy of the name.
func translateRule(r *kyvernov1.Rule, policyName string, enforced bool, operations []string) (*draft, error) {
	switch {
	case r.Mutation != nil:
		return nil, under(refuse("mutate rules are not translated yet"), "mutate")
	case r.Generation != nil:
		return nil, under(refuse("generate rules are not translated yet"), "generate")
	case len(r.VerifyImages) > 0:
		return nil, under(refuse("verifyImages belongs into an ImageValidatingPolicy, which is not built yet"), "verifyImages")
	case r.Validation == nil:
		return nil, refuse("the rule has no action")
	case len(r.Context) > 0:
		return nil, under(refuse("variables of the context"), "context")
	}
	return translateValidation(r, policyName, enforced, operations)
}

func translateValidation(r *kyvernov1.Rule, policyName string, enforced bool, operations []string) (*draft, error) {
	v := r.Validation
	d := &draft{name: policyName}
	if v.CEL != nil {
		return d, d.celRule(r, enforced, operations)
	}
	if v.Deny != nil {
		return d, d.denyRule(r, enforced, operations)
	}
	var body func(object reference) (verdicts, error)
	var path string
	switch {
	case v.GetPattern() != nil:
		path = "pattern"
		body = func(object reference) (verdicts, error) { return translatePattern(decoded(v.GetPattern()), object) }
	case v.GetAnyPattern() != nil:
		path = "anyPattern"
		body = func(object reference) (verdicts, error) {
			return translateAnyPattern(decoded(v.GetAnyPattern()), object)
		}
	default:
		return nil, under(refuse("%s is not translated yet", bodyOf(v)), "validate", bodyOf(v))
	}
	var err error
	if d.selection, err = translateSelection(r, allOperations[:2], "object"); err != nil {
		return nil, err
	}
	if err := d.selection.leaveOut("DELETE"); err != nil {
		return nil, err
	}
	if err := d.preconditions(r, "object"); err != nil {
		return nil, err
	}
	got, err := body(reference{base: "object", typ: d.selection.typ})
	if err != nil {
		return nil, under(err, "validate", path)
	}
	if got.skip.op != never {
		d.conditions = append(d.conditions, condition{"conditions-of-the-pattern", not(got.skip)})
	}
	message, inCEL, err := d.message(v.Message, "object")
	if err != nil {
		return nil, under(err, "validate", "message")
	}
	for _, test := range parts(got.holds) {
		d.validations = append(d.validations, validation(test, message, inCEL))
	}
	if !enforced || v.AllowExistingViolations != nil && !*v.AllowExistingViolations {
		return d, nil
	}
	was, err := body(reference{base: "oldObject", typ: d.selection.typ})
	if err != nil {
		return nil, under(err, "validate", path)
	}
	return d, d.keepExisting(r, allOperations[:2], was.holds, got.holds)
}

// keepExisting completes what says that updates of objects that violate the rule already are let pass.
func (d *draft) keepExisting(r *kyvernov1.Rule, operations []string, was, is expression) error {
	before := &draft{}
	var err error
	if before.selection, err = translateSelection(r, operations, "oldObject"); err != nil {
		return err
	}
	if err := before.preconditions(r, "oldObject"); err != nil {
		return err
	}
	d.allowExisting(slices.Concat(before.selection.conditions, before.conditions), was, is)
	return nil
}

// preconditions become a matchCondition. Where they speak of the operation, the rule is not asked about others.
func (d *draft) preconditions(r *kyvernov1.Rule, object string) error {
	if r.RawAnyAllConditions == nil {
		return nil
	}
	raw := decoded(r.RawAnyAllConditions.Conditions)
	s := d.scope(object)
	test, err := s.conditions(raw)
	if err != nil {
		return under(err, "preconditions")
	}
	if test.op != always {
		d.conditions = append(d.conditions, condition{"preconditions", test})
	}
	return nil
}

// scope is where the variables of conditions lead. An old object is judged as if it were being created.
func (d *draft) scope(object string) scopeOf {
	s := scopeOf{object: reference{base: object, typ: d.selection.typ}, operation: "request.operation"}
	if object == "oldObject" {
		s.operation = `"CREATE"`
	}
	return s
}

// denyRule translates deny conditions: where they hold, the rule fails.
func (d *draft) denyRule(r *kyvernov1.Rule, enforced bool, operations []string) error {
	operations = slices.DeleteFunc(slices.Clone(operations), func(op string) bool { return refutes(r, op) })
	object := "object"
	if slices.Contains(operations, "DELETE") {
		object = `(request.operation == "DELETE" ? oldObject : object)`
	}
	var err error
	if d.selection, err = translateSelection(r, operations, object); err != nil {
		return err
	}
	for _, op := range allOperations {
		if refutes(r, op) {
			if err := d.selection.leaveOut(op); err != nil {
				return err
			}
		}
	}
	if err := d.preconditions(r, object); err != nil {
		return err
	}
	judge := func(object string) (expression, error) {
		if r.Validation.Deny.RawAnyAllConditions == nil {
			return expression{op: always}, nil
		}
		s := d.scope(object)
		test, err := s.conditions(decoded(r.Validation.Deny.RawAnyAllConditions.Conditions))
		return test, under(err, "validate", "deny", "conditions")
	}
	denied, err := judge(object)
	if err != nil {
		return err
	}
	message, inCEL, err := d.message(r.Validation.Message, object)
	if err != nil {
		return under(err, "validate", "message")
	}
	d.validations = append(d.validations, validation(not(denied), message, inCEL))
	d.shape = shapeOfConditions(r)
	if !enforced || r.Validation.AllowExistingViolations != nil && !*r.Validation.AllowExistingViolations {
		return nil
	}
	was, err := judge("oldObject")
	if err != nil {
		return err
	}
	return d.keepExisting(r, operations, not(was), not(denied))
}

// celRule translates a rule whose expressions are CEL already.
func (d *draft) celRule(r *kyvernov1.Rule, enforced bool, operations []string) error {
	var err error
	if d.selection, err = translateSelection(r, operations, "object"); err != nil {
		return err
	}
	if d.shape, err = shapeOfCEL(r); err != nil {
		return err
	}
	if err := d.translateCEL(r); err != nil {
		return under(err, "validate", "cel")
	}
	if !enforced || r.Validation.AllowExistingViolations != nil && !*r.Validation.AllowExistingViolations {
		return nil
	}
	was, is, err := d.celBefore(r)
	if err != nil {
		return under(err, "validate", "cel")
	}
	return d.keepExisting(r, operations, was, is)
}

// allowExisting leaves out updates of objects that violated the rule before, and still do.
func (d *draft) allowExisting(before []condition, was, is expression) {
	any := []expression{compare("request.operation", "!=", `"UPDATE"`)}
	for _, c := range before {
		if strings.Contains(c.test.String(), "oldObject") {
			any = append(any, not(c.test))
		}
	}
	d.existing = condition{"no-existing-violation", or(append(any, was, is)...)}
	d.selection.notes = append(d.selection.notes,
		"the matchCondition no-existing-violation says what allowExistingViolations says: without it, updates of objects that violate the policy already are denied too")
}

// parts gives the expressions that must all hold, each a validation of its own with what guards it.
func parts(e expression) []expression {
	if e.op != conjunction || len(e.String()) <= lineWidth {
		return []expression{e}
	}
	var out, guards []expression
	for _, arg := range e.args {
		guards = append(guards, arg)
		if text := arg.String(); !strings.HasPrefix(text, "has(") && !strings.HasPrefix(text, "type(") {
			out, guards = append(out, and(guards...)), nil
		}
	}
	if len(guards) > 0 {
		out = append(out, and(guards...))
	}
	return out
}

func bodyOf(v *kyvernov1.Validation) string {
	switch {
	case v.Deny != nil:
		return "deny"
	case len(v.ForEachValidation) > 0:
		return "foreach"
	case v.CEL != nil:
		return "cel"
	case v.PodSecurity != nil:
		return "podSecurity"
	case v.Manifests != nil:
		return "manifests"
	default:
		return "assert"
	}
}

// leaveOut drops an operation on which the rule says nothing.
func (s *selection) leaveOut(operation string) error {
	for i := range s.rules {
		s.rules[i].operations = slices.DeleteFunc(slices.Clone(s.rules[i].operations), func(op string) bool { return op == operation })
		if len(s.rules[i].operations) == 0 {
			return under(refuse("the rule has nothing to say about the operations that it matches"), "match")
		}
	}
	return nil
}

func translatePattern(tree any, object reference) (verdicts, error) {
	if err := checkStatic(tree); err != nil {
		return verdicts{}, err
	}
	if key, found := unsettled(tree, object.typ != nil && !isCustom(object.typ)); found {
		return verdicts{}, refuse("where an object fails and has %s nowhere, the rule answers with an error and not with a failure", key)
	}
	m, ok := tree.(map[string]any)
	if !ok {
		return verdicts{}, refuse("the pattern is no object")
	}
	w := &walker{}
	return w.object(m, object, anywhere)
}

// translateAnyPattern passes with the first pattern that does, and skips if every pattern does.
func translateAnyPattern(tree any, object reference) (verdicts, error) {
	list, ok := tree.([]any)
	if !ok || len(list) == 0 {
		return verdicts{}, refuse("the patterns are no list")
	}
	out := verdicts{pass: expression{op: never}, skip: expression{op: always}}
	for i, item := range list {
		if err := checkStatic(item); err != nil {
			return verdicts{}, under(err, i)
		}
		m, ok := item.(map[string]any)
		if !ok {
			return verdicts{}, under(refuse("the pattern is no object"), i)
		}
		w := &walker{}
		v, err := w.object(m, object, anywhere)
		if err != nil {
			return verdicts{}, under(err, i)
		}
		out.pass, out.skip = or(out.pass, v.pass), and(out.skip, v.skip)
	}
	out.holds = or(out.pass, out.skip)
	return out, nil
}

// decoded gives a part of a typed policy as encoding/json decodes it.
func decoded(v any) any {
	var out any
	raw, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	if err != nil {
		return nil // what was decoded from JSON can be written as that
	}
	return out
}
