package cel

import (
	"sync"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
)

// A rule is shared by all requests.
func TestARuleIsSharedByGoroutines(t *testing.T) {
	rule := mustCompile(t, withVariables(one("variables.names.all(n, n != '') && variables.names.size() == 2 && request.name == 'a'"), "names", "object.spec.containers.map(c, c.name)"))
	object := parse(t, "{spec: {containers: [{name: a}, {name: b}]}}")
	results := make([]Result, 16)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() {
			results[i] = rule.Evaluate(t.Context(), &Input{Object: object, Request: func() map[string]any { return map[string]any{"name": "a"} }})
		})
	}
	wg.Wait()
	for _, r := range results {
		same(t, "result", line(r), "pass")
	}
}

// Sources share an environment, and the types of their variables are their own all the same.
func TestSourcesAreCompiledAtOnce(t *testing.T) {
	c := NewCompiler()
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			value, reads, other := "1", "variables.v + 1 == 2", "variables.v == 'a'"
			if i%2 == 1 {
				value, reads, other = "'a'", "variables.v + 'b' == 'ab'", "variables.v + 1 == 2"
			}
			src := func(expression string) Source {
				return Source{
					Variables:   []admissionregistrationv1.Variable{{Name: "v", Expression: value}},
					Validations: []admissionregistrationv1.Validation{{Expression: expression}},
				}
			}
			rule, err := c.Compile(src(reads))
			if err != nil {
				t.Errorf("%s of %s: %v", reads, value, err)
				return
			}
			if got := rule.Evaluate(t.Context(), &Input{}); got.Outcome != Pass {
				t.Errorf("%s of %s: got %v %v", reads, value, got.Outcome, got.Err)
			}
			if _, err := c.Compile(src(other)); err == nil {
				t.Errorf("%s of %s: compiled, and is of the wrong type", other, value)
			}
		})
	}
	group.Wait()
}
