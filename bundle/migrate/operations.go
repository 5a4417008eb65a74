package migrate

import (
	"regexp"
	"slices"
	"strings"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
)

var operationKey = regexp.MustCompile(`^\{\{\s*request\.operation\s*(\|\|\s*'[A-Z]*'\s*)?\}\}$`)

// refutes reports whether the preconditions of the rule cannot hold on the operation: one that must hold speaks of the
// operation alone and does not.
func refutes(r *kyvernov1.Rule, operation string) bool {
	if r.RawAnyAllConditions == nil {
		return false
	}
	var all []any
	switch raw := decoded(r.RawAnyAllConditions.Conditions).(type) {
	case map[string]any:
		all, _ = raw["all"].([]any)
		if any, _ := raw["any"].([]any); len(any) == 1 {
			all = slices.Concat(all, any)
		}
	case []any:
		all = raw
	}
	for _, item := range all {
		m, _ := item.(map[string]any)
		key, _ := m["key"].(string)
		name, _ := m["operator"].(string)
		if !operationKey.MatchString(strings.TrimSpace(key)) {
			continue
		}
		var values []any
		switch v := m["value"].(type) {
		case []any:
			values = v
		case string:
			values = []any{v}
		}
		if slices.ContainsFunc(values, func(v any) bool { s, ok := v.(string); return !ok || strings.ContainsAny(s, "*?{[") }) {
			continue
		}
		within := slices.Contains(values, any(operation))
		switch strings.ToLower(name) {
		case "equals", "equal", "anyin", "allin", "in":
			if !within {
				return true
			}
		case "notequals", "notequal", "anynotin", "allnotin", "notin":
			if within {
				return true
			}
		}
	}
	return false
}

var (
	variableIn = regexp.MustCompile(`request\.(?:object|oldObject)((?:\.(?:[a-zA-Z_][a-zA-Z0-9_]*|"[^"]+"))+)`)
	listIn     = regexp.MustCompile(`\[\]|\|\s*length|length\(`)
)

// shapeOfConditions is what the conditions of a rule say of the object.
func shapeOfConditions(r *kyvernov1.Rule) *shape {
	out := &shape{}
	if raw := r.RawAnyAllConditions; raw != nil {
		out.hold(decoded(raw.Conditions))
	}
	if d := r.Validation.Deny; d != nil && d.RawAnyAllConditions != nil {
		out.hold(decoded(d.RawAnyAllConditions.Conditions))
	}
	return out
}

// hold takes up conditions: the paths of their variables, with the constants on the other side.
func (s *shape) hold(v any) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			s.hold(item)
		}
	case map[string]any:
		if v["operator"] == nil {
			s.hold(v["any"])
			s.hold(v["all"])
			return
		}
		var constants []any
		for _, side := range []any{v["key"], v["value"]} {
			switch side := side.(type) {
			case []any:
				constants = append(constants, side...)
			case string:
				if !strings.Contains(side, "{{") {
					constants = append(constants, side)
				}
			default:
				constants = append(constants, side)
			}
		}
		for _, side := range []any{v["key"], v["value"]} {
			text, _ := side.(string)
			for _, path := range variableIn.FindAllStringSubmatch(text, -1) {
				at := s
				for _, name := range pathPart.FindAllString(path[1], -1) {
					at = at.child(strings.Trim(name, `"`))
				}
				at.take(constants...)
				if listIn.MatchString(text) {
					at.each()
				}
			}
		}
	}
}
