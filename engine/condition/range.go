package condition

import (
	"regexp"
	"strings"

	"github.com/holdfast-io/holdfast/engine/pattern"
)

// rangeText is a range as Kyverno writes it, bounds included: 1-10, -5--1, 100m-2Gi, 10m-1h.
var rangeText = regexp.MustCompile(`^[-+]?\d+(\.\d+)?[A-Za-z]*-[-+]?\d+(\.\d+)?[A-Za-z]*$`)

// isRange tells a range from other text; most of that is ruled out by its first byte.
func isRange(s string) bool {
	return startsNumber(s) && strings.Contains(s, "-") && rangeText.MatchString(s)
}

// compileRange prepares a range. Patterns have the same ranges, and there they are evaluated.
func compileRange(s string) (pattern.Scalar, error) { return pattern.CompileScalar(s) }
