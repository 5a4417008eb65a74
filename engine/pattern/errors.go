package pattern

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrMismatch is wrapped by the Err of a Result when the object was looked at and does not match, but
// Kyverno answers "error" and not "fail": an anchored key of the pattern is nowhere in the object, or a list
// is shorter than a list of lists. Among the patterns of anyPattern it counts as a failure.
var ErrMismatch = errors.New("the object does not match the pattern")

// CompileError says at which place of a pattern something is wrong.
type CompileError struct {
	Path []any // keys (string, as written) and indexes (int) from the top of the pattern
	Err  error
}

func (e *CompileError) Error() string {
	return fmt.Sprintf("compiling the pattern at %s: %v", pathText(e.Path), e.Err)
}

func (e *CompileError) Unwrap() error { return e.Err }

func pathText(path []any) string {
	var b strings.Builder
	b.WriteByte('/')
	for _, p := range path {
		switch p := p.(type) {
		case string:
			b.WriteString(p)
		case int:
			b.WriteString(strconv.Itoa(p))
		}
		b.WriteByte('/')
	}
	return b.String()
}
