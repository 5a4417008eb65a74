package migrate

import (
	"maps"
	"slices"

	"github.com/holdfast-io/holdfast/engine/pattern"
)

// unsettled gives a key whose absence can turn a failure of the pattern into an error: a key of a condition or of an
// existence that an object may lack everywhere although it fails elsewhere. CEL has no such error.
func unsettled(tree any, typed bool) (key string, found bool) {
	marks := map[string]int{}
	gatherMarks(tree, marks)
	if len(marks) == 0 {
		return "", false
	}
	var open []string
	w := failures{typed: typed}
	w.visit = func(there []string, unseen any) {
		below := map[string]int{}
		gatherMarks(unseen, below)
		for mark, times := range marks {
			if !slices.Contains(there, mark) && times > below[mark] {
				open = append(open, mark)
			}
		}
	}
	w.walk(tree, nil, surely)
	if len(open) == 0 {
		return "", false
	}
	return slices.Min(open), true
}

func gatherMarks(tree any, marks map[string]int) {
	switch tree := tree.(type) {
	case map[string]any:
		for key, value := range tree {
			if kind, _, _ := pattern.MatchAnchor(key); kind == pattern.Condition || kind == pattern.Existence {
				marks[key]++
			}
			gatherMarks(value, marks)
		}
	case []any:
		for _, item := range tree {
			gatherMarks(item, marks)
		}
	}
}

// failures visits each place that can fail with the anchored keys that are sure to be in the object then, those of
// conditions, which hold; and with the part of the pattern that is not looked at.
type failures struct {
	visit  func(there []string, unseen any)
	typed  bool // the API server sees to the types
	looped bool // in a list, of which other elements may have been looked at
}

// presence says what is known of a value before it is looked at.
type presence uint8

const (
	maybe   presence = iota // it may be absent, or of another type
	surely                  // it is there, and of its type
	whether                 // absent is fine
)

func (w *failures) walk(tree any, there []string, p presence) {
	unseen := tree
	if w.looped {
		unseen = nil
	}
	shaped := p == surely || w.typed && p == whether
	switch tree := tree.(type) {
	case map[string]any:
		if !shaped {
			w.visit(there, unseen) // it may be no object
		}
		keys := slices.Sorted(maps.Keys(tree))
		for _, key := range keys {
			if kind, _, _ := pattern.MatchAnchor(key); kind == pattern.Condition {
				there = append(slices.Clone(there), key)
			}
		}
		for _, key := range keys {
			switch kind, _, _ := pattern.MatchAnchor(key); kind {
			case pattern.Condition, pattern.Global:
			case pattern.Existence:
				w.visit(append(slices.Clone(there), key), nil)
			case pattern.Equality:
				w.walk(tree[key], there, whether)
			default:
				w.walk(tree[key], there, maybe)
			}
		}
	case []any:
		if !shaped {
			w.visit(there, unseen)
		}
		before := w.looped
		w.looped = true
		item := maybe
		if w.typed {
			item = surely
		}
		for _, one := range tree {
			w.walk(one, there, item)
		}
		w.looped = before
	default:
		w.visit(there, nil)
	}
}
