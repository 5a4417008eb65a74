package expr

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Bounds on what a template may build, so that variables that double one another stay harmless
// (GHSA-r2rj-wwm5-x6mq). 2 MiB is above the largest object that etcd stores.
const (
	MaxRendered = 2 << 20 // bytes of one rendered string
	maxNesting  = 8       // variables inside variables
)

// Template is a JSON document with {{ variables }}, compiled. It is immutable and safe for
// concurrent use.
type Template struct {
	src   string      // of a string
	value any         // what to answer when nothing is dynamic
	text  *text       // a string with variables
	list  []*Template // a list with something dynamic in it
	keys  []member    // an object with something dynamic in it, in key order
}

type member struct {
	key   string
	name  *text // set when the key itself has variables
	value *Template
}

// TemplateOptions says how the document is to be read.
type TemplateOptions struct {
	// Self is where `{{ @ }}` points: the value at the same place below this path of the root document.
	// Without it `{{ @ }}` is an error.
	Self []string
	// Key cleans an object key on the way to `{{ @ }}`, such as an anchor's brackets. May be nil.
	Key func(string) string
}

// A TemplateError says at which place of the document a variable is wrong.
type TemplateError struct {
	Path []any // keys (string) and indexes (int) from the document's top
	Err  error
}

func (e *TemplateError) Error() string { return e.Err.Error() }
func (e *TemplateError) Unwrap() error { return e.Err }

// CompileTemplate reads a JSON document. Errors are *TemplateError.
func CompileTemplate(doc any, opts TemplateOptions) (*Template, error) {
	c := compiler{opts: opts}
	t, err := c.document(doc, nil)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// Static reports whether the document has no variables, so that Render always gives the same value.
func (t *Template) Static() bool { return t.text == nil && t.list == nil && t.keys == nil }

// References lists what the variables read of the root document, as Query.References does. A variable
// inside a variable makes the outer one unknown: then "@" is among them.
func (t *Template) References() []string {
	var refs []string
	t.visit(func(x *text) { refs = x.references(refs) })
	slices.Sort(refs)
	return slices.Compact(refs)
}

func (t *Template) visit(fn func(*text)) {
	if t.text != nil {
		fn(t.text)
	}
	for _, item := range t.list {
		item.visit(fn)
	}
	for _, m := range t.keys {
		if m.name != nil {
			fn(m.name)
		}
		m.value.visit(fn)
	}
}

// Render gives the document with its variables resolved. What holds no variable is shared with the
// template: the caller must not change the answer.
func (t *Template) Render(env *Env) (any, error) {
	switch {
	case t.text != nil:
		return t.text.render(env)
	case t.list != nil:
		out := make([]any, len(t.list))
		for i, item := range t.list {
			v, err := item.Render(env)
			if err != nil {
				return nil, err
			}
			out[i] = v
		}
		return out, nil
	case t.keys != nil:
		out := make(map[string]any, len(t.keys))
		for _, m := range t.keys {
			key := m.key
			if m.name != nil {
				k, err := m.name.render(env)
				if err != nil {
					return nil, err
				}
				if key, err = stringify(k); err != nil {
					return nil, err
				}
			}
			v, err := m.value.Render(env)
			if err != nil {
				return nil, err
			}
			out[key] = v
		}
		return out, nil
	default:
		return t.value, nil
	}
}

// RenderText renders a template to text: strings as they are, anything else as JSON.
func (t *Template) RenderText(env *Env) (string, error) {
	v, err := t.Render(env)
	if err != nil {
		return "", err
	}
	return stringify(v)
}

// Source gives a text template as it was written; empty for other documents.
func (t *Template) Source() string { return t.src }

func stringify(v any) (string, error) {
	if s, ok := v.(string); ok {
		return s, nil
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("writing a variable's value as text: %w", err)
	}
	return string(raw), nil
}

type compiler struct{ opts TemplateOptions }

func (c *compiler) document(doc any, path []any) (*Template, error) {
	switch v := doc.(type) {
	case string:
		x, plain, err := c.text(v, path)
		if err != nil {
			return nil, &TemplateError{Path: slices.Clone(path), Err: err}
		}
		return &Template{src: v, value: plain, text: x}, nil
	case []any:
		items, dynamic := make([]*Template, len(v)), false
		for i, item := range v {
			t, err := c.document(item, append(path, i))
			if err != nil {
				return nil, err
			}
			items[i] = t
			dynamic = dynamic || changed(t, item)
		}
		if dynamic {
			return &Template{list: items}, nil
		}
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		members, dynamic := make([]member, 0, len(keys)), false
		for _, k := range keys {
			name, plain, err := c.text(k, path)
			if err != nil {
				return nil, &TemplateError{Path: append(slices.Clone(path), k), Err: err}
			}
			t, err := c.document(v[k], append(path, k))
			if err != nil {
				return nil, err
			}
			members = append(members, member{key: plain, name: name, value: t})
			dynamic = dynamic || name != nil || plain != k || changed(t, v[k])
		}
		if dynamic {
			return &Template{keys: members}, nil
		}
	}
	return &Template{value: doc}, nil
}

// changed reports whether a compiled part differs from its source: it has variables or unescaped text.
func changed(t *Template, src any) bool {
	if !t.Static() {
		return true
	}
	s, ok := src.(string)
	return ok && t.value != s
}

// text is a string with variables in it.
type text struct {
	parts []part
}

type part struct {
	literal string
	query   *Query // the variable, or
	nested  *text  // an expression that holds variables itself, compiled when they are known
}

// text compiles one string. The second answer is the string without escapes, for one without variables.
func (c *compiler) text(s string, path []any) (*text, string, error) {
	if !strings.Contains(s, "{{") && !strings.Contains(s, "$(") {
		return nil, s, nil
	}
	if ref := reference(s); ref != "" {
		return nil, "", fmt.Errorf("a reference to another field, here %s, has no meaning in this place", ref)
	}
	return c.split(s, path, 0)
}

func (c *compiler) split(s string, path []any, depth int) (*text, string, error) {
	if depth > maxNesting {
		return nil, "", fmt.Errorf("variables are nested more than %d deep", maxNesting)
	}
	x := &text{}
	var literal strings.Builder
	for i := 0; i < len(s); {
		if strings.HasPrefix(s[i:], `\{{`) {
			literal.WriteString("{{")
			i += 3
			continue
		}
		if strings.HasPrefix(s[i:], `\$(`) {
			literal.WriteString("$(")
			i += 3
			continue
		}
		if !strings.HasPrefix(s[i:], "{{") {
			literal.WriteByte(s[i])
			i++
			continue
		}
		end := closing(s, i)
		if end == tooDeep {
			return nil, "", fmt.Errorf("variables are nested more than %d deep", maxNesting)
		}
		if end < 0 { // no closing braces: this is text
			literal.WriteString("{{")
			i += 2
			continue
		}
		p, err := c.variable(s[i+2:end], path, depth)
		if err != nil {
			return nil, "", err
		}
		if literal.Len() > 0 {
			x.parts = append(x.parts, part{literal: literal.String()})
			literal.Reset()
		}
		x.parts = append(x.parts, p)
		i = end + 2
	}
	if len(x.parts) == 0 {
		return nil, literal.String(), nil
	}
	if literal.Len() > 0 {
		x.parts = append(x.parts, part{literal: literal.String()})
	}
	return x, s, nil
}

func (c *compiler) variable(src string, path []any, depth int) (part, error) {
	// {{- x }} asks the peer not to look for variables in x's value. Here a value is never read as an
	// expression, so the mark has no further meaning.
	src = strings.TrimSpace(strings.TrimPrefix(src, "-"))
	if src == "@" {
		self, err := c.self(path)
		if err != nil {
			return part{}, err
		}
		src = self
	}
	if strings.Contains(src, "{{") {
		nested, _, err := c.split(src, path, depth+1)
		if err != nil {
			return part{}, err
		}
		if nested != nil {
			return part{nested: nested}, nil
		}
	}
	q, err := Compile(src)
	if err != nil {
		return part{}, err
	}
	return part{query: q}, nil
}

// self writes the JMESPath of the value that stands at this place in the object.
func (c *compiler) self(path []any) (string, error) {
	if c.opts.Self == nil {
		return "", errors.New("{{ @ }} has no meaning here: it stands for the object's value at the same place of a pattern or patch")
	}
	var b strings.Builder
	b.WriteString(strings.Join(c.opts.Self, "."))
	for _, p := range path {
		switch p := p.(type) {
		case int:
			b.WriteString("[" + strconv.Itoa(p) + "]")
		case string:
			if c.opts.Key != nil {
				p = c.opts.Key(p)
			}
			b.WriteString("." + strconv.Quote(p))
		}
	}
	return b.String(), nil
}

// unclosed and tooDeep are what closing answers instead of a place.
const (
	unclosed = -1
	tooDeep  = -2
)

// closing finds the }} that ends the variable which begins at s[start:]. Single braces inside belong to
// JMESPath and must be balanced. It looks at no more than maxNesting variables inside one another, so
// that a row of opening braces costs no more than its length.
func closing(s string, start int) int { return closingWithin(s, start, maxNesting) }

func closingWithin(s string, start, levels int) int {
	if levels < 0 {
		return tooDeep
	}
	depth := 0
	for i := start + 2; i < len(s); i++ {
		switch {
		case strings.HasPrefix(s[i:], "{{"):
			end := closingWithin(s, i, levels-1)
			if end < 0 {
				return end
			}
			i = end + 1
		case s[i] == '{':
			depth++
		case s[i] == '}' && depth > 0:
			depth--
		case strings.HasPrefix(s[i:], "}}"):
			return i
		case s[i] == '}':
			return unclosed
		}
	}
	return unclosed
}

// reference finds an unescaped $(path), Kyverno's way to point at another field of the same document.
func reference(s string) string {
	for i := 0; i < len(s); i++ {
		if !strings.HasPrefix(s[i:], "$(") || (i > 0 && s[i-1] == '\\') {
			continue
		}
		if end := strings.IndexByte(s[i:], ')'); end > 2 {
			return s[i : i+end+1]
		}
	}
	return ""
}

func (x *text) references(refs []string) []string {
	for _, p := range x.parts {
		switch {
		case p.query != nil:
			refs = append(refs, p.query.References()...)
		case p.nested != nil:
			refs = p.nested.references(append(refs, "@"))
		}
	}
	return refs
}

// render gives the variable's own value when the string is nothing but the variable, else text.
func (x *text) render(env *Env) (any, error) {
	if len(x.parts) == 1 && x.parts[0].literal == "" {
		return x.parts[0].resolve(env)
	}
	var b strings.Builder
	for _, p := range x.parts {
		if p.query == nil && p.nested == nil {
			b.WriteString(p.literal)
			continue
		}
		v, err := p.resolve(env)
		if err != nil {
			return nil, err
		}
		s, err := stringify(v)
		if err != nil {
			return nil, err
		}
		if b.Len()+len(s) > MaxRendered {
			return nil, fmt.Errorf("the text with its variables is longer than %d bytes", MaxRendered)
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

func (p *part) resolve(env *Env) (any, error) {
	if p.query != nil {
		return p.query.Search(env)
	}
	v, err := p.nested.render(env)
	if err != nil {
		return nil, err
	}
	src, err := stringify(v)
	if err != nil {
		return nil, err
	}
	q, err := Compile(src)
	if err != nil {
		return nil, err
	}
	return q.Search(env)
}
