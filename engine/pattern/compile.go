package pattern

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// MaxDepth is how deep the maps and lists of a pattern may be nested. Matching recurses as deep as the
// pattern, and the deepest in public policies is 14.
const MaxDepth = 100

// compiler turns a tree into nodes. Strict is for the text of a policy, where what cannot be meant is an
// error; the value of a variable is taken as Kyverno takes it.
type compiler struct {
	strict   bool
	marks    map[string]int
	slots    []slot
	late     bool
	warnings []*CompileError
}

// slot is a leaf whose text has variables.
type slot struct {
	path  []any
	place place
}

func (c *compiler) node(tree any, path []any, at place) (node, error) {
	if len(path) > MaxDepth {
		return node{}, fail(path, fmt.Errorf("the pattern is nested more than %d deep", MaxDepth))
	}
	switch v := tree.(type) {
	case map[string]any:
		return c.object(v, path, at)
	case []any:
		return c.list(v, path)
	case string:
		if c.strict && dynamic(v) {
			c.slots = append(c.slots, slot{path: slices.Clone(path), place: at})
			return node{kind: slotNode, slot: len(c.slots) - 1, source: v}, nil
		}
	case nil, bool, float64, int64, int, json.Number:
	default:
		return node{}, fail(path, fmt.Errorf("a %T is no part of a pattern", tree))
	}
	scalar, err := CompileScalar(tree)
	if err == nil && c.strict {
		err = scalar.Check()
	}
	if err != nil {
		return node{}, fail(path, err)
	}
	return node{kind: scalarNode, scalar: scalar, star: tree == "*"}, nil
}

func (c *compiler) list(list []any, path []any) (node, error) {
	n := node{kind: listNode, items: make([]node, len(list))}
	for i, item := range list {
		var err error
		if n.items[i], err = c.node(item, append(path, i), anywhere); err != nil {
			return node{}, err
		}
		n.marked = n.marked || n.items[i].marked
	}
	switch {
	case len(list) == 0:
		c.warn(path, "an empty list in a pattern matches no list, not even an empty one")
	case len(list) > 1 && (n.items[0].kind == objectNode || n.items[0].kind == scalarNode) && !underExistence(path):
		c.warn(path, "only the first element of this list counts, and every element of the object's list must match it")
	}
	return n, nil
}

func (c *compiler) object(m map[string]any, path []any, at place) (node, error) {
	n := node{kind: objectNode, object: &object{}}
	var first []field // plain keys with anchors below come before those without, last key first
	for _, key := range sortedKeys(m) {
		f, err := c.field(key, m[key], append(path, key), at)
		if err != nil {
			return node{}, err
		}
		n.marked = n.marked || f.value.marked || f.anchor != NoAnchor
		switch {
		case f.anchor == Global || f.anchor == NoAnchor && f.value.marked:
			first = append(first, f)
		case f.anchor == NoAnchor:
			n.object.rest = append(n.object.rest, f)
		default:
			n.object.anchors = append(n.object.anchors, f)
		}
	}
	slices.Reverse(first)
	n.object.rest = append(first, n.object.rest...)
	return n, nil
}

func (c *compiler) field(key string, value any, path []any, at place) (field, error) {
	f := field{key: key, name: key}
	if kind, name, ok := MatchAnchor(key); ok && kind != AddIfAbsent {
		f.anchor, f.name = kind, name
	}
	if err := c.checkField(key, value, f.anchor); err != nil {
		return f, fail(path, err)
	}
	if at == inLabels {
		f.setWild()
	}
	if f.anchor == Condition || f.anchor == Existence {
		f.mark = c.mark(key)
	}
	var err error
	f.value, err = c.node(value, path, at.below(f.name))
	return f, err
}

func (c *compiler) checkField(key string, value any, anchor Anchor) error {
	if !c.strict {
		return nil
	}
	if dynamic(key) {
		c.late = true
		return nil
	}
	if err := checkKey(key); err != nil {
		return err
	}
	if anchor != Existence {
		return nil
	}
	list, ok := value.([]any)
	if !ok || len(list) == 0 {
		return errors.New("the anchor ^(k) needs a list with at least one object")
	}
	for i, element := range list {
		text, _ := element.(string)
		if _, ok := element.(map[string]any); !ok && !dynamic(text) {
			return fmt.Errorf("the anchor ^(k) needs a list of objects, and element %d is none", i)
		}
	}
	return nil
}

// mark numbers an anchored key. The same key in two places has one number.
func (c *compiler) mark(key string) int {
	if c.marks == nil {
		c.marks = map[string]int{}
	}
	n, ok := c.marks[key]
	if !ok {
		n = len(c.marks) + 1
		c.marks[key] = n
	}
	return n
}

func (c *compiler) warn(path []any, text string) {
	if c.strict {
		c.warnings = append(c.warnings, &CompileError{Path: slices.Clone(path), Err: errors.New(text)})
	}
}

func fail(path []any, err error) *CompileError {
	return &CompileError{Path: slices.Clone(path), Err: err}
}

// dynamic reports whether text may hold a variable, a reference, or an escape for one.
func dynamic(s string) bool { return strings.Contains(s, "{{") || strings.Contains(s, "$(") }

func underExistence(path []any) bool {
	if len(path) == 0 {
		return false
	}
	key, _ := path[len(path)-1].(string)
	kind, _, _ := MatchAnchor(key)
	return kind == Existence
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
