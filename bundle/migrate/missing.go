package migrate

import (
	"maps"
	"slices"

	"github.com/holdfast-io/holdfast/engine/pattern"
)

// unsettled gives a key whose absence can turn a failure of the pattern into an error: a key of a condition or of an
// existence that an object may lack everywhere although it fails elsewhere. CEL has no such error.
func unsettled(tree any) (key string, found bool) {
	marks := map[string]bool{}
	gatherMarks(tree, marks)
	if len(marks) == 0 {
		return "", false
	}
	var open []string
	walkFailures(tree, nil, func(there []string, unseen any) {
		below := map[string]bool{}
		gatherMarks(unseen, below)
		for mark := range marks {
			if !slices.Contains(there, mark) && !below[mark] {
				open = append(open, mark)
			}
		}
	})
	if len(open) == 0 {
		return "", false
	}
	return slices.Min(open), true
}

func gatherMarks(tree any, marks map[string]bool) {
	switch tree := tree.(type) {
	case map[string]any:
		for key, value := range tree {
			if kind, _, _ := pattern.MatchAnchor(key); kind == pattern.Condition || kind == pattern.Existence {
				marks[key] = true
			}
			gatherMarks(value, marks)
		}
	case []any:
		for _, item := range tree {
			gatherMarks(item, marks)
		}
	}
}

// walkFailures visits each place that can fail with the anchored keys that are sure to be in the object then, those of
// conditions, which hold; and with the part of the pattern that is not looked at.
func walkFailures(tree any, there []string, visit func(there []string, unseen any)) {
	switch tree := tree.(type) {
	case map[string]any:
		visit(there, tree) // it may be no object
		for _, key := range slices.Sorted(maps.Keys(tree)) {
			if kind, _, _ := pattern.MatchAnchor(key); kind == pattern.Condition {
				there = append(slices.Clone(there), key)
			}
		}
		for _, key := range slices.Sorted(maps.Keys(tree)) {
			switch kind, _, _ := pattern.MatchAnchor(key); kind {
			case pattern.Condition, pattern.Global:
			case pattern.Existence:
				visit(append(slices.Clone(there), key), nil)
			default:
				walkFailures(tree[key], there, visit)
			}
		}
	case []any:
		visit(there, tree)
		for _, item := range tree {
			walkFailures(item, there, visit)
		}
	default:
		visit(there, nil)
	}
}
