package peers

import (
	"errors"
	"math"
	"slices"
	"strings"

	"github.com/holdfast-io/holdfast/engine/expr/jmesfn"
)

// functionDifferences is where our functions part from Kyverno 1.19's on generated arguments.
var functionDifferences = []difference{
	{
		subjects: []string{"avg"},
		when:     func(p *pair) bool { return len(p.args) == 1 && written(p.args[0]) == "[]" },
		why:      "The average of nothing is null, as JMESPath's specification has it; the peer's NaN is no JSON value.",
	},
	{
		subjects: []string{"contains"},
		when:     panicked,
		why:      "Lists and objects are compared by value; the peer panics when it compares two of them.",
	},
	{
		subjects: []string{"add", "subtract", "multiply", "divide", "modulo", "sum"},
		when: func(p *pair) bool {
			return errors.Is(p.ours.err, jmesfn.ErrTooLarge) && has(p.args, "1e100")
		},
		why: "Exponents are bounded: a label of 1E-2147483648 keeps the peer busy for minutes.",
	},
	{
		subjects: []string{"add", "divide", "multiply", "sum"},
		when:     func(p *pair) bool { return refusedAs(p, "the result is out of range") },
		why:      "A result beyond all durations or numbers is an error; the peer wraps around to the other sign, or gives what is no JSON.",
	},
	{
		subjects: []string{"modulo"},
		when:     func(p *pair) bool { return p.theirs.err != nil && has(p.args, "9223372036854775807") },
		why:      "The largest integer is one; the peer says that it is none.",
	},
	{
		subjects: []string{"lookup"},
		when: func(p *pair) bool {
			index, ok := p.args[1].(float64)
			return ok && math.Abs(index) > math.MaxInt64 && p.ours.err == nil && p.ours.value == nil
		},
		why: "An index beyond the end gives null however far beyond it is; the peer's is an error from the 64th bit on.",
	},
	{
		subjects: []string{"regex_match", "regex_replace_all", "regex_replace_all_literal", "pattern_match"},
		when: func(p *pair) bool {
			for _, arg := range p.args {
				if n, ok := arg.(float64); ok && (float64(float32(n)) != n || math.Abs(n) > 1<<24) {
					return true
				}
			}
			return false
		},
		why: "A number is written with all its digits; the peer writes it as a 32-bit one, so that 16777217 reads 16777216.",
	},
	{
		subjects: []string{"round"},
		when: func(p *pair) bool {
			n, ok := p.theirs.value.(float64)
			return ok && (math.IsNaN(n) || math.IsInf(n, 0)) && p.ours.err == nil
		},
		why: "Rounding to more digits than a number has gives the number; the peer overflows to NaN and infinity.",
	},
	{
		subjects: []string{"truncate"},
		when: func(p *pair) bool {
			length, ok := p.args[1].(float64)
			return ok && length > math.MaxInt64 && p.ours.value == p.args[0]
		},
		why: "A length beyond all integers cuts nothing off; the peer's overflows and leaves nothing.",
	},
}

// caseDifferences is where the peer answers the cases of our own tests otherwise.
var caseDifferences = []difference{
	{when: asked("add(`1e308`, `1e308`)", "multiply(`1e200`, `1e200`)"), why: "Infinity is no JSON value."},
	{
		when: asked("add('2562047h', '1h')", "subtract('-2562047h', '1h')", "multiply('1h', `1e30`)"),
		why:  "A duration beyond 292 years is an error; the peer wraps around to the other sign.",
	},
	{when: asked("multiply('1', `1e300`)"), why: "A number that no quantity holds is an error; the peer leaves it out."},
	{when: asked("add('1', replace_all('xxxxxxxxxx', 'x', '0000000'))"), why: "Quantities are bounded, since their cost grows faster than their length."},
	{when: asked("modulo('9007199254740993', '2')"), why: "Whole numbers are divided as such; the peer rounds to 53 bits before."},
	{when: asked("contains(@, `{\"a\": [1]}`)", "contains(@, `[2]`)"), why: "Lists and objects are compared by value; the peer panics."},
	{
		when: asked("to_array(&a)", "not_null(missing, &a)", "to_string(&a)"),
		why:  "An expression is no value: the peer gives its syntax tree.",
	},
	{when: asked("[lookup(['a'], `1`), lookup(['a'], `-1`), lookup(`[]`, `1e300`)]"), why: "An index beyond the end gives null, however far beyond it is."},
	{when: asked("sort_by(items(@, 'k', 'v'), &v)[].k", "type(items(`{}`, 'k', 'v'))"), why: "Items are a list as any other; the peer's own functions do not know them."},
	{when: asked("parse_yaml(@)"), why: "Two keys that are the same text are a mistake; the peer drops one of them."},
	{when: asked("[round(`1.5`, `400`), round(`0`, `400`)]"), why: "Rounding to more digits than a number has gives the number."},
	{when: asked("avg(`[]`)"), why: "The average of nothing is null, as JMESPath's specification has it."},
	{when: asked("[to_number('NaN'), to_number('Inf'), to_number('1e999')]"), why: "What JSON cannot write is no number."},
	{when: asked("regex_match('(abcdefghijklmnopq){1,1000}', 'a')"), why: "A pattern's size is bounded once its repetitions are written out."},
	{when: asked("compare('a', 'a') == `0`"), why: "Every number is a float64, so that a literal equals it; the peer's int never does."},
	{when: asked("truncate('äöü', `1e300`)"), why: "A length beyond all integers cuts nothing off."},
	{when: asked("time_now('x')", "time_now_utc(@)"), why: "A call with an argument that is not taken is a mistake, found when the policy is loaded."},
}

// asked finds one of the expressions.
func asked(sources ...string) func(*pair) bool {
	return func(p *pair) bool { source, _ := p.args[0].(string); return slices.Contains(sources, source) }
}

func panicked(p *pair) bool {
	return p.theirs.err != nil && strings.HasPrefix(p.theirs.err.Error(), "panic: ")
}

func refusedAs(p *pair, text string) bool {
	return p.theirs.err == nil && p.ours.err != nil && strings.Contains(p.ours.err.Error(), text)
}

// has looks for a scalar in arguments, at any depth.
func has(v any, scalar any) bool {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			if has(item, scalar) {
				return true
			}
		}
		return false
	case map[string]any:
		for _, item := range v {
			if has(item, scalar) {
				return true
			}
		}
		return false
	default:
		return v == scalar
	}
}
