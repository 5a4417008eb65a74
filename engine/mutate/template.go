package mutate

import (
	"errors"
	"fmt"
	"slices"

	"sigs.k8s.io/yaml"

	"github.com/holdfast-io/holdfast/engine/expr"
)

// templateOp is an operation with variables in it.
type templateOp struct {
	known operation // what can be told at load
	from  string
	whole *valueTemplate // the operation itself is a variable, or

	pathVars *expr.Template
	fromVars *expr.Template
	value    *valueTemplate
}

func (o *templateOp) static() bool {
	return o.whole == nil && o.pathVars == nil && o.fromVars == nil && o.value == nil
}

func (o *templateOp) render(env *expr.Env) (operation, error) {
	if o.static() {
		return o.known, nil
	}
	if o.whole != nil {
		item, err := o.whole.render(env)
		if err != nil {
			return operation{}, err
		}
		return readOperation(item)
	}
	path, err := renderMember("path", o.pathVars, env, o.known.path)
	if err != nil {
		return operation{}, err
	}
	from, err := renderMember("from", o.fromVars, env, o.from)
	if err != nil {
		return operation{}, err
	}
	value := o.known.value
	if o.value != nil {
		if value, err = o.value.render(env); err != nil {
			return operation{}, fmt.Errorf("value: %w", err)
		}
	}
	op, err := newOperation(o.known.kind.String(), path, from, value)
	if err == nil {
		err = checkTarget(op.to)
	}
	return op, err
}

func renderMember(name string, t *expr.Template, env *expr.Env, constant string) (string, error) {
	if t == nil {
		return constant, nil
	}
	text, err := t.RenderText(env)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return text, nil
}

// textCompiler turns the parts of a text into templates.
type textCompiler struct {
	self []string
	refs []string
}

func (c *textCompiler) operation(n textNode, path []any) (templateOp, error) {
	switch n.kind {
	case bareText:
		whole, err := c.value(n, path)
		return templateOp{whole: whole}, err
	case mapText:
		return c.members(n, path)
	default:
		return templateOp{}, wrong(path, fmt.Errorf("expected an operation, this is %s", &n))
	}
}

func (c *textCompiler) members(n textNode, path []any) (o templateOp, err error) {
	name, vars, err := c.member(n, "op", path)
	if err != nil {
		return o, err
	}
	if vars != nil {
		return o, wrong(join(path, "op"), errors.New("must be written out, without variables"))
	}
	if o.known.kind, err = parseOp(name); err != nil {
		return o, wrong(join(path, "op"), err)
	}
	if o.known.path, o.pathVars, err = c.member(n, "path", path); err != nil {
		return o, err
	}
	if o.pathVars == nil {
		if o.known.to, err = parsePointer(o.known.path); err == nil {
			err = checkTarget(o.known.to)
		}
		if err != nil {
			return o, wrong(join(path, "path"), err)
		}
	}
	if o.known.kind.hasFrom() {
		if o.from, o.fromVars, err = c.member(n, "from", path); err != nil {
			return o, err
		}
		if o.known.from, err = parsePointer(o.from); err != nil {
			return o, wrong(join(path, "from"), err)
		}
	}
	if !o.known.kind.hasValue() {
		return o, nil
	}
	i := n.find("value")
	if i < 0 {
		return o, wrong(join(path, "value"), errMember)
	}
	v, err := c.value(n.items[i], join(path, "value"))
	if err != nil {
		return o, err
	}
	if o.known.value = v.constant; !v.isConstant() {
		o.value = v
	}
	return o, nil
}

// find gives the place of a member, or -1.
func (n *textNode) find(key string) int {
	return slices.IndexFunc(n.keys, func(k textNode) bool { return k.kind == constText && k.value == key })
}

// member compiles op, path or from, which are texts whatever they look like.
func (c *textCompiler) member(op textNode, name string, path []any) (string, *expr.Template, error) {
	path = join(path, name)
	i := op.find(name)
	if i < 0 {
		return "", nil, wrong(path, errMember)
	}
	n := op.items[i]
	switch n.kind {
	case constText:
		s, ok := n.value.(string)
		if !ok {
			return "", nil, wrong(path, fmt.Errorf("must be a string, this is %s", &n))
		}
		return s, nil, nil
	case listText, mapText:
		return "", nil, wrong(path, fmt.Errorf("must be a string, this is %s", &n))
	}
	t, err := c.template(n.source, path)
	if err != nil || !t.Static() {
		return "", t, err
	}
	s, err := t.RenderText(nil)
	return s, nil, err
}

func (c *textCompiler) template(source string, path []any) (*expr.Template, error) {
	t, err := expr.CompileTemplate(source, expr.TemplateOptions{Self: c.self})
	if err != nil {
		return nil, wrong(path, err)
	}
	c.refs = append(c.refs, t.References()...)
	return t, nil
}

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
	if value = number(value); !isJSON(value) {
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
