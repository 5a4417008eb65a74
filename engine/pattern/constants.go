package pattern

import (
	"slices"
	"strconv"

	"github.com/holdfast-io/holdfast/engine/glob"
)

// constants lists the values that the leaf names and that match it, the likeliest first. Of what type one is, the value
// that stands there now tells; where there is none, text that reads as a boolean or a number is taken for that first.
func (s *Scalar) constants(found any) []any {
	switch s.kind {
	case boolScalar:
		return []any{s.flag}
	case numberScalar:
		return []any{s.num.float}
	case nullScalar:
		return nil
	}
	var out []any
	for _, all := range s.anyOf {
		for i := range all {
			for _, text := range all[i].constants(found) {
				for _, value := range readings(text, found) {
					if s.match(value) && !slices.Contains(out, value) {
						out = append(out, value)
					}
				}
			}
		}
	}
	return out
}

// constants gives the operands that meet the comparison: the bound itself, or what is next to it.
func (c *comparison) constants(found any) []string {
	bound := c.left.text
	switch c.op {
	case equal:
		if bound == "" || glob.HasWildcard(bound) {
			return nil
		}
		return []string{bound}
	case atLeast, atMost:
		return []string{bound}
	case inRange:
		if c.right.match(found, more) {
			return []string{c.right.text, bound}
		}
		return []string{bound, c.right.text}
	case more, less:
		n, err := strconv.ParseInt(bound, 10, 32) // what is next to a quantity with a unit nobody can tell
		if err != nil {
			return nil
		}
		if c.op == less {
			return []string{strconv.FormatInt(n-1, 10)}
		}
		return []string{strconv.FormatInt(n+1, 10)}
	default:
		return nil // what it must not be says nothing of what it should
	}
}

// readings gives the values that a text may stand for.
func readings(text string, found any) []any {
	flag, notFlag := strconv.ParseBool(text)
	number, notNumber := strconv.ParseFloat(text, 64)
	isFlag := notFlag == nil && (text == "true" || text == "false")
	switch found.(type) {
	case string:
		return []any{text}
	case bool:
		if isFlag {
			return []any{flag}
		}
	case nil:
		switch {
		case isFlag:
			return []any{flag, text}
		case notNumber == nil:
			return []any{number, text}
		}
	default:
		if notNumber == nil {
			return []any{number}
		}
	}
	return []any{text}
}
