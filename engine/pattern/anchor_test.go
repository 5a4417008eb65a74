package pattern_test

import (
	"testing"

	"github.com/holdfast-io/holdfast/engine/pattern"
)

func TestMatchAnchor(t *testing.T) {
	tests := map[string]struct {
		key  string
		kind pattern.Anchor
		name string
		ok   bool
	}{
		"a condition":                          {"(image)", pattern.Condition, "image", true},
		"a global condition":                   {"<(image)", pattern.Global, "image", true},
		"an equality":                          {"=(image)", pattern.Equality, "image", true},
		"an existence":                         {"^(list)", pattern.Existence, "list", true},
		"a negation":                           {"X(image)", pattern.Negation, "image", true},
		"an addition":                          {"+(image)", pattern.AddIfAbsent, "image", true},
		"outer white space does not count":     {" =(image) ", pattern.Equality, "image", true},
		"inner white space does":               {"( image )", pattern.Condition, " image ", true},
		"a name with dots and slashes":         {"=(a.b/c-d)", pattern.Equality, "a.b/c-d", true},
		"a name with brackets":                 {"((a))", pattern.Condition, "(a)", true},
		"a plain key":                          {"image", pattern.NoAnchor, "image", false},
		"no name":                              {"()", pattern.NoAnchor, "()", false},
		"no name behind a sign":                {"=()", pattern.NoAnchor, "=()", false},
		"no key":                               {"", pattern.NoAnchor, "", false},
		"no closing bracket":                   {"=(image", pattern.NoAnchor, "=(image", false},
		"no opening bracket":                   {"image)", pattern.NoAnchor, "image)", false},
		"a sign that is no anchor":             {"~(image)", pattern.NoAnchor, "~(image)", false},
		"a small x":                            {"x(image)", pattern.NoAnchor, "x(image)", false},
		"two signs":                            {"X=(image)", pattern.NoAnchor, "X=(image)", false},
		"something behind the closing bracket": {"(image)s", pattern.NoAnchor, "(image)s", false},
		"a key that only begins like one":      {"X509)", pattern.NoAnchor, "X509)", false},
		"a name over two lines":                {"(a\nb)", pattern.NoAnchor, "(a\nb)", false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			kind, got, ok := pattern.MatchAnchor(tc.key)
			if kind != tc.kind || got != tc.name || ok != tc.ok {
				t.Errorf("MatchAnchor(%q) = %v, %q, %v; want %v, %q, %v", tc.key, kind, got, ok, tc.kind, tc.name, tc.ok)
			}
		})
	}
}

func TestAnchorNames(t *testing.T) {
	want := []string{"no anchor", "condition", "global condition", "equality", "existence", "negation", "add if absent"}
	for i, name := range want {
		if got := pattern.Anchor(i).String(); got != name {
			t.Errorf("anchor %d is called %q, want %q", i, got, name)
		}
	}
}
