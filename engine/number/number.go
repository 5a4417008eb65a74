// Package number reads the numbers among the engine's JSON values. A value as encoding/json or an outside
// caller has it comes in, a float64 goes out.
package number

// Float gives the value of a number. The engine's own numbers are float64; constants of outside callers
// may be int or int64.
func Float(v any) (float64, bool) {
	switch n := v.(type) {
	case float64:
		return n, true
	case int64:
		return float64(n), true
	case int:
		return float64(n), true
	default:
		return 0, false
	}
}

// Canonical gives a number the one type that numbers have in the engine, and any other value as it is.
func Canonical(v any) any {
	switch n := v.(type) {
	case int64:
		return float64(n)
	case int:
		return float64(n)
	default:
		return v // a float64 as well, without a copy
	}
}
