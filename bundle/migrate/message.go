package migrate

import (
	"regexp"
	"strings"
)

var variableInText = regexp.MustCompile(`\{\{[^{}]*\}\}`)

// message gives a message, and the expression that fills in its variables, if it has any. The expression has no result
// where a variable has none; the message as it is written stands in for it then, as it does in the rule.
func (d *draft) message(text, object string) (message, inCEL string, err error) {
	text = strings.TrimSpace(text)
	if strings.Contains(text, "$(") {
		return "", "", refuse("a reference in the message")
	}
	if !strings.Contains(text, "{{") {
		return text, "", nil
	}
	s := d.scope(object)
	var parts []string
	at := 0
	for _, found := range variableInText.FindAllStringIndex(text, -1) {
		if found[0] > at {
			parts = append(parts, quote(text[at:found[0]]))
		}
		at = found[1]
		v, err := s.query(strings.TrimSpace(text[found[0]+2 : found[1]-2]))
		if err != nil {
			return "", "", refuse("a variable in the message: %v", err)
		}
		value := v.ref.found().base
		switch fallback, isText := v.fallback.(string); {
		case v.length:
			value = "size(" + value + ")"
		case v.hasFallback && isText:
			value = v.ref.or(quote(fallback))
		case v.hasFallback:
			return "", "", refuse("a fallback in the message that is no text")
		}
		if v.length || v.ref.typ.form != textForm {
			value = "string(" + value + ")"
		}
		parts = append(parts, value)
	}
	if strings.Contains(text[at:], "{{") {
		return "", "", refuse("a variable in a variable of the message")
	}
	if at < len(text) {
		parts = append(parts, quote(text[at:]))
	}
	return text, strings.Join(parts, " + "), nil
}
