// Package glob matches Kyverno's wildcards: `*` stands for any run of characters, none included,
// and `?` for exactly one. A pattern comes in as text and is compiled once; what goes out is
// yes or no. It knows nothing of paths: `*` matches `/` and `.` like any other character.
package glob

import (
	"strings"
	"unicode/utf8"
)

// Glob is a compiled wildcard pattern. The zero value matches the empty string only.
// It is immutable and safe for concurrent use.
type Glob struct {
	pattern string
	form    form
	literal string // for exact, prefix, suffix and infix: the fixed part
}

type form uint8

const (
	exact   form = iota // no wildcard
	always              // *
	prefix              // abc*
	suffix              // *abc
	infix               // *abc*
	general             // anything else
)

// Compile reads a pattern. Every string is a valid pattern.
func Compile(pattern string) Glob {
	g := Glob{pattern: pattern, form: general}
	if strings.Trim(pattern, "*") == "" && pattern != "" {
		g.form = always
		return g
	}
	if strings.ContainsRune(pattern, '?') {
		return g
	}
	core := strings.Trim(pattern, "*")
	if strings.ContainsRune(core, '*') {
		return g
	}
	g.literal = core
	head, tail := strings.HasPrefix(pattern, "*"), strings.HasSuffix(pattern, "*")
	switch {
	case head && tail:
		g.form = infix
	case head:
		g.form = suffix
	case tail:
		g.form = prefix
	default:
		g.form = exact
	}
	return g
}

// Exactly makes a pattern that matches the text itself, whatever characters it holds.
func Exactly(text string) Glob { return Glob{pattern: text, literal: text} }

// CompileAll compiles each pattern, in order.
func CompileAll(patterns []string) []Glob {
	if len(patterns) == 0 {
		return nil
	}
	globs := make([]Glob, len(patterns))
	for i, p := range patterns {
		globs[i] = Compile(p)
	}
	return globs
}

// Match reports whether the whole of s matches the pattern.
func (g Glob) Match(s string) bool {
	switch g.form {
	case exact:
		return s == g.literal
	case always:
		return true
	case prefix:
		return strings.HasPrefix(s, g.literal)
	case suffix:
		return strings.HasSuffix(s, g.literal)
	case infix:
		return strings.Contains(s, g.literal)
	default:
		return match(g.pattern, s)
	}
}

// String gives the pattern as it was written.
func (g Glob) String() string { return g.pattern }

// Literal reports whether the pattern holds no wildcard, so that it matches one string only.
func (g Glob) Literal() bool { return g.form == exact }

// Start is what every text that matches begins with; empty where that may be anything.
func (g Glob) Start() string {
	switch g.form {
	case exact, prefix:
		return g.literal
	case general:
		return g.pattern[:strings.IndexAny(g.pattern, "*?")]
	default:
		return ""
	}
}

// HasWildcard reports whether pattern holds a wildcard character.
func HasWildcard(pattern string) bool { return strings.ContainsAny(pattern, "*?") }

// MatchAny reports whether one of the globs matches s. No globs match nothing.
func MatchAny(globs []Glob, s string) bool {
	for i := range globs {
		if globs[i].Match(s) {
			return true
		}
	}
	return false
}

// Match compiles pattern and matches s, for patterns that are known only at evaluation.
func Match(pattern, s string) bool { return Compile(pattern).Match(s) }

// match walks both strings once and goes back only to the last star, so that its cost is bounded by
// len(pattern) * len(s) whatever the pattern.
func match(pattern, s string) bool {
	p, i := 0, 0
	star, mark := -1, 0
	for i < len(s) {
		if p < len(pattern) {
			switch pattern[p] {
			case '*':
				star, mark = p, i
				p++
				continue
			case '?':
				_, n := utf8.DecodeRuneInString(s[i:])
				p++
				i += n
				continue
			default:
				if pattern[p] == s[i] {
					p++
					i++
					continue
				}
			}
		}
		if star < 0 {
			return false
		}
		_, n := utf8.DecodeRuneInString(s[mark:])
		mark += n
		p, i = star+1, mark
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
