package engine

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/holdfast-io/holdfast/engine/condition"
	"github.com/holdfast-io/holdfast/engine/expr"
)

// compileConditions compiles preconditions or deny conditions: typed is what the policy's Go type holds. The
// second answer is what their messages read.
func (c *compiler) compileConditions(typed any, path []any) (conditions *condition.Conditions, messageRefs []string) {
	doc, err := c.conditions(typed, path)
	if err != nil {
		c.problem(path, err.Error())
		return nil, nil
	}
	if doc == nil {
		return nil, nil
	}
	conditions, err = condition.Compile(doc)
	if err != nil {
		c.wrong(path, err)
		return nil, nil
	}
	c.refs = append(c.refs, conditions.References()...)
	return conditions, conditions.MessageReferences()
}

// conditions gives the conditions as JSON values: as the document has them at path, shifted into the pod
// template for a generated rule, or else as the typed policy has them.
func (c *compiler) conditions(src any, path []any) (any, error) {
	typed, err := jsonValue(src)
	if err != nil || c.document == nil {
		return typed, err
	}
	written, ok := valueAt(c.document, path)
	if !ok {
		return typed, nil
	}
	if c.template != nil {
		raw, err := json.Marshal(written)
		if err != nil {
			return nil, fmt.Errorf("reading the conditions: %w", err)
		}
		var shifted any
		if err := json.Unmarshal([]byte(shifter(c.template).Replace(string(raw))), &shifted); err != nil {
			return nil, fmt.Errorf("reading the conditions: %w", err)
		}
		return shifted, nil
	}
	written, err = jsonValue(written)
	if err == nil && !reflect.DeepEqual(written, typed) {
		c.hidden = append(c.hidden, written)
	}
	return written, err
}

func valueAt(doc any, path []any) (any, bool) {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := doc.(map[string]any)
			next, ok := m[step]
			if !ok {
				return nil, false
			}
			doc = next
		case int:
			list, _ := doc.([]any)
			if step >= len(list) {
				return nil, false
			}
			doc = list[step]
		}
	}
	return doc, true
}

// jsonValue turns a typed value into the JSON values that the engine works on.
func jsonValue(v any) (any, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("reading the value: %w", err)
	}
	var doc any
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("reading the value: %w", err)
	}
	return doc, nil
}

func (c *compiler) compileTemplate(doc any, path []any) *expr.Template {
	t, err := expr.CompileTemplate(doc, expr.TemplateOptions{})
	if err != nil {
		c.wrong(path, err)
		return nil
	}
	c.refs = append(c.refs, t.References()...)
	return t
}
