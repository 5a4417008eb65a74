package podsecurity

import (
	"fmt"
	"math"
	"strconv"

	"github.com/holdfast-io/holdfast/engine/number"
)

// part is an object of a document, as one reads it who wants to know of some of its fields. What is of another type than
// it has to be is the reader's error. Of several the one counts whose text comes first: fields come in any order.
type part struct {
	fields map[string]any
	err    *error
	// where it stands: under this key of the part around it, and at this index if that is a list.
	up    *part
	key   string
	index int
}

// alone is the index of a part that is in no list.
const alone = -1

func (p *part) path(key string) string {
	if p.up == nil {
		return key
	}
	own := p.up.path(p.key)
	if p.index != alone {
		own += "[" + strconv.Itoa(p.index) + "]"
	}
	return own + "." + key
}

func (p *part) fail(key, wanted string) {
	if err := fmt.Errorf("%s is no %s", p.path(key), wanted); *p.err == nil || err.Error() < (*p.err).Error() {
		*p.err = err
	}
}

// field gives a value of a type, if there is one; null is none.
func field[T any](p *part, key, wanted string) (T, bool) {
	value, set := p.fields[key]
	out, ok := value.(T)
	if set && value != nil && !ok {
		p.fail(key, wanted)
	}
	return out, ok
}

func (p *part) text(key string) string {
	out, _ := field[string](p, key, "text")
	return out
}

// flag gives a boolean, nil where there is none.
func (p *part) flag(key string) *bool {
	if out, ok := field[bool](p, key, "boolean"); ok {
		return &out
	}
	return nil
}

func (p *part) is(key string) bool {
	out, _ := field[bool](p, key, "boolean")
	return out
}

// number gives a whole number up to the largest, nil where there is none.
func (p *part) number(key string, largest int64) *int64 {
	value := p.fields[key]
	if value == nil {
		return nil
	}
	n, ok := number.Float(value)
	if !ok || n != math.Trunc(n) || math.Abs(n) > float64(largest) {
		p.fail(key, "whole number up to "+strconv.FormatInt(largest, 10))
		return nil
	}
	out := int64(n)
	return &out
}

// texts gives a list of texts.
func texts[T ~string](p *part, key string) []T {
	list, _ := field[[]any](p, key, "list")
	var out []T
	for _, item := range list {
		s, ok := item.(string)
		if !ok && item != nil {
			p.fail(key, "list of texts")
		}
		out = append(out, T(s))
	}
	return out
}

// object gives the part under a key, and whether there is one.
func (p *part) object(key string) (part, bool) {
	fields, ok := field[map[string]any](p, key, "object")
	return part{fields, p.err, p, key, alone}, ok
}

// list gives the parts in the list under a key. A null is one without fields.
func (p *part) list(key string) []part {
	list, _ := field[[]any](p, key, "list")
	out := make([]part, len(list))
	for i, item := range list {
		fields, ok := item.(map[string]any)
		if !ok && item != nil {
			p.fail(key, "list of objects")
		}
		out[i] = part{fields, p.err, p, key, i}
	}
	return out
}
