package migrate

import (
	"slices"
	"strings"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"

	"github.com/holdfast-io/holdfast/engine"
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
	implied := allOperations[:2]
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
	if d.selection, err = translateSelection(r, implied, "object"); err != nil {
		return nil, err
	}
	if err := d.selection.leaveDeletes(); err != nil {
		return nil, err
	}
	if err := refusePreconditions(r); err != nil {
		return nil, err
	}
	got, err := body(reference{base: "object", typ: d.selection.typ})
	if err != nil {
		return nil, under(err, "validate", path)
	}
	message, err := messageOf(v.Message)
	if err != nil {
		return nil, under(err, "validate", "message")
	}
	if got.skip.op != never {
		d.conditions = append(d.conditions, condition{"conditions-of-the-pattern", not(got.skip)})
	}
	for _, test := range parts(got.holds) {
		d.validations = append(d.validations, validation(test, message))
	}
	if enforced && (v.AllowExistingViolations == nil || *v.AllowExistingViolations) {
		before, err := translateSelection(r, implied, "oldObject")
		if err != nil {
			return nil, err
		}
		was, err := body(reference{base: "oldObject", typ: d.selection.typ})
		if err != nil {
			return nil, under(err, "validate", path)
		}
		d.allowExisting(before, was.holds, got.holds)
	}
	return d, nil
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
	before, err := translateSelection(r, operations, "oldObject")
	if err != nil {
		return err
	}
	was, is, err := d.celBefore(r)
	if err != nil {
		return under(err, "validate", "cel")
	}
	d.allowExisting(before, was, is)
	return nil
}

// allowExisting leaves out updates of objects that violated the rule before, and still do.
func (d *draft) allowExisting(before *selection, was, is expression) {
	any := []expression{compare("request.operation", "!=", `"UPDATE"`)}
	for _, c := range before.conditions {
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

// leaveDeletes drops the operations on which a pattern has nothing to look at.
func (s *selection) leaveDeletes() error {
	for i := range s.rules {
		s.rules[i].operations = slices.DeleteFunc(slices.Clone(s.rules[i].operations), func(op string) bool { return op == "DELETE" })
		if len(s.rules[i].operations) == 0 {
			return under(refuse("a pattern says nothing about objects that are deleted"), "match")
		}
	}
	return nil
}

func translatePattern(tree any, object reference) (verdicts, error) {
	if err := checkStatic(tree); err != nil {
		return verdicts{}, err
	}
	if key, found := unsettled(tree); found {
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

// messageOf gives the message, if it says the same of every object.
func messageOf(text string) (string, error) {
	if strings.Contains(text, "{{") || strings.Contains(text, "$(") {
		return "", refuse("a variable in the message")
	}
	return strings.TrimSpace(text), nil
}

func refusePreconditions(r *kyvernov1.Rule) error {
	if r.RawAnyAllConditions != nil {
		return under(refuse("preconditions are not translated yet"), "preconditions")
	}
	return nil
}

// decoded gives a part of a typed policy with its numbers as encoding/json decodes them.
func decoded(v any) any { return engine.Normalize(map[string]any{"": deep(v)})[""] }
