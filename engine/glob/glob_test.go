package glob_test

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast-io/holdfast/engine/glob"
)

func TestMatch(t *testing.T) {
	tests := map[string]struct {
		pattern, s string
		want       bool
	}{
		"a literal matches itself":                 {"abc", "abc", true},
		"a literal matches the whole string only":  {"abc", "abcd", false},
		"the empty pattern matches nothing else":   {"", "a", false},
		"the empty pattern matches the empty":      {"", "", true},
		"a star matches the empty string":          {"*", "", true},
		"two stars are one":                        {"**", "x/y", true},
		"a prefix":                                 {"kube-*", "kube-system", true},
		"a prefix alone":                           {"kube-*", "kube-", true},
		"a suffix":                                 {"*:latest", "nginx:latest", true},
		"an infix":                                 {"*pass*", "DB_pass_X", true},
		"a star crosses slashes":                   {"a/*/d", "a/b/c/d", true},
		"a question mark is one character":         {"a?c", "abc", true},
		"a question mark is not none":              {"a?c", "ac", false},
		"a question mark counts runes, not bytes":  {"a?c", "aéc", true},
		"the star gives back what it took":         {"*ab", "aab", true},
		"several stars":                            {"*a*b*", "xxaxxbxx", true},
		"several stars in the wrong order":         {"*a*b*", "xxbxxaxx", false},
		"a question mark and a star need one char": {"?*", "", false},
		"a question mark and a star take the rest": {"?*", "abc", true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := glob.Match(tc.pattern, tc.s); got != tc.want {
				t.Errorf("Match(%q, %q) = %v, want %v", tc.pattern, tc.s, got, tc.want)
			}
		})
	}
}

// A glob is a regular expression in other clothes: the two must agree on everything.
func TestMatchAgreesWithRegexp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringOfN(rapid.RuneFrom([]rune("ab*?é")), 0, 8, -1).Draw(t, "pattern")
		s := rapid.StringOfN(rapid.RuneFrom([]rune("abé")), 0, 8, -1).Draw(t, "s")
		expr := regexp.QuoteMeta(pattern)
		expr = strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(expr)
		want := regexp.MustCompile(`^(?s:` + expr + `)$`).MatchString(s)
		if got := glob.Match(pattern, s); got != want {
			t.Fatalf("Match(%q, %q) = %v, want %v", pattern, s, got, want)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	for _, pattern := range []string{"registry.example.com/*", "*:latest", "a*b*c?d*"} {
		g := glob.Compile(pattern)
		b.Run(pattern, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				g.Match("registry.example.com/team/app:latest")
			}
		})
	}
}
