package cel

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// variables is the value of the name variables: each of its fields is evaluated when it is first read, and once.
type variables struct{ e *evaluation }

var (
	_ traits.Mapper = (*variables)(nil)

	variablesType = types.NewObjectType(typeVariables, traits.ContainerType|traits.IndexerType|traits.FieldTesterType)
)

func (v *variables) Find(key ref.Val) (ref.Val, bool) {
	name, ok := key.(types.String)
	if !ok {
		return nil, false
	}
	i, ok := v.e.rule.names[string(name)]
	if !ok {
		return nil, false
	}
	if v.e.values == nil {
		v.e.values = make([]ref.Val, len(v.e.rule.variables))
	}
	if v.e.values[i] == nil {
		v.e.values[i] = v.evaluate(i, string(name))
	}
	return v.e.values[i], true
}

func (v *variables) evaluate(i int, name string) ref.Val {
	value, err := v.e.run(&v.e.rule.variables[i])
	if err != nil {
		if v.e.outside == nil && v.e.ctx.Err() != nil {
			v.e.outside = err
		}
		var f *failure
		if errors.As(err, &f) {
			err = f.err // the expression that reads the variable is shown: its name is enough
		}
		return types.WrapErr(fmt.Errorf("variables.%s: %w", name, err))
	}
	return value
}

func (v *variables) Get(key ref.Val) ref.Val {
	if value, ok := v.Find(key); ok {
		return value
	}
	return types.ValOrErr(key, "no such key: %v", key)
}

func (v *variables) Contains(key ref.Val) ref.Val {
	name, ok := key.(types.String)
	if !ok {
		return types.False
	}
	_, found := v.e.rule.names[string(name)]
	return types.Bool(found)
}

func (v *variables) IsSet(key ref.Val) ref.Val { return v.Contains(key) }
func (v *variables) Size() ref.Val             { return types.Int(len(v.e.rule.names)) }
func (v *variables) Type() ref.Type            { return variablesType }
func (v *variables) Value() any                { return v }
func (v *variables) Equal(other ref.Val) ref.Val {
	return types.Bool(other == ref.Val(v))
}

// Iterator has nothing to walk: the type has fields, and is no map to an expression.
func (v *variables) Iterator() traits.Iterator { return &iterator{} }

func (v *variables) ConvertToType(t ref.Type) ref.Val {
	if t == types.TypeType {
		return variablesType
	}
	return types.NewErr("type conversion error from '%s' to '%s'", variablesType, t)
}

func (v *variables) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("variables have no value of type %s", t)
}
