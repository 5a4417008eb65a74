package mutate

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// Diff computes the operations that lead from one object to the other: element by element, in the order
// of keys and indexes, add, remove and replace only. The same objects give the same operations. Equal
// objects give none. Parts that the two share are not looked into, so that the cost is that of what
// changed. An error means that a value is none of JSON's.
func Diff(before, after map[string]any) ([]Operation, error) {
	d := differ{}
	if err := d.objects("", before, after); err != nil {
		return nil, fmt.Errorf("comparing two objects: %w", err)
	}
	return d.ops, nil
}

type differ struct{ ops []Operation }

func (d *differ) emit(op, path string, value any) {
	d.ops = append(d.ops, Operation{Op: op, Path: path, Value: value})
}

func (d *differ) objects(path string, a, b map[string]any) error {
	if len(a) == len(b) && sameMap(a, b) {
		return nil
	}
	for _, key := range unionKeys(a, b) {
		old, had := a[key]
		value, has := b[key]
		at := path + "/" + escapeStep(key)
		switch {
		case !has:
			d.emit("remove", at, nil)
		case !had:
			if err := checkValue(value); err != nil {
				return fmt.Errorf("%s: %w", at, err)
			}
			d.emit("add", at, value)
		default:
			if err := d.values(at, old, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// unionKeys lists the keys of both that may differ, sorted.
func unionKeys(a, b map[string]any) []string {
	keys := make([]string, 0, len(b))
	for k := range b {
		keys = append(keys, k)
	}
	for k := range a {
		if _, ok := b[k]; !ok {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

func (d *differ) values(path string, a, b any) error {
	switch x := a.(type) {
	case map[string]any:
		if y, ok := b.(map[string]any); ok {
			return d.objects(path, x, y)
		}
	case []any:
		if y, ok := b.([]any); ok {
			return d.lists(path, x, y)
		}
	default:
		if err := checkValue(a); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if equal(a, b) {
			return nil
		}
	}
	if err := checkValue(b); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	d.emit("replace", path, b)
	return nil
}

// checkValue refuses what JSON has no value for.
func checkValue(v any) error {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range sortedKeys(v) {
			if err := checkValue(v[key]); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
		}
	case []any:
		for i, item := range v {
			if err := checkValue(item); err != nil {
				return fmt.Errorf("%d: %w", i, err)
			}
		}
	case nil, string, bool, float64, int, int64:
	default:
		return fmt.Errorf("a value of Go type %T is not JSON", v)
	}
	return nil
}

var errNotJSON = errors.New("the variable gives something that JSON has no value for")

// isJSON is checkValue without the place.
func isJSON(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for _, item := range v {
			if !isJSON(item) {
				return false
			}
		}
	case []any:
		for _, item := range v {
			if !isJSON(item) {
				return false
			}
		}
	case nil, string, bool, float64, int, int64:
	default:
		return false
	}
	return true
}

// lists pairs the elements that are the same or go by the same name, then writes what lies between the
// pairs from the left to the right. An index is that at the time the operation is applied.
func (d *differ) lists(path string, a, b []any) error {
	if sameList(a, b) {
		return nil
	}
	at := 0
	step := func() string { return path + "/" + strconv.Itoa(at) }
	i, j := 0, 0
	for _, p := range align(a, b) {
		for i < p.a && j < p.b { // elements that neither is in the other list: one takes the other's place
			if err := d.swap(step(), a[i], b[j]); err != nil {
				return err
			}
			i, j, at = i+1, j+1, at+1
		}
		for ; i < p.a; i++ {
			d.emit("remove", step(), nil)
		}
		for ; j < p.b; j++ {
			if err := checkValue(b[j]); err != nil {
				return fmt.Errorf("%s: %w", step(), err)
			}
			d.emit("add", step(), b[j])
			at++
		}
		if i < len(a) && j < len(b) {
			if err := d.values(step(), a[i], b[j]); err != nil {
				return err
			}
			i, j, at = i+1, j+1, at+1
		}
	}
	return nil
}

// swap turns one element into another, by replacing it if that is shorter.
func (d *differ) swap(path string, a, b any) error {
	mark := len(d.ops)
	if err := d.values(path, a, b); err != nil {
		return err
	}
	if len(d.ops)-mark < 2 {
		return nil
	}
	small := 0
	for _, op := range d.ops[mark:] {
		small += opSize(op)
	}
	whole := Operation{Op: "replace", Path: path, Value: b}
	if opSize(whole) < small {
		d.ops = append(d.ops[:mark], whole)
	}
	return nil
}

// opSize estimates the length of an operation as JSON.
func opSize(op Operation) int {
	const frame = len(`{"op":"replace","path":"","value":},`)
	return frame + len(op.Path) + valueSize(op.Value)
}

func valueSize(v any) int {
	switch v := v.(type) {
	case map[string]any:
		n := 2
		for key, item := range v {
			n += len(key) + len(`"":,`) + valueSize(item)
		}
		return n
	case []any:
		n := 2
		for _, item := range v {
			n += 1 + valueSize(item)
		}
		return n
	case string:
		return len(v) + 2
	default:
		return 4
	}
}
