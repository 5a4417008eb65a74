package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Each test here is named for a published hole of a policy engine that Holdfast must not have.

// Variables that each hold the one before twice grow past any memory within a few dozen lines.
func TestGHSA_r2rj_wwm5_x6mq(t *testing.T) {
	doubling := func(first, next string) string {
		entries := []string{"{name: v0, variable: {value: " + first + "}}"}
		for i := 1; i < 40; i++ {
			entries = append(entries, fmt.Sprintf("{name: v%d, variable: {%s}}", i, strings.ReplaceAll(next, "V", fmt.Sprintf("v%d", i-1))))
		}
		return "{rules: [{name: r, " + onPods + "context: [" + strings.Join(entries, ", ") + "], validate: {deny: {conditions: {any: [{key: '{{ v39 }}', operator: Equals, value: x}]}}}}]}"
	}
	for name, c := range map[string]struct{ spec, want string }{
		"text":    {doubling("0123456789", "value: '{{ V }}{{ V }}'"), "context variable v18: the text with its variables is longer than 2097152 bytes"},
		"lists":   {doubling("[x, x]", "jmesPath: '[V, V]'"), "context variable v18: its value is longer than 2097152 bytes: too large"},
		"objects": {doubling("{a: x}", "value: {a: '{{ V }}', b: '{{ V }}'}"), "context variable v17: its value is longer than 2097152 bytes: too large"},
		"in spite of a default": {
			doubling("[x, x]", "jmesPath: '[V, V]', default: none"), "context variable v18: its value is longer than 2097152 bytes: too large",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := snapshot(t, withoutAutogen("p", c.spec))
			start := time.Now()
			same(t, "decisions", lines(s.Validate(t.Context(), asking(t, plainPod), world{}.inputs())), "r error: could not be evaluated: "+c.want)
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}
