package mutate

import (
	"errors"
	"fmt"
)

// merger merges what a resolver gives into an object, copying on write.
type merger struct{ schema *Schema }

// change is what a merge did to a value.
type change uint8

const (
	kept change = iota
	set
	removed
)

// object merges patch into dest. Without a change it answers dest itself.
func (m *merger) object(dest, patch map[string]any, sh *shape) (map[string]any, bool, error) {
	sh = m.schema.of(sh, dest)
	out, owned := dest, false
	var worst error
	var worstKey string
	for key, value := range patch {
		old, there := dest[key]
		merged, did, err := m.value(old, there, value, sh.field(key))
		if err != nil {
			// Of several errors the first in key order is reported: a map has no order of its own.
			if worst == nil || key < worstKey {
				worst, worstKey = err, key
			}
			continue
		}
		if did == kept {
			continue
		}
		if !owned {
			out, owned = copyObject(dest, len(patch)), true
		}
		if did == removed {
			delete(out, key)
		} else {
			out[key] = merged
		}
	}
	if worst != nil {
		return nil, false, below(worstKey, worst)
	}
	return out, owned, nil
}

func copyObject(m map[string]any, room int) map[string]any {
	out := make(map[string]any, len(m)+room)
	for k, v := range m {
		out[k] = v
	}
	return out
}

// value merges patch into old, which may be missing.
func (m *merger) value(old any, there bool, patch any, sh *shape) (any, change, error) {
	switch p := patch.(type) {
	case nil:
		if there {
			return nil, removed, nil
		}
		return nil, kept, nil
	case *directed:
		return m.directed(old, there, p, sh)
	case map[string]any:
		if o, ok := old.(map[string]any); ok {
			merged, changed, err := m.object(o, p, sh)
			return merged, changedTo(changed), err
		}
	case []any:
		if o, ok := old.([]any); ok {
			return m.list(o, p, sh)
		}
	case *mixed:
		if o, ok := old.([]any); ok {
			merged, changed, err := m.mixed(o, p, sh)
			return merged, changedTo(changed), err
		}
	default:
		if isContainer(old) {
			break
		}
		if there && equal(old, p) {
			return old, kept, nil
		}
		return p, set, nil
	}
	if old != nil {
		return nil, kept, &applyError{err: fmt.Errorf("the patch has %s where the object has %s", kindOf(patch), kindOf(old))}
	}
	added, err := m.added(patch, sh)
	return added, set, err
}

func changedTo(changed bool) change {
	if changed {
		return set
	}
	return kept
}

func (m *merger) directed(old any, there bool, p *directed, sh *shape) (any, change, error) {
	if p.directive == deleteDirective {
		if there {
			return nil, removed, nil
		}
		return nil, kept, nil
	}
	added, err := m.added(p.value, sh)
	if err != nil || there && equal(old, added) {
		return old, kept, err
	}
	return added, set, nil
}

// added is what stands in the object where a patch meets nothing: without its nulls and directives.
func (m *merger) added(patch any, sh *shape) (any, error) {
	switch p := patch.(type) {
	case map[string]any:
		return m.addedObject(p, sh)
	case []any:
		if sh.mergeable() && len(p) > 0 {
			out, _, err := m.elements(nil, p, nil, sh)
			return out, err
		}
		return p, checkElements(p)
	case *mixed:
		return m.added(p.plain, sh)
	case *directed:
		return m.added(p.value, sh)
	default:
		return patch, nil
	}
}

func (m *merger) addedObject(p map[string]any, sh *shape) (any, error) {
	out, owned := p, false
	var worst error
	var worstKey string
	for key, value := range p {
		d, isDirected := value.(*directed)
		drop := value == nil || isDirected && d.directive == deleteDirective
		var added any
		if !drop {
			var err error
			if added, err = m.added(value, sh.field(key)); err != nil {
				if worst == nil || key < worstKey {
					worst, worstKey = err, key
				}
				continue
			}
			if same(value, added) {
				continue
			}
		}
		if !owned {
			out, owned = copyObject(p, 0), true
		}
		if drop {
			delete(out, key)
		} else {
			out[key] = added
		}
	}
	if worst != nil {
		return nil, below(worstKey, worst)
	}
	return out, nil
}

// same reports whether added gave a value back as it was. Scalars always are.
func same(value, added any) bool {
	switch v := value.(type) {
	case map[string]any:
		a, ok := added.(map[string]any)
		return ok && sameMap(v, a)
	case []any:
		a, ok := added.([]any)
		return ok && sameList(v, a)
	case *mixed, *directed:
		return false
	default:
		return true
	}
}

var errNoKey = errors.New("$patch cannot choose an element: the list has no merge key in this kind of object")

// checkElements finds directives in a list that is taken as it stands, where they would be written into the
// object.
func checkElements(list []any) error {
	for i, item := range list {
		if err := checkElement(item); err != nil {
			return below(i, err)
		}
	}
	return nil
}

func checkElement(v any) error {
	switch v := v.(type) {
	case []any:
		return checkElements(v)
	case map[string]any:
		for _, key := range sortedKeys(v) {
			if err := checkElement(v[key]); err != nil {
				return below(key, err)
			}
		}
	case *directed, *mixed:
		return errNoKey
	}
	return nil
}

func isContainer(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return true
	default:
		return false
	}
}

// kindOf names a value in messages.
func kindOf(v any) string {
	switch v.(type) {
	case map[string]any:
		return "an object"
	case []any, *mixed:
		return "a list"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case nil:
		return "null"
	default:
		return "a number"
	}
}
