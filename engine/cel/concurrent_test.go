package cel

import (
	"sync"
	"testing"
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
