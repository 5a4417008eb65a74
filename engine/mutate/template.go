package mutate

import (
	"errors"
	"fmt"
	"slices"

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
