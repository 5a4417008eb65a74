package plan

import (
	"strings"
	"unicode/utf8"
)

// cut shortens a text to a number of bytes, at the end of a character.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	const more = "..."
	s = s[:most-len(more)]
	for len(s) > 0 && !utf8.RuneStart(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	if r, size := utf8.DecodeLastRuneInString(s); r == utf8.RuneError && size == 1 {
		s = s[:len(s)-1]
	}
	return strings.ToValidUTF8(s, "") + more
}

// limited cuts a list to a number of texts, and each to a number of bytes.
func limited(list []string, most, bytes int) []string {
	var out []string
	for _, s := range list[:min(len(list), most)] {
		out = append(out, cut(s, bytes))
	}
	return out
}
