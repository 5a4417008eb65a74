package mutate

import (
	"fmt"
	"slices"

	"github.com/holdfast-io/holdfast/engine/expr"
)

// JSON6902 is a compiled patchesJson6902. It is immutable and safe for concurrent use.
type JSON6902 struct {
	ops    []templateOp
	static []operation    // ops without variables, ready to apply; nil if one has any
	late   *valueTemplate // set instead of ops when the whole text is one variable
	refs   []string
}

// CompileJSON6902 reads a YAML or JSON text of RFC 6902 operations. Errors are *CompileError.
//
// The text must be YAML with each variable taken for a word. What stands in quotes stays text, whatever
// its variables hold. A bare {{ variable }} takes the type of its value; if that is a text, the text is
// read as YAML by itself. An operation, or the list of all, may be one variable: it is then taken apart
// at each evaluation, which is slower, and nothing of it is checked at load.
func CompileJSON6902(text string, opts Options) (*JSON6902, error) {
	root, err := parseText(text)
	if err != nil {
		return nil, &CompileError{Err: fmt.Errorf("the operations are not YAML: %w", err)}
	}
	p := &JSON6902{}
	c := textCompiler{self: opts.Self}
	switch root.kind {
	case listText:
		p.ops = make([]templateOp, len(root.items))
		for i, item := range root.items {
			if p.ops[i], err = c.operation(item, []any{i}); err != nil {
				return nil, err
			}
		}
		p.static = staticOperations(p.ops)
	case bareText:
		if p.late, err = c.value(root, nil); err != nil {
			return nil, err
		}
	default:
		return nil, &CompileError{Err: fmt.Errorf("expected a list of operations, this is %s", &root)}
	}
	slices.Sort(c.refs)
	p.refs = slices.Compact(c.refs)
	return p, nil
}

func staticOperations(ops []templateOp) []operation {
	out := make([]operation, len(ops))
	for i := range ops {
		if !ops[i].static() {
			return nil
		}
		out[i] = ops[i].known
	}
	return out
}

// References lists what the variables of the operations read of the root document, sorted, as
// expr.Template.References does.
func (p *JSON6902) References() []string { return slices.Clone(p.refs) }

// Apply patches the target. All variables are resolved first; one that cannot be is an Error, and so is an
// operation that does not apply, a test that fails among them. A patch without variables takes a nil env.
func (p *JSON6902) Apply(env *expr.Env, target Target) Result {
	ops, err := p.operations(env)
	if err != nil {
		return failure(target, err)
	}
	object, err := applyOperations(target.Object, ops, kyvernoRules)
	switch {
	case err != nil:
		return failure(target, err)
	case equal(target.Object, object):
		return Result{Outcome: Unchanged, Object: target.Object}
	}
	return Result{Outcome: Applied, Object: object}
}

func (p *JSON6902) operations(env *expr.Env) ([]operation, error) {
	switch {
	case p.late != nil:
		return p.readLate(env)
	case p.static != nil:
		return p.static, nil
	}
	out := make([]operation, len(p.ops))
	for i := range p.ops {
		var err error
		if out[i], err = p.ops[i].render(env); err != nil {
			return nil, fmt.Errorf("operation %d: %w", i, err)
		}
	}
	return out, nil
}

func (p *JSON6902) readLate(env *expr.Env) ([]operation, error) {
	doc, err := p.late.render(env)
	if err != nil {
		return nil, err
	}
	list, ok := doc.([]any)
	if !ok && doc != nil { // null is no operations, as for Kyverno
		return nil, fmt.Errorf("expected a list of operations, the variable gives %s", kindOf(doc))
	}
	out := make([]operation, len(list))
	for i, item := range list {
		if out[i], err = readOperation(item); err != nil {
			return nil, fmt.Errorf("operation %d: %w", i, err)
		}
	}
	return out, nil
}

// readOperation reads an operation that a variable gives.
func readOperation(item any) (operation, error) {
	m, ok := item.(map[string]any)
	if !ok {
		return operation{}, fmt.Errorf("expected an object, this is %s", kindOf(item))
	}
	member := func(name string) (string, error) {
		switch v := m[name].(type) {
		case string:
			return v, nil
		case nil:
			return "", fmt.Errorf("%s %w", name, errMember)
		default:
			return "", fmt.Errorf("%s must be a string, this is %s", name, kindOf(v))
		}
	}
	name, err := member("op")
	if err != nil {
		return operation{}, err
	}
	path, err := member("path")
	if err != nil {
		return operation{}, err
	}
	var from string
	if name == "move" || name == "copy" {
		if from, err = member("from"); err != nil {
			return operation{}, err
		}
	}
	value, hasValue := m["value"]
	op, err := newOperation(name, path, from, value)
	switch {
	case err != nil:
		return operation{}, err
	case !hasValue && op.kind.hasValue():
		return operation{}, fmt.Errorf("value %w", errMember)
	}
	return op, checkTarget(op.to)
}
