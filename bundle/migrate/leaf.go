package migrate

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/holdfast-io/holdfast/engine/glob"
	"github.com/holdfast-io/holdfast/engine/pattern"
)

// leaf is a scalar of a pattern.
type leaf struct {
	source any
	scalar pattern.Scalar
	terms  [][]pattern.Term // of a text
}

func compileLeaf(source any) (leaf, error) {
	s, err := pattern.CompileScalar(source)
	if err != nil {
		return leaf{}, refuse("%v", err)
	}
	return leaf{source, s, s.Terms()}, nil
}

// test gives the expression that is true where the leaf matches the value at r, and where the value is absent and absent
// says so.
func (l leaf) test(r reference, absent bool, taken []string) (expression, error) {
	if r.typ == nil {
		return l.testUnknown(r, absent, taken)
	}
	switch r.typ.form {
	case flagForm:
		return l.testFlag(r, absent), nil
	case listForm:
		return l.testEach(r, absent, taken)
	case objectForm:
		return expression{}, refuse("the pattern %s stands where the field is an object", show(l.source))
	}
	if l.source == nil {
		return l.testEmpty(r, absent)
	}
	for _, fallback := range l.fallbacks(r.typ.form) {
		if r.sure() || l.scalar.Match(fallback) == absent {
			return l.on(r.or(literal(fallback)), r.typ.form)
		}
	}
	test, err := l.on(r.found().base, r.typ.form)
	if absent {
		return or(not(r.there()), test), err
	}
	return and(r.there(), test), err
}

// fallbacks are values that may stand in for one that is absent, the plainest first.
func (l leaf) fallbacks(f form) []any {
	var list []any
	if f == textForm || f == quantityForm || f == numberOrTextForm {
		list = append(list, "")
	}
	if f == quantityForm && l.compares() {
		list = []any{"0"} // what is no quantity cannot be compared
	}
	if f == numberForm {
		list = append(list, 0.0)
	}
	for _, all := range l.terms {
		for _, t := range all {
			switch n, err := strconv.ParseInt(t.Operand, 10, 32); {
			case f == numberForm && err == nil:
				list = append(list, float64(n), float64(n+1), float64(n-1))
			case f != numberForm && !glob.HasWildcard(t.Operand):
				list = append(list, t.Operand)
			}
		}
	}
	if n, ok := l.source.(float64); ok && f == numberForm {
		list = append(list, n)
	}
	if f == textForm && len(l.terms) > 0 && strings.Contains(fmt.Sprint(l.source), "?*") {
		list = append(list, "-")
	}
	return slices.DeleteFunc(list, func(v any) bool {
		text, isText := v.(string)
		return f == quantityForm && l.compares() && (!isText || !isQuantity(text))
	})
}

// compares reports whether the leaf speaks of quantities, and not of text alone.
func (l leaf) compares() bool {
	for _, all := range l.terms {
		for _, t := range all {
			if t.Quantity || t.Operator != "" && t.Operator != "!" {
				return true
			}
		}
	}
	return false
}

func isQuantity(s string) bool {
	_, err := resource.ParseQuantity(s)
	return err == nil
}

// testFlag needs no operators: there are two values.
func (l leaf) testFlag(r reference, absent bool) expression {
	yes, no := l.scalar.Match(true), l.scalar.Match(false)
	value := func(fallback bool) string { return r.or(strconv.FormatBool(fallback)) }
	switch {
	case yes && no && (absent || r.sure()):
		return expression{op: always}
	case yes && no:
		return r.there()
	case !yes && !no:
		if absent {
			return not(r.there())
		}
		return expression{op: never}
	case yes:
		return compare(value(absent), "==", "true")
	default:
		return compare(value(!absent), "==", "false")
	}
}

// testEach asks each element of a list: so a scalar stands against a list.
func (l leaf) testEach(r reference, absent bool, taken []string) (expression, error) {
	element := r.variable(taken)
	each, err := l.test(reference{base: element, typ: r.typ.element}, false, append(taken, element))
	if err != nil {
		return expression{}, err
	}
	if each.op == always {
		if absent {
			return each, nil
		}
		return r.there(), nil
	}
	if absent || r.sure() {
		return is(r.or("[]") + ".all(" + element + ", " + each.String() + ")"), nil
	}
	return and(r.there(), is(r.found().base+".all("+element+", "+each.String()+")")), nil
}

// testEmpty is for null, which what was never set matches.
func (l leaf) testEmpty(r reference, absent bool) (expression, error) {
	zero := map[form]string{textForm: `""`, numberForm: "0"}[r.typ.form]
	if zero == "" {
		return expression{}, refuse("null in the pattern stands for several values of a field that may be a number or a text")
	}
	if absent {
		return compare(r.or(zero), "==", zero), nil
	}
	return and(r.there(), compare(r.found().base, "==", zero)), nil
}

// on tests a value that is there, of the form.
func (l leaf) on(value string, f form) (expression, error) {
	if n, ok := l.source.(float64); ok {
		return onNumber(value, n, f)
	}
	if flag, ok := l.source.(bool); ok {
		return expression{}, refuse("the pattern %t stands where the field is no boolean", flag)
	}
	if literals, ok := l.literals(f); ok {
		return oneOf(value, literals), nil
	}
	var any []expression
	for _, all := range l.terms {
		var every []expression
		var none []string
		for _, t := range all {
			if t.Operator == "!" && plain(t, f) {
				none = append(none, t.Operand)
				continue
			}
			test, err := term(value, t, f)
			if err != nil {
				return expression{}, err
			}
			every = append(every, test)
		}
		if len(none) > 0 {
			every = append(every, not(oneOf(value, none)))
		}
		any = append(any, and(every...))
	}
	return or(any...), nil
}

// literals gives the texts of which the value must be one, if that is all that the leaf says.
func (l leaf) literals(f form) ([]string, bool) {
	var list []string
	for _, all := range l.terms {
		if len(all) != 1 || all[0].Operator != "" || !plain(all[0], f) {
			return nil, false
		}
		list = append(list, all[0].Operand)
	}
	return list, true
}

// plain reports whether the operand is a text without wildcards that is compared letter by letter.
func plain(t pattern.Term, f form) bool {
	return f == textForm && !t.Duration && !t.Quantity && !glob.HasWildcard(t.Operand)
}

func oneOf(value string, literals []string) expression {
	if len(literals) == 1 {
		return compare(value, "==", quote(literals[0]))
	}
	return compare(value, "in", quoteAll(literals))
}

// onNumber is for a number in the pattern: text that spells a whole number is one too.
func onNumber(value string, n float64, f form) (expression, error) {
	if n != float64(int64(n)) {
		return expression{}, refuse("the fraction %v in the pattern is compared as text", n)
	}
	whole := strconv.FormatInt(int64(n), 10)
	switch f {
	case numberForm:
		return compare(value, "==", whole), nil
	case quantityForm:
		return compare("string("+value+")", "==", quote(whole)), nil
	case numberOrTextForm:
		return compare("string("+value+")", "==", quote(whole)), nil
	default:
		sign := `\\+?`
		if n < 0 {
			sign, whole = "-", whole[1:]
		}
		return is(value + `.matches("^` + sign + `0*` + whole + `$")`), nil
	}
}

// term translates one operator on a value of the form.
func term(value string, t pattern.Term, f form) (expression, error) {
	switch t.Operator {
	case "!":
		t.Operator = ""
		same, err := term(value, t, f)
		return not(same), err
	case "-":
		return both(value, t, f, ">=", "<=", and)
	case "!-":
		return both(value, t, f, "<", ">", or)
	case "":
		if t.Quantity || t.Duration {
			return ordered(value, t, f, "==")
		}
		if f == numberForm && !glob.HasWildcard(t.Operand) {
			return expression{op: never}, nil // no number reads like that
		}
		if f != textForm {
			value = "string(" + value + ")"
		}
		return wildcard(value, t.Operand), nil
	default:
		return ordered(value, t, f, t.Operator)
	}
}

func both(value string, t pattern.Term, f form, lower, upper string, combine func(...expression) expression) (expression, error) {
	a, err := ordered(value, pattern.Term{Operand: t.Operand, Duration: t.Duration, Quantity: t.Quantity}, f, lower)
	if err != nil {
		return a, err
	}
	b, err := ordered(value, pattern.Term{Operand: t.Upper, Duration: t.Duration, Quantity: t.Quantity}, f, upper)
	return combine(a, b), err
}

// ordered compares a value with a quantity.
func ordered(value string, t pattern.Term, f form, operator string) (expression, error) {
	q, err := resource.ParseQuantity(t.Operand)
	switch {
	case err != nil:
		return expression{}, refuse("%q is compared as a duration", t.Operand)
	case f == numberForm:
		if n, whole := q.AsInt64(); whole && (!t.Duration || n == 0) {
			return compare(value, operator, strconv.FormatInt(n, 10)), nil
		}
		return expression{}, refuse("the whole number is compared with %q", t.Operand)
	case f == quantityForm:
		return compare("quantity(string("+value+")).compareTo(quantity("+quote(t.Operand)+"))", operator, "0"), nil
	case t.Duration:
		return expression{}, refuse("%q may be a duration or a quantity, which the value decides", t.Operand)
	}
	text := value
	if f == numberOrTextForm {
		text = "string(" + value + ")"
	}
	return and(
		is("isQuantity("+text+")"),
		compare("quantity("+text+").compareTo(quantity("+quote(t.Operand)+"))", operator, "0"),
	), nil
}

// wildcard matches a text with * and ?.
func wildcard(value, operand string) expression {
	if !glob.HasWildcard(operand) {
		return compare(value, "==", quote(operand))
	}
	inner := strings.Trim(operand, "*")
	if !strings.ContainsAny(inner, "*?") {
		before, after := strings.HasPrefix(operand, "*"), strings.HasSuffix(operand, "*")
		switch {
		case inner == "":
			return expression{op: always}
		case before && after:
			return is(value + ".contains(" + quote(inner) + ")")
		case before:
			return is(value + ".endsWith(" + quote(inner) + ")")
		default:
			return is(value + ".startsWith(" + quote(inner) + ")")
		}
	}
	if operand == "?*" || operand == "*?" {
		return compare(value, "!=", `""`)
	}
	return is(value + ".matches(" + quote(globRegexp(operand)) + ")")
}

// globRegexp writes a wildcard as a regular expression of the whole text.
func globRegexp(operand string) string {
	var b strings.Builder
	b.WriteString("(?s)^")
	for _, c := range operand {
		switch c {
		case '*':
			b.WriteString(".*")
		case '?':
			b.WriteString(".")
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	b.WriteString("$")
	return b.String()
}

// literal writes a text or a whole number in CEL.
func literal(v any) string {
	switch v := v.(type) {
	case string:
		return quote(v)
	case float64:
		return strconv.FormatInt(int64(v), 10)
	default:
		return "null"
	}
}
