package engine

import (
	"errors"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"

	"github.com/holdfast-io/holdfast/engine/manifests"
)

// manifestCheck passes an object that is as somebody signed it.
type manifestCheck struct{ signed *manifests.Check }

func (c *compiler) compileManifests(spec *kyvernov1.Manifests, path []any) checker {
	signed, err := manifests.Compile(spec)
	if err != nil {
		var wrong *manifests.CompileError
		if errors.As(err, &wrong) {
			path, err = at(path, wrong.Path...), wrong.Err
		}
		c.problem(path, err.Error())
		return nil
	}
	return &manifestCheck{signed}
}

func (m *manifestCheck) check(x *scope) *Decision {
	if x.goes() {
		return nil
	}
	if x.e.req.DryRun {
		return x.rule.decide(Pass, "a dry run is not judged: nothing is stored")
	}
	object, _ := x.object.(map[string]any)
	res := m.signed.Evaluate(object)
	switch res.Outcome {
	case manifests.Pass:
		return x.rule.decide(Pass, "")
	case manifests.Fail:
		return x.fail("failed because "+res.Reason, res.Path)
	default:
		return x.rule.failed(res.Err)
	}
}
