package jmesfn

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"gopkg.in/inf.v0"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/holdfast-io/holdfast/engine/number"
)

// operand is one side of a calculation: exactly one of its fields is set.
type operand struct {
	number   *float64
	quantity *resource.Quantity
	duration *time.Duration
}

var errOperand = errors.New("must be a number, a quantity or a duration")

// parseOperand reads a number as it is and text as a quantity or else as a duration.
func parseOperand(v any) (operand, error) {
	if f, ok := number.Float(v); ok {
		return operand{number: &f}, nil
	}
	text, ok := v.(string)
	if !ok {
		return operand{}, errOperand
	}
	if len(text) > MaxQuantity {
		return operand{}, fmt.Errorf("is longer than %d bytes: %w", MaxQuantity, ErrTooLarge)
	}
	if q, err := parseQuantity(text); err == nil {
		return operand{quantity: &q}, nil
	} else if errors.Is(err, ErrTooLarge) {
		return operand{}, err
	}
	if d, err := time.ParseDuration(text); err == nil {
		return operand{duration: &d}, nil
	}
	return operand{}, errOperand
}

// parseQuantity is resource.ParseQuantity for text that may come from anyone: it refuses exponents that the
// Kubernetes parser would write out as digits.
func parseQuantity(text string) (resource.Quantity, error) {
	if i := strings.LastIndexAny(text, "eE"); i >= 0 {
		exponent, err := strconv.Atoi(text[i+1:])
		if errors.Is(err, strconv.ErrRange) || err == nil && (exponent > maxExponent || exponent < -maxExponent) {
			return resource.Quantity{}, fmt.Errorf("has an exponent beyond %d: %w", maxExponent, ErrTooLarge)
		}
	}
	return resource.ParseQuantity(text)
}

// sort names the sort of an operand.
func (o operand) sort() string {
	switch {
	case o.number != nil:
		return "number"
	case o.quantity != nil:
		return "quantity"
	default:
		return "duration"
	}
}

func (o operand) isZero() bool {
	switch {
	case o.number != nil:
		return *o.number == 0
	case o.quantity != nil:
		return o.quantity.IsZero()
	default:
		return *o.duration == 0
	}
}

// integer gives the value of a number or quantity that is whole and within 64 bits.
func (o operand) integer() (int64, bool) {
	if o.number != nil {
		f := *o.number
		return int64(f), math.Trunc(f) == f && f > -maxInt64 && f < maxInt64
	}
	q := o.quantity.DeepCopy()
	value := q.AsDec()
	whole := new(inf.Dec).Round(value, 0, inf.RoundDown)
	if whole.Cmp(value) != 0 || !whole.UnscaledBig().IsInt64() {
		return 0, false
	}
	return whole.UnscaledBig().Int64(), true
}

// decimal gives a number as Kubernetes reads it when it is written as a quantity: to nine decimals, rounded
// away from zero.
func decimal(f float64) (*inf.Dec, error) {
	q, err := parseQuantity(strconv.FormatFloat(f, 'g', -1, 64))
	if err != nil {
		return nil, errRange
	}
	return q.AsDec(), nil
}

func scaleQuantity(q *resource.Quantity, factor float64) (any, error) {
	by, err := decimal(factor)
	if err != nil {
		return nil, err
	}
	product := new(inf.Dec).Mul(q.AsDec(), by)
	return resource.NewDecimalQuantity(*product, q.Format).String(), nil
}

// shrinkQuantity divides by a number other than zero. The quotient is cut, not rounded, at the decimals of
// the operand that has more.
func shrinkQuantity(q *resource.Quantity, divisor float64) (any, error) {
	by, err := decimal(divisor)
	if err != nil {
		return nil, err
	}
	value := q.AsDec()
	scale := max(value.Scale(), by.Scale())
	quotient := new(inf.Dec).QuoRound(value, by, scale, inf.RoundDown)
	return resource.NewDecimalQuantity(*quotient, q.Format).String(), nil
}

func wholeQuantity(value int64, format resource.Format) string {
	return resource.NewQuantity(value, format).String()
}
