package assert

import (
	"fmt"
	"strings"

	"github.com/holdfast-io/holdfast/engine/expr"
)

// statement is a key of a tree, or a text on its right side, taken apart.
type statement struct {
	each     bool        // ~.
	eachName string      // ~name.
	binding  string      // ->name
	query    *expr.Query // (expression); nil: text is a key, or a text to compare with
	text     string
}

// parse takes a key or text apart. Every text that has none of the marks stands for itself.
func parse(s string) (statement, error) {
	var out statement
	out.text = s
	if rest, ok := strings.CutPrefix(out.text, "~"); ok {
		if name, after, ok := strings.Cut(rest, "."); ok && isName(name) {
			out.each, out.eachName, out.text = true, name, after
		}
	}
	if at := strings.LastIndex(out.text, "->"); at >= 0 {
		if name := strings.TrimSpace(out.text[at+2:]); name != "" && isName(name) {
			out.binding, out.text = name, strings.TrimSpace(out.text[:at])
		}
	}
	switch t := out.text; {
	case len(t) > 2 && t[0] == '\\' && t[len(t)-1] == '\\':
		out.text = t[1 : len(t)-1]
	case len(t) > 2 && t[0] == '(' && t[len(t)-1] == ')':
		inner := t[1 : len(t)-1]
		if engine, rest, ok := strings.Cut(inner, ":"); ok && engine != "" && isName(engine) {
			if engine != "jp" {
				return out, fmt.Errorf("unknown expression language %q: expected jp, for JMESPath", engine)
			}
			inner = rest
		}
		q, err := expr.CompileBound(inner)
		if err != nil {
			return out, err
		}
		out.query = q
	}
	return out, nil
}

// isName is true for letters, digits and underscores, and for nothing.
func isName(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}
