package pattern

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/holdfast-io/holdfast/engine/glob"
)

type operator uint8

const (
	equal      operator = iota
	notEqual            // !
	more                // >
	less                // <
	atLeast             // >=
	atMost              // <=
	inRange             // a-b, bounds included
	notInRange          // a!-b
)

// ordering reports whether the operator needs operands that have an order.
func (op operator) ordering() bool { return op >= more && op <= atMost }

// accepts reads the outcome of a comparison: -1, 0 or 1.
func (op operator) accepts(order int) bool {
	switch op {
	case equal:
		return order == 0
	case notEqual:
		return order != 0
	case more:
		return order > 0
	case less:
		return order < 0
	case atLeast:
		return order >= 0
	case atMost:
		return order <= 0
	default:
		return false
	}
}

// comparison is one operator with its operand, or with two for a range.
type comparison struct {
	op    operator
	left  operand
	right *operand // the upper bound of a range
}

// operand is text that may read as a duration and as a quantity too: 10m is ten minutes, 10 milli and the
// text "10m". The value decides which.
type operand struct {
	text       string
	glob       glob.Glob
	duration   time.Duration
	quantity   resource.Quantity
	isDuration bool
	isQuantity bool
}

// compileComparison reads one operator and its operand. Every text is valid: what no operator begins is
// text to match.
func compileComparison(s string) comparison {
	op, rest := cutOperator(s)
	if op == inRange || op == notInRange {
		left, right, _ := cutRange(s)
		upper := compileOperand(right)
		return comparison{op: op, left: compileOperand(left), right: &upper}
	}
	return comparison{op: op, left: compileOperand(strings.TrimSpace(rest))}
}

func compileOperand(s string) operand {
	o := operand{text: s, glob: glob.Compile(s)}
	o.duration, o.isDuration = parseDuration(s)
	o.quantity, o.isQuantity = parseQuantity(s)
	return o
}

// cutOperator splits off the operator. One character alone is never an operator.
func cutOperator(s string) (operator, string) {
	if len(s) < 2 {
		return equal, s
	}
	switch {
	case strings.HasPrefix(s, ">="):
		return atLeast, s[2:]
	case strings.HasPrefix(s, "<="):
		return atMost, s[2:]
	case s[0] == '>':
		return more, s[1:]
	case s[0] == '<':
		return less, s[1:]
	case s[0] == '!':
		return notEqual, s[1:]
	}
	if _, _, op := cutRange(s); op != equal {
		return op, s
	}
	return equal, s
}

// cutRange splits a-b and a!-b, where a bound is a number with letters after it: 10-20, -5--1, 1Mi!-1Gi.
// Anything else is no range, and equal.
func cutRange(s string) (left, right string, op operator) {
	n := boundLength(s)
	if n == 0 {
		return "", "", equal
	}
	rest := s[n:]
	switch {
	case strings.HasPrefix(rest, "!-"):
		rest, op = rest[2:], notInRange
	case strings.HasPrefix(rest, "-"):
		rest, op = rest[1:], inRange
	default:
		return "", "", equal
	}
	if rest == "" || boundLength(rest) != len(rest) {
		return "", "", equal
	}
	return s[:n], rest, op
}

// boundLength is the length of the bound of a range that s begins with, or 0.
func boundLength(s string) int {
	i := 0
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	digits := i
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	if i == digits {
		return 0
	}
	if i+1 < len(s) && s[i] == '.' && isDigit(s[i+1]) {
		for i++; i < len(s) && isDigit(s[i]); i++ {
		}
	}
	for i < len(s) && isLetter(s[i]) {
		i++
	}
	return i
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func (c *comparison) match(v any) bool {
	switch c.op {
	case inRange:
		return c.left.match(v, atLeast) && c.right.match(v, atMost)
	case notInRange:
		return c.left.match(v, less) || c.right.match(v, more)
	default:
		return c.left.match(v, c.op)
	}
}

// match compares as durations if both sides are, else as quantities if both are, else as text, which has
// no order.
func (o *operand) match(v any, op operator) bool {
	if o.isDuration {
		if d, ok := asDuration(v); ok {
			return op.accepts(cmp.Compare(d, o.duration))
		}
	}
	if o.isQuantity {
		if order, ok := compareQuantity(v, o.quantity); ok {
			return op.accepts(order)
		}
	}
	if op.ordering() {
		return false
	}
	same, ok := o.matchText(v)
	return ok && same == (op == equal)
}

// matchText matches the wildcard against a value's text. Nothing, objects and lists have none.
func (o *operand) matchText(v any) (same, ok bool) {
	switch v := v.(type) {
	case string:
		return o.glob.Match(v), true
	case bool:
		return o.glob.Match(strconv.FormatBool(v)), true
	}
	n, ok := asNumber(v)
	if !ok {
		return false, false
	}
	var buf [32]byte
	if n.whole {
		return o.glob.Match(string(strconv.AppendInt(buf[:0], n.integer, 10))), true
	}
	// Kyverno writes fractions like this: 0.5 is 5E-01.
	return o.glob.Match(string(strconv.AppendFloat(buf[:0], n.float, 'E', -1, 64))), true
}

// check refuses what can never match or never fail. Kyverno runs it.
func (c *comparison) check() error {
	switch {
	case c.op.ordering() && !c.left.isDuration && !c.left.isQuantity:
		return fmt.Errorf("the operator %s needs a number, a quantity or a duration, not %q", c.op, c.left.text)
	case c.op == notEqual && strings.HasPrefix(c.left.text, "="):
		return fmt.Errorf("there is no operator !=: write \"!%s\"", strings.TrimLeft(c.left.text, "= "))
	}
	return nil
}

// String gives the operator as it is written.
func (op operator) String() string {
	switch op {
	case notEqual:
		return "!"
	case more:
		return ">"
	case less:
		return "<"
	case atLeast:
		return ">="
	case atMost:
		return "<="
	case inRange:
		return "-"
	case notInRange:
		return "!-"
	default:
		return ""
	}
}
