package condition

import (
	"encoding/json"
	"strings"

	"github.com/holdfast-io/holdfast/engine/glob"
	"github.com/holdfast-io/holdfast/engine/pattern"
)

// members is the right side of AnyIn, AllIn, AnyNotIn and AllNotIn: what a key may be found in.
type members struct {
	kind  memberKind
	text  string         // the value, where it is a text
	items []any          // of a list
	known *index         // of a list that is known at load
	span  pattern.Scalar // of a range
}

type memberKind uint8

const (
	noMembers   memberKind = iota // a map or null: nothing is in it, and nothing is not in it
	listed                        // a list; a number or a boolean stands for a list of one
	encodedList                   // a list written as JSON in a text, as ConfigMaps hold them
	spanned                       // a range such as 1-10
	single                        // any other text, which may hold wildcards
)

func readMembers(value any) members {
	switch v := value.(type) {
	case nil, map[string]any:
		return members{}
	case []any:
		return members{kind: listed, items: v}
	case string:
		return readMembersText(v)
	default:
		return members{kind: listed, items: []any{v}}
	}
}

func readMembersText(text string) members {
	if isRange(text) {
		if s, err := compileRange(text); err == nil {
			return members{kind: spanned, text: text, span: s}
		}
	}
	if items, ok := decodeList(text); ok {
		return members{kind: encodedList, text: text, items: items}
	}
	return members{kind: single, text: text}
}

// decodeList reads a JSON list out of a text.
func decodeList(text string) ([]any, bool) {
	if !strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "[") {
		return nil, false
	}
	var items []any
	err := json.Unmarshal([]byte(text), &items)
	return items, err == nil
}

// hasScalar looks for a scalar key. In a text the key is no pattern, and the items of a JSON list are
// none either: there Kyverno compares letter by letter.
func (m *members) hasScalar(k string) bool {
	switch m.kind {
	case listed:
		return m.hasAlike(k)
	case encodedList:
		if glob.Match(m.text, k) {
			return true
		}
		for _, item := range m.items {
			if itemText(item) == k {
				return true
			}
		}
		return false
	case spanned:
		return m.text == k || m.span.Match(k)
	default:
		return glob.Match(m.text, k)
	}
}

// hasItem looks for an item of a list key.
func (m *members) hasItem(k string) bool {
	switch m.kind {
	case listed, encodedList:
		return m.text == k && m.kind == encodedList || m.hasAlike(k)
	case spanned:
		return m.text == k || m.span.Match(k)
	default:
		return alike(k, m.text)
	}
}

// hasAlike looks for k in the list, with wildcards on either side.
func (m *members) hasAlike(k string) bool {
	if m.known != nil {
		return m.known.has(k)
	}
	for _, item := range m.items {
		if alike(k, itemText(item)) {
			return true
		}
	}
	return false
}

// alike reports whether one text, as a pattern, matches the other.
func alike(a, b string) bool {
	return a == b || glob.HasWildcard(a) && glob.Match(a, b) || glob.HasWildcard(b) && glob.Match(b, a)
}

// testMembers evaluates AnyIn, AllIn, AnyNotIn and AllNotIn.
func (op operator) testMembers(key, value *operand) (bool, error) {
	m := value.members()
	if m.kind == noMembers {
		return false, nil
	}
	wantIn := op == anyIn || op == allIn
	keys, isList := key.value.([]any)
	if !isList {
		k, ok := scalarText(key.value)
		return ok && m.hasScalar(k) == wantIn, nil
	}
	// Any stops at the first key that is as wanted, all at the first that is not.
	some := op == anyIn || op == anyNotIn
	for _, item := range keys {
		if (m.hasItem(itemText(item)) == wantIn) == some {
			return some, nil
		}
	}
	return !some, nil
}
