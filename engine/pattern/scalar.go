package pattern

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Scalar is a compiled leaf of a pattern. The zero value is the pattern null. It is immutable and safe for
// concurrent use.
type Scalar struct {
	kind scalarKind
	flag bool
	num  number
	text string
	// anyOf holds the alternatives of a text pattern: "a & b | c" is {{a, b}, {c}}.
	anyOf [][]comparison
}

type scalarKind uint8

const (
	nullScalar scalarKind = iota
	boolScalar
	numberScalar
	textScalar
)

// CompileScalar reads a leaf: a string with operators and wildcards, a number, a boolean or null. Every
// string is accepted; Check tells the ones that make no sense.
func CompileScalar(pattern any) (Scalar, error) {
	switch p := pattern.(type) {
	case nil:
		return Scalar{}, nil
	case bool:
		return Scalar{kind: boolScalar, flag: p}, nil
	case string:
		return compileText(p), nil
	case float64, int64, int, json.Number:
		n, ok := asNumber(p)
		if !ok {
			return Scalar{}, fmt.Errorf("compiling a pattern: %v is no number", p)
		}
		return Scalar{kind: numberScalar, num: n}, nil
	default:
		return Scalar{}, fmt.Errorf("compiling a pattern: a %T is no scalar", pattern)
	}
}

func compileText(s string) Scalar {
	out := Scalar{kind: textScalar, text: s}
	for alternative := range strings.SplitSeq(s, "|") {
		var all []comparison
		for part := range strings.SplitSeq(strings.Trim(alternative, " "), "&") {
			all = append(all, compileComparison(strings.Trim(part, " ")))
		}
		out.anyOf = append(out.anyOf, all)
	}
	return out
}

// Check finds operators that can never hold, as in ">abc", or never fail, as in "!=abc". Kyverno runs
// them; in a policy's text they are mistakes, in the value of a variable they are what the peer makes of
// them.
func (s Scalar) Check() error {
	for _, all := range s.anyOf {
		for i := range all {
			if err := all[i].check(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Match reports whether a value matches. Objects and lists match no scalar; MatchEach is for lists.
func (s Scalar) Match(value any) bool { return s.match(value) }

// MatchEach is how a scalar stands in a tree: against a list, each element must match, and so an empty
// list does.
func (s Scalar) MatchEach(value any) bool { return s.matchEach(value) }

func (s *Scalar) matchEach(value any) bool {
	list, ok := value.([]any)
	if !ok {
		return s.match(value)
	}
	for _, element := range list {
		if !s.match(element) {
			return false
		}
	}
	return true
}

func (s *Scalar) match(value any) bool {
	switch s.kind {
	case textScalar:
		return s.matchText(value)
	case boolScalar:
		flag, ok := value.(bool)
		return ok && flag == s.flag
	case numberScalar:
		return s.matchNumber(value)
	default:
		return isEmpty(value)
	}
}

func (s *Scalar) matchText(value any) bool {
	// A value that is the pattern itself matches, whatever its operators mean.
	if text, ok := value.(string); ok && text == s.text {
		return true
	}
	for _, all := range s.anyOf {
		if matchAll(all, value) {
			return true
		}
	}
	return false
}

func matchAll(all []comparison, value any) bool {
	for i := range all {
		if !all[i].match(value) {
			return false
		}
	}
	return true
}

// matchNumber compares numbers, and text that is a number: whole numbers in decimal digits for a whole
// pattern, any form for a fraction.
func (s *Scalar) matchNumber(value any) bool {
	text, isText := value.(string)
	if !isText {
		n, ok := asNumber(value)
		return ok && n.whole == s.num.whole && n.integer == s.num.integer && n.float == s.num.float
	}
	if text == "" || s.num.whole && !startsNumber(text[0]) {
		return false
	}
	if s.num.whole {
		i, err := strconv.ParseInt(text, 10, 64)
		return err == nil && i == s.num.integer
	}
	f, err := strconv.ParseFloat(text, 64)
	return err == nil && f == s.num.float
}

// isEmpty is what null matches: nothing, and what a field holds that was never set.
func isEmpty(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case bool:
		return !v
	default:
		n, ok := asNumber(value)
		return ok && n.float == 0
	}
}

// source gives the pattern back as JSON has it.
func (s *Scalar) source() any {
	switch s.kind {
	case textScalar:
		return s.text
	case boolScalar:
		return s.flag
	case numberScalar:
		return s.num.float
	default:
		return nil
	}
}
