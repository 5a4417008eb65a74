package migrate

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// shape is what expressions say of a value: the fields that they read of it, what they do with its elements, and the
// constants that they hold against it.
type shape struct {
	fields  map[string]*shape
	element *shape
	values  []any
}

func (s *shape) child(name string) *shape {
	if s.fields == nil {
		s.fields = map[string]*shape{}
	}
	if s.fields[name] == nil {
		s.fields[name] = &shape{}
	}
	return s.fields[name]
}

func (s *shape) each() *shape {
	if s.element == nil {
		s.element = &shape{}
	}
	return s.element
}

// take takes up constants.
func (s *shape) take(values ...any) {
	for _, v := range values {
		if !slices.ContainsFunc(s.values, func(other any) bool { return same(v, other) }) {
			s.values = append(s.values, v)
		}
	}
}

// shaped makes values of the shape, as node does of a pattern.
func (s *sampler) shaped(of *shape, t *fieldType) []any {
	switch {
	case t == nil && of.element != nil && of.fields != nil:
		return s.bounded(append(s.elements(of.element, nil), s.members(of, nil)...))
	case t == nil && of.element != nil:
		return s.bounded(append(s.elements(of.element, nil), "text", nil, map[string]any{}))
	case t == nil && of.fields != nil:
		return s.bounded(append(s.members(of, nil), "text", nil, []any{}))
	case t == nil:
		return s.loose(of.values)
	case t.form == listForm:
		each := of.each()
		each.take(of.values...)
		return s.elements(each, t.element)
	case t.form == objectForm:
		return s.members(of, t)
	default:
		return s.fitting(of.values, t)
	}
}

func (s *sampler) members(of *shape, t *fieldType) []any {
	var choices []choice
	for _, key := range slices.Sorted(maps.Keys(of.fields)) {
		if values := s.shaped(of.fields[key], t.field(key)); len(values) > 0 {
			choices = append(choices, choice{key, values})
		}
	}
	if t != nil && t.fields == nil && t.element != nil { // a map: its keys are anybody's
		keys := []any{"key"}
		if of.element != nil {
			keys = append(keys, of.element.values...)
		}
		for _, key := range append(keys, of.values...) {
			if text, ok := key.(string); ok && text != "" {
				choices = append(choices, choice{text, s.shaped(&shape{}, t.element)})
			}
		}
	}
	return s.combined(choices)
}

func (s *sampler) elements(of *shape, t *fieldType) []any {
	values := s.shaped(of, t)
	if len(values) == 0 {
		return []any{[]any{}}
	}
	out := []any{[]any{values[0]}, []any{}, []any{values[0], values[0], values[0]}}
	for _, value := range values[1:] {
		out = append(out, []any{value}, []any{values[0], value})
	}
	for range min(30, len(values)*2) {
		out = append(out, []any{values[s.random.IntN(len(values))], values[s.random.IntN(len(values))]})
	}
	return s.bounded(out)
}

// fitting gives values of the type around the constants.
func (s *sampler) fitting(constants []any, t *fieldType) []any {
	candidates := slices.Clone(constants)
	for _, c := range constants {
		candidates = append(candidates, beside(c)...)
	}
	return typed(append(candidates, "other", "", "1", "a:latest", true, false, 0.0, 1.0, 70000.0), t)
}

func (s *sampler) loose(constants []any) []any {
	candidates := slices.Clone(constants)
	for _, c := range constants {
		candidates = append(candidates, beside(c)...)
	}
	return append(candidates, "other", "", true, false, 0.0, 1.0, nil, []any{}, map[string]any{})
}

// beside gives values close to a constant.
func beside(c any) []any {
	switch c := c.(type) {
	case string:
		return []any{instance(c), c + "x", "x" + c, "x" + c + "x", c + "/x", "x/" + c}
	case float64:
		return []any{c + 1, c - 1}
	default:
		return nil
	}
}

// choice is a key with the values that it may have.
type choice struct {
	key    string
	values []any
}

// combined makes objects of choices: one with the first of each, those that differ from it in one place, the empty one,
// and some that differ in several places.
func (s *sampler) combined(choices []choice) []any {
	base := map[string]any{}
	for _, c := range choices {
		base[c.key] = c.values[0]
	}
	out := []any{base}
	for _, c := range choices {
		for _, value := range c.values[1:] {
			m := maps.Clone(base)
			m[c.key] = value
			out = append(out, m)
		}
		without := maps.Clone(base)
		delete(without, c.key)
		out = append(out, without)
	}
	out = append(out, map[string]any{})
	for range min(40, len(choices)*len(choices)*4) {
		m := map[string]any{}
		for _, c := range choices {
			if s.random.IntN(4) > 0 {
				m[c.key] = c.values[s.random.IntN(len(c.values))]
			}
		}
		out = append(out, m)
	}
	return s.bounded(out)
}

func newSampler(seed uint64) *sampler { return &sampler{rand.New(rand.NewPCG(seed, 1))} }
