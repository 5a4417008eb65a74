package clitest

import (
	"context"
	"strings"

	"github.com/holdfast-io/holdfast/engine"
)

// deletes reports whether the policy is a DeletingPolicy. The cleanup policies of kyverno.io have no results in tests.
func (p *policy) deletes() bool {
	return strings.HasSuffix(p.kind, deletingPolicy) && p.has(engine.Cleanup)
}

const deletingPolicy = "DeletingPolicy"

// cleanUp asks a DeletingPolicy about an object as it lies there, whatever the operation of the test. As in Kyverno's CLI
// it passes what the next run would delete, and fails what it selects and would leave.
func (t *test) cleanUp(ctx context.Context, p *policy, o *object) []verdict {
	return t.ask(p, o, string(engine.Create), func(req *engine.Request, in *engine.Inputs) []verdict {
		audit, err := p.snapshot.Audit(ctx, req, in)
		if err != nil {
			return []verdict{{policy: p, status: engine.Error.String(), message: err.Error(), err: err, object: o}}
		}
		return p.deletions(o, audit.Decisions)
	})
}

func (p *policy) deletions(o *object, decisions []engine.Decision) []verdict {
	out := []verdict{}
	for i := range decisions {
		d := &decisions[i]
		if d.Policy != p.compiled { // the object's own label
			continue
		}
		v := newVerdict(p, o, d)
		switch {
		case d.Status == engine.Warn:
			v.status = engine.Pass.String()
		case d.Status == engine.Pass:
			v.status, v.message = engine.Fail.String(), "the conditions are not met: the resource would not be deleted"
		case len(d.Exceptions) > 0:
			v.status, v.message = engine.Fail.String(), d.Message+": the resource would not be deleted"
		}
		out = append(out, v)
	}
	return out
}
