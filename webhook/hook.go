package webhook

import (
	"fmt"
	"strings"

	"github.com/holdfast-io/holdfast/engine"
)

// Hook is one of the two questions that the API server asks.
type Hook uint8

// Validate asks whether the write may pass, Mutate what is to change in it first.
const (
	Validate Hook = iota
	Mutate
)

func (h Hook) String() string {
	if h == Mutate {
		return "mutate"
	}
	return "validate"
}

// rules is the kind of rules that answers the question.
func (h Hook) rules() engine.RuleKind {
	if h == Mutate {
		return engine.Mutate
	}
	return engine.Validate
}

// Path is where the handler answers the question for a group: /validate/fail-10s.
func (h Hook) Path(g Group) string { return "/" + h.String() + "/" + g.String() }

// target is what a path asks for.
type target struct {
	hook Hook
	// group is nil where the path names none: all policies answer.
	group *Group
}

// failurePolicy settles what cannot be settled by a policy's own. Without a group it is the strict one,
// because a policy that must not be passed unseen may be among those asked.
func (t target) failurePolicy() engine.FailurePolicy {
	if t.group == nil {
		return engine.FailOnError
	}
	return t.group.FailurePolicy
}

// parsePath reads /validate, /mutate and these with /GROUP.
func parsePath(path string) (target, error) {
	name, group, grouped := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	var t target
	switch name {
	case "validate":
	case "mutate":
		t.hook = Mutate
	default:
		return t, fmt.Errorf("nothing is served at %s: expected /validate or /mutate", path)
	}
	if !grouped {
		return t, nil
	}
	g, err := ParseGroup(group)
	if err != nil {
		return t, err
	}
	t.group = &g
	return t, nil
}
