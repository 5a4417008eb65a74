package mutate

import (
	"errors"

	"github.com/holdfast-io/holdfast/engine/expr"
	"github.com/holdfast-io/holdfast/engine/fieldpath"
	"github.com/holdfast-io/holdfast/engine/pattern"
)

// CompileError says at which place of a patch something is wrong.
type CompileError struct {
	// Path has keys (string, as written) and indexes (int) from the patch's top. In a text of RFC 6902
	// operations it begins with the operation's index. It is empty where the place is not known.
	Path []any
	Err  error
}

// Error gives the reason, behind the place if that is known.
func (e *CompileError) Error() string {
	if len(e.Path) == 0 {
		return e.Err.Error()
	}
	return fieldpath.Text(e.Path) + ": " + e.Err.Error()
}

// Unwrap gives the reason.
func (e *CompileError) Unwrap() error { return e.Err }

// wrong makes a CompileError of what a sub-compiler says of the part at path.
func wrong(path []any, err error) *CompileError {
	var tmpl *expr.TemplateError
	var pat *pattern.CompileError
	switch {
	case errors.As(err, &tmpl):
		return &CompileError{Path: join(path, tmpl.Path...), Err: tmpl.Err}
	case errors.As(err, &pat):
		return &CompileError{Path: join(path, pat.Path...), Err: pat.Err}
	}
	return &CompileError{Path: join(path), Err: err}
}

// join extends a path without sharing its memory.
func join(path []any, more ...any) []any {
	return append(append(make([]any, 0, len(path)+len(more)), path...), more...)
}

// An applyError says at which place of the object a patch cannot be merged. It is made at the place and
// gets its path on the way up.
type applyError struct {
	path []any
	err  error
}

func (e *applyError) Error() string { return fieldpath.Text(e.path) + ": " + e.err.Error() }
func (e *applyError) Unwrap() error { return e.err }

// below puts a step in front of the path of an error.
func below(step any, err error) error {
	var e *applyError
	if !errors.As(err, &e) {
		e = &applyError{err: err}
	}
	e.path = append([]any{step}, e.path...)
	return e
}

var errMember = errors.New("is missing")
