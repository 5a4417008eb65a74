package merge

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/client-go/applyconfigurations"
	smdschema "sigs.k8s.io/structured-merge-diff/v6/schema"
	"sigs.k8s.io/structured-merge-diff/v6/typed"
)

// Types knows how the fields of objects are merged. It is immutable and safe for concurrent use. Make one for a process
// and share it.
type Types struct {
	known func() (managedfields.TypeConverter, error)
}

// NewTypes gives the types, which are read when they are first used.
func NewTypes() *Types {
	return &Types{sync.OnceValues(func() (managedfields.TypeConverter, error) {
		scheme, err := newScheme()
		if err != nil {
			return nil, err
		}
		return applyconfigurations.NewTypeConverter(scheme), nil
	})}
}

// Load reads the types, so that no merge has to wait for it.
func (t *Types) Load() error {
	_, err := t.Merge(map[string]any{"apiVersion": "v1", "kind": "Pod"}, map[string]any{}, KeepAtomics)
	return err
}

// Atomics says what becomes of a list, map or struct in a configuration that is one value to the schema. To replace it
// loses what the configuration does not repeat, so that an API server refuses it.
type Atomics uint8

// An atomic value is refused, or takes the place of the one that the object has.
const (
	KeepAtomics Atomics = iota
	ReplaceAtomics
)

// Merge gives the object with the fields of the configuration, whose apiVersion and kind are taken to be the object's.
func (t *Types) Merge(object, configuration map[string]any, atomics Atomics) (map[string]any, error) {
	converter, known, err := t.converter(object)
	if err != nil {
		return nil, err
	}
	wanted := maps.Clone(configuration)
	if wanted == nil {
		wanted = map[string]any{}
	}
	for _, field := range []string{"apiVersion", "kind"} {
		if v, ok := object[field]; ok {
			wanted[field] = v
		}
	}
	patch, err := converter.ObjectToTyped(&unstructured.Unstructured{Object: wanted})
	if err != nil {
		return nil, fmt.Errorf("failed to convert patch object to typed object: %w", err)
	}
	if atomics == KeepAtomics {
		found := listsIn("", wanted)
		if known {
			found = atomicsIn("", patch.Schema(), patch.TypeRef(), wanted)
		}
		if len(found) > 0 {
			return nil, fmt.Errorf("invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: %s", strings.Join(found, ", "))
		}
	}
	live, err := converter.ObjectToTyped(&unstructured.Unstructured{Object: object}, typed.AllowDuplicates)
	if err != nil {
		return nil, fmt.Errorf("failed to convert original object to typed object: %w", err)
	}
	merged, err := live.Merge(patch)
	if err != nil {
		return nil, fmt.Errorf("failed to merge patch: %w", err)
	}
	out, ok := merged.AsValue().Unstructured().(map[string]any)
	if !ok {
		return nil, errors.New("the merge gives no object")
	}
	return out, nil
}

// converter has the schema of the object's kind, or deduces one from the values if the kind is not known.
func (t *Types) converter(object map[string]any) (converter managedfields.TypeConverter, known bool, err error) {
	builtIn, err := t.known()
	if err != nil {
		return nil, false, err
	}
	// There is no other way to ask whether a kind has a schema.
	probe := &unstructured.Unstructured{Object: map[string]any{"apiVersion": object["apiVersion"], "kind": object["kind"]}}
	if _, err := builtIn.ObjectToTyped(probe); err == nil {
		return builtIn, true, nil
	}
	return managedfields.NewDeducedTypeConverter(), false, nil
}

// atomicsIn lists the paths of atomic lists, maps and structs in a value, in the words of an API server.
func atomicsIn(path string, s *smdschema.Schema, ref smdschema.TypeRef, v any) []string {
	atom, ok := s.Resolve(ref)
	if !ok {
		return nil
	}
	var found []string
	switch v := v.(type) {
	case map[string]any:
		if atom.Map == nil {
			return nil
		}
		if atom.Map.ElementRelationship == smdschema.Atomic {
			found = append(found, path)
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if field, ok := atom.Map.FindField(key); ok {
				found = append(found, atomicsIn(path+"."+key, s, field.Type, v[key])...)
			}
		}
	case []any:
		if atom.List == nil {
			return nil
		}
		if atom.List.ElementRelationship == smdschema.Atomic {
			found = append(found, path)
		}
		for i, item := range v {
			found = append(found, atomicsIn(fmt.Sprintf("%s[%d]", path, i), s, atom.List.ElementType, item)...)
		}
	}
	return found
}

// listsIn lists the paths of lists in a value of an unknown kind. A custom resource's list is one value, unless its
// definition says otherwise.
func listsIn(path string, v any) []string {
	switch v := v.(type) {
	case map[string]any:
		var found []string
		for _, key := range slices.Sorted(maps.Keys(v)) {
			found = append(found, listsIn(path+"."+key, v[key])...)
		}
		return found
	case []any:
		return []string{path}
	default:
		return nil
	}
}
