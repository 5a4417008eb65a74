package cel

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/traits"
	celconfig "k8s.io/apiserver/pkg/apis/cel"

	"github.com/holdfast-io/holdfast/engine/mutate"
)

// MutationForm is one of the two ways in which an expression says what is to change.
type MutationForm uint8

// The forms, as an API server has them. An ApplyConfiguration gives an Object{...} whose fields are merged into the
// object; a JSONPatch gives a list of JSONPatch{op, path, from, value}.
const (
	ApplyConfiguration MutationForm = iota
	JSONPatch
)

func (f MutationForm) String() string {
	if f == JSONPatch {
		return "JSONPatch"
	}
	return "ApplyConfiguration"
}

// field is where the API keeps the expression of a form.
func (f MutationForm) field() string {
	if f == JSONPatch {
		return "jsonPatch"
	}
	return "applyConfiguration"
}

// Mutation is one change that a Source makes.
type Mutation struct {
	Form       MutationForm
	Expression string
}

// Patch is what a mutation gives for one object.
type Patch struct {
	Form MutationForm
	// Object holds the fields of an ApplyConfiguration, without apiVersion and kind unless the expression sets them.
	// It may share values with the input.
	Object map[string]any
	// Operations are those of a JSONPatch.
	Operations []mutate.Operation
}

// Apply carries out a patch: it gives the object as it becomes, and leaves the one that it is given as it is.
type Apply func(object map[string]any, p Patch) (map[string]any, error)

// Mutated is what came of the mutations.
type Mutated struct {
	// Outcome is Pass, Skip where a condition is not met, or Error.
	Outcome Outcome
	// Object is the object as the mutations made it, of a Pass: the very map of the input if none changed it.
	Object map[string]any
	// Annotations are for the audit log, of a Pass.
	Annotations map[string]string
	// Mutation is the index of the one that has no result or could not be carried out; -1 if it is none of them.
	Mutation int
	// Condition is the name of the condition that is not met.
	Condition string
	// Err is the cause of an Error. It wraps ErrExpression if an expression is to blame.
	Err error
}

// Mutate carries out the mutations in their order, each on what the one before made, if the conditions are met. Nothing
// is changed if one of them fails; or, where failures are passed over, if the others change nothing.
//
// A variable keeps the value that it had when an expression first read it, as in Kyverno; in an API server's own policy
// it is evaluated anew for each mutation.
func (r *Rule) Mutate(ctx context.Context, in *Input, apply Apply) Mutated {
	e := r.begin(ctx, in)
	met, name, err := e.match()
	if err != nil {
		return Mutated{Outcome: Error, Mutation: -1, Err: fmt.Errorf("conditions: %w", err)}
	}
	if !met {
		return Mutated{Outcome: Skip, Mutation: -1, Condition: name}
	}
	current := *in
	e.in = &current
	var failed *Mutated
	for i := range r.mutations {
		patch, err := e.patch(&r.mutations[i])
		after := current.Object
		if err == nil {
			if after, err = apply(current.Object, patch); err != nil {
				err = unfit{err}
			}
		}
		if err != nil {
			failed = &Mutated{Outcome: Error, Mutation: i, Err: err}
			if r.failures == EndingFailures || e.outside != nil || ctx.Err() != nil {
				return *failed
			}
			continue
		}
		current.Object = after
	}
	if failed != nil && reflect.DeepEqual(in.Object, current.Object) {
		return *failed
	}
	out := Mutated{Outcome: Pass, Object: current.Object, Mutation: -1}
	if out.Annotations, err = e.annotate(); err != nil {
		return Mutated{Outcome: Error, Mutation: -1, Err: err}
	}
	return out
}

// patch evaluates one mutation.
func (e *evaluation) patch(m *mutation) (Patch, error) {
	e.budget = celconfig.RuntimeCELCostBudget
	if e.rule.fresh {
		e.values = nil
	}
	v, err := e.run(&m.program)
	if err != nil {
		return Patch{}, err
	}
	out := Patch{Form: m.form}
	w := newJSONWriter()
	if m.form == JSONPatch {
		l, ok := v.(traits.Lister)
		if !ok {
			return Patch{}, m.failed(fmt.Errorf("it gives %s: expected list(JSONPatch)", v.Type().TypeName()))
		}
		out.Operations, err = operations(l, w)
	} else {
		o, ok := v.(*made)
		if !ok {
			return Patch{}, m.failed(fmt.Errorf("it gives %s: expected Object", v.Type().TypeName()))
		}
		out.Object, err = w.object(o, typeObject)
	}
	if err != nil {
		return Patch{}, m.failed(err)
	}
	return out, nil
}

func operations(l traits.Lister, w *jsonWriter) ([]mutate.Operation, error) {
	var out []mutate.Operation
	for it := l.Iterator(); it.HasNext() == types.True; {
		item := it.Next()
		o, ok := item.(*made)
		if !ok || o.name != typeJSONPatch {
			return nil, fmt.Errorf("operation %d is %s: expected JSONPatch", len(out), item.Type().TypeName())
		}
		op := mutate.Operation{Op: o.text("op"), Path: o.text("path"), From: o.text("from")}
		if v, ok := o.fields["value"]; ok {
			name := ""
			if inner, ok := v.(*made); ok {
				name = inner.name
			}
			var err error
			if op.Value, err = w.value(v, name); err != nil {
				return nil, fmt.Errorf("operation %d (%s %s): value: %w", len(out), op.Op, op.Path, err)
			}
		} else if op.Op == "add" || op.Op == "replace" || op.Op == "test" {
			return nil, fmt.Errorf("operation %d (%s %s): value is missing", len(out), op.Op, op.Path)
		}
		if len(out) == maxOperations {
			return nil, fmt.Errorf("there are more than %d operations", maxOperations)
		}
		out = append(out, op)
	}
	return out, nil
}

// maxOperations bounds a patch: each operation walks the object from its root. An object that etcd takes has fewer fields
// to change, and patches have a handful.
const maxOperations = 10_000

func (s *session) compileMutations() {
	for i, m := range s.src.Mutations {
		path := at(s.src.Paths.Mutations, i, m.Form.field(), "expression")
		want := types.NewObjectType(typeObject)
		if m.Form == JSONPatch {
			want = types.NewListType(types.NewObjectType(typeJSONPatch))
		}
		if e, ok := s.compile(m.Expression, path, want); ok {
			s.use(e.reading)
			s.rule.mutations = append(s.rule.mutations, mutation{e.program, m.Form})
		}
	}
}

// mutation is a compiled Mutation.
type mutation struct {
	program
	form MutationForm
}

var errNull = errors.New("null has no meaning in an ApplyConfiguration: to remove a field takes a JSONPatch")
