package engine

import (
	"errors"
	"fmt"
	"strings"

	"github.com/holdfast-io/holdfast/engine/fieldpath"
)

// ErrNotAuditable is wrapped by the reason of a decision that needs facts only an admission request
// has, asked of an object at rest.
var ErrNotAuditable = errors.New("not auditable")

// ErrNoElement is the reason of a Skip of a foreach that has nothing to judge in the object.
var ErrNoElement = errors.New("there is no element to judge")

// A Problem is one thing that is wrong with a policy.
type Problem struct {
	// Path leads from the top of the policy document to the place: object keys (string) and list
	// indexes (int).
	Path []any
	// Message says what is wrong and what was expected.
	Message string
}

// PathString writes the path as Kubernetes does: spec.rules[0].validate.
func (p Problem) PathString() string { return fieldpath.Text(p.Path) }

// String writes the path and the message.
func (p Problem) String() string {
	if len(p.Path) == 0 {
		return p.Message
	}
	return p.PathString() + ": " + p.Message
}

// A CompileError lists all that is wrong with one policy.
type CompileError struct {
	Policy   string // kind and name, such as ClusterPolicy/require-labels
	Problems []Problem
}

func (e *CompileError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = fmt.Sprintf("%s: %s", p.PathString(), p.Message)
	}
	return e.Policy + ": " + strings.Join(lines, "; ")
}
