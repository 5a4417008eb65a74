package bundle

import (
	"errors"
	"fmt"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"

	"github.com/holdfast-io/holdfast/bundle/manifest"
	"github.com/holdfast-io/holdfast/engine"
)

// Object is a policy, or something beside one, that came as an object and not as text: from a cluster, or in an
// admission review. Exactly one of Policy, Exception, Binding and GlobalContext is set.
type Object struct {
	Policy        *engine.Policy
	Exception     *engine.Exception
	Binding       *engine.Binding
	GlobalContext *engine.GlobalContext
	// Source is a ClusterPolicy or Policy as its type has it, nil for other kinds. Not to be changed.
	Source kyvernov1.PolicyInterface
	// Document is the object without what the cluster adds. Not to be changed.
	Document map[string]any
	// Warnings do not keep it from working. Their paths lead into the document.
	Warnings []engine.Problem
}

// CompileObject does to one object what Load does to the documents of a file, with the same words for what
// is wrong; in the place of lines there are paths. It takes the object over: numbers are made float64, and
// what the cluster adds is dropped. Without problems there is an answer, and with them none.
func CompileObject(compiler *engine.Compiler, object map[string]any) (*Object, []engine.Problem) {
	d := &manifest.Document{Object: engine.Normalize(object)}
	class := classify(d.APIVersion(), d.Kind())
	switch {
	case class.problem != "":
		return nil, []engine.Problem{{Path: []any{class.key}, Message: class.problem}}
	case class.shape == nil:
		return nil, []engine.Problem{{Path: []any{"kind"}, Message: fmt.Sprintf("%s is no policy", describe(d))}}
	}
	problems, warnings := decode(d, class.shape)
	if len(problems) > 0 {
		return nil, problems
	}
	compiled, err := compile(compiler, d)
	var wrong *engine.CompileError
	switch {
	case errors.As(err, &wrong):
		return nil, wrong.Problems
	case err != nil:
		return nil, []engine.Problem{{Message: err.Error()}}
	}
	if compiled.Policy != nil {
		for _, w := range compiled.Policy.Warnings {
			warnings = append(warnings, engine.Problem{Message: w})
		}
	}
	if compiled.Exception != nil {
		warnings = append(warnings, compiled.Exception.Warnings...)
	}
	if compiled.Binding != nil {
		warnings = append(warnings, compiled.Binding.Warnings...)
	}
	return &Object{
		Policy: compiled.Policy, Exception: compiled.Exception, Binding: compiled.Binding, GlobalContext: compiled.GlobalContext,
		Source: compiled.source, Document: d.Object, Warnings: warnings,
	}, nil
}
