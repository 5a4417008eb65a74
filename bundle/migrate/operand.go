package migrate

import (
	"encoding/json"
	"regexp"
	"strings"
)

// operand is a side of a condition: a constant, a value of the request or of the object, or how many elements a list has.
type operand struct {
	constant any
	dynamic  bool
	ref      reference
	length   bool // of the list at ref
	// fallback stands in for what is absent, null, false or empty, as in {{ path || 'text' }}.
	fallback    any
	hasFallback bool
	plain       bool // a text that can hold no wildcard: a name, or one of a few words
}

// scopeOf says where the paths of variables lead.
type scopeOf struct {
	object    reference // what request.object is
	operation string    // in CEL
}

var (
	wholeVariable = regexp.MustCompile(`^\{\{([^{}]*|[^{}]*\x60\{\}\x60[^{}]*)\}\}$`)
	pathSyntax    = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*(\.([a-zA-Z_][a-zA-Z0-9_]*|"[^"]+"))*$`)
	pathPart      = regexp.MustCompile(`"[^"]+"|[a-zA-Z_][a-zA-Z0-9_]*`)
	lengthCall    = regexp.MustCompile(`^length\(\s*(.*?)\s*\)$`)
	lengthPipe    = regexp.MustCompile(`^(.*?)\s*\|\s*length\(\s*@\s*\)$`)
)

// operand reads a key or a value of a condition.
func (s *scopeOf) operand(v any) (operand, error) {
	text, ok := v.(string)
	if !ok || !strings.Contains(text, "{{") {
		if err := checkStatic(v); err != nil {
			return operand{}, refuse("a variable inside of a list or an object")
		}
		return operand{constant: v}, nil
	}
	whole := wholeVariable.FindStringSubmatch(strings.TrimSpace(text))
	if whole == nil {
		return operand{}, refuse("the text %q around a variable", text)
	}
	return s.query(strings.TrimSpace(whole[1]))
}

// query reads the JMESPath expressions that are a path, with a fallback or without, or the length of such a list.
func (s *scopeOf) query(source string) (operand, error) {
	inner, length := source, false
	if m := lengthCall.FindStringSubmatch(source); m != nil {
		inner, length = m[1], true
	} else if m := lengthPipe.FindStringSubmatch(source); m != nil {
		inner, length = strings.TrimSpace(m[1]), true
	}
	path, fallback, hasFallback := strings.Cut(inner, "||")
	path = strings.TrimSpace(path)
	out := operand{dynamic: true, length: length, hasFallback: hasFallback}
	if hasFallback {
		var err error
		if out.fallback, err = constantIn(strings.TrimSpace(fallback)); err != nil {
			return out, refuse("the expression %q", source)
		}
	}
	flat, isList := strings.CutSuffix(path, "[]")
	if isList && !length || !pathSyntax.MatchString(flat) {
		return out, refuse("the expression %q", source)
	}
	var err error
	out.ref, out.plain, err = s.path(pathPart.FindAllString(flat, -1))
	if err != nil {
		return out, err
	}
	if out.ref.typ == nil {
		return out, refuse("the expression %q reads a field of unknown type", source)
	}
	if length && out.ref.typ.form != listForm {
		return out, refuse("the expression %q: the length of what is no list", source)
	}
	if !length && (out.ref.typ.form == listForm || out.ref.typ.form == objectForm) {
		return out, refuse("the expression %q reads a list or an object", source)
	}
	return out, nil
}

func constantIn(text string) (any, error) {
	if len(text) >= 2 && text[0] == '\'' && text[len(text)-1] == '\'' {
		return text[1 : len(text)-1], nil
	}
	if len(text) < 2 || text[0] != '`' || text[len(text)-1] != '`' {
		return nil, refuse("%s is no constant", text)
	}
	var v any
	err := json.Unmarshal([]byte(text[1:len(text)-1]), &v)
	if err != nil {
		return nil, refuse("%s is no constant: %v", text, err)
	}
	return v, nil
}

// path finds the value that a path of names leads to.
func (s *scopeOf) path(names []string) (r reference, plain bool, err error) {
	for i, name := range names {
		names[i] = strings.Trim(name, `"`)
	}
	if names[0] != "request" || len(names) < 2 {
		return r, false, refuse("the variable %s", names[0])
	}
	text := &fieldType{form: textForm}
	rest := names[2:]
	switch names[1] {
	case "object":
		r = s.object
	case "oldObject":
		return r, false, refuse("the old object of a request")
	case "operation":
		if len(rest) == 0 {
			return reference{base: s.operation, typ: text}, true, nil
		}
	case "name":
		if len(rest) == 0 {
			return reference{base: "request.name", typ: text}, true, nil
		}
	case "namespace":
		if len(rest) == 0 {
			return reference{base: "request", keys: []string{"namespace"}, typ: text}, true, nil
		}
	}
	if r.base == "" || len(rest) == 0 {
		return r, false, refuse("the variable %s", strings.Join(names, "."))
	}
	for i, name := range rest {
		if r.typ != nil && r.typ.form == listForm {
			return r, false, refuse("the path %s leads through a list", strings.Join(names, "."))
		}
		r = r.child(name)
		plain = i > 0 && rest[0] == "metadata" && (rest[1] == "name" || rest[1] == "namespace" || rest[1] == "labels")
	}
	return r, plain || rest[len(rest)-1] == "apiVersion" || rest[0] == "kind" || r.typ.isEnumeration(), nil
}
