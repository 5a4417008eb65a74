package bundle

import (
	"cmp"
	"slices"
	"strings"

	"github.com/holdfast-io/holdfast/bundle/manifest"
)

// Problem is one thing that is wrong in a bundle, or, among the warnings, worth a look.
type Problem struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"` // 0: the file as a whole
	Column int    `json:"column,omitempty"`
	// Policy is the kind and name, such as ClusterPolicy/require-labels; empty outside of a policy.
	Policy string `json:"policy,omitempty"`
	// Path is the place in the policy, as Kubernetes writes it: spec.rules[0].validate.
	Path    string `json:"path,omitempty"`
	Message string `json:"message"`
}

// String writes file:line:column: ClusterPolicy/name: path: message, without the parts that are empty.
func (p Problem) String() string {
	var parts []string
	for _, s := range []string{manifest.Position{File: p.File, Line: p.Line, Column: p.Column}.String(), p.Policy, p.Path, p.Message} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ": ")
}

// Error lists all that is wrong in a bundle, in the order of files and lines.
type Error struct {
	Problems []Problem
}

// Error writes one problem a line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

func sortProblems(problems []Problem) []Problem {
	slices.SortFunc(problems, func(a, b Problem) int {
		return cmp.Or(
			strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			strings.Compare(a.Policy, b.Policy), strings.Compare(a.Path, b.Path), strings.Compare(a.Message, b.Message),
		)
	})
	return slices.Compact(problems)
}
