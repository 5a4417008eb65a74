package condition

import (
	"fmt"
	"strings"

	"github.com/holdfast-io/holdfast/engine/nearest"
)

// operator is what relates a condition's key to its value.
type operator uint8

const (
	equals operator = iota
	notEquals
	anyIn
	allIn
	anyNotIn
	allNotIn
	in    // deprecated, see legacy.go
	notIn // deprecated
	greaterThan
	greaterThanOrEquals
	lessThan
	lessThanOrEquals
	durationGreaterThan // deprecated: the plain ones know durations
	durationGreaterThanOrEquals
	durationLessThan
	durationLessThanOrEquals
)

// operatorNames spells each operator; the order is the constants'.
var operatorNames = [...]string{
	equals:                      "Equals",
	notEquals:                   "NotEquals",
	anyIn:                       "AnyIn",
	allIn:                       "AllIn",
	anyNotIn:                    "AnyNotIn",
	allNotIn:                    "AllNotIn",
	in:                          "In",
	notIn:                       "NotIn",
	greaterThan:                 "GreaterThan",
	greaterThanOrEquals:         "GreaterThanOrEquals",
	lessThan:                    "LessThan",
	lessThanOrEquals:            "LessThanOrEquals",
	durationGreaterThan:         "DurationGreaterThan",
	durationGreaterThanOrEquals: "DurationGreaterThanOrEquals",
	durationLessThan:            "DurationLessThan",
	durationLessThanOrEquals:    "DurationLessThanOrEquals",
}

func (op operator) String() string { return operatorNames[op] }

// parseOperator reads an operator's name, in any case. Equal and NotEqual are Kyverno's other
// spellings of Equals and NotEquals.
func parseOperator(name string) (operator, error) {
	switch {
	case strings.EqualFold(name, "Equal"):
		return equals, nil
	case strings.EqualFold(name, "NotEqual"):
		return notEquals, nil
	}
	for op, known := range operatorNames {
		if strings.EqualFold(name, known) {
			return operator(op), nil
		}
	}
	if near := nearest.Name(name, operatorNames[:]); near != "" {
		return 0, fmt.Errorf("unknown operator %q: did you mean %s?", name, near)
	}
	return 0, fmt.Errorf("unknown operator %q: expected one of %s", name, strings.Join(operatorNames[:], ", "))
}

// test relates key to value. Types that an operator has no meaning for make it false, as Kyverno has
// it; an error says that the answer cannot be known.
func (op operator) test(key, value *operand) (bool, error) {
	switch op {
	case equals:
		equal, ok := compareEqual(key, value)
		return ok && equal, nil
	case notEquals:
		equal, ok := compareEqual(key, value)
		return ok && !equal, nil
	case anyIn, allIn, anyNotIn, allNotIn:
		return op.testMembers(key, value)
	case in, notIn:
		return op.testLegacy(key, value)
	case greaterThan, greaterThanOrEquals, lessThan, lessThanOrEquals:
		order, ok, err := compareOrder(key, value)
		return err == nil && ok && op.admits(order), err
	default:
		order, ok := compareDurations(key, value)
		return ok && op.admits(order), nil
	}
}

// admits says whether an ordering operator holds for key relative to value: -1, 0 or 1.
func (op operator) admits(order int) bool {
	switch op {
	case greaterThan, durationGreaterThan:
		return order > 0
	case greaterThanOrEquals, durationGreaterThanOrEquals:
		return order >= 0
	case lessThan, durationLessThan:
		return order < 0
	default: // lessThanOrEquals, durationLessThanOrEquals
		return order <= 0
	}
}
