package cel

import (
	"errors"
	"fmt"
	"strings"
)

// ErrExpression is wrapped by the error of a Result when the expressions themselves gave none: a field that the object
// does not have, a division by zero, too much work, a patch that does not fit. Other errors come from outside, such as a failed look-up or the end
// of the time.
var ErrExpression = errors.New("the expression has no result")

// failure is an expression without a result. It is an ErrExpression.
type failure struct {
	text string
	err  error
}

func (f *failure) Error() string        { return fmt.Sprintf("expression '%s': %v", f.text, f.err) }
func (f *failure) Unwrap() error        { return f.err }
func (f *failure) Is(target error) bool { return target == ErrExpression }

// unfit is why what an expression gives cannot be carried out. It is an ErrExpression.
type unfit struct{ error }

func (u unfit) Unwrap() error        { return u.error }
func (u unfit) Is(target error) bool { return target == ErrExpression }

// A Problem is one thing that is wrong with an expression.
type Problem struct {
	// Path leads to the expression from where the paths of the Source begin: keys (string) and indexes (int).
	Path []any
	// Line and Column are the place in the expression's text, counted from 1. Both are 0 if the whole is meant.
	Line, Column int
	// Message says what is wrong and what was expected.
	Message string
}

// Text is the message with its place.
func (p Problem) Text() string {
	if p.Line == 0 {
		return p.Message
	}
	return fmt.Sprintf("CEL at %d:%d: %s", p.Line, p.Column, p.Message)
}

// A CompileError lists all that is wrong with the expressions of one Source.
type CompileError struct{ Problems []Problem }

func (e *CompileError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		var path strings.Builder
		for _, step := range p.Path {
			fmt.Fprintf(&path, "/%v", step)
		}
		lines[i] = path.String() + ": " + p.Text()
	}
	return "compiling CEL: " + strings.Join(lines, "; ")
}
