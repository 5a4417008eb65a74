package mutate

import (
	"reflect"
	"unsafe"

	"github.com/holdfast-io/holdfast/engine/number"
)

// equal compares two JSON values. Numbers are equal by value, whatever Go type holds them. Parts that two
// objects share, as copies on write do, are not looked into.
func equal(a, b any) bool {
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		return ok && equalObjects(x, y)
	case []any:
		y, ok := b.([]any)
		return ok && equalLists(x, y)
	case string:
		y, ok := b.(string)
		return ok && x == y
	case bool:
		y, ok := b.(bool)
		return ok && x == y
	case nil:
		return b == nil
	default:
		x, ok := number.Float(a)
		y, isNumber := number.Float(b)
		return ok && isNumber && x == y
	}
}

func equalObjects(x, y map[string]any) bool {
	if len(x) != len(y) {
		return false
	}
	if sameMap(x, y) {
		return true
	}
	for k, v := range x {
		w, ok := y[k]
		if !ok || !equal(v, w) {
			return false
		}
	}
	return true
}

func equalLists(x, y []any) bool {
	if len(x) != len(y) {
		return false
	}
	if sameList(x, y) {
		return true
	}
	for i := range x {
		if !equal(x[i], y[i]) {
			return false
		}
	}
	return true
}

// sameMap reports whether two maps are one and the same.
func sameMap(x, y map[string]any) bool {
	return reflect.ValueOf(x).UnsafePointer() == reflect.ValueOf(y).UnsafePointer()
}

func sameList(x, y []any) bool {
	return len(x) == len(y) && unsafe.SliceData(x) == unsafe.SliceData(y)
}
