package migrate

import (
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/holdfast-io/holdfast/engine/glob"
	"github.com/holdfast-io/holdfast/engine/pattern"
)

// testUnknown tests a value of which nothing is known, such as a field of a custom resource: it may be of any type, and
// a list counts as its elements.
func (l leaf) testUnknown(r reference, absent bool, taken []string) (expression, error) {
	element := r.variable(taken)
	each, err := l.onAny(element)
	if err != nil {
		return expression{}, err
	}
	value := r.or("null")
	if single, ok := l.only(); ok && !l.scalar.Match(nil) {
		// the one value, or a list of nothing else
		test := or(single(value), and(compare("type("+value+")", "==", "list"), is("dyn("+value+").all("+element+", "+single(element).String()+")")))
		if absent {
			return or(not(r.there()), test), nil
		}
		return test, nil
	}
	test := is("(type(" + value + ") == list ? dyn(" + value + ") : [" + value + "]).all(" + element + ", " + each.String() + ")")
	switch {
	case r.sure() || absent == l.scalar.Match(nil):
		return test, nil
	case absent:
		return or(not(r.there()), test), nil
	default:
		return and(r.there(), test), nil
	}
}

// only gives the test for a leaf that is a few plain texts, or a boolean.
func (l leaf) only() (func(value string) expression, bool) {
	if flag, ok := l.source.(bool); ok {
		return func(value string) expression { return compare(value, "==", strconv.FormatBool(flag)) }, true
	}
	var values []string
	for _, all := range l.terms {
		if len(all) != 1 || all[0].Operator != "" || !plain(all[0], textForm) {
			return nil, false
		}
		values = append(values, quote(all[0].Operand))
		if text := all[0].Operand; text == "true" || text == "false" {
			values = append(values, text)
		}
	}
	if len(values) == 0 {
		return nil, false
	}
	return func(value string) expression {
		if len(values) == 1 {
			return compare(value, "==", values[0])
		}
		return compare(value, "in", "["+strings.Join(values, ", ")+"]")
	}, true
}

// onAny tests one value that is no list.
func (l leaf) onAny(value string) (expression, error) {
	switch source := l.source.(type) {
	case nil:
		return compare(value, "in", `[null, "", false, 0]`), nil
	case bool:
		return compare(value, "==", strconv.FormatBool(source)), nil
	case float64:
		text, err := onNumber(value, source, textForm)
		if err != nil {
			return expression{}, err
		}
		return or(compare(value, "==", strconv.FormatInt(int64(source), 10)), and(compare("type("+value+")", "==", "string"), text)), nil
	}
	var any []expression
	for _, all := range l.terms {
		var every []expression
		for _, t := range all {
			test, err := termOnAny(value, t)
			if err != nil {
				return expression{}, err
			}
			every = append(every, test)
		}
		any = append(any, and(every...))
	}
	return or(any...), nil
}

// scalarText says that a value has a text: nothing, objects and lists have none.
func scalarText(value string) expression {
	return not(compare("type("+value+")", "in", "[null_type, map, list]"))
}

func termOnAny(value string, t pattern.Term) (expression, error) {
	switch t.Operator {
	case "!":
		t.Operator = ""
		same, err := termOnAny(value, t)
		if err != nil {
			return expression{}, err
		}
		if t.Quantity {
			q, _ := resource.ParseQuantity(t.Operand)
			if !q.IsZero() { // nothing is 0
				return and(or(scalarText(value), compare(value, "==", "null")), not(same)), nil
			}
		}
		return and(scalarText(value), not(same)), nil
	case "-", "!-":
		lower, upper, combine := ">=", "<=", and
		if t.Operator == "!-" {
			lower, upper, combine = "<", ">", or
		}
		a, err := orderedAny(value, t.Operand, t.Duration, lower)
		if err != nil {
			return expression{}, err
		}
		b, err := orderedAny(value, t.Upper, t.Duration, upper)
		return combine(a, b), err
	case "":
		if t.Quantity || t.Duration {
			return orderedAny(value, t.Operand, t.Duration, "==")
		}
		return textOnAny(value, t.Operand)
	default:
		return orderedAny(value, t.Operand, t.Duration, t.Operator)
	}
}

func orderedAny(value, operand string, duration bool, operator string) (expression, error) {
	q, err := resource.ParseQuantity(operand)
	if err != nil || duration {
		return expression{}, refuse("%q is compared as a duration with a field of unknown type", operand)
	}
	text := "string(" + value + ")"
	test := and(
		compare("type("+value+")", "in", "[string, int, double]"),
		is("isQuantity("+text+")"),
		compare("quantity("+text+").compareTo(quantity("+quote(operand)+"))", operator, "0"),
	)
	order := -q.CmpInt64(0)
	if map[string]bool{"==": order == 0, ">": order > 0, "<": order < 0, ">=": order >= 0, "<=": order <= 0}[operator] {
		return or(compare(value, "==", "null"), test), nil
	}
	return test, nil
}

// textOnAny matches a text with wildcards against the text of a value of any type.
func textOnAny(value, operand string) (expression, error) {
	switch {
	case operand == "*":
		return scalarText(value), nil
	case operand == "?*" || operand == "*?":
		return and(scalarText(value), compare(value, "!=", `""`)), nil
	case !glob.HasWildcard(operand):
		values := []string{quote(operand)}
		if operand == "true" || operand == "false" {
			values = append(values, operand)
		}
		if len(values) == 1 {
			return compare(value, "==", values[0]), nil
		}
		return compare(value, "in", "["+strings.Join(values, ", ")+"]"), nil
	case strings.Trim(operand, "*?0123456789+-.Etruefals") != "":
		return and(compare("type("+value+")", "==", "string"), wildcard(value, operand)), nil
	default:
		return expression{}, refuse("the wildcard %q may match numbers and booleans too in a field of unknown type", operand)
	}
}
