package cel

import (
	"context"
	"strings"
	"testing"
	"time"
)

// The bookkeeping of costs takes longer the longer a list is, so that the limit on costs is none on time. An evaluation ends
// with its context, in the midst of an expression too.
func TestAnExpressionEndsWithItsContext(t *testing.T) {
	items := make([]any, 200_000)
	for i := range items {
		items[i] = map[string]any{"n": "a"}
	}
	const expression = "object.all(a, object.all(b, a.n == b.n || true))"
	rule := mustCompile(t, one(expression))
	var payload any = items
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	res := rule.Evaluate(ctx, &Input{Payload: &payload})
	if res.Outcome != Error || res.Err == nil || !strings.HasPrefix(res.Err.Error(), "not evaluated in time: context deadline exceeded") {
		t.Errorf("got %v, %v", res.Outcome, res.Err)
	}
}
