package pack

import (
	"strings"

	"github.com/holdfast-io/holdfast/engine"
)

// enter puts a policy into a mode.
func enter(document map[string]any, mode Mode) []engine.Problem {
	if mode == AsWritten || mode == Off {
		return nil
	}
	kind, _ := document["kind"].(string)
	spec, _ := document["spec"].(map[string]any)
	switch kind {
	case "ClusterPolicy", "Policy":
		return enterRules(document, spec, mode)
	case "ValidatingPolicy", "NamespacedValidatingPolicy", "ImageValidatingPolicy", "NamespacedImageValidatingPolicy":
		if spec != nil {
			spec["validationActions"] = []any{map[Mode]string{Audit: "Audit", Enforce: "Deny"}[mode]}
		}
		return nil
	}
	if mode == Audit {
		return []engine.Problem{problem(PacksAnnotation, "a %s cannot be put into the mode audit: expected off or enforce", kind)}
	}
	return nil // what it does, it does
}

// enterRules does so with each rule of a policy of kyverno.io.
func enterRules(document, spec map[string]any, mode Mode) (problems []engine.Problem) {
	for i, r := range rulesOf(document) {
		if validate, ok := r["validate"].(map[string]any); ok {
			overrides := overridesOf(spec, validate)
			validate["failureAction"] = map[Mode]string{Audit: "Audit", Enforce: "Enforce"}[mode]
			validate["failureActionOverrides"] = overridesIn(mode, overrides)
			continue
		}
		if mode == Enforce {
			continue // what it does, it does
		}
		if mutate, ok := r["mutate"].(map[string]any); ok && mutate["targets"] == nil {
			spec["admission"] = false // the audit goes on to tell what it would change
			continue
		}
		problems = append(problems, engine.Problem{
			Path: []any{"spec", "rules", i}, Message: "cannot be put into the mode audit: it neither validates nor mutates its own object; expected off or enforce",
		})
	}
	return problems
}

func rulesOf(document map[string]any) (rules []map[string]any) {
	spec, _ := document["spec"].(map[string]any)
	list, _ := spec["rules"].([]any)
	for _, r := range list {
		rule, _ := r.(map[string]any)
		rules = append(rules, rule)
	}
	return rules
}

// overridesOf are those that count for a rule: its own, or the policy's if it says nothing of its action.
func overridesOf(spec, validate map[string]any) []any {
	own, _ := validate["failureActionOverrides"].([]any)
	if _, says := validate["failureAction"]; says || len(own) > 0 {
		return own
	}
	all, _ := spec["validationFailureActionOverrides"].([]any)
	return all
}

// overridesIn are those that are left in a mode. In audit a namespace is refused things only if a label of its own asks for
// it; in enforce a label excepts it, before all else.
func overridesIn(mode Mode, overrides []any) []any {
	left := []any{}
	if mode == Enforce {
		left = append(left, map[string]any{
			"action":            "Audit",
			"namespaceSelector": map[string]any{"matchLabels": map[string]any{EnforceLabel: "false"}},
		})
	}
	for _, o := range overrides {
		override, _ := o.(map[string]any)
		action, _ := override["action"].(string)
		if mode == Audit && strings.EqualFold(action, "enforce") && override["namespaceSelector"] == nil {
			continue
		}
		left = append(left, o)
	}
	return left
}
