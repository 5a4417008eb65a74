package condition

import (
	"reflect"
	"time"

	"github.com/holdfast-io/holdfast/engine/number"
)

// compareEqual relates key to value for Equals and NotEquals. A null key is comparable to nothing, so
// that neither operator holds of it.
func compareEqual(key, value *operand) (equal, defined bool) {
	switch k := key.value.(type) {
	case nil:
		return false, false
	case bool:
		v, ok := value.value.(bool)
		return ok && k == v, true
	case string:
		return equalText(key, k, value), true
	case map[string]any, []any:
		return sameJSON(k, value.value), true
	}
	k, ok := number.Float(key.value)
	if !ok {
		return false, false
	}
	v, ok := number.Float(value.value)
	if !ok {
		v, ok = value.numeral()
	}
	return ok && k == v, true
}

// equalText compares a text by what it spells: a duration, then a quantity, then a text that the value's
// wildcards match. A text that is a quantity equals no text that is none, wildcards or not.
func equalText(key *operand, k string, value *operand) bool {
	if a, b, ok := durations(key, value); ok {
		return a == b
	}
	v, ok := value.value.(string)
	if !ok {
		return false
	}
	if a, size := key.quantity(); size == isQuantity {
		b, size := value.quantity()
		return size == isQuantity && a.Cmp(b) == 0
	}
	return value.matches(v, k)
}

// durations reads both sides as durations if one of them spells one; the other may be a number of
// seconds. The text "0" is a number first.
func durations(key, value *operand) (a, b time.Duration, ok bool) {
	a, isA := key.duration()
	b, isB := value.duration()
	isA, isB = isA && key.value != "0", isB && value.value != "0"
	if !isA && !isB {
		return 0, 0, false
	}
	if !isA {
		n, ok := number.Float(key.value)
		if !ok {
			return 0, 0, false
		}
		a = seconds(n)
	}
	if !isB {
		n, ok := number.Float(value.value)
		if !ok {
			return 0, 0, false
		}
		b = seconds(n)
	}
	return a, b, true
}

// sameJSON compares two JSON values. A number is equal to itself whatever Go type carries it.
func sameJSON(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k, v := range a {
			other, ok := b[k]
			if !ok || !sameJSON(v, other) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !sameJSON(a[i], b[i]) {
				return false
			}
		}
		return true
	}
	if n, ok := number.Float(a); ok {
		m, ok := number.Float(b)
		return ok && n == m
	}
	return reflect.DeepEqual(a, b)
}
