package mutate

import (
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Options say how a patch is to be read.
type Options struct {
	// Self is the JMESPath, part by part, of the object in the root document: where {{ @ }} points.
	// Without it {{ @ }} is an error.
	Self []string
	// Schema tells which lists are merged. Nil builds one for this patch, at the cost of some
	// milliseconds: share one instead.
	Schema *Schema
}

// Target is an object to be patched.
type Target struct {
	Object map[string]any
	// GVK is the object's kind. It selects the merge keys of lists.
	GVK schema.GroupVersionKind
}

// Outcome says what became of a patch.
type Outcome uint8

const (
	// Applied: the object was changed; Result.Object is the new one.
	Applied Outcome = iota
	// Unchanged: the object is as the patch wants it, or the patch selects nothing in it.
	Unchanged
	// Skip: a condition of the patch does not hold, so that the patch does not apply to the object.
	Skip
	// Error: the patch could not be applied; see Result.Err.
	Error
)

// String gives the outcome's name.
func (o Outcome) String() string {
	switch o {
	case Applied:
		return "applied"
	case Unchanged:
		return "unchanged"
	case Skip:
		return "skip"
	default:
		return "error"
	}
}

// Result is what Apply answers.
type Result struct {
	Outcome Outcome
	// Object is the changed object when Applied, else the target's own, untouched.
	Object map[string]any
	// Message says which condition does not hold, when Skip.
	Message string
	// Err is set when Outcome is Error.
	Err error
	// Annotations are notes for the audit log of the request, of a change that takes any. Patches make none.
	Annotations map[string]string
}
