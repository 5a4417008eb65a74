package jmesfn

import (
	"errors"
	"fmt"
)

// Bounds on what one call may make or do, so that no policy can turn a small request into a large answer
// (GHSA-r2rj-wwm5-x6mq).
const (
	// MaxString is the longest string that a function makes, in bytes. An object of the API server is
	// at most 1.5 MiB (etcd's request limit), so nothing real comes near.
	MaxString = 2 << 20

	// MaxItems is the largest number of elements or keys in a list or object that a function makes. It
	// is ten times the largest object that the engine is tested with (10,000 containers).
	MaxItems = 100_000

	// MaxPattern is the longest regular expression, in bytes; four times the longest in public policies.
	MaxPattern = 8 << 10

	// MaxProgram is the largest regular expression after its counted repetitions are written out, in
	// instructions of the matcher. `[a-z]{1,63}` is 126.
	MaxProgram = 10_000

	// MaxRegexWork is the largest product of text length and instructions for one search: the matcher is
	// linear in both and does about 10^8 steps a second at worst, so that this is under a second. A 1 MiB
	// text may meet 64 instructions.
	MaxRegexWork = 1 << 26

	// MaxFanout is how often an expression may select the same value. The widest in public policies is below
	// a hundred; what it allows takes milliseconds.
	MaxFanout = 1 << 14

	// MaxCertificate is the largest DER certificate or request, in bytes. Real ones are below 8 KiB; the
	// time to print a key grows faster than its length.
	MaxCertificate = 64 << 10

	// MaxQuantity is the longest quantity or duration, in bytes, and maxExponent the largest decimal
	// exponent either way: 1E-2147483648 keeps the Kubernetes parser busy for minutes.
	MaxQuantity = 64
	maxExponent = 64
)

// ErrTooLarge is wrapped by every error that says that a bound of this package was reached.
var ErrTooLarge = errors.New("too large")

func checkString(bytes int) error {
	if bytes > MaxString {
		return fmt.Errorf("the result would be longer than %d bytes: %w", MaxString, ErrTooLarge)
	}
	return nil
}

func checkItems(count int) error {
	if count > MaxItems {
		return fmt.Errorf("the result would have more than %d elements: %w", MaxItems, ErrTooLarge)
	}
	return nil
}

// SizeWithin reports whether v, written as JSON, is at most limit bytes, give or take escapes. It looks at no
// more than limit values, so that it is safe on results like [@,@]|[@,@]|[@,@], which are small in memory and
// huge when written.
func SizeWithin(v any, limit int) bool { return spend(v, limit) >= 0 }

// spend takes the size of v from the budget and gives what is left; once below zero it stops looking.
func spend(v any, budget int) int {
	switch v := v.(type) {
	case string:
		return budget - len(v) - 2
	case []any:
		budget -= 2
		for i := 0; i < len(v) && budget >= 0; i++ {
			budget = spend(v[i], budget-1)
		}
		return budget
	case map[string]any:
		budget -= 2
		for key, item := range v {
			if budget < 0 {
				break
			}
			budget = spend(item, budget-len(key)-4)
		}
		return budget
	default:
		return budget - 1
	}
}
