package condition

import "github.com/holdfast-io/holdfast/engine/glob"

// index is a list of members, prepared at load: literals are looked up, only patterns are tried.
type index struct {
	texts    []string
	literals map[string]struct{}
	globs    []glob.Glob
}

// prepare indexes the items of a list that is known at load.
func (m *members) prepare() {
	if m.kind != listed && m.kind != encodedList {
		return
	}
	x := &index{texts: make([]string, len(m.items)), literals: make(map[string]struct{}, len(m.items))}
	for i, item := range m.items {
		text := itemText(item)
		x.texts[i] = text
		if glob.HasWildcard(text) {
			x.globs = append(x.globs, glob.Compile(text))
		} else {
			x.literals[text] = struct{}{}
		}
	}
	m.known = x
}

// has reports whether an item matches k, or k an item.
func (x *index) has(k string) bool {
	if _, ok := x.literals[k]; ok {
		return true
	}
	if glob.MatchAny(x.globs, k) {
		return true
	}
	if !glob.HasWildcard(k) {
		return false
	}
	pattern := glob.Compile(k)
	for _, text := range x.texts {
		if pattern.Match(text) {
			return true
		}
	}
	return false
}
