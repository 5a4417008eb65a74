package migrate

import (
	"regexp"
	"slices"
	"strings"
)

// reference is the way to a value: a base that is sure to be there, and below it keys that may be absent.
type reference struct {
	base string
	keys []string
	typ  *fieldType
}

// sure reports whether the value is known to be there.
func (r reference) sure() bool { return len(r.keys) == 0 }

var identifier = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// selectable reports whether CEL can name the field behind a dot.
func selectable(key string) bool {
	return identifier.MatchString(key) && !slices.Contains([]string{"true", "false", "null", "in"}, key)
}

func selected(base, key string) string {
	if selectable(key) {
		return base + "." + key
	}
	return base + "[" + quote(key) + "]"
}

// child is the way to a field. Those of an object that the API server writes always are sure to be there.
func (r reference) child(key string) reference {
	t := r.typ.field(key)
	if r.sure() && t.always() {
		return reference{base: selected(r.base, key), typ: t}
	}
	return reference{base: r.base, keys: append(slices.Clone(r.keys), key), typ: t}
}

// found is the same value once it is known to be there.
func (r reference) found() reference {
	base := r.base
	for _, key := range r.keys {
		base = selected(base, key)
	}
	return reference{base: base, typ: r.typ}
}

// optional is the value as a CEL optional.
func (r reference) optional() string {
	var b strings.Builder
	b.WriteString(r.base)
	for _, key := range r.keys {
		if selectable(key) {
			b.WriteString(".?" + key)
		} else {
			b.WriteString("[?" + quote(key) + "]")
		}
	}
	return b.String()
}

// or gives the value, or another where it is absent.
func (r reference) or(fallback string) string {
	if r.sure() {
		return r.base
	}
	return r.optional() + ".orValue(" + fallback + ")"
}

// there tells whether the value is there.
func (r reference) there() expression {
	switch {
	case r.sure():
		return expression{op: always}
	case len(r.keys) > 1:
		return is(r.optional() + ".hasValue()")
	case selectable(r.keys[0]):
		return is("has(" + selected(r.base, r.keys[0]) + ")")
	default:
		return expression{op: relation, text: quote(r.keys[0]) + " in " + r.base}
	}
}

// has tells whether the value is there and is of the form, where its type does not say that by itself.
func (r reference) has(form string) expression {
	if r.typ != nil {
		return r.there()
	}
	return compare("type("+r.or("null")+")", "==", form)
}

// variable names an element of the list.
func (r reference) variable(taken []string) string {
	name := "element"
	if n := len(r.keys); n > 0 {
		name = r.keys[n-1]
	} else if at := strings.LastIndexByte(r.base, '.'); at >= 0 {
		name = r.base[at+1:]
	}
	singular, plural := strings.CutSuffix(name, "s")
	if !plural || len(singular) < 3 || !identifier.MatchString(singular) || slices.Contains(reserved[:], singular) {
		singular = "element"
	}
	for slices.Contains(taken, singular) {
		singular += "_"
	}
	return singular
}

// reserved are names that CEL or the policy gives another meaning.
var reserved = [...]string{
	"as", "break", "const", "continue", "else", "for", "function", "if", "import", "in", "let", "loop", "namespace", "package", "return",
	"var", "void", "while", "true", "false", "null", "object", "oldObject", "request", "variables", "params", "exceptions", "image", "hash",
	"user", "resource", "time", "type", "list", "map", "string", "int", "bool", "double", "http", "json", "yaml", "math", "random",
}
