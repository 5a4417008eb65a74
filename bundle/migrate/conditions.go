package migrate

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-io/holdfast/engine/glob"
)

// conditions translates preconditions and deny conditions. The answer is true where they hold, and has no result where a
// variable of theirs has none.
func (s *scopeOf) conditions(raw any) (expression, error) {
	switch raw := raw.(type) {
	case map[string]any:
		return s.block(raw)
	case []any:
		var all []sequential
		for i, item := range raw {
			m, ok := item.(map[string]any)
			if !ok {
				return expression{}, under(refuse("is no condition"), i)
			}
			if m["any"] != nil || m["all"] != nil {
				return expression{}, under(refuse("a list of any and all"), i)
			}
			one, err := s.condition(m)
			if err != nil {
				return expression{}, under(err, i)
			}
			all = append(all, one)
		}
		return inOrder(all, and, "false"), nil
	default:
		return expression{}, refuse("are no conditions")
	}
}

// sequential is a condition, with whether it may have no result.
type sequential struct {
	test  expression
	risky bool
}

func (s *scopeOf) block(m map[string]any) (expression, error) {
	var parts [2][]sequential
	for i, name := range []string{"any", "all"} {
		list, _ := m[name].([]any)
		for j, item := range list {
			c, ok := item.(map[string]any)
			if !ok {
				return expression{}, under(refuse("is no condition"), name, j)
			}
			one, err := s.condition(c)
			if err != nil {
				return expression{}, under(err, name, j)
			}
			parts[i] = append(parts[i], one)
		}
	}
	any, all := expression{op: always}, inOrder(parts[1], and, "false")
	if _, written := m["any"]; written {
		any = inOrder(parts[0], or, "true")
		if len(parts[0]) == 0 {
			any = expression{op: never}
		}
	}
	risky := slices.ContainsFunc(slices.Concat(parts[0], parts[1]), func(c sequential) bool { return c.risky })
	if risky && any.op != always && all.op != always {
		return expression{}, refuse("any and all together, of which a variable may have no value")
	}
	return and(any, all), nil
}

// inOrder joins conditions of which the first that decides ends the evaluation, so that those behind it need no result.
// && and || of CEL would pass over one without a result that stands before it.
func inOrder(list []sequential, join func(...expression) expression, end string) expression {
	out := expression{op: always}
	if end == "true" {
		out = expression{op: never}
	}
	risky := false
	for _, c := range slices.Backward(list) {
		switch {
		case !c.risky:
			out = join(c.test, out) // has a result, and ends the evaluation if it decides
		case out.op == always || out.op == never:
			out = c.test
		case end == "false":
			out = is("(" + c.test.String() + " ? " + out.String() + " : false)")
		default:
			out = is("(" + c.test.String() + " ? true : " + out.String() + ")")
		}
		risky = risky || c.risky
	}
	return out
}

func (s *scopeOf) condition(m map[string]any) (sequential, error) {
	operator, _ := m["operator"].(string)
	key, err := s.operand(m["key"])
	if err != nil {
		return sequential{}, under(err, "key")
	}
	value, err := s.operand(m["value"])
	if err != nil {
		return sequential{}, under(err, "value")
	}
	if value.dynamic || !key.dynamic {
		return sequential{}, under(refuse("a variable on the right side of %s", operator), "value")
	}
	test, err := key.compared(strings.ToLower(operator), value.constant)
	if err != nil {
		return sequential{}, err
	}
	return sequential{test, !key.hasFallback && !key.ref.sure()}, nil
}

// compared gives the test of the value at the key, which is absent where its fallback stands in.
func (k operand) compared(operator string, value any) (expression, error) {
	if k.length {
		list := k.ref.found().base
		if k.hasFallback {
			if empty, ok := k.fallback.([]any); !ok || len(empty) > 0 {
				if text, ok := k.fallback.(string); !ok || text != "" {
					return expression{}, refuse("a fallback of a list that is not empty")
				}
			}
			list = k.ref.or("[]")
		}
		return onCount("size("+list+")", operator, value)
	}
	switch k.ref.typ.form {
	case textForm:
		return k.text(operator, value)
	case numberForm:
		if !k.hasFallback {
			return onCount(k.ref.found().base, operator, value)
		}
		if n, ok := k.fallback.(float64); ok && n == float64(int64(n)) {
			return onCount(k.ref.or(literal(n)), operator, value)
		}
	case flagForm:
		if flag, ok := value.(bool); ok && (operator == "equals" || operator == "notequals") {
			return k.flag(operator == "equals", flag)
		}
	}
	return expression{}, refuse("the operator %s on a field of this type", operator)
}

func (k operand) flag(equals, want bool) (expression, error) {
	value := k.ref.found().base
	if k.hasFallback {
		if fallback, ok := k.fallback.(bool); !ok || fallback {
			return expression{}, refuse("a fallback of a boolean that is not false")
		}
		value = k.ref.or("false")
	}
	return compare(value, "==", strconv.FormatBool(want == equals)), nil
}

// text tests a text. What is empty has its fallback, as what is absent.
func (k operand) text(operator string, value any) (expression, error) {
	if !k.hasFallback {
		return k.onText(k.ref.found().base, operator, value)
	}
	if k.ref.sure() {
		return k.onText(k.ref.base, operator, value) // never empty
	}
	fallback, ok := k.fallback.(string)
	if !ok {
		return expression{}, refuse("a fallback of a text that is none")
	}
	test, err := k.onText(k.ref.or(`""`), operator, value)
	if err != nil || fallback == "" {
		return test, err
	}
	whether, err := k.onText(quote(fallback), operator, value)
	if err != nil {
		return test, err
	}
	return is("(" + k.ref.or(`""`) + ` == "" ? ` + whether.String() + " : " + test.String() + ")"), nil
}

// onText tests a text that is there.
func (k operand) onText(text, operator string, value any) (expression, error) {
	switch operator {
	case "equals", "equal", "notequals", "notequal":
		want, ok := value.(string)
		if !ok || isQuantity(want) || isDuration(want) {
			return expression{}, refuse("a text compared with %s, which may be a number", show(value))
		}
		test := compare(text, "==", quote(want))
		if glob.HasWildcard(want) {
			test = and(not(is("isQuantity("+text+")")), wildcard(text, want))
		}
		if strings.HasPrefix(operator, "not") {
			return not(test), nil
		}
		return test, nil
	case "anyin", "allin", "in", "anynotin", "allnotin", "notin":
		test, err := k.member(text, value)
		if strings.Contains(operator, "not") {
			return not(test), err
		}
		return test, err
	default:
		return expression{}, refuse("the operator %s on a text", operator)
	}
}

// member asks whether a text is among others, with wildcards on either side.
func (k operand) member(text string, value any) (expression, error) {
	list, isList := value.([]any)
	if one, ok := value.(string); ok {
		if strings.ContainsAny(one, "[-") {
			return expression{}, refuse("the text %q, which may be a range or a list", one)
		}
		return wildcard(text, one), nil
	}
	if !isList {
		return expression{}, refuse("members that are no list of texts")
	}
	var texts []string
	for _, item := range list {
		s, ok := item.(string)
		if !ok {
			return expression{}, refuse("members that are no list of texts")
		}
		texts = append(texts, s)
	}
	if !k.plain {
		return expression{}, refuse("the text of the object may hold wildcards, which the operator reads")
	}
	if len(texts) == 0 {
		return expression{op: never}, nil
	}
	return anyOf(text, texts), nil
}

// onCount compares a whole number with a constant.
func onCount(number, operator string, value any) (expression, error) {
	sign, ok := map[string]string{
		"equals": "==", "equal": "==", "notequals": "!=", "notequal": "!=", "greaterthan": ">", "greaterthanorequals": ">=", "lessthan": "<", "lessthanorequals": "<=",
	}[operator]
	n, isNumber := value.(float64)
	if text, isText := value.(string); isText {
		parsed, err := strconv.ParseInt(text, 10, 32)
		n, isNumber = float64(parsed), err == nil
	}
	if !ok || !isNumber || n != float64(int64(n)) {
		return expression{}, refuse("the operator %s of a number and %s", operator, show(value))
	}
	return compare(number, sign, literal(n)), nil
}

func isDuration(s string) bool {
	_, err := time.ParseDuration(s)
	return err == nil
}
