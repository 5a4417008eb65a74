package mutate

import (
	"errors"
	"fmt"
	"slices"

	"github.com/holdfast-io/holdfast/engine/expr"
	"github.com/holdfast-io/holdfast/engine/fieldpath"
	"github.com/holdfast-io/holdfast/engine/number"
)

// Strategic is a compiled patchStrategicMerge. It is immutable and safe for concurrent use.
type Strategic struct {
	root   node
	vars   []variable
	refs   []string
	schema *Schema
}

// CompileStrategic reads a patch as encoding/json decodes it. Errors are *CompileError.
func CompileStrategic(tree any, opts Options) (*Strategic, error) {
	m, ok := tree.(map[string]any)
	if !ok {
		return nil, &CompileError{Err: fmt.Errorf("a patch must be an object, this is %s", kindOf(tree))}
	}
	if d, ok := m[patchKey]; ok && d != "merge" {
		return nil, wrong([]any{patchKey}, errors.New("a patch can neither delete nor replace the whole object"))
	}
	c := treeCompiler{self: opts.Self}
	root, err := c.node(tree, nil)
	if err != nil {
		return nil, err
	}
	p := &Strategic{root: root, vars: c.vars, schema: opts.Schema}
	slices.Sort(c.refs)
	p.refs = slices.Compact(c.refs)
	if p.schema == nil {
		if p.schema, err = NewSchema(); err != nil {
			return nil, &CompileError{Err: err}
		}
	}
	return p, nil
}

// References lists what the variables of the patch read of the root document, sorted, as
// expr.Template.References does.
func (p *Strategic) References() []string { return slices.Clone(p.refs) }

// Apply patches the target. All variables are resolved first; one that cannot be is an Error. A patch
// without variables takes a nil env.
func (p *Strategic) Apply(env *expr.Env, target Target) Result {
	values, err := p.render(env)
	if err != nil {
		return failure(target, err)
	}
	r := resolver{env: env, schema: p.schema, values: values}
	sh := p.schema.lookup(target.GVK)
	resolved, keep, why := r.node(&p.root, target.Object, sh)
	switch {
	case why != nil && why.why == failed:
		return failure(target, why.err)
	case why != nil:
		return Result{Outcome: Skip, Object: target.Object, Message: why.text}
	case !keep:
		return Result{Outcome: Unchanged, Object: target.Object}
	}
	patch, _ := resolved.(map[string]any)
	m := merger{schema: p.schema}
	object, changed, err := m.object(target.Object, patch, sh)
	switch {
	case err != nil:
		return failure(target, err)
	case !changed:
		return Result{Outcome: Unchanged, Object: target.Object}
	}
	return Result{Outcome: Applied, Object: object}
}

func failure(target Target, err error) Result {
	return Result{Outcome: Error, Object: target.Object, Err: fmt.Errorf("applying the patch: %w", err)}
}

func (p *Strategic) render(env *expr.Env) ([]any, error) {
	if len(p.vars) == 0 {
		return nil, nil
	}
	values := make([]any, len(p.vars))
	for i := range p.vars {
		v := &p.vars[i]
		var err error
		if v.asText {
			values[i], err = v.template.RenderText(env)
		} else {
			values[i], err = v.template.Render(env)
		}
		if err != nil {
			return nil, fmt.Errorf("the variables at %s: %w", fieldpath.Text(v.path), err)
		}
		if values[i] = number.Canonical(values[i]); !isJSON(values[i]) {
			return nil, fmt.Errorf("the variables at %s: %w", fieldpath.Text(v.path), errNotJSON)
		}
	}
	return values, nil
}
