package cel

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// Expressions of mutations make values of two types of an API server. Object, Object.spec, Object.spec.containers and so
// on have any fields, of any type: which fields an object of some kind has, only the merge knows. JSONPatch has four.
// Source: https://kubernetes.io/docs/reference/access-authn-authz/mutating-admission-policy/
const (
	typeObject    = "Object"
	typeJSONPatch = "JSONPatch"
)

// mutationTypes adds the two to a provider.
type mutationTypes struct{ types.Provider }

func makes(typeName string) bool {
	return typeName == typeJSONPatch || typeName == typeObject || strings.HasPrefix(typeName, typeObject+".")
}

func (p mutationTypes) FindStructType(typeName string) (*types.Type, bool) {
	if makes(typeName) {
		return types.NewTypeTypeWithParam(types.NewObjectType(typeName)), true
	}
	return p.Provider.FindStructType(typeName)
}

func (p mutationTypes) FindStructFieldNames(typeName string) ([]string, bool) {
	switch {
	case typeName == typeJSONPatch:
		return []string{"from", "op", "path", "value"}, true
	case makes(typeName):
		return nil, true
	}
	return p.Provider.FindStructFieldNames(typeName)
}

func (p mutationTypes) FindStructFieldType(typeName, field string) (*types.FieldType, bool) {
	if !makes(typeName) {
		return p.Provider.FindStructFieldType(typeName, field)
	}
	if typeName == typeJSONPatch {
		switch field {
		case "from", "op", "path":
			return &types.FieldType{Type: types.StringType}, true
		case "value":
			return &types.FieldType{Type: types.DynType}, true
		default:
			return nil, false
		}
	}
	return &types.FieldType{Type: types.DynType}, true
}

func (p mutationTypes) NewValue(typeName string, fields map[string]ref.Val) ref.Val {
	if !makes(typeName) {
		return p.Provider.NewValue(typeName, fields)
	}
	if typeName == typeJSONPatch {
		for _, name := range []string{"from", "op", "path"} {
			if v, ok := fields[name]; ok && v.Type() != types.StringType {
				return types.NewErr("%s of a JSONPatch is %s: expected string", name, v.Type().TypeName())
			}
		}
	}
	return &made{typeName, fields}
}

// made is a value of one of the two types.
type made struct {
	name   string // of the type
	fields map[string]ref.Val
}

var (
	_ traits.Indexer     = (*made)(nil)
	_ traits.FieldTester = (*made)(nil)
	_ traits.Zeroer      = (*made)(nil)
)

func (m *made) text(field string) string {
	s, _ := m.fields[field].(types.String)
	return string(s)
}

func (m *made) Type() ref.Type {
	return types.NewObjectType(m.name, traits.IndexerType|traits.FieldTesterType)
}
func (m *made) Value() any        { return m }
func (m *made) IsZeroValue() bool { return len(m.fields) == 0 }

func (m *made) Get(field ref.Val) ref.Val {
	if name, ok := field.(types.String); ok {
		if v, ok := m.fields[string(name)]; ok {
			return v
		}
	}
	return types.ValOrErr(field, "no such key: %v", field)
}

func (m *made) IsSet(field ref.Val) ref.Val {
	name, ok := field.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(field)
	}
	_, found := m.fields[string(name)]
	return types.Bool(found)
}

func (m *made) Equal(other ref.Val) ref.Val {
	o, ok := other.(*made)
	if !ok || m.name != o.name || len(m.fields) != len(o.fields) {
		return types.False
	}
	for name, v := range m.fields {
		theirs, found := o.fields[name]
		if !found || types.Equal(v, theirs) != types.True {
			return types.False
		}
	}
	return types.True
}

func (m *made) ConvertToType(t ref.Type) ref.Val {
	switch {
	case t.TypeName() == m.name:
		return m
	case t == types.TypeType:
		return types.NewTypeTypeWithParam(types.NewObjectType(m.name))
	}
	return types.NewErr("type conversion error from '%s' to '%s'", m.name, t.TypeName())
}

func (m *made) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("a value of the type %s has no form of the type %s", m.name, t)
}
