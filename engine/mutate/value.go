package mutate

import (
	"fmt"

	"sigs.k8s.io/yaml"

	"github.com/holdfast-io/holdfast/engine/expr"
	"github.com/holdfast-io/holdfast/engine/number"
)

// valueTemplate is the value of an operation with variables.
type valueTemplate struct {
	kind     textKind
	constant any
	text     *expr.Template
	items    []*valueTemplate
	keys     []*valueTemplate
}

func (v *valueTemplate) isConstant() bool { return v.kind == constText }

func (c *textCompiler) value(n textNode, path []any) (*valueTemplate, error) {
	switch n.kind {
	case constText:
		return &valueTemplate{constant: n.value}, nil
	case listText:
		return c.listValue(n, path)
	case mapText:
		return c.mapValue(n, path)
	}
	t, err := c.template(n.source, path)
	if err != nil {
		return nil, err
	}
	v := &valueTemplate{kind: n.kind, text: t}
	if t.Static() {
		constant, err := v.render(nil)
		return &valueTemplate{constant: constant}, err
	}
	return v, nil
}

func (c *textCompiler) listValue(n textNode, path []any) (*valueTemplate, error) {
	v := &valueTemplate{kind: listText}
	list, constant := make([]any, len(n.items)), true
	for i := range n.items {
		item, err := c.value(n.items[i], join(path, i))
		if err != nil {
			return nil, err
		}
		v.items = append(v.items, item)
		list[i] = item.constant
		constant = constant && item.isConstant()
	}
	if constant {
		return &valueTemplate{constant: list}, nil
	}
	return v, nil
}

func (c *textCompiler) mapValue(n textNode, path []any) (*valueTemplate, error) {
	v := &valueTemplate{kind: mapText}
	object, constant := make(map[string]any, len(n.items)), true
	for i := range n.items {
		at := join(path, fmt.Sprint(n.keys[i].value))
		key, err := c.value(n.keys[i], path)
		if err != nil {
			return nil, err
		}
		item, err := c.value(n.items[i], at)
		if err != nil {
			return nil, err
		}
		v.keys, v.items = append(v.keys, key), append(v.items, item)
		if name, ok := key.constant.(string); ok && key.isConstant() && item.isConstant() {
			object[name] = item.constant
			continue
		}
		constant = false
	}
	if constant {
		return &valueTemplate{constant: object}, nil
	}
	return v, nil
}

func (v *valueTemplate) render(env *expr.Env) (any, error) {
	switch v.kind {
	case constText:
		return v.constant, nil
	case quotedText:
		return v.text.RenderText(env)
	case plainText:
		s, err := v.text.RenderText(env)
		if err != nil {
			return nil, err
		}
		return scalarType(s), nil
	case bareText:
		return v.renderBare(env)
	case listText:
		out := make([]any, len(v.items))
		for i, item := range v.items {
			var err error
			if out[i], err = item.render(env); err != nil {
				return nil, err
			}
		}
		return out, nil
	default:
		out := make(map[string]any, len(v.items))
		for i, item := range v.items {
			key, err := v.keys[i].render(env)
			if err != nil {
				return nil, err
			}
			if out[fmt.Sprint(key)], err = item.render(env); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
}

// renderBare reads a text as YAML, as if it stood in the place of its variable. What is no YAML by itself
// stays a text.
func (v *valueTemplate) renderBare(env *expr.Env) (any, error) {
	value, err := v.text.Render(env)
	if err != nil {
		return nil, err
	}
	text, isText := value.(string)
	if value = number.Canonical(value); !isJSON(value) {
		return nil, errNotJSON
	}
	if !isText {
		return value, nil
	}
	var doc any
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		return text, nil
	}
	return doc, nil
}
