package pack

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/holdfast-io/holdfast/engine"
)

// set gives the parameters of a policy the values that were chosen, where there are any.
func (c *Choice) set(document map[string]any, declared []string) (list []Parameter, problems []engine.Problem) {
	for _, name := range declared {
		variables := variablesOf(document, name)
		if len(variables) == 0 {
			problems = append(problems, problem(ParametersAnnotation, "no rule has a variable %s with a value in its context", name))
			continue
		}
		p := Parameter{Name: name, Default: variables[0]["value"]}
		p.Value = p.Default
		for _, v := range variables {
			if !sameValue(v["value"], p.Default) {
				problems = append(problems, problem(ParametersAnnotation, "%s has not the same value in all rules", name))
			}
			chosen, ok := c.Parameters[name]
			if !ok {
				continue
			}
			value, err := like(p.Default, chosen)
			if err != nil {
				problems = append(problems, problem(ParametersAnnotation, "the parameter %s %s", name, err))
				break
			}
			v["value"], p.Value = value, value
		}
		list = append(list, p)
	}
	return list, problems
}

func problem(annotation, format string, args ...any) engine.Problem {
	return engine.Problem{Path: []any{"metadata", "annotations", annotation}, Message: fmt.Sprintf(format, args...)}
}

// variablesOf finds the variables of that name with a value in the contexts of rules.
func variablesOf(document map[string]any, name string) (found []map[string]any) {
	for _, r := range rulesOf(document) {
		context, _ := r["context"].([]any)
		for _, e := range context {
			entry, _ := e.(map[string]any)
			variable, _ := entry["variable"].(map[string]any)
			if _, ok := variable["value"]; ok && entry["name"] == name {
				found = append(found, variable)
			}
		}
	}
	return found
}

// like makes of what was chosen a value of the default's type.
func like(standard any, chosen []string) (any, error) {
	if _, ok := standard.([]any); ok {
		list := make([]any, len(chosen))
		for i, text := range chosen {
			list[i] = text
		}
		return list, nil
	}
	if len(chosen) != 1 {
		return nil, fmt.Errorf("has %d values: expected one", len(chosen))
	}
	switch standard.(type) {
	case bool:
		b, err := strconv.ParseBool(chosen[0])
		if err != nil {
			return nil, fmt.Errorf("is %q: expected true or false", chosen[0])
		}
		return b, nil
	case float64, int64:
		n, err := strconv.ParseFloat(chosen[0], 64)
		if err != nil {
			return nil, fmt.Errorf("is %q: expected a number", chosen[0])
		}
		return n, nil
	default:
		return chosen[0], nil
	}
}

// sameValue compares two values as a policy writes them.
func sameValue(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}
