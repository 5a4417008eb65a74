package bundle

import (
	"errors"
	"fmt"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"

	"github.com/holdfast-io/holdfast/bundle/manifest"
	"github.com/holdfast-io/holdfast/engine"
)

// Object is a policy that came as an object and not as text: from a cluster, or in an admission review.
type Object struct {
	Policy *engine.Policy
	// Source is the policy as its type has it. Not to be changed.
	Source kyvernov1.PolicyInterface
	// Document is the policy without what the cluster adds. Not to be changed.
	Document map[string]any
	// Warnings do not keep the policy from working. Their paths lead into the document.
	Warnings []engine.Problem
}

// Name is how problems call an object: ClusterPolicy/require-labels, Policy/team-a/require-labels.
func Name(object map[string]any) string { return name(&manifest.Document{Object: object}) }

// CompileObject does to one object what Load does to the documents of a file, with the same words for what
// is wrong; in the place of lines there are paths. It takes the object over: numbers are made float64, and
// what the cluster adds is dropped. Without problems there is an answer, and with them none.
func CompileObject(compiler *engine.Compiler, object map[string]any) (*Object, []engine.Problem) {
	d := &manifest.Document{Object: engine.Normalize(object)}
	isPolicy, problem := classify(d.APIVersion(), d.Kind())
	switch {
	case problem != "":
		return nil, []engine.Problem{{Path: []any{"apiVersion"}, Message: problem}}
	case !isPolicy:
		return nil, []engine.Problem{{Path: []any{"kind"}, Message: fmt.Sprintf("%s is no policy", describe(d))}}
	}
	src, problems, warnings := decode(d)
	if len(problems) > 0 {
		return nil, problems
	}
	compiled, err := compiler.Compile(src, d.Object)
	var wrong *engine.CompileError
	switch {
	case errors.As(err, &wrong):
		return nil, wrong.Problems
	case err != nil:
		return nil, []engine.Problem{{Message: err.Error()}}
	}
	for _, w := range compiled.Warnings {
		warnings = append(warnings, engine.Problem{Message: w})
	}
	return &Object{Policy: compiled, Source: src, Document: d.Object, Warnings: warnings}, nil
}
