package clitest

import (
	"encoding/csv"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/holdfast-io/holdfast/engine"
)

// given are the values for one policy on one resource, by dotted path: the global ones, and over them those of
// the resource.
func (v *values) given(policy, resource string) map[string]any {
	out := map[string]any{}
	if v == nil {
		return out
	}
	maps.Copy(out, v.GlobalValues)
	for _, p := range v.Policies {
		if p.Name != policy {
			continue
		}
		for _, r := range p.Resources {
			if r.Name == resource {
				maps.Copy(out, r.Values)
			}
		}
	}
	return out
}

// lookups gives what the engine asks for in place of look-ups: the values for the policy and resource at hand,
// and over them those of the rule; of a list of values for a foreach, the one of the element. The values for a
// rule are those of the rules that are made from it for pod controllers too.
func (v *values) lookups(policy string, given map[string]any) func(rule *engine.Rule, element int) map[string]any {
	base := map[string]any{}
	for key, value := range given {
		if !inRequest(key) {
			base[key] = value
		}
	}
	return func(rule *engine.Rule, element int) map[string]any {
		if v == nil {
			return base
		}
		out := base
		for _, p := range v.Policies {
			if p.Name != policy {
				continue
			}
			for _, r := range p.Rules {
				if isRule(rule.Name, r.Name) {
					out = maps.Clone(out)
					maps.Copy(out, r.Values)
					copyElement(out, r.ForeachValues, element)
				}
			}
		}
		return out
	}
}

// copyElement sets the values of one element. Where there are fewer values than elements, the first is for the
// rest, and outside of a foreach it is the one that counts.
func copyElement(into map[string]any, lists map[string][]any, element int) {
	for key, list := range lists {
		switch {
		case element >= 0 && element < len(list):
			into[key] = list[element]
		case len(list) > 0:
			into[key] = list[0]
		}
	}
}

// inRequest reports whether a value is a part of the request itself: its objects and what it matches by. All
// others are for expressions alone.
func inRequest(key string) bool {
	for _, part := range []string{"request.object", "request.oldObject"} {
		if key == part || strings.HasPrefix(key, part+".") {
			return true
		}
	}
	return key == "request.operation" || key == "request.subResource"
}

// overlay writes the values that are parts of the request into it. Objects are copied before they are changed.
func overlay(req *engine.Request, given map[string]any) error {
	tree := map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(given)) {
		if !inRequest(key) {
			continue
		}
		path, err := splitPath(key)
		if err != nil {
			return fmt.Errorf("the value %q: %w", key, err)
		}
		tree = setAt(tree, path, given[key])
	}
	facts, _ := tree["request"].(map[string]any)
	if object, ok := facts["object"]; ok && req.Object != nil {
		req.Object, _ = merge(req.Object, object).(map[string]any)
	}
	if object, ok := facts["oldObject"]; ok {
		req.OldObject, _ = merge(req.OldObject, object).(map[string]any)
	}
	if part, ok := facts["subResource"].(string); ok {
		req.SubResource = part
	}
	return nil
}

// splitPath takes a dotted path apart. A part that contains dots stands in quotes.
func splitPath(path string) ([]string, error) {
	r := csv.NewReader(strings.NewReader(path))
	r.Comma = '.'
	return r.Read()
}

// setAt sets the value at the end of the path, in a tree of its own.
func setAt(tree map[string]any, path []string, value any) map[string]any {
	for _, key := range slices.Backward(path) {
		value = map[string]any{key: value}
	}
	merged, _ := merge(tree, value).(map[string]any)
	return merged
}

// merge lays a value over another: objects entry by entry, anything else as a whole. Neither is changed.
func merge(under, over any) any {
	a, ok := under.(map[string]any)
	b, too := over.(map[string]any)
	if !ok || !too {
		return over
	}
	out := maps.Clone(a)
	for key, value := range b {
		if old, has := a[key]; has {
			value = merge(old, value)
		}
		out[key] = value
	}
	return out
}
