// Package jsontree reads JSON texts that come with admission reviews: whole ones into trees of maps, lists, texts,
// numbers and booleans, in one pass, and parts of them not at all. Text flows in; what encoding/json would make of it
// comes out, for a third of the time. Whatever is not plain (escapes, errors) encoding/json is asked about, so that there
// is one truth about JSON. The package never keeps anything.
package jsontree

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
	"unique"
)

// Object decodes an object as encoding/json does into a map[string]any, errors included; null is a nil map. Texts in the
// tree are parts of the one that was given: who keeps one of them for longer clones it, or keeps all.
func Object(text string) (map[string]any, error) {
	if text == "null" {
		return nil, nil
	}
	d := decoder{scanner: scanner{text: text}}
	if d.space(); d.peek() == '{' {
		if object, ok := d.object(0); ok && d.ended() {
			return object, nil
		}
	}
	var object map[string]any
	err := json.Unmarshal([]byte(text), &object)
	return object, err
}

// Copied decodes an object as the machinery of the API does into unstructured objects: whole numbers are int64, and every text
// is a copy, so that whoever keeps one keeps nothing else with it. It reports false for what that has to be asked about.
func Copied(text string) (object map[string]any, ok bool) {
	d := decoder{scanner: scanner{text: text}, copies: true}
	if d.space(); d.peek() != '{' {
		return nil, false
	}
	object, ok = d.object(0)
	return object, ok && d.ended()
}

// maxDepth is how deeply values may be nested here. Objects of clusters stay far below, and encoding/json sets the bound
// for what goes beyond.
const maxDepth = 100

type decoder struct {
	scanner
	// items are those of the lists that are open, each list's behind those of the one around it.
	items []any
	// copies has texts copied, and whole numbers decoded as such.
	copies bool
}

// kept gives a text as it is to be kept.
func (d *decoder) kept(s string) string {
	if d.copies {
		return strings.Clone(s)
	}
	return s
}

// name gives a key as it is to be kept. Those that are short are mostly fields, which thousands of objects have.
func (d *decoder) name(s string) string {
	switch {
	case !d.copies:
		return s
	case len(s) <= fieldName:
		return unique.Make(s).Value()
	default:
		return strings.Clone(s)
	}
}

// fieldName is how long the names of fields are at most, nearly all.
const fieldName = 24

// value decodes the value at hand. All methods report false for what encoding/json has to be asked about.
func (d *decoder) value(depth int) (any, bool) {
	if depth > maxDepth {
		return nil, false
	}
	switch c := d.peek(); c {
	case '{':
		return d.object(depth)
	case '[':
		return d.list(depth)
	case '"':
		return d.string()
	case 't':
		return true, d.literal("true")
	case 'f':
		return false, d.literal("false")
	case 'n':
		return nil, d.literal("null")
	default:
		if d.copies {
			return d.whole()
		}
		return d.number()
	}
}

func (d *decoder) object(depth int) (map[string]any, bool) {
	d.at++ // the brace
	out := map[string]any{}
	if d.space(); d.next('}') {
		return out, true
	}
	for {
		key, ok := d.member()
		if !ok {
			return nil, false
		}
		value, ok := d.value(depth + 1)
		if !ok {
			return nil, false
		}
		out[key] = value
		if d.space(); d.next(',') {
			d.space()
			continue
		}
		return out, d.next('}')
	}
}

// member steps over the key of a member and the colon behind it. Keys of managedFields have escapes: k:{\"name\":\"main\"}.
func (d *decoder) member() (string, bool) {
	start := d.at
	if key, ok := d.key(); ok {
		return d.name(key), true
	}
	if d.at = start; d.peek() != '"' {
		return "", false
	}
	key, ok := d.escaped()
	if d.space(); !ok || !d.next(':') {
		return "", false
	}
	d.space()
	return key, true
}

func (d *decoder) list(depth int) ([]any, bool) {
	d.at++ // the bracket
	if d.space(); d.next(']') {
		return []any{}, true
	}
	first := len(d.items)
	for {
		value, ok := d.value(depth + 1)
		if !ok {
			return nil, false
		}
		d.items = append(d.items, value)
		if d.space(); d.next(',') {
			d.space()
			continue
		}
		out := make([]any, len(d.items)-first)
		copy(out, d.items[first:])
		d.items = d.items[:first]
		return out, d.next(']')
	}
}

// string decodes a text without escapes.
func (d *decoder) string() (string, bool) {
	start := d.at + 1
	plain := true
	for i := start; i < len(d.text); i++ {
		switch c := d.text[i]; {
		case c == '"':
			d.at = i + 1
			return d.kept(d.text[start:i]), plain || utf8.ValidString(d.text[start:i])
		case c == '\\' || c < ' ':
			return d.escaped()
		case c >= utf8.RuneSelf:
			plain = false
		}
	}
	return "", false
}

// escaped decodes the text at hand, which has escapes, or has encoding/json decode it.
func (d *decoder) escaped() (string, bool) {
	start := d.at
	if !d.skipString() {
		return "", false
	}
	if out, ok := unescaped(d.text[start+1 : d.at-1]); ok {
		return out, true
	}
	var out string
	err := json.Unmarshal([]byte(d.text[start:d.at]), &out)
	return out, err == nil
}

// whole decodes a number that is an int64 if it is written as one and fits.
func (d *decoder) whole() (any, bool) {
	start := d.at
	d.next('-')
	digits := d.digits()
	if c := d.peek(); digits > 0 && (digits == 1 || d.text[d.at-digits] != '0') && c != '.' && c != 'e' && c != 'E' {
		if n, err := strconv.ParseInt(d.text[start:d.at], 10, 64); err == nil {
			return n, true
		}
	}
	d.at = start
	return d.number()
}

// unescaped decodes a text of ASCII with the escapes that JSON in JSON has. It reports false for any other.
func unescaped(s string) (string, bool) {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c < ' ' || c >= utf8.RuneSelf:
			return "", false
		case c != '\\':
			out = append(out, c)
			continue
		}
		if i++; i == len(s) {
			return "", false
		}
		switch s[i] {
		case '"', '\\', '/':
			out = append(out, s[i])
		case 'n':
			out = append(out, '\n')
		case 't':
			out = append(out, '\t')
		default:
			return "", false
		}
	}
	return string(out), true
}

func (d *decoder) number() (float64, bool) {
	start := d.at
	d.next('-')
	const exact = 15 // so many digits have a float64 of their own, without a search for the nearest
	digits := d.digits()
	if whole := d.text[d.at-digits : d.at]; digits == 0 || digits > 1 && whole[0] == '0' {
		return 0, false
	}
	if c := d.peek(); c != '.' && c != 'e' && c != 'E' && digits <= exact && d.text[start] != '-' {
		n := 0
		for _, c := range []byte(d.text[start:d.at]) {
			n = 10*n + int(c-'0')
		}
		return float64(n), true
	}
	if d.next('.') && d.digits() == 0 {
		return 0, false
	}
	if d.next('e') || d.next('E') {
		_ = d.next('+') || d.next('-')
		if d.digits() == 0 {
			return 0, false
		}
	}
	out, err := strconv.ParseFloat(d.text[start:d.at], 64)
	return out, err == nil
}
