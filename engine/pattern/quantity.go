package pattern

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
)

// Bounds on text that is read as a quantity. The arithmetic behind resource.Quantity writes numbers
// out in full, so that 1e10000000 costs a second and 1e1000000000 does not end: one annotation could hold
// up admission. A float64 written out has at most 342 characters, and Kubernetes stores nothing longer as
// a quantity. Text beyond these bounds is compared as text.
const (
	maxQuantityText     = 400
	maxQuantityExponent = 3 // digits
)

// parseQuantity is resource.ParseQuantity within bounds.
func parseQuantity(s string) (resource.Quantity, bool) {
	if s == "" || len(s) > maxQuantityText || !startsNumber(s[0]) {
		return resource.Quantity{}, false
	}
	if at := strings.IndexAny(s, "eE"); at >= 0 {
		exponent := strings.TrimLeft(s[at+1:], "+-0")
		if len(exponent) > maxQuantityExponent {
			return resource.Quantity{}, false
		}
	}
	q, err := resource.ParseQuantity(s)
	return q, err == nil
}

// parseDuration is time.ParseDuration, which allocates an error for everything that is no duration.
func parseDuration(s string) (time.Duration, bool) {
	if s == "" || !startsNumber(s[0]) {
		return 0, false
	}
	switch s[len(s)-1] {
	case 's', 'm', 'h', '0':
		d, err := time.ParseDuration(s)
		return d, err == nil
	default:
		return 0, false
	}
}

func startsNumber(c byte) bool {
	return c >= '0' && c <= '9' || c == '.' || c == '+' || c == '-'
}

// number is a JSON number: whole is set where it is a whole number that an int64 holds.
type number struct {
	whole   bool
	integer int64
	float   float64
}

// asNumber reads the Go types that a JSON number comes in. 7.0 is the whole number 7: JSON has only one
// kind of number, and the API server writes whole numbers without a fraction.
func asNumber(v any) (number, bool) {
	switch v := v.(type) {
	case float64:
		return fromFloat(v), true
	case int64:
		return number{whole: true, integer: v, float: float64(v)}, true
	case int:
		return number{whole: true, integer: int64(v), float: float64(v)}, true
	case json.Number:
		if i, err := strconv.ParseInt(string(v), 10, 64); err == nil {
			return number{whole: true, integer: i, float: float64(i)}, true
		}
		f, err := strconv.ParseFloat(string(v), 64)
		return fromFloat(f), err == nil
	default:
		return number{}, false
	}
}

func fromFloat(f float64) number {
	// -2^63 is a float64 and an int64; 2^63 is the first float64 beyond.
	if f == math.Trunc(f) && f >= -(1<<63) && f < 1<<63 {
		return number{whole: true, integer: int64(f), float: f}
	}
	return number{float: f}
}

// asDuration reads a value where a duration is asked for. Nothing is 0, and so is the number 0; any other
// number has no unit and is no duration.
func asDuration(v any) (time.Duration, bool) {
	switch v := v.(type) {
	case nil:
		return 0, true
	case string:
		return parseDuration(v)
	default:
		n, ok := asNumber(v)
		return 0, ok && n.whole && n.integer == 0
	}
}

// compareQuantity compares a value with a quantity: -1, 0 or 1. Nothing is 0.
func compareQuantity(v any, q resource.Quantity) (int, bool) {
	switch v := v.(type) {
	case nil:
		return -q.CmpInt64(0), true
	case string:
		value, ok := parseQuantity(v)
		if !ok {
			return 0, false
		}
		return value.Cmp(q), true
	default:
		n, ok := asNumber(v)
		if !ok {
			return 0, false
		}
		if n.whole {
			return -q.CmpInt64(n.integer), true
		}
		value, ok := parseQuantity(strconv.FormatFloat(n.float, 'f', -1, 64))
		if !ok {
			return 0, false
		}
		return value.Cmp(q), true
	}
}

// String writes the number as JSON does.
func (n number) String() string {
	if n.whole {
		return strconv.FormatInt(n.integer, 10)
	}
	return strconv.FormatFloat(n.float, 'g', -1, 64)
}
