package cel

import (
	"fmt"
	"reflect"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// sequence is what the two kinds of lists have in common.
type sequence interface {
	traits.Lister
	length() int
	item(i int) ref.Val
}

// list is a JSON list.
type list []any

var (
	_ sequence        = list(nil)
	_ traits.Zeroer   = list(nil)
	_ traits.Foldable = list(nil)
)

func (l list) length() int        { return len(l) }
func (l list) item(i int) ref.Val { return value(l[i]) }

func (l list) Type() ref.Type             { return types.ListType }
func (l list) Value() any                 { return []any(l) }
func (l list) IsZeroValue() bool          { return len(l) == 0 }
func (l list) Size() ref.Val              { return types.Int(len(l)) }
func (l list) Get(i ref.Val) ref.Val      { return get(l, i) }
func (l list) Contains(v ref.Val) ref.Val { return contains(l, v) }
func (l list) Equal(v ref.Val) ref.Val    { return equal(l, v) }
func (l list) Add(v ref.Val) ref.Val      { return join(l, v) }
func (l list) Iterator() traits.Iterator  { return &iterator{size: len(l), at: l.item} }
func (l list) Fold(f traits.Folder)       { fold(l, f) }

func (l list) ConvertToType(t ref.Type) ref.Val               { return convert(l, t) }
func (l list) ConvertToNative(t reflect.Type) (any, error)    { return native(l, t) }
func (j *joined) ConvertToType(t ref.Type) ref.Val            { return convert(j, t) }
func (j *joined) ConvertToNative(t reflect.Type) (any, error) { return native(j, t) }

// joined is one list behind another. It copies neither: a list that is added to itself over and over takes no room.
type joined struct {
	first, second traits.Lister
	split, size   int
}

var (
	_ sequence        = (*joined)(nil)
	_ traits.Zeroer   = (*joined)(nil)
	_ traits.Foldable = (*joined)(nil)
)

func (j *joined) length() int { return j.size }

func (j *joined) item(i int) ref.Val {
	if i < j.split {
		return j.first.Get(types.Int(i))
	}
	return j.second.Get(types.Int(i - j.split))
}

func (j *joined) Type() ref.Type             { return types.ListType }
func (j *joined) IsZeroValue() bool          { return j.size == 0 }
func (j *joined) Size() ref.Val              { return types.Int(j.size) }
func (j *joined) Get(i ref.Val) ref.Val      { return get(j, i) }
func (j *joined) Contains(v ref.Val) ref.Val { return contains(j, v) }
func (j *joined) Equal(v ref.Val) ref.Val    { return equal(j, v) }
func (j *joined) Add(v ref.Val) ref.Val      { return join(j, v) }
func (j *joined) Iterator() traits.Iterator  { return &iterator{size: j.size, at: j.item} }
func (j *joined) Fold(f traits.Folder)       { fold(j, f) }

func (j *joined) Value() any {
	values := make([]any, j.size)
	for i := range values {
		values[i] = j.item(i).Value()
	}
	return values
}

func join(l sequence, v ref.Val) ref.Val {
	other, ok := v.(traits.Lister)
	if !ok {
		return types.MaybeNoSuchOverloadErr(v)
	}
	size, ok := other.Size().(types.Int)
	switch {
	case !ok:
		return types.MaybeNoSuchOverloadErr(other.Size())
	case size == 0:
		return l
	case l.length() == 0:
		return other
	}
	return &joined{first: l, second: other, split: l.length(), size: l.length() + int(size)}
}

func get(l sequence, v ref.Val) ref.Val {
	i, err := index(v, l.length())
	if err != nil {
		return types.ValOrErr(v, "%v", err)
	}
	return l.item(i)
}

func contains(l sequence, v ref.Val) ref.Val {
	for i := range l.length() {
		if types.Equal(v, l.item(i)) == types.True {
			return types.True
		}
	}
	return types.False
}

func equal(l sequence, v ref.Val) ref.Val {
	other, ok := v.(traits.Lister)
	if !ok || other.Size() != l.Size() {
		return types.False
	}
	for i := range l.length() {
		if types.Equal(l.item(i), other.Get(types.Int(i))) != types.True {
			return types.False
		}
	}
	return types.True
}

func fold(l sequence, f traits.Folder) {
	for i := range l.length() {
		if !f.FoldEntry(types.Int(i), l.item(i)) {
			return
		}
	}
}

func convert(l sequence, t ref.Type) ref.Val {
	switch t {
	case types.ListType:
		return l
	case types.TypeType:
		return types.ListType
	}
	return types.NewErr("type conversion error from '%s' to '%s'", types.ListType, t)
}

func native(l sequence, t reflect.Type) (any, error) {
	values := make([]ref.Val, l.length())
	for i := range values {
		values[i] = l.item(i)
	}
	out, err := types.NewRefValList(jsonAdapter{}, values).ConvertToNative(t)
	if err != nil {
		return nil, fmt.Errorf("converting a list: %w", err)
	}
	return out, nil
}
