package condition

import (
	"cmp"
	"fmt"
	"time"

	"github.com/holdfast-io/holdfast/engine/number"
)

// compareOrder relates key to value for GreaterThan and its kin: -1, 0 or 1. What both sides spell is
// tried in this order: durations (one may be a number of seconds), quantities, numbers, versions.
func compareOrder(key, value *operand) (order int, defined bool, err error) {
	if k, ok := number.Float(key.value); ok {
		order, defined = compareNumber(k, value)
		return order, defined, nil
	}
	if _, ok := key.value.(string); !ok {
		return 0, false, nil
	}
	if a, b, ok := durations(key, value); ok {
		return cmp.Compare(a, b), true, nil
	}
	a, sizeA := key.quantity()
	b, sizeB := value.quantity()
	switch {
	case sizeA == tooLarge:
		return 0, false, errTooLarge(key.value)
	case sizeB == tooLarge:
		return 0, false, errTooLarge(value.value)
	case sizeA == isQuantity && sizeB == isQuantity:
		return a.Cmp(b), true, nil
	}
	if k, ok := key.numeral(); ok {
		order, defined = compareNumber(k, value)
		return order, defined, nil
	}
	if k, ok := key.version(); ok {
		if v, ok := value.version(); ok {
			return k.Compare(v), true, nil
		}
	}
	return 0, false, nil
}

// compareNumber relates a number to a number, or to a text that spells a duration or a number.
func compareNumber(k float64, value *operand) (order int, defined bool) {
	if v, ok := number.Float(value.value); ok {
		return cmp.Compare(k, v), true
	}
	if v, ok := value.duration(); ok && value.value != "0" {
		return cmp.Compare(seconds(k), v), true
	}
	if v, ok := value.numeral(); ok {
		return cmp.Compare(k, v), true
	}
	return 0, false
}

// compareDurations relates key to value for DurationGreaterThan and its kin: each side is a duration in
// text or a number of seconds.
func compareDurations(key, value *operand) (order int, defined bool) {
	a, ok := asDuration(key)
	if !ok {
		return 0, false
	}
	b, ok := asDuration(value)
	return cmp.Compare(a, b), ok
}

func asDuration(o *operand) (time.Duration, bool) {
	if n, ok := number.Float(o.value); ok {
		return seconds(n), true
	}
	return o.duration()
}

func errTooLarge(v any) error {
	text := v.(string)
	if len(text) > 32 {
		text = text[:32] + "..."
	}
	return fmt.Errorf("comparing %q: its exponent or its length is out of bounds", text)
}
