package cel

import (
	"testing"
)

// What is no text is in no list of texts: that is an answer, not an error.
func TestMembersOfConstantLists(t *testing.T) {
	for name, c := range map[string]struct{ object, want string }{
		"a text that is one of them": {"{a: x}", "pass"},
		"another text":               {"{a: z}", `fail 0: failed expression: object.a in ["x", "y"]`},
		"a list":                     {"{a: [x]}", `fail 0: failed expression: object.a in ["x", "y"]`},
		"an object":                  {"{a: {x: y}}", `fail 0: failed expression: object.a in ["x", "y"]`},
		"null":                       {"{a: null}", `fail 0: failed expression: object.a in ["x", "y"]`},
	} {
		t.Run(name, func(t *testing.T) {
			rule := mustCompile(t, one(`object.a in ["x", "y"]`))
			if got := line(rule.Evaluate(t.Context(), &Input{Object: parse(t, c.object)})); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}
