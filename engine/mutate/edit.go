package mutate

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// The edits below answer a new document and leave the old one as it is. Only the objects and lists on the
// way to the change are copied.

var errMissing = errors.New("the object has no such field")

// maxPadding bounds how many nulls add may put before an index that lies behind the end of a list which it
// makes: Kyverno's library pads to any length.
const maxPadding = 1000

func (r rules) get(doc any, path pointer) (any, error) {
	for _, step := range path {
		switch c := doc.(type) {
		case map[string]any:
			v, ok := c[step]
			if !ok {
				return nil, fmt.Errorf("%w: %s", errMissing, step)
			}
			doc = v
		case []any:
			i, err := r.index(step, len(c))
			if err != nil {
				return nil, err
			}
			doc = c[i]
		default:
			return nil, fmt.Errorf("%s lies inside %s", step, kindOf(doc))
		}
	}
	return doc, nil
}

// replace puts a value where there is one.
func (r rules) replace(doc any, path pointer, value any) (any, error) {
	if len(path) == 0 {
		return value, nil
	}
	step := path[0]
	switch c := doc.(type) {
	case map[string]any:
		old, ok := c[step]
		if !ok && (r != serverRules || len(path) > 1) {
			return nil, fmt.Errorf("%w: %s", errMissing, step)
		}
		v, err := r.replace(old, path[1:], value)
		if err != nil {
			return nil, err
		}
		out := copyObject(c, 0)
		out[step] = v
		return out, nil
	case []any:
		i, err := r.index(step, len(c))
		if err != nil {
			return nil, err
		}
		v, err := r.replace(c[i], path[1:], value)
		if err != nil {
			return nil, err
		}
		out := slices.Clone(c)
		out[i] = v
		return out, nil
	default:
		return nil, fmt.Errorf("%s lies inside %s", step, kindOf(doc))
	}
}

func (r rules) remove(doc any, path pointer) (any, error) {
	if len(path) == 0 {
		return nil, errors.New("the whole document cannot be removed")
	}
	step := path[0]
	switch c := doc.(type) {
	case map[string]any:
		old, ok := c[step]
		switch {
		case !ok && r == kyvernoRules:
			return doc, nil
		case !ok:
			return nil, fmt.Errorf("%w: %s", errMissing, step)
		case len(path) == 1:
			out := copyObject(c, 0)
			delete(out, step)
			return out, nil
		}
		v, err := r.remove(old, path[1:])
		if err != nil || same(old, v) {
			return doc, err
		}
		out := copyObject(c, 0)
		out[step] = v
		return out, nil
	case []any:
		return r.removeElement(c, path)
	default:
		if r == kyvernoRules {
			return doc, nil
		}
		return nil, fmt.Errorf("%s lies inside %s", step, kindOf(doc))
	}
}

func (r rules) removeElement(c []any, path pointer) (any, error) {
	i, err := r.index(path[0], len(c))
	if err != nil {
		_, notNumber := strconv.Atoi(path[0])
		if r == kyvernoRules && (notNumber == nil || len(path) > 1) {
			return c, nil
		}
		return nil, err
	}
	if len(path) == 1 {
		out := make([]any, 0, len(c)-1) // never nil, which JSON would have as null
		return append(append(out, c[:i]...), c[i+1:]...), nil
	}
	v, err := r.remove(c[i], path[1:])
	if err != nil || same(c[i], v) {
		return c, err
	}
	out := slices.Clone(c)
	out[i] = v
	return out, nil
}

// add puts a value where there may be none. With parents it makes the objects and lists on the way that
// are missing.
func (r rules) add(doc any, path pointer, value any, parents bool) (any, error) {
	if len(path) == 0 {
		return value, nil
	}
	step := path[0]
	switch c := doc.(type) {
	case map[string]any:
		v, err := value, error(nil)
		if len(path) > 1 {
			if v, err = r.addBelow(c[step], path, value, parents); err != nil {
				return nil, err
			}
		}
		out := copyObject(c, 1)
		out[step] = v
		return out, nil
	case []any:
		if len(path) == 1 {
			return r.insert(c, step, value)
		}
		return r.addInList(c, path, value, parents)
	default:
		return nil, fmt.Errorf("%s lies inside %s", step, kindOf(doc))
	}
}

// addBelow gives the new value of the child at path[0], which old is nil for if it is missing.
func (r rules) addBelow(old any, path pointer, value any, parents bool) (any, error) {
	if old != nil {
		return r.add(old, path[1:], value, parents)
	}
	if !parents {
		return nil, fmt.Errorf("%w: %s", errMissing, path[0])
	}
	made, err := r.container(path[1])
	if err != nil {
		return nil, err
	}
	return r.add(made, path[1:], value, parents)
}

// container makes the parent of a step: a list for an index or "-", else an object. The list has nulls
// before the index.
func (r rules) container(step string) (any, error) {
	if step == "-" {
		return []any{}, nil
	}
	i, err := strconv.Atoi(step)
	switch {
	case err != nil:
		return map[string]any{}, nil
	case i < -1:
		return nil, fmt.Errorf("%s %w, which is empty", step, errIndex)
	case i > maxPadding:
		return nil, fmt.Errorf("%s would leave more than %d elements before it empty", step, maxPadding)
	default:
		return make([]any, max(i, 0)), nil
	}
}

// insert puts a value before the element at step; "-" is the end of the list, as is -1 by Kyverno's rules.
func (r rules) insert(c []any, step string, value any) (any, error) {
	i := len(c)
	if step != "-" {
		var err error
		if i, err = r.index(step, len(c)+1); err != nil {
			return nil, err
		}
	}
	return slices.Concat(c[:i], []any{value}, c[i:]), nil
}

// addInList adds below an element. An element that is missing is made if parents may be, at the end.
func (r rules) addInList(c []any, path pointer, value any, parents bool) (any, error) {
	step := path[0]
	i, err := r.index(step, len(c))
	if err == nil {
		v, err := r.addBelow(c[i], path, value, parents)
		if err != nil {
			return nil, err
		}
		out := slices.Clone(c)
		out[i] = v
		return out, nil
	}
	n, notNumber := strconv.Atoi(step)
	if !parents || notNumber != nil || n < -1 || n < 0 && len(c) > 0 {
		return nil, err
	}
	if n-len(c) > maxPadding {
		return nil, fmt.Errorf("%s would leave more than %d elements before it empty", step, maxPadding)
	}
	v, err := r.addBelow(nil, path, value, parents)
	if err != nil {
		return nil, err
	}
	out := make([]any, 0, max(n, len(c))+1)
	out = append(out, c...)
	for len(out) < n {
		out = append(out, nil)
	}
	return append(out, v), nil
}
