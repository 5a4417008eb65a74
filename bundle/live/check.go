package live

import (
	"context"

	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/engine"
)

// Check says what would become of a policy that is about to be written: with problems it would not be in
// force. It takes the object over.
func (s *Source) Check(_ context.Context, object map[string]any) (problems []engine.Problem, warnings []string) {
	meta, _ := object["metadata"].(map[string]any)
	k := key{}
	k.kind, _ = object["kind"].(string)
	k.namespace, _ = meta["namespace"].(string)
	k.name, _ = meta["name"].(string)
	if s.hides(k) {
		return []engine.Problem{{Path: []any{"metadata", "name"}, Message: "belongs to a policy of the bundle that Holdfast was started with: a Policy of the cluster cannot take its place"}}, nil
	}
	compiled, problems := bundle.CompileObject(s.compiler, object)
	if len(problems) > 0 {
		return problems, nil
	}
	for _, w := range compiled.Warnings {
		warnings = append(warnings, w.String())
	}
	return nil, warnings
}
