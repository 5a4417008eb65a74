package engine

import (
	"errors"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"

	"github.com/holdfast-io/holdfast/engine/podsecurity"
)

// podSecurityCheck passes an object whose Pod, or whose template of Pods, a Pod Security Standard allows.
type podSecurityCheck struct{ standard *podsecurity.Check }

func (c *compiler) compilePodSecurity(spec *kyvernov1.PodSecurity, path []any) checker {
	standard, err := podsecurity.Compile(spec)
	if err != nil {
		var wrong *podsecurity.CompileError
		if errors.As(err, &wrong) {
			path, err = at(path, wrong.Path...), wrong.Err
		}
		c.problem(path, err.Error())
		return nil
	}
	return &podSecurityCheck{standard}
}

func (p *podSecurityCheck) check(x *scope) *Decision {
	if x.goes() {
		return nil
	}
	object, _ := x.object.(map[string]any)
	res := p.standard.Evaluate(x.e.req.Kind, object, x.e.excusedControls())
	switch res.Outcome {
	case podsecurity.Pass:
		return x.rule.decide(Pass, "")
	case podsecurity.Excused:
		return x.rule.excusedBy(x.e.narrow)
	case podsecurity.Fail:
		return x.fail(res.Message(), res.Violations[0].Fields[0].Path)
	default:
		return x.rule.failed(res.Err)
	}
}

// judgesPodSecurity reports whether an exception can excuse single controls of the rule.
func (r *Rule) judgesPodSecurity() bool {
	if r.validate == nil {
		return false
	}
	_, ok := r.validate.body.(*podSecurityCheck)
	return ok
}
