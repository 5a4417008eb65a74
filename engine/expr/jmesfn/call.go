package jmesfn

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/holdfast-io/holdfast/engine/number"
)

// function is a Spec with the code behind it. The dispatcher has checked the count and the types of the
// arguments, made every number a float64 and compiled patterns before impl sees them.
type function struct {
	Spec
	impl func(c *call) (any, error)
}

// call is one call of one function.
type call struct {
	fn   *function
	rt   *runtime
	args []any
}

func (f *function) run(rt *runtime, args []any) (any, error) {
	if err := f.CheckArity(len(args)); err != nil {
		return nil, err
	}
	c := &call{fn: f, rt: rt, args: args}
	for i := range args {
		if err := c.check(i, &f.Args[min(i, len(f.Args)-1)]); err != nil {
			return nil, err
		}
	}
	result, err := f.impl(c)
	if err != nil {
		return nil, err
	}
	return result, nil
}

// check holds argument i against its description and brings it into the form that the code expects.
func (c *call) check(i int, arg *Arg) error {
	kind := typeOf(c.args[i])
	if kind&arg.Type == 0 {
		return c.argument(i, "must be %s, not %s", arg.Type.article(), describe(c.args[i], kind))
	}
	if kind == Number {
		if f, _ := number.Float(c.args[i]); c.args[i] != any(f) {
			c.set(i, f)
		}
	}
	if list, ok := c.args[i].([]any); ok && arg.Elem != 0 {
		for j, item := range list {
			if kind := typeOf(item); kind&arg.Elem == 0 {
				return c.argument(i, "must be an array of %s, but element %d is %s", arg.Elem, j, describe(item, kind))
			}
		}
	}
	if text, ok := c.args[i].(string); ok && arg.compile != nil {
		compiled, err := arg.compile(text)
		if err != nil {
			return c.argument(i, "%w", err)
		}
		c.set(i, compiled)
	}
	return nil
}

// set replaces an argument in a copy of the slice: the slice belongs to the caller.
func (c *call) set(i int, v any) {
	c.args = slices.Clone(c.args)
	c.args[i] = v
}

// describe names the kind of a value for an error, without the value.
func describe(v any, kind Type) string {
	if kind == 0 {
		return fmt.Sprintf("a Go value of type %T", v)
	}
	return kind.article()
}

// errorf starts every error of a function with its name.
func (c *call) errorf(format string, args ...any) error {
	return fmt.Errorf("function "+c.fn.Name+": "+format, args...)
}

// argument is errorf for what is wrong with argument i, counted from zero here and from one in the text.
func (c *call) argument(i int, format string, args ...any) error {
	return c.errorf("argument "+strconv.Itoa(i+1)+" "+format, args...)
}

func (c *call) string(i int) string         { return c.args[i].(string) }
func (c *call) number(i int) float64        { return c.args[i].(float64) }
func (c *call) list(i int) []any            { return c.args[i].([]any) }
func (c *call) object(i int) map[string]any { return c.args[i].(map[string]any) }

// text gives a string or number argument as text.
func (c *call) text(i int) string {
	if s, ok := c.args[i].(string); ok {
		return s
	}
	return formatNumber(c.number(i))
}

// formatNumber writes a number without an exponent, as short as it can be read back.
func formatNumber(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// integer gives a number argument that must be whole.
func (c *call) integer(i int) (int, error) {
	f := c.number(i)
	if math.Trunc(f) != f {
		return 0, c.argument(i, "must be a whole number")
	}
	if math.Abs(f) > 1<<53 { // above, a float64 no longer tells neighbours apart
		return 0, c.argument(i, "is out of range")
	}
	return int(f), nil
}

// made is the last step of a function that makes a string.
func (c *call) made(s string) (any, error) {
	if err := checkString(len(s)); err != nil {
		return nil, c.errorf("%w", err)
	}
	return s, nil
}

// finite is the last step of a function that makes a number: JSON has no infinity.
func (c *call) finite(f float64) (any, error) {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return nil, c.errorf("the result is out of range")
	}
	return f, nil
}

// items refuses a list or object that would be too long, before it is made.
func (c *call) items(count int) error {
	if err := checkItems(count); err != nil {
		return c.errorf("%w", err)
	}
	return nil
}
