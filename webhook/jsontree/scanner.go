package jsontree

import (
	"strings"
	"unicode/utf8"
)

// scanner goes through a text.
type scanner struct {
	text string
	at   int
}

// peek gives the byte at hand, 0 at the end.
func (s *scanner) peek() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

// next steps over this byte, if it is at hand.
func (s *scanner) next(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.at++
	return true
}

func (s *scanner) space() {
	for s.at < len(s.text) {
		if c := s.text[s.at]; c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return
		}
		s.at++
	}
}

// ended reports whether nothing follows.
func (s *scanner) ended() bool {
	s.space()
	return s.at == len(s.text)
}

func (s *scanner) literal(word string) bool {
	if !strings.HasPrefix(s.text[s.at:], word) {
		return false
	}
	s.at += len(word)
	return true
}

// digits steps over them, and says how many there were.
func (s *scanner) digits() int {
	start := s.at
	for s.at < len(s.text) && '0' <= s.text[s.at] && s.text[s.at] <= '9' {
		s.at++
	}
	return s.at - start
}

// key steps over the key of a member, which has no escapes, and over the colon, to the value.
func (s *scanner) key() (string, bool) {
	if !s.next('"') {
		return "", false
	}
	start := s.at
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == '"':
			key := s.text[start:s.at]
			s.at++
			s.space()
			ok := s.next(':')
			s.space()
			return key, ok
		case c == '\\' || c < ' ' || c >= utf8.RuneSelf:
			return "", false
		}
		s.at++
	}
	return "", false
}

// skipString steps over a text in quotes.
func (s *scanner) skipString() bool {
	for s.at++; ; {
		i := strings.IndexByte(s.text[s.at:], '"')
		if i < 0 {
			return false
		}
		s.at += i + 1
		before := s.text[:s.at-1]
		if escapes := len(before) - len(strings.TrimRight(before, `\`)); escapes%2 == 0 {
			return true
		}
	}
}

// skip steps over a value, of which nothing is said but where it ends.
func (s *scanner) skip() bool {
	depth := 0
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case '"':
			if !s.skipString() {
				return false
			}
			if depth == 0 {
				return true
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return true // of what stands around
			}
			if depth--; depth == 0 {
				s.at++
				return true
			}
		case ',', ' ', '\n', '\t', '\r':
			if depth == 0 {
				return true
			}
		}
		s.at++
	}
	return depth == 0
}
