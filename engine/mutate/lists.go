package mutate

import (
	"fmt"
)

// list merges a list without anchors. Only lists that have merge keys, or hold a set of scalars, are
// merged; any other is replaced.
func (m *merger) list(old, patch []any, sh *shape) (any, change, error) {
	if sh.mergeable() {
		merged, changed, err := m.elements(old, patch, nil, sh)
		return merged, changedTo(changed), err
	}
	if equal(old, patch) {
		return old, kept, nil
	}
	return patch, set, checkElements(patch)
}

// mixed merges a list with anchored elements: these patch the elements that they select in place, whether
// the list has keys or not.
func (m *merger) mixed(old []any, p *mixed, sh *shape) ([]any, bool, error) {
	if sh.mergeable() {
		return m.elements(old, p.plain, p.picks, sh)
	}
	if err := checkElements(p.plain); err != nil {
		return nil, false, err
	}
	w := elementList{all: old, old: len(old)}
	for i, item := range p.plain {
		if !contains(old, item) && !contains(p.plain[:i], item) {
			w.append(item)
		}
	}
	if err := m.pick(&w, p.picks, sh); err != nil {
		return nil, false, err
	}
	return w.done(), w.owned, nil
}

func contains(list []any, v any) bool {
	for _, item := range list {
		if equal(item, v) {
			return true
		}
	}
	return false
}

// elements merges element by element. Elements that are there already keep their place, new ones come
// before them.
func (m *merger) elements(old, plain []any, picks []pick, sh *shape) ([]any, bool, error) {
	w := elementList{all: old, old: len(old), keys: sh.keys}
	if len(plain)*len(old) > 4096 {
		w.indexAll()
	}
	for i, item := range plain {
		var err error
		if len(sh.keys) == 0 {
			err = w.include(item)
		} else {
			err = m.element(&w, item, sh)
		}
		if err != nil {
			return nil, false, below(i, err)
		}
	}
	if err := m.pick(&w, picks, sh); err != nil {
		return nil, false, err
	}
	return w.done(), w.owned, nil
}

// element merges one element of a patch into the one with the same keys.
func (m *merger) element(w *elementList, item any, sh *shape) error {
	d, _ := item.(*directed)
	value := item
	if d != nil {
		value = d.value
	}
	object, ok := value.(map[string]any)
	if !ok {
		return &applyError{err: fmt.Errorf("the patch has %s where the list has objects", kindOf(value))}
	}
	if isContainer(object[sh.keys[0].name]) || object[sh.keys[0].name] == nil {
		return &applyError{err: fmt.Errorf("the element has no %s, which says the element of the object that it is for", sh.keys[0].name)}
	}
	at := w.find(object)
	if at >= 0 {
		return m.into(w, at, item, sh)
	}
	if d != nil && d.directive == deleteDirective {
		return nil
	}
	added, err := m.added(value, sh.element())
	if err != nil {
		return err
	}
	w.append(added)
	return nil
}

// pick merges into the elements that anchored elements selected.
func (m *merger) pick(w *elementList, picks []pick, sh *shape) error {
	for _, p := range picks {
		if _, isGone := w.all[p.index].(gone); isGone {
			continue
		}
		if err := m.into(w, p.index, p.value, sh); err != nil {
			return below(p.index, err)
		}
	}
	return nil
}

func (m *merger) into(w *elementList, at int, patch any, sh *shape) error {
	merged, did, err := m.value(w.all[at], true, patch, sh.element())
	if err != nil {
		return err
	}
	switch did {
	case set:
		w.set(at, merged)
	case removed:
		w.set(at, gone{})
		w.gone++
	}
	return nil
}

// elementList is a list under change. New elements are kept behind the old ones until it is done.
type elementList struct {
	all   []any
	old   int // how many were there
	gone  int // how many of all are gone
	owned bool
	keys  []mergeKey
	index map[string][]int // places in all by the text of the first key, for long lists
}

// gone stands for an element that was removed.
type gone struct{}

func (w *elementList) own() {
	if !w.owned {
		w.all, w.owned = append(make([]any, 0, len(w.all)+4), w.all...), true
	}
}

func (w *elementList) set(at int, v any) {
	w.own()
	w.all[at] = v
}

func (w *elementList) append(v any) {
	w.own()
	w.all = append(w.all, v)
	w.note(len(w.all)-1, v)
}

// include adds a scalar to a set.
func (w *elementList) include(v any) error {
	switch v.(type) {
	case map[string]any, []any, *mixed, *directed, nil:
		return &applyError{err: fmt.Errorf("the patch has %s in a set of scalars", kindOf(v))}
	}
	if w.index != nil {
		text, _ := scalarText(v)
		if len(w.index[text]) > 0 {
			return nil
		}
	} else if contains(w.all, v) {
		return nil
	}
	w.append(v)
	return nil
}

// find gives the place of the first element with the same keys, or -1.
func (w *elementList) find(want map[string]any) int {
	if w.index != nil {
		text, _ := scalarText(want[w.keys[0].name])
		for _, at := range w.index[text] {
			if w.matches(at, want) {
				return at
			}
		}
		return -1
	}
	for at := range w.all {
		if w.matches(at, want) {
			return at
		}
	}
	return -1
}

func (w *elementList) matches(at int, want map[string]any) bool {
	have, ok := w.all[at].(map[string]any)
	if !ok {
		return false
	}
	for _, k := range w.keys {
		if !k.same(have[k.name], want[k.name]) {
			return false
		}
	}
	return true
}

func (w *elementList) indexAll() {
	w.index = make(map[string][]int, len(w.all))
	for at, v := range w.all {
		w.note(at, v)
	}
}

func (w *elementList) note(at int, v any) {
	if w.index == nil {
		return
	}
	if len(w.keys) > 0 {
		m, _ := v.(map[string]any)
		v = m[w.keys[0].name]
	}
	if text, ok := scalarText(v); ok {
		w.index[text] = append(w.index[text], at)
	}
}

// done gives the list: first what is new, then what was there.
func (w *elementList) done() []any {
	if w.all == nil {
		return []any{} // JSON has nil as null
	}
	if len(w.all) == w.old && w.gone == 0 {
		return w.all
	}
	out := make([]any, 0, len(w.all)-w.gone)
	for _, part := range [][]any{w.all[w.old:], w.all[:w.old]} {
		for _, v := range part {
			if _, isGone := v.(gone); !isGone {
				out = append(out, v)
			}
		}
	}
	return out
}
