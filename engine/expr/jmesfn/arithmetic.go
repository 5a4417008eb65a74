package jmesfn

import (
	"errors"
	"time"

	"github.com/holdfast-io/holdfast/engine/number"
)

// arithmeticFunctions calculate with numbers, Kubernetes quantities ('1Gi') and durations ('1h30m'). Text is
// read as a quantity first: '5m' is five thousandths, '90s' a duration.
var arithmeticFunctions = []function{
	{Spec: Spec{
		Name: "add", Args: operands(), Returns: Number | String,
		Doc: "Adds two numbers, two quantities or two durations.",
		Examples: []Example{
			{Expr: "add(`1`, `2`)", Result: "3"}, {Expr: "add('1Gi', '512Mi')", Result: `"1536Mi"`},
			{Expr: "add('1h', '90s')", Result: `"1h1m30s"`},
		},
	}, impl: binary(add)},
	{Spec: Spec{
		Name: "subtract", Args: operands(), Returns: Number | String,
		Doc:      "Subtracts the second of two numbers, two quantities or two durations from the first.",
		Examples: []Example{{Expr: "subtract('1Gi', '512Mi')", Result: `"512Mi"`}},
	}, impl: binary(subtract)},
	{Spec: Spec{
		Name: "multiply", Args: operands(), Returns: Number | String,
		Doc:      "Multiplies two numbers, or a quantity or a duration with a number.",
		Examples: []Example{{Expr: "multiply('250m', `4`)", Result: `"1"`}, {Expr: "multiply(`2.5`, '40s')", Result: `"1m40s"`}},
	}, impl: binary(multiply)},
	{Spec: Spec{
		Name: "divide", Args: operands(), Returns: Number | String,
		Doc: "Divides two numbers, two quantities or two durations, which gives a number; or a quantity or a duration by a number. " +
			"A quantity divided by a number keeps no more decimals than the two have, so that '1' divided by `3` is '0'.",
		Examples: []Example{{Expr: "divide('1Gi', '256Mi')", Result: "4"}, {Expr: "divide('12Ki', `3`)", Result: `"4Ki"`}},
	}, impl: binary(divide)},
	{Spec: Spec{
		Name: "modulo", Args: operands(), Returns: Number | String,
		Doc:      "Gives the remainder of a division of two whole numbers, two whole quantities or two durations.",
		Examples: []Example{{Expr: "modulo('13s', '2s')", Result: `"1s"`}},
	}, impl: binary(modulo)},
	{Spec: Spec{
		Name: "sum", Args: []Arg{arg("values", Array)}, Returns: Any, Standard: true,
		Doc:      "Adds up a list of numbers, of quantities or of durations. The list must not be empty; a single element is given as it is.",
		Examples: []Example{{Expr: "sum(['1Gi', '512Mi', '512Mi'])", Result: `"2Gi"`}},
	}, impl: sum},
}

var (
	errMismatch = errors.New("the arguments do not go together")
	errZero     = errors.New("cannot divide by zero")
	errRange    = errors.New("the result is out of range")
	errWhole    = errors.New("both arguments must be whole numbers")
)

func operands() []Arg { return []Arg{arg("a", String|Number), arg("b", String|Number)} }

// operation calculates with two operands of whatever sorts. Its errors say what is wrong in general; binary
// adds the sorts of the operands to errMismatch.
type operation func(a, b operand) (any, error)

// binary makes a function of an operation.
func binary(op operation) func(c *call) (any, error) {
	return func(c *call) (any, error) {
		a, err := parseOperand(c.args[0])
		if err != nil {
			return nil, c.argument(0, "%w", err)
		}
		b, err := parseOperand(c.args[1])
		if err != nil {
			return nil, c.argument(1, "%w", err)
		}
		return c.calculated(op, a, b)
	}
}

func (c *call) calculated(op operation, a, b operand) (any, error) {
	result, err := op(a, b)
	if errors.Is(err, errMismatch) {
		return nil, c.errorf("%w: a %s and a %s", err, a.sort(), b.sort())
	}
	if err != nil {
		return nil, c.errorf("%w", err)
	}
	if f, ok := result.(float64); ok {
		return c.finite(f)
	}
	return result, nil
}

func add(a, b operand) (any, error) {
	switch {
	case a.number != nil && b.number != nil:
		return *a.number + *b.number, nil
	case a.quantity != nil && b.quantity != nil:
		a.quantity.Add(*b.quantity)
		return a.quantity.String(), nil
	case a.duration != nil && b.duration != nil:
		return addDurations(*a.duration, *b.duration)
	}
	return nil, errMismatch
}

func subtract(a, b operand) (any, error) {
	switch {
	case a.number != nil && b.number != nil:
		return *a.number - *b.number, nil
	case a.quantity != nil && b.quantity != nil:
		a.quantity.Sub(*b.quantity)
		return a.quantity.String(), nil
	case a.duration != nil && b.duration != nil:
		return subtractDurations(*a.duration, *b.duration)
	}
	return nil, errMismatch
}

func multiply(a, b operand) (any, error) {
	if b.number == nil {
		a, b = b, a
	}
	switch {
	case b.number == nil:
		return nil, errMismatch
	case a.number != nil:
		return *a.number * *b.number, nil
	case a.quantity != nil:
		return scaleQuantity(a.quantity, *b.number)
	default:
		return scaledDuration(a.duration.Seconds() * *b.number)
	}
}

func divide(a, b operand) (any, error) {
	switch {
	case b.isZero() && (b.number != nil || a.sort() == b.sort()):
		return nil, errZero
	case a.number != nil && b.number != nil:
		return *a.number / *b.number, nil
	case a.quantity != nil && b.number != nil:
		return shrinkQuantity(a.quantity, *b.number)
	case a.quantity != nil && b.quantity != nil:
		return a.quantity.AsApproximateFloat64() / b.quantity.AsApproximateFloat64(), nil
	case a.duration != nil && b.number != nil:
		return scaledDuration(a.duration.Seconds() / *b.number)
	case a.duration != nil && b.duration != nil:
		return a.duration.Seconds() / b.duration.Seconds(), nil
	}
	return nil, errMismatch
}

func modulo(a, b operand) (any, error) {
	if a.sort() != b.sort() {
		return nil, errMismatch
	}
	if a.duration != nil {
		if *b.duration == 0 {
			return nil, errZero
		}
		return (*a.duration % *b.duration).String(), nil
	}
	x, whole := a.integer()
	y, alsoWhole := b.integer()
	switch {
	case !whole || !alsoWhole:
		return nil, errWhole
	case y == 0:
		return nil, errZero
	case a.number != nil:
		return float64(x % y), nil
	default:
		return wholeQuantity(x%y, a.quantity.Format), nil
	}
}

// sum adds the list up from the left, each step in its written form: that is what decides the suffix of the
// result when binary and decimal quantities meet. One element alone is not looked at, as in Kyverno.
func sum(c *call) (any, error) {
	list := c.list(0)
	if len(list) == 0 {
		return nil, c.argument(0, "must not be empty")
	}
	total := list[0]
	if f, ok := number.Float(total); ok {
		total = f
	}
	for i, item := range list[1:] {
		left, err := parseOperand(total)
		if err != nil {
			return nil, c.argument(0, "element %d %w", i, err)
		}
		right, err := parseOperand(item)
		if err != nil {
			return nil, c.argument(0, "element %d %w", i+1, err)
		}
		if total, err = c.calculated(add, left, right); err != nil {
			return nil, err
		}
	}
	return total, nil
}

func addDurations(a, b time.Duration) (any, error) {
	total := a + b
	if (total > a) != (b > 0) && b != 0 {
		return nil, errRange
	}
	return total.String(), nil
}

func subtractDurations(a, b time.Duration) (any, error) {
	rest := a - b
	if (rest < a) != (b > 0) && b != 0 {
		return nil, errRange
	}
	return rest.String(), nil
}

func scaledDuration(seconds float64) (any, error) {
	nanoseconds := seconds * float64(time.Second)
	if !(nanoseconds > -maxInt64 && nanoseconds < maxInt64) {
		return nil, errRange
	}
	return time.Duration(nanoseconds).String(), nil
}

// maxInt64 as a float64 is 2^63, the first value that is too large.
const maxInt64 = 1 << 63
