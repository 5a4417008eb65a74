package cel

import (
	"encoding/json"
	"fmt"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/yaml"
)

// value of a YAML text, as encoding/json decodes it.
func parse(t testing.TB, text string) map[string]any {
	t.Helper()
	if text == "" {
		return nil
	}
	var m map[string]any
	if err := yaml.UnmarshalStrict([]byte(text), &m); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	return m
}

// one is a Source with a single validation.
func one(expression string) Source {
	return Source{Validations: []admissionregistrationv1.Validation{{Expression: expression}}}
}

// withVariables adds variables to a Source: name, expression, name, expression.
func withVariables(src Source, pairs ...string) Source {
	for i := 0; i < len(pairs); i += 2 {
		src.Variables = append(src.Variables, admissionregistrationv1.Variable{Name: pairs[i], Expression: pairs[i+1]})
	}
	return src
}

func mustCompile(t testing.TB, src Source) *Rule {
	t.Helper()
	rule, err := NewCompiler().Compile(src)
	if err != nil {
		t.Fatal(err)
	}
	return rule
}

// line writes a result as "fail 0: message".
func line(r Result) string {
	s := r.Outcome.String()
	if r.Expression >= 0 {
		s += fmt.Sprintf(" %d", r.Expression)
	}
	switch {
	case r.Err != nil:
		s += ": " + r.Err.Error()
	case r.Condition != "":
		s += ": " + r.Condition
	case r.Message != "":
		s += ": " + r.Message
	}
	return s
}

func same(t testing.TB, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n got %s\nwant %s", what, got, want)
	}
}

func text(t testing.TB, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func conditionOf(expression string) admissionregistrationv1.MatchCondition {
	return admissionregistrationv1.MatchCondition{Name: "a condition", Expression: expression}
}
