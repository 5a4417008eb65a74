package mutate

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Operation is one operation of a JSON Patch (RFC 6902).
type Operation struct {
	Op    string // add, remove, replace, move, copy or test
	Path  string
	From  string // for move and copy
	Value any    // for add, replace and test
}

// MarshalJSON writes the members that the operation has, a null value among them.
func (o Operation) MarshalJSON() ([]byte, error) {
	switch o.Op {
	case "remove":
		return json.Marshal(struct {
			Op   string `json:"op"`
			Path string `json:"path"`
		}{o.Op, o.Path})
	case "move", "copy":
		return json.Marshal(struct {
			Op   string `json:"op"`
			From string `json:"from"`
			Path string `json:"path"`
		}{o.Op, o.From, o.Path})
	default:
		return json.Marshal(struct {
			Op    string `json:"op"`
			Path  string `json:"path"`
			Value any    `json:"value"`
		}{o.Op, o.Path, o.Value})
	}
}

// OperationError says which operation of a patch does not apply.
type OperationError struct {
	Index int // from 0
	Op    string
	Path  string
	Err   error
}

// Error names the operation as a reader counts it in the patch, from 0.
func (e *OperationError) Error() string {
	return fmt.Sprintf("operation %d (%s %s): %v", e.Index, e.Op, e.Path, e.Err)
}

// Unwrap gives the reason.
func (e *OperationError) Unwrap() error { return e.Err }

// ErrTest is wrapped by the error of a test operation that finds another value than it wants, or none.
var ErrTest = errors.New("the value is another")

// ApplyServerPatch applies operations as an API server applies those of its admission policies. If a test finds another
// value the object stays as it is, and that is no error. Errors are *OperationError.
func ApplyServerPatch(obj map[string]any, ops []Operation) (map[string]any, error) {
	compiled, err := compileOperations(ops)
	if err != nil {
		return nil, err
	}
	patched, err := applyOperations(obj, compiled, serverRules)
	if errors.Is(err, ErrTest) {
		return obj, nil
	}
	return patched, err
}

// ApplyPatch applies operations in order, by the letter of RFC 6902, and answers a new object that shares
// with obj what did not change. Errors are *OperationError.
func ApplyPatch(obj map[string]any, ops []Operation) (map[string]any, error) {
	compiled, err := compileOperations(ops)
	if err != nil {
		return nil, err
	}
	return applyOperations(obj, compiled, strictRules)
}

func compileOperations(ops []Operation) ([]operation, error) {
	compiled := make([]operation, len(ops))
	for i, o := range ops {
		op, err := newOperation(o.Op, o.Path, o.From, o.Value)
		if err != nil {
			return nil, &OperationError{Index: i, Op: o.Op, Path: o.Path, Err: err}
		}
		compiled[i] = op
	}
	return compiled, nil
}

// operation is an Operation with its pointers taken apart.
type operation struct {
	kind  opKind
	path  string
	to    pointer
	from  pointer
	value any
}

type opKind uint8

const (
	opAdd opKind = iota
	opRemove
	opReplace
	opMove
	opCopy
	opTest
)

func (k opKind) String() string {
	return [...]string{"add", "remove", "replace", "move", "copy", "test"}[k]
}

func (k opKind) hasFrom() bool  { return k == opMove || k == opCopy }
func (k opKind) hasValue() bool { return k == opAdd || k == opReplace || k == opTest }

func parseOp(name string) (opKind, error) {
	for k := opAdd; k <= opTest; k++ {
		if k.String() == name {
			return k, nil
		}
	}
	return 0, fmt.Errorf("unknown operation %q: expected add, remove, replace, move, copy or test", name)
}

func newOperation(op, path, from string, value any) (operation, error) {
	kind, err := parseOp(op)
	if err != nil {
		return operation{}, err
	}
	o := operation{kind: kind, path: path, value: value}
	if o.to, err = parsePointer(path); err != nil {
		return operation{}, fmt.Errorf("path: %w", err)
	}
	if kind.hasFrom() {
		if o.from, err = parsePointer(from); err != nil {
			return operation{}, fmt.Errorf("from: %w", err)
		}
	}
	return o, nil
}

// rules are the ways to read RFC 6902.
type rules uint8

const (
	// strictRules are those of the RFC.
	strictRules rules = iota
	// kyvernoRules are those of Kyverno's library with the options it sets: add makes the parents that are
	// missing, remove of what is not there does nothing, negative indexes count from the end.
	kyvernoRules
	// serverRules are those of an API server for patches of its admission policies: replace of a field that is not there
	// adds it, and negative indexes count from the end.
	serverRules
)

// maxCopied bounds what copy operations may add to an object, in values: each can double it. An object of
// the size that etcd takes has fewer.
const maxCopied = 100_000

var errNotObject = errors.New("the result is no object")

func applyOperations(obj map[string]any, ops []operation, r rules) (map[string]any, error) {
	var doc any = obj
	copied := 0
	for i := range ops {
		op := &ops[i]
		var err error
		if doc, err = r.apply(doc, op, &copied); err == nil {
			if _, ok := doc.(map[string]any); !ok {
				err = errNotObject
			}
		}
		if err != nil {
			return nil, &OperationError{Index: i, Op: op.kind.String(), Path: op.path, Err: err}
		}
	}
	out, _ := doc.(map[string]any)
	return out, nil
}

func (r rules) apply(doc any, op *operation, copied *int) (any, error) {
	switch op.kind {
	case opAdd:
		return r.add(doc, op.to, op.value, r == kyvernoRules)
	case opRemove:
		return r.remove(doc, op.to)
	case opReplace:
		return r.replace(doc, op.to, op.value)
	case opTest:
		return doc, r.test(doc, op)
	}
	value, err := r.get(doc, op.from)
	if err != nil {
		return nil, fmt.Errorf("from: %w", err)
	}
	if op.kind == opMove {
		if len(op.from) == 0 {
			return nil, errors.New("the whole document cannot be moved")
		}
		if doc, err = r.remove(doc, op.from); err != nil {
			return nil, err
		}
		return r.add(doc, op.to, value, false)
	}
	if *copied += countValues(value, maxCopied-*copied); *copied > maxCopied {
		return nil, fmt.Errorf("the operations copy more than %d values", maxCopied)
	}
	return r.add(doc, op.to, value, false)
}

func (r rules) test(doc any, op *operation) error {
	found, err := r.get(doc, op.to)
	if err != nil && r != strictRules && errors.Is(err, errMissing) {
		// A field that is missing is null to both, if there is an object that it is missing in.
		if parent, _ := r.get(doc, op.to[:len(op.to)-1]); parent != nil {
			if op.value == nil {
				return nil
			}
			return fmt.Errorf("%w: %w", ErrTest, err)
		}
	}
	switch {
	case err != nil:
		return err
	case !equal(found, op.value):
		return ErrTest
	}
	return nil
}

// countValues counts what a value holds, itself included, and stops beyond limit.
func countValues(v any, limit int) int {
	n := 1
	switch v := v.(type) {
	case map[string]any:
		for _, item := range v {
			if n > limit {
				break
			}
			n += countValues(item, limit-n)
		}
	case []any:
		for _, item := range v {
			if n > limit {
				break
			}
			n += countValues(item, limit-n)
		}
	}
	return n
}
