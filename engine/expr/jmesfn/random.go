package jmesfn

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp/syntax"
	"strings"
	"unicode"
	"unicode/utf8"
)

// randomFunctions make things up.
var randomFunctions = []function{
	{Spec: Spec{
		Name: "random", Args: []Arg{{Name: "pattern", Type: String, compile: compileGenerator}}, Returns: String, NeedsEnv: true,
		Doc: "Makes a random string that a POSIX regular expression matches (no \\d and the like). * and + repeat up to 4096 times. " +
			"A dot and a negated class give printable ASCII where they can.",
		Examples: []Example{{Expr: "random('[a-z]{3}-[0-9]{2}')", Result: `"kqz-07"`, Varies: true}},
	}, impl: random},
}

// maxRepeat is how often at most a * or + repeats, the number that Kyverno's generator has.
const maxRepeat = 4096

func random(c *call) (any, error) {
	if c.rt.env.Rand == nil {
		return nil, c.errorf("there is no source of randomness here")
	}
	w, err := newWriter(c.rt.env.Rand)
	if err != nil {
		return nil, c.errorf("%w", err)
	}
	if !c.args[0].(*generator).write(w) {
		return nil, c.errorf("%w", checkString(MaxString+1))
	}
	return w.String(), nil
}

// writer collects a string and counts the steps on the way, since a pattern can repeat nothing at all.
type writer struct {
	strings.Builder
	rand  *rand.Rand
	steps int
}

// generator is a parsed pattern: one of alternatives, each a sequence, repeated min to max times; or, where
// there are none, a character out of ranges or the literal.
type generator struct {
	alternatives [][]*generator
	min, max     int
	ranges       []rune // pairs, both ends included
	size         int    // the number of characters in ranges
	literal      string
}

func (*generator) isPrepared() {}

func compileGenerator(pattern string) (prepared, error) {
	if pattern == "" {
		return nil, errors.New("must not be empty")
	}
	parsed, err := parseRegex(pattern, syntax.POSIX)
	if err != nil {
		return nil, err
	}
	if programSize(parsed, MaxProgram) > MaxProgram {
		return nil, fmt.Errorf("is a regular expression that repeats too much: more than %d instructions: %w", MaxProgram, ErrTooLarge)
	}
	return newGenerator(parsed)
}

func newGenerator(re *syntax.Regexp) (*generator, error) {
	g := &generator{min: 1, max: 1}
	switch re.Op {
	case syntax.OpLiteral:
		g.literal = string(re.Rune)
		return g, nil
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return g, g.draw([]rune{0, unicode.MaxRune})
	case syntax.OpCharClass:
		return g, g.draw(re.Rune)
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText,
		syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return g, nil
	case syntax.OpQuest:
		g.min = 0
	case syntax.OpStar:
		g.min, g.max = 0, maxRepeat
	case syntax.OpPlus:
		g.max = maxRepeat
	case syntax.OpRepeat:
		if g.min, g.max = re.Min, re.Max; g.max < 0 {
			g.max = max(maxRepeat, g.min)
		}
	case syntax.OpCapture, syntax.OpConcat, syntax.OpAlternate:
	default:
		return nil, errors.New("is a regular expression that matches nothing")
	}
	parts := make([]*generator, len(re.Sub))
	for i, sub := range re.Sub {
		var err error
		if parts[i], err = newGenerator(sub); err != nil {
			return nil, err
		}
	}
	if re.Op != syntax.OpAlternate {
		g.alternatives = [][]*generator{parts}
		return g, nil
	}
	for _, part := range parts {
		g.alternatives = append(g.alternatives, []*generator{part})
	}
	return g, nil
}

// draw sets the characters to choose from. A class that goes on to the end of Unicode is a dot or a negated
// one; nobody who writes [^/] wants an unassigned code point, so it is narrowed to printable ASCII.
func (g *generator) draw(class []rune) error {
	ranges := class
	if len(class) > 0 && class[len(class)-1] == unicode.MaxRune {
		if printable := intersect(class, ' ', '~'); len(printable) > 0 {
			ranges = printable
		}
	}
	// Surrogates are no characters: they cannot stand in a string.
	ranges = append(intersect(ranges, 0, 0xD7FF), intersect(ranges, 0xE000, unicode.MaxRune)...)
	if len(ranges) == 0 {
		return errors.New("is a regular expression that matches nothing")
	}
	g.ranges = ranges
	for i := 0; i < len(ranges); i += 2 {
		g.size += int(ranges[i+1]-ranges[i]) + 1
	}
	return nil
}

func intersect(class []rune, low, high rune) []rune {
	var out []rune
	for i := 0; i+1 < len(class); i += 2 {
		if from, to := max(class[i], low), min(class[i+1], high); from <= to {
			out = append(out, from, to)
		}
	}
	return out
}

// write adds one string to w; false says that it got too long.
func (g *generator) write(w *writer) bool {
	for range g.min + w.rand.IntN(g.max-g.min+1) {
		if w.steps--; w.steps < 0 || w.Len()+len(g.literal)+utf8.UTFMax > MaxString {
			return false
		}
		w.WriteString(g.literal)
		if g.size > 0 {
			w.WriteRune(g.character(w.rand.IntN(g.size)))
		}
		if len(g.alternatives) == 0 {
			continue
		}
		for _, part := range g.alternatives[w.rand.IntN(len(g.alternatives))] {
			if !part.write(w) {
				return false
			}
		}
	}
	return true
}

// character gives the nth character of the ranges.
func (g *generator) character(n int) rune {
	for i := 0; ; i += 2 {
		width := int(g.ranges[i+1]-g.ranges[i]) + 1
		if n < width {
			return g.ranges[i] + rune(n)
		}
		n -= width
	}
}
