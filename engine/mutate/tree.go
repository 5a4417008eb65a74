package mutate

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast-io/holdfast/engine/expr"
	"github.com/holdfast-io/holdfast/engine/glob"
	"github.com/holdfast-io/holdfast/engine/number"
	"github.com/holdfast-io/holdfast/engine/pattern"
)

// treeCompiler turns the tree of a patch into nodes.
type treeCompiler struct {
	self []string
	vars []variable
	refs []string
}

func (c *treeCompiler) node(tree any, path []any) (node, error) {
	if len(path) > pattern.MaxDepth {
		return node{}, wrong(path, fmt.Errorf("the patch is nested more than %d deep", pattern.MaxDepth))
	}
	switch v := tree.(type) {
	case map[string]any:
		return c.object(v, path)
	case []any:
		return c.list(v, path)
	case string:
		return c.text(v, path)
	case nil, bool, float64, int, int64:
		return node{plain: number.Canonical(v)}, nil
	default:
		return node{}, wrong(path, fmt.Errorf("a value of Go type %T is not JSON", tree))
	}
}

func (c *treeCompiler) text(s string, path []any) (node, error) {
	t, err := expr.CompileTemplate(s, expr.TemplateOptions{Self: c.selfAt(path)})
	if err != nil {
		return node{}, wrong(path, err)
	}
	if !t.Static() {
		return node{form: slotForm, slot: c.slot(t, path, false)}, nil
	}
	v, err := t.Render(nil)
	if err != nil {
		return node{}, wrong(path, err)
	}
	return node{plain: v}, nil
}

func (c *treeCompiler) slot(t *expr.Template, path []any, asText bool) int {
	c.vars = append(c.vars, variable{path: join(path), template: t, asText: asText})
	c.refs = append(c.refs, t.References()...)
	return len(c.vars) - 1
}

// selfAt writes the JMESPath of the object's value at a place of the patch.
func (c *treeCompiler) selfAt(path []any) []string {
	if c.self == nil {
		return nil
	}
	self := slices.Clone(c.self)
	for _, p := range path {
		switch p := p.(type) {
		case int:
			self[len(self)-1] += "[" + strconv.Itoa(p) + "]"
		case string:
			_, name, _ := pattern.MatchAnchor(p)
			self = append(self, strconv.Quote(name))
		}
	}
	return self
}

// key compiles a key without its anchor. One without variables gets no slot.
func (c *treeCompiler) key(name string, path []any) (string, int, error) {
	t, err := expr.CompileTemplate(name, expr.TemplateOptions{Self: c.selfAt(path)})
	if err != nil {
		return "", noSlot, wrong(path, err)
	}
	if !t.Static() {
		return name, c.slot(t, path, true), nil
	}
	plain, err := t.RenderText(nil)
	if err != nil {
		return "", noSlot, wrong(path, err)
	}
	return plain, noSlot, nil
}

func (c *treeCompiler) object(m map[string]any, path []any) (node, error) {
	o := &objectNode{}
	seen := map[string]string{}
	for _, raw := range sortedKeys(m) {
		if raw == patchKey {
			d, err := readDirective(m[raw])
			if err != nil {
				return node{}, wrong(join(path, raw), err)
			}
			o.directive = d
			continue
		}
		if err := c.member(o, raw, m[raw], join(path, raw), seen); err != nil {
			return node{}, err
		}
	}
	_, directed := m[patchKey]
	if !directed && !o.anchored && len(o.fields) == 0 {
		return node{plain: o.plainFields()}, nil
	}
	return node{form: objectForm, object: o}, nil
}

// plainFields is never nil, so that an empty object stays one.
func (o *objectNode) plainFields() map[string]any {
	if o.plain == nil {
		return map[string]any{}
	}
	return o.plain
}

func (c *treeCompiler) member(o *objectNode, raw string, value any, path []any, seen map[string]string) error {
	anchor, name, err := readKey(raw)
	if err != nil {
		return wrong(path, err)
	}
	key, slot, err := c.key(name, path)
	if err != nil {
		return err
	}
	conditional := anchor == pattern.Condition || anchor == pattern.Global
	if !conditional || addsFields(value) {
		if other, twice := seen[key]; twice {
			return wrong(path, fmt.Errorf("sets the same field as %s", other))
		}
		seen[key] = raw
	}
	if conditional {
		return c.condition(o, anchor, field{key: key, slot: slot}, value, path)
	}
	n, err := c.node(value, path)
	if err != nil {
		return err
	}
	o.anchored = o.anchored || n.anchored() || anchor == pattern.AddIfAbsent
	o.global = o.global || n.global()
	switch {
	case anchor == pattern.AddIfAbsent:
		o.absent = append(o.absent, field{key: key, slot: slot, value: n})
	case n.form == plainForm && slot == noSlot:
		if o.plain == nil {
			o.plain = map[string]any{}
		}
		o.plain[key] = n.plain
	default:
		o.fields = append(o.fields, field{key: key, slot: slot, value: n})
	}
	return nil
}

// readKey takes the anchor off a key, and refuses what looks like one and would be written into the
// object as it stands.
func readKey(raw string) (pattern.Anchor, string, error) {
	switch {
	case raw == "$retainKeys", strings.HasPrefix(raw, "$setElementOrder/"), strings.HasPrefix(raw, "$deleteFromPrimitiveList/"):
		return 0, "", fmt.Errorf("the directive %s is not part of Kyverno's patches", raw)
	}
	anchor, name, ok := pattern.MatchAnchor(raw)
	if !ok {
		for _, mark := range []string{"(", "<(", "+(", "=(", "^("} {
			if strings.HasPrefix(strings.TrimSpace(raw), mark) {
				return 0, "", errors.New("looks like an anchor and is none: the anchors of patches are (k), <(k) and +(k)")
			}
		}
		return pattern.NoAnchor, raw, nil
	}
	if _, _, nested := pattern.MatchAnchor(name); nested {
		return 0, "", errors.New("has one anchor inside another")
	}
	switch anchor {
	case pattern.Condition, pattern.Global, pattern.AddIfAbsent:
	default:
		return 0, "", fmt.Errorf("an anchor of kind %s has no meaning in a patch outside of a condition: the anchors of patches are (k), <(k) and +(k)", anchor)
	}
	return anchor, name, nil
}

func (c *treeCompiler) list(list []any, path []any) (node, error) {
	l := &listNode{}
	plain := make([]any, 0, len(list))
	isPlain := true
	for i, item := range list {
		at := join(path, i)
		if m, ok := item.(map[string]any); ok && len(m) == 1 && m[patchKey] != nil {
			d, err := readDirective(m[patchKey])
			if err != nil {
				return node{}, wrong(join(at, patchKey), err)
			}
			l.directive, isPlain = d, false
			continue
		}
		n, err := c.node(item, at)
		if err != nil {
			return node{}, err
		}
		e := element{node: n, anchored: n.anchored()}
		if e.anchored && n.form == listForm {
			return node{}, wrong(at, errors.New("anchors inside a list of lists select nothing"))
		}
		if e.anchored {
			e.takeName()
		}
		l.anchored = l.anchored || e.anchored
		l.global = l.global || n.global()
		l.elements = append(l.elements, e)
		isPlain = isPlain && n.form == plainForm
		plain = append(plain, n.plain)
	}
	if isPlain {
		return node{plain: plain}, nil
	}
	return node{form: listForm, list: l}, nil
}

// takeName makes a selector of the plain field name of an anchored element.
func (e *element) takeName() {
	o := e.node.object
	if v, ok := o.plain["name"]; ok {
		delete(o.plain, "name")
		s, _ := v.(string)
		e.name = &nameSelector{value: node{plain: v}, glob: glob.Compile(s)}
		return
	}
	for i, f := range o.fields {
		if f.key == "name" && f.slot == noSlot && f.value.form == slotForm {
			o.fields = slices.Delete(o.fields, i, i+1)
			e.name = &nameSelector{value: f.value}
			return
		}
	}
}

const patchKey = "$patch"

func readDirective(v any) (directive, error) {
	switch v {
	case "merge":
		return mergeDirective, nil
	case "replace":
		return replaceDirective, nil
	case "delete":
		return deleteDirective, nil
	default:
		return 0, fmt.Errorf("unknown directive %v: expected delete, merge or replace", v)
	}
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
