package expr

import "strings"

// Span is the place of a variable in a text: s[Start:End] is {{ ... }}, braces included.
type Span struct{ Start, End int }

// Spans finds the variables of a text as a Template reads them, for texts in which they stand between
// other syntax. An escaped \{{ and a {{ that nothing closes are text. Variables inside variables are not
// listed.
func Spans(s string) []Span {
	var spans []Span
	for i := 0; i < len(s); {
		switch {
		case strings.HasPrefix(s[i:], `\{{`):
			i += len(`\{{`)
		case strings.HasPrefix(s[i:], "{{"):
			end := closing(s, i)
			if end < 0 {
				i += len("{{")
				continue
			}
			spans = append(spans, Span{Start: i, End: end + len("}}")})
			i = end + len("}}")
		default:
			i++
		}
	}
	return spans
}
