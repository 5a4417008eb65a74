package condition

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/holdfast-io/holdfast/engine/expr"
	"github.com/holdfast-io/holdfast/engine/nearest"
)

// Error says what is wrong with a condition, and at which place of the value handed to Compile.
type Error struct {
	Path []any // keys (string) and indexes (int)
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Compile reads the JSON value of preconditions or deny.conditions: an object of any and all, the older
// plain list of conditions, of which all must hold, or a list of any/all objects, of which all must
// hold, as attestations have. Null gives nil, which is met. Errors are *Error.
//
// Each condition must have a key, an operator and a value; a null value is one. Where a key is
// {{request.operation}}, the value must name operations.
func Compile(raw any) (*Conditions, error) {
	var c compiler
	switch v := raw.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		if err := c.block(v, nil); err != nil {
			return nil, err
		}
	case []any:
		if err := c.list(v); err != nil {
			return nil, err
		}
	default:
		return nil, wrong(nil, "expected an object with any and all, or a list of conditions, found %s", kindOf(raw))
	}
	c.out.refs = sorted(c.out.refs)
	c.out.messageRefs = sorted(c.out.messageRefs)
	return &c.out, nil
}

type compiler struct{ out Conditions }

// list tells a list of conditions from a list of any/all objects by the first.
func (c *compiler) list(items []any) error {
	if len(items) > 0 && isBlock(items[0]) {
		for i, item := range items {
			m, ok := item.(map[string]any)
			if !ok || !isBlock(item) {
				return wrong([]any{i}, "expected an object with any and all like the ones before it, found %s", kindOf(item))
			}
			if err := c.block(m, []any{i}); err != nil {
				return err
			}
			c.out.blocks[i].path = fmt.Sprintf("[%d]", i)
		}
		return nil
	}
	all, err := c.conditions(items, nil)
	c.out.blocks = append(c.out.blocks, block{all: all, plain: true, separator: ";"})
	return err
}

func isBlock(v any) bool {
	m, ok := v.(map[string]any)
	if !ok {
		return false
	}
	_, hasAny := m["any"]
	_, hasAll := m["all"]
	return hasAny || hasAll
}

func (c *compiler) block(m map[string]any, path []any) error {
	if err := checkFields(m, path, "any", "all"); err != nil {
		return err
	}
	b := block{separator: "; "}
	for _, name := range []string{"any", "all"} {
		at := below(path, name)
		var items []any
		switch v := m[name].(type) {
		case nil:
			continue
		case []any:
			items = v
		default:
			return wrong(at, "expected a list of conditions, found %s", kindOf(v))
		}
		conditions, err := c.conditions(items, at)
		if err != nil {
			return err
		}
		if name == "any" {
			b.any, b.hasAny = conditions, true
		} else {
			b.all = conditions
		}
	}
	c.out.blocks = append(c.out.blocks, b)
	return nil
}

func (c *compiler) conditions(items []any, path []any) ([]condition, error) {
	out := make([]condition, len(items))
	for i, item := range items {
		at := below(path, i)
		m, ok := item.(map[string]any)
		if !ok {
			return nil, wrong(at, "expected a condition with key, operator and value, found %s", kindOf(item))
		}
		var err error
		if out[i], err = c.condition(m, at); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (c *compiler) condition(m map[string]any, path []any) (out condition, err error) {
	if err := checkFields(m, path, "key", "operator", "value", "message"); err != nil {
		return out, err
	}
	if m["key"] == nil {
		return out, wrong(path, "the condition has no key")
	}
	name, ok := m["operator"].(string)
	switch {
	case m["operator"] == nil || name == "" && ok:
		return out, wrong(path, "the condition has no operator")
	case !ok:
		return out, wrong(below(path, "operator"), "expected the name of an operator, found %s", kindOf(m["operator"]))
	}
	if out.operator, err = parseOperator(name); err != nil {
		return out, &Error{Path: below(path, "operator"), Err: err}
	}
	if _, ok := m["value"]; !ok {
		return out, wrong(path, "the condition has no value")
	}
	if err := checkOperations(m["key"], m["value"], below(path, "value")); err != nil {
		return out, err
	}
	if out.key, err = c.side(m["key"], below(path, "key")); err != nil {
		return out, err
	}
	if out.value, err = c.side(m["value"], below(path, "value")); err != nil {
		return out, err
	}
	out.message, err = c.message(m["message"], below(path, "message"))
	return out, err
}

func (c *compiler) side(raw any, path []any) (side, error) {
	t, err := template(raw, path)
	if err != nil {
		return side{}, err
	}
	if !t.Static() {
		c.out.refs = append(c.out.refs, t.References()...)
		return side{dynamic: t}, nil
	}
	v, err := t.Render(nil) // without variables there is nothing to look up
	if err != nil {
		return side{}, &Error{Path: path, Err: err}
	}
	return side{static: static(v)}, nil
}

func (c *compiler) message(raw any, path []any) (*message, error) {
	text, ok := raw.(string)
	switch {
	case raw == nil || ok && text == "":
		return nil, nil
	case !ok:
		return nil, wrong(path, "expected a text, found %s", kindOf(raw))
	}
	t, err := template(text, path)
	if err != nil {
		return nil, err
	}
	c.out.messageRefs = append(c.out.messageRefs, t.References()...)
	return &message{source: text, template: t}, nil
}

func template(raw any, path []any) (*expr.Template, error) {
	t, err := expr.CompileTemplate(raw, expr.TemplateOptions{})
	if err == nil {
		return t, nil
	}
	var inner *expr.TemplateError
	if errors.As(err, &inner) {
		return nil, &Error{Path: slices.Concat(path, inner.Path), Err: inner.Err}
	}
	return nil, &Error{Path: path, Err: err}
}

// checkFields refuses fields that a slip of the pen would otherwise turn into silence.
func checkFields(m map[string]any, path []any, known ...string) error {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if slices.Contains(known, name) {
			continue
		}
		if near := nearest.Name(name, known); near != "" {
			return wrong(below(path, name), "unknown field %q: did you mean %s?", name, near)
		}
		return wrong(below(path, name), "unknown field %q: expected one of %s", name, strings.Join(known, ", "))
	}
	return nil
}

func wrong(path []any, format string, args ...any) error {
	return &Error{Path: path, Err: fmt.Errorf(format, args...)}
}

// below extends a path without sharing its memory.
func below(path []any, step any) []any { return append(slices.Clone(path), step) }

func sorted(refs []string) []string {
	slices.Sort(refs)
	return slices.Compact(refs)
}
