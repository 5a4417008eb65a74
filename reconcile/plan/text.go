package plan

import "strings"

// cut shortens a text to a number of bytes; half a character at its end goes too.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	const more = "..."
	return strings.ToValidUTF8(s[:most-len(more)], "") + more
}

// limited cuts a list to a number of texts, and each to a number of bytes.
func limited(list []string, most, bytes int) []string {
	var out []string
	for _, s := range list[:min(len(list), most)] {
		out = append(out, cut(s, bytes))
	}
	return out
}
