package cel

import (
	"errors"
	"fmt"
	"strings"
)

// segment is a part of a text of a template: plain, or the expression of a placeholder.
type segment struct {
	text string
	expr bool
}

// escapedOpening stands for (( in a text that is no placeholder.
const escapedOpening = `\((`

// scanPlaceholders splits a text at its placeholders, which stand between (( and )). Parentheses and texts of CEL within
// them may hold both.
func scanPlaceholders(s string) ([]segment, error) {
	var out []segment
	var plain strings.Builder
	for i := 0; i < len(s); {
		switch {
		case strings.HasPrefix(s[i:], escapedOpening):
			plain.WriteString("((")
			i += len(escapedOpening)
		case strings.HasPrefix(s[i:], "(("):
			length, err := placeholderEnd(s[i+2:])
			if err != nil {
				return nil, fmt.Errorf("the placeholder at character %d: %w", i+1, err)
			}
			if plain.Len() > 0 {
				out = append(out, segment{text: plain.String()})
				plain.Reset()
			}
			out = append(out, segment{strings.TrimSpace(s[i+2 : i+2+length]), true})
			i += 2 + length + 2
		default:
			plain.WriteByte(s[i])
			i++
		}
	}
	if plain.Len() > 0 || len(out) == 0 {
		out = append(out, segment{text: plain.String()})
	}
	return out, nil
}

// placeholderEnd finds the )) that ends the placeholder whose expression begins the text.
func placeholderEnd(s string) (int, error) {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '"', '\'':
			end := textEnd(s[i:])
			if end < 0 {
				return 0, errors.New("a text in it does not end")
			}
			i += end
		case '(':
			depth++
		case ')':
			switch {
			case depth > 0:
				depth--
			case !strings.HasPrefix(s[i:], "))"):
				return 0, errors.New("it has a ) without its (")
			case strings.TrimSpace(s[:i]) == "":
				return 0, errors.New("it is empty: expected a CEL expression")
			default:
				return i, nil
			}
		}
	}
	return 0, errors.New("it does not end: expected ))")
}

// textEnd is the index of the quote that ends the text which the first quote begins, or -1.
func textEnd(s string) int {
	quote := s[:1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(s, triple) {
		if end := strings.Index(s[3:], triple); end >= 0 {
			return 3 + end + 2
		}
		return -1
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case quote[0]:
			return i
		}
	}
	return -1
}

// hasPlaceholder reports whether a text is other than it reads: it holds a placeholder, or an escaped one.
func hasPlaceholder(s string) bool { return strings.Contains(s, "((") }
