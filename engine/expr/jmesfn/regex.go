package jmesfn

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// regexFunctions match with Go's regular expressions (RE2), whose time is linear in the text.
var regexFunctions = []function{
	{Spec: Spec{
		Name: "regex_match", Args: []Arg{regexArg(), arg("text", String|Number)}, Returns: Boolean,
		Doc:      "Tells whether a regular expression matches anywhere in a string or number. Anchor it with ^ and $ to match the whole.",
		Examples: []Example{{Expr: "regex_match('^v[0-9]+$', 'v12')", Result: "true"}},
	}, impl: func(c *call) (any, error) {
		re, text := c.args[0].(*regex), c.text(1)
		if err := re.affordable(text); err != nil {
			return nil, c.errorf("%w", err)
		}
		return re.MatchString(text), nil
	}},
	{Spec: Spec{
		Name:    "regex_replace_all",
		Args:    []Arg{regexArg(), arg("text", String|Number), arg("replacement", String|Number)},
		Returns: String,
		Doc:     "Replaces every match of a regular expression. In the replacement $1 or ${1} stands for the first group, ${name} for a named one.",
		Examples: []Example{
			{Expr: "regex_replace_all('([a-z]+):([0-9]+)', 'app:8080', '$2/$1')", Result: `"8080/app"`},
		},
	}, impl: func(c *call) (any, error) {
		re, text, replacement := c.args[0].(*regex), c.text(1), c.text(2)
		if err := re.replaceable(text, len(replacement), strings.Count(replacement, "$")); err != nil {
			return nil, c.errorf("%w", err)
		}
		return c.made(re.ReplaceAllString(text, replacement))
	}},
	{Spec: Spec{
		Name:     "regex_replace_all_literal",
		Args:     []Arg{regexArg(), arg("text", String|Number), arg("replacement", String|Number)},
		Returns:  String,
		Doc:      "Replaces every match of a regular expression by a text that is taken as it stands.",
		Examples: []Example{{Expr: "regex_replace_all_literal('[0-9]+', 'a1b22', '$')", Result: `"a$b$"`}},
	}, impl: func(c *call) (any, error) {
		re, text, replacement := c.args[0].(*regex), c.text(1), c.text(2)
		if err := re.replaceable(text, len(replacement), 0); err != nil {
			return nil, c.errorf("%w", err)
		}
		return re.ReplaceAllLiteralString(text, replacement), nil
	}},
}

// regex is a compiled regular expression with what its cost depends on.
type regex struct {
	*regexp.Regexp
	instructions int
	// linear says that the search for a match reads on past the match's end by a fixed number of characters
	// only. Otherwise (a.*b|a on a long row of a) finding all matches is quadratic in the text.
	linear bool
}

func (*regex) isPrepared() {}

func regexArg() Arg { return Arg{Name: "pattern", Type: String, compile: compileRegex} }

func compileRegex(pattern string) (prepared, error) {
	parsed, err := parseRegex(pattern, syntax.Perl)
	if err != nil {
		return nil, err
	}
	size := programSize(parsed, MaxProgram)
	if size > MaxProgram {
		return nil, fmt.Errorf("is a regular expression that repeats too much: more than %d instructions: %w", MaxProgram, ErrTooLarge)
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, errors.New("is no valid regular expression")
	}
	return &regex{re, size, isLinear(parsed)}, nil
}

// parseRegex parses within MaxPattern. Its errors say what is wrong and not where, since a pattern that is
// made at evaluation may hold a secret.
func parseRegex(pattern string, flags syntax.Flags) (*syntax.Regexp, error) {
	if len(pattern) > MaxPattern {
		return nil, fmt.Errorf("is a regular expression longer than %d bytes: %w", MaxPattern, ErrTooLarge)
	}
	parsed, err := syntax.Parse(pattern, flags)
	var wrong *syntax.Error
	if errors.As(err, &wrong) {
		return nil, fmt.Errorf("is no valid regular expression (%s)", wrong.Code)
	}
	return parsed, err
}

// programSize gives the number of instructions of a parsed expression, its counted repetitions written out,
// roughly. It stops soon after limit.
func programSize(re *syntax.Regexp, limit int) int {
	size := 0
	for _, sub := range re.Sub {
		if size += programSize(sub, limit); size > limit {
			return size
		}
	}
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune)
	case syntax.OpCharClass:
		return 1 + len(re.Rune)/16 // one instruction, but a wide class takes longer to look through
	case syntax.OpConcat:
		return size
	case syntax.OpCapture:
		return size + 2
	case syntax.OpAlternate:
		return size + len(re.Sub) - 1
	case syntax.OpRepeat:
		copies := max(re.Min, re.Max, 1)
		return size*copies + copies - re.Min + 1
	default:
		return size + 1
	}
}

// isLinear is true for an expression without unbounded repetition, and for the repetition of one character
// class ([^a-z]+), which stops at the first character outside.
func isLinear(re *syntax.Regexp) bool {
	for re.Op == syntax.OpCapture {
		re = re.Sub[0]
	}
	if re.Op == syntax.OpStar || re.Op == syntax.OpPlus {
		switch re.Sub[0].Op {
		case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
			return true
		case syntax.OpLiteral:
			return len(re.Sub[0].Rune) == 1
		}
	}
	return !repeatsUnbounded(re)
}

func repeatsUnbounded(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpStar, syntax.OpPlus:
		return true
	case syntax.OpRepeat:
		if re.Max < 0 {
			return true
		}
	}
	return slices.ContainsFunc(re.Sub, repeatsUnbounded)
}

// affordable refuses a search that might take seconds.
func (re *regex) affordable(text string) error {
	if len(text) > MaxRegexWork/(re.instructions+1) {
		return fmt.Errorf("a text of %d bytes is too long for this regular expression: %w", len(text), ErrTooLarge)
	}
	return nil
}

// replaceable refuses a replacement that might take seconds or whose result might be too long. Each of the
// references in a template stands for at most the whole match, so that the length is exact without any.
func (re *regex) replaceable(text string, replacement, references int) error {
	if err := re.affordable(text); err != nil {
		return err
	}
	limit := MaxItems
	if !re.linear {
		limit = min(limit, MaxRegexWork/((re.instructions+1)*(len(text)+1)))
	}
	if len(text) < limit && (len(text)+1)*(replacement+references+1) <= MaxString {
		return nil // even if every character matches
	}
	matches := re.FindAllStringIndex(text, limit+1)
	if len(matches) > limit {
		return fmt.Errorf("a text of %d bytes matches this regular expression more than %d times: %w", len(text), limit, ErrTooLarge)
	}
	matched := 0
	for _, m := range matches {
		matched += m[1] - m[0]
	}
	return checkString(len(text) - matched + len(matches)*replacement + references*matched)
}
