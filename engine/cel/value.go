package cel

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// JSON values are handed to CEL as they are: the interpreter walks map[string]any by itself, and what an expression
// arrives at is wrapped only then. A number without a fraction is an int to CEL, as it is to an API server, although
// encoding/json decodes it as float64.

// jsonAdapter turns JSON values into CEL values, without copying them.
type jsonAdapter struct{}

func (jsonAdapter) NativeToValue(v any) ref.Val { return value(v) }

func value(v any) ref.Val {
	switch v := v.(type) {
	case nil:
		return types.NullValue
	case ref.Val:
		return v
	case string:
		return types.String(v)
	case bool:
		return types.Bool(v)
	case float64:
		return number(v)
	case map[string]any:
		o := object(v)
		return &o // the interpreter looks values up in sets of constants, where a map or a slice itself cannot be
	case []any:
		l := list(v)
		return &l
	default:
		return types.DefaultTypeAdapter.NativeToValue(v)
	}
}

// number is an int where the value is whole and an int holds it.
func number(f float64) ref.Val {
	// 2^63 is the first float64 that no int64 holds; -2^63 is the last that one does.
	if f == math.Trunc(f) && f >= math.MinInt64 && f < -math.MinInt64 {
		return types.Int(f)
	}
	return types.Double(f)
}

// object is a JSON object.
type object map[string]any

var (
	_ traits.Mapper   = object(nil)
	_ traits.Foldable = object(nil)
	_ traits.Zeroer   = object(nil)
)

func (o object) Type() ref.Type    { return types.MapType }
func (o object) Value() any        { return map[string]any(o) }
func (o object) IsZeroValue() bool { return len(o) == 0 }
func (o object) Size() ref.Val     { return types.Int(len(o)) }

func (o object) Find(key ref.Val) (ref.Val, bool) {
	name, ok := key.(types.String)
	if !ok {
		return nil, false
	}
	v, ok := o[string(name)]
	if !ok {
		return nil, false
	}
	return value(v), true
}

func (o object) Contains(key ref.Val) ref.Val {
	name, ok := key.(types.String)
	if !ok {
		return types.False
	}
	_, found := o[string(name)]
	return types.Bool(found)
}

func (o object) Get(key ref.Val) ref.Val {
	if v, ok := o.Find(key); ok {
		return v
	}
	return types.ValOrErr(key, "no such key: %v", key)
}

func (o object) Equal(other ref.Val) ref.Val {
	m, ok := other.(traits.Mapper)
	if !ok || m.Size() != o.Size() {
		return types.False
	}
	for k, v := range o {
		theirs, found := m.Find(types.String(k))
		if !found || types.Equal(value(v), theirs) != types.True {
			return types.False
		}
	}
	return types.True
}

// Iterator walks the keys in their order, so that the same object gives the same answer each time.
func (o object) Iterator() traits.Iterator {
	return &iterator{size: len(o), at: keys(slices.Sorted(maps.Keys(o)))}
}

func keys(sorted []string) func(int) ref.Val {
	return func(i int) ref.Val { return types.String(sorted[i]) }
}

// Fold walks keys and values in the order of the keys.
func (o object) Fold(f traits.Folder) {
	for _, k := range slices.Sorted(maps.Keys(o)) {
		if !f.FoldEntry(k, o[k]) {
			return
		}
	}
}

func (o object) ConvertToType(t ref.Type) ref.Val {
	switch t {
	case types.MapType:
		return o
	case types.TypeType:
		return types.MapType
	}
	return types.NewErr("type conversion error from '%s' to '%s'", types.MapType, t)
}

func (o object) ConvertToNative(t reflect.Type) (any, error) {
	native, err := types.NewStringInterfaceMap(jsonAdapter{}, o).ConvertToNative(t)
	if err != nil {
		return nil, fmt.Errorf("converting a map: %w", err)
	}
	return native, nil
}

// iterator walks anything that can be asked by index.
type iterator struct {
	size, next int
	at         func(int) ref.Val
}

var _ traits.Iterator = (*iterator)(nil)

func (i *iterator) HasNext() ref.Val { return types.Bool(i.next < i.size) }

func (i *iterator) Next() ref.Val {
	if i.next >= i.size {
		return nil
	}
	i.next++
	return i.at(i.next - 1)
}

func (i *iterator) Type() ref.Type        { return types.IteratorType }
func (i *iterator) Value() any            { return nil }
func (i *iterator) Equal(ref.Val) ref.Val { return types.NoSuchOverloadErr() }

func (i *iterator) ConvertToType(ref.Type) ref.Val { return types.NoSuchOverloadErr() }

func (i *iterator) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("an iterator has no value of type %s", t)
}

// index reads a list index: an int, or a double or uint without a fraction, as CEL allows.
func index(v ref.Val, size int) (int, error) {
	i, err := types.IndexOrError(v)
	if err != nil {
		return 0, fmt.Errorf("reading an index: %w", err)
	}
	if i < 0 || cmp.Compare(i, size) >= 0 {
		return 0, fmt.Errorf("index '%d' out of range in list size '%d'", i, size)
	}
	return i, nil
}
