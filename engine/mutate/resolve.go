package mutate

import (
	"github.com/holdfast-io/holdfast/engine/expr"
	"github.com/holdfast-io/holdfast/engine/glob"
)

// resolver evaluates the anchors of a patch on an object and gives what there is to be merged: JSON
// values with *mixed and *directed among them.
type resolver struct {
	env    *expr.Env
	schema *Schema
	values []any // of the variables
}

// mixed is what remains of a list with anchored elements.
type mixed struct {
	plain []any  // its other elements
	picks []pick // what to merge into the elements that the anchored ones select
}

// pick is the patch of one element of the object's list.
type pick struct {
	index int
	value any
}

// directed is an object or a list with a $patch directive.
type directed struct {
	directive directive
	value     any
}

// node gives a part of the patch as it applies to res, the object's value at the same place, nil if there
// is none. keep is false when nothing but anchors stood there.
func (r *resolver) node(n *node, res any, sh *shape) (value any, keep bool, why *stop) {
	switch n.form {
	case slotForm:
		return r.values[n.slot], true, nil
	case objectForm:
		return r.object(n.object, res, sh)
	case listForm:
		return r.list(n.list, res, sh)
	default:
		return n.plain, true, nil
	}
}

func (r *resolver) object(o *objectNode, res any, sh *shape) (any, bool, *stop) {
	m, _ := res.(map[string]any)
	sh = r.schema.of(sh, m)
	if why := r.check(o.globals, m); why != nil {
		return nil, false, why
	}
	if why := r.check(o.conditions, m); why != nil {
		return nil, false, why
	}
	out := builder{fields: o.plain, room: len(o.absent) + len(o.fields)}
	for i := range o.absent {
		f := &o.absent[i]
		key := r.key(f)
		if _, there := m[key]; there {
			continue
		}
		if why := r.add(&out, f, key, nil, sh); why != nil {
			return nil, false, why
		}
	}
	for i := range o.fields {
		f := &o.fields[i]
		key := r.key(f)
		if why := r.add(&out, f, key, m[key], sh); why != nil {
			return nil, false, why
		}
	}
	if o.directive != mergeDirective {
		return &directed{directive: o.directive, value: out.done()}, true, nil
	}
	if o.anchored && len(out.fields) == 0 {
		return nil, false, nil
	}
	return out.done(), true, nil
}

func (r *resolver) key(f *field) string {
	if f.slot == noSlot {
		return f.key
	}
	key, _ := r.values[f.slot].(string)
	return key
}

func (r *resolver) add(out *builder, f *field, key string, res any, sh *shape) *stop {
	value, keep, why := r.node(&f.value, res, sh.field(key))
	if why == nil && keep {
		out.put(key, value)
	}
	return why
}

// builder makes an object that begins as a shared one.
type builder struct {
	fields map[string]any
	own    bool
	room   int // how many fields may come
}

func (b *builder) put(key string, value any) {
	if !b.own {
		fields := make(map[string]any, len(b.fields)+b.room)
		for k, v := range b.fields {
			fields[k] = v
		}
		b.fields, b.own = fields, true
	}
	b.fields[key] = value
}

func (b *builder) done() map[string]any {
	if b.fields == nil {
		return map[string]any{}
	}
	return b.fields
}

func (r *resolver) list(l *listNode, res any, sh *shape) (any, bool, *stop) {
	out := &mixed{}
	items, _ := res.([]any)
	for i := range l.elements {
		e := &l.elements[i]
		if e.anchored {
			if why := r.selected(e, items, sh, out); why != nil {
				return nil, false, why
			}
			continue
		}
		value, keep, why := r.node(&e.node, nil, sh.element())
		if why != nil {
			return nil, false, why
		}
		if keep {
			out.plain = append(out.plain, value)
		}
	}
	var value any = out
	if !l.anchored || l.directive == replaceDirective {
		value = append([]any{}, out.plain...)
	}
	if l.directive != mergeDirective {
		return &directed{directive: l.directive, value: value}, true, nil
	}
	if l.anchored && len(out.plain) == 0 && len(out.picks) == 0 {
		return nil, false, nil
	}
	return value, true, nil
}

// selected gathers what an anchored element patches. An element with a global condition patches nothing:
// it says that some element of the list must meet the condition, or else the whole patch is left out.
func (r *resolver) selected(e *element, items []any, sh *shape, out *mixed) *stop {
	o := e.node.object
	if len(items) == 0 {
		_, _, why := r.object(o, nil, sh.element())
		if why != nil && why.why != unmet {
			return why
		}
		return nil
	}
	var global *stop
	held := false
	for i, item := range items {
		if !r.selects(e, item, sh) {
			continue
		}
		value, keep, why := r.object(o, item, sh.element())
		switch {
		case why == nil && o.global:
			held = true
		case why == nil && e.name != nil && !sh.keyedBy("name"):
			out.picks = append(out.picks, pick{index: i, value: withName(value, r.nameOf(e))})
		case why == nil && keep:
			out.picks = append(out.picks, pick{index: i, value: value})
		case why == nil || why.why == unmet:
		case why.why == unmetGlobal:
			global = why
		default:
			return why
		}
	}
	if held {
		return nil
	}
	return global
}

// selects reports whether an element of the object is one that the keys of an anchored element name. The
// fields that tell the elements of the list apart say which element is meant: they are not to be set.
func (r *resolver) selects(e *element, item any, sh *shape) bool {
	m, ok := item.(map[string]any)
	if !ok {
		return false
	}
	if e.name != nil && sh.keyedBy("name") && !r.named(e, m["name"]) {
		return false
	}
	if !sh.mergeable() {
		return true
	}
	for _, k := range sh.keys {
		if want, ok := r.given(e.node.object, k.name); ok && !k.same(want, m[k.name]) {
			return false
		}
	}
	return true
}

// given is what a patch says of a field, where that depends on no anchor.
func (r *resolver) given(o *objectNode, key string) (any, bool) {
	if v, ok := o.plain[key]; ok {
		return v, true
	}
	for i := range o.fields {
		if f := &o.fields[i]; f.value.form == slotForm && r.key(f) == key {
			return r.values[f.value.slot], true
		}
	}
	return nil, false
}

func (r *resolver) nameOf(e *element) any {
	if e.name.value.form == slotForm {
		return r.values[e.name.value.slot]
	}
	return e.name.value.plain
}

func (r *resolver) named(e *element, name any) bool {
	want := r.nameOf(e)
	pattern, isText := want.(string)
	text, isName := name.(string)
	switch {
	case !isText || !isName:
		return equal(want, name)
	case e.name.value.form == slotForm:
		return glob.Match(pattern, text)
	default:
		return e.name.glob.Match(text)
	}
}

// withName puts the name back into the patch of an element that it does not identify.
func withName(value, name any) any {
	m, isObject := value.(map[string]any)
	if !isObject && value != nil {
		return value
	}
	out := builder{fields: m, room: 1}
	out.put("name", name)
	return out.fields
}
