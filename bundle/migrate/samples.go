package migrate

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast-io/holdfast/engine/pattern"
)

// sampler makes values for the proof from what a pattern says: the first is one that should match, the others differ from
// it in one place. Fields of a known type get values of that type only, as an API server lets nothing else in; all others
// get anything.
type sampler struct{ random *rand.Rand }

// maxSamples bounds the values made of one part of a pattern, so that a proof takes a second at most.
const maxSamples = 120

func (s *sampler) node(tree any, t *fieldType) []any {
	switch tree := tree.(type) {
	case map[string]any:
		return s.object(tree, t)
	case []any:
		return s.list(tree, t)
	default:
		return s.scalar(tree, t)
	}
}

func (s *sampler) object(tree map[string]any, t *fieldType) []any {
	var choices, forbidden []choice
	for _, key := range slices.Sorted(maps.Keys(tree)) {
		kind, name, ok := pattern.MatchAnchor(key)
		if !ok {
			kind, name = pattern.NoAnchor, key
		}
		child := t.field(name)
		values := s.node(tree[key], child)
		if len(values) == 0 || kind == pattern.Negation {
			values = append(values, something(child))
		}
		if kind == pattern.Negation {
			forbidden = append(forbidden, choice{name, values})
			continue
		}
		choices = append(choices, choice{name, values})
	}
	out := s.combined(choices)
	for _, value := range forbidden {
		m := maps.Clone(out[0].(map[string]any))
		m[value.key] = value.values[0]
		out = append(out, m)
	}
	if t == nil {
		out = append(out, "text", nil, []any{}, 7.0)
	}
	return s.bounded(out)
}

func (s *sampler) list(items []any, t *fieldType) []any {
	if len(items) == 0 || (t != nil && t.form != listForm) {
		return nil
	}
	var element *fieldType
	if t != nil {
		element = t.element
	}
	var values, all []any
	for _, item := range items {
		made := s.node(item, element)
		if len(made) == 0 {
			return nil
		}
		values = append(values, made...)
		all = append(all, made[0])
	}
	out := []any{all, []any{}}
	for _, value := range values {
		out = append(out, []any{value}, append(slices.Clone(all), value))
	}
	for range min(30, len(values)*2) {
		out = append(out, []any{values[s.random.IntN(len(values))], values[s.random.IntN(len(values))]})
	}
	if t == nil {
		out = append(out, "text", nil, map[string]any{}, false)
	}
	return s.bounded(out)
}

// bounded keeps the first and a choice of the others.
func (s *sampler) bounded(list []any) []any {
	if len(list) <= maxSamples {
		return list
	}
	rest := list[1:]
	s.random.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
	return list[:maxSamples]
}

// scalar gives values around a leaf: what it asks for, what lies beside that, what is empty, and what is something else.
func (s *sampler) scalar(tree any, t *fieldType) []any {
	leaf, err := pattern.CompileScalar(tree)
	if err != nil {
		return nil
	}
	candidates := []any{"", "other", "a", "0", "1", "a:latest", true, false, 0.0, 1.0, 70000.0}
	switch tree := tree.(type) {
	case string:
		candidates = append(candidates, textsLike(leaf)...)
	case nil:
	default:
		candidates = append(candidates, tree)
		if n, ok := tree.(float64); ok {
			candidates = append(candidates, n+1, n-1, strconv.FormatFloat(n, 'f', -1, 64))
		}
	}
	if t == nil {
		candidates = append(candidates, nil, []any{}, map[string]any{}, 0.5)
		for _, c := range slices.Clone(candidates) {
			candidates = append(candidates, []any{c})
		}
		candidates = append(candidates, []any{"other", "a"}, map[string]any{"a": "b"})
	}
	candidates = typed(candidates, t)
	slices.SortStableFunc(candidates, func(a, b any) int {
		return rank(leaf.MatchEach(a)) - rank(leaf.MatchEach(b))
	})
	return candidates
}

func rank(matches bool) int {
	if matches {
		return 0
	}
	return 1
}

// textsLike gives values that an operand speaks of, and what lies close by.
func textsLike(leaf pattern.Scalar) []any {
	var out []any
	for _, all := range leaf.Terms() {
		for _, t := range all {
			for _, operand := range []string{t.Operand, t.Upper} {
				if operand == "" {
					continue
				}
				text := strings.NewReplacer("*", "x1", "?", "y").Replace(operand)
				out = append(out, text, strings.NewReplacer("*", "", "?", "z").Replace(operand), text+"x", "x"+text, strings.ToUpper(text))
				if n, err := strconv.ParseFloat(text, 64); err == nil {
					out = append(out, n, n+1, n-1, strconv.FormatFloat(n+1, 'f', -1, 64))
				} else if t.Quantity {
					out = append(out, "1", "1m", "1Ki", "900Gi", "2")
				}
			}
		}
	}
	return out
}

// typed keeps what the API server lets stand in a field of the type.
func typed(values []any, t *fieldType) []any {
	if t == nil {
		return values
	}
	var out []any
	for _, v := range values {
		if v, ok := cast(v, t); ok && !slices.ContainsFunc(out, func(other any) bool { return same(v, other) }) {
			out = append(out, v)
		}
	}
	if t.form == listForm && len(out) > 1 {
		out = append(out, []any{})
		for i := range len(out) - 2 {
			out = append(out, slices.Concat(out[i].([]any), out[i+1].([]any)))
		}
	}
	return out
}

func same(a, b any) bool {
	switch a.(type) {
	case []any, map[string]any:
		return false
	}
	switch b.(type) {
	case []any, map[string]any:
		return false
	}
	return a == b
}

func cast(v any, t *fieldType) (any, bool) {
	switch t.form {
	case textForm:
		text, ok := v.(string)
		return text, ok
	case flagForm:
		flag, ok := v.(bool)
		return flag, ok
	case numberForm:
		n, ok := v.(float64)
		return n, ok && n == float64(int64(n))
	case quantityForm:
		text, ok := v.(string)
		return text, ok && isQuantity(text) && text[0] >= '0' && text[0] <= '9'
	case numberOrTextForm:
		_, isFlag := v.(bool)
		return v, !isFlag
	case listForm:
		if t.element == nil {
			return v, true
		}
		inner, ok := cast(v, t.element)
		return []any{inner}, ok
	default:
		return map[string]any{"a": "b"}, t.fields == nil
	}
}

// something is a value that may stand in a field of the type.
func something(t *fieldType) any {
	switch {
	case t == nil:
		return "something"
	case t.form == flagForm:
		return true
	case t.form == numberForm, t.form == numberOrTextForm:
		return 1.0
	case t.form == listForm:
		return []any{something(t.element)}
	case t.form == objectForm:
		return map[string]any{}
	default:
		return "1"
	}
}
