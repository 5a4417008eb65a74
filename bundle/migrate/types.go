package migrate

import (
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// form is what JSON a field of a Kubernetes API holds, where it is there.
type form uint8

const (
	textForm form = iota
	flagForm
	numberForm // whole
	quantityForm
	numberOrTextForm
	listForm
	objectForm
)

// fieldType says what the API server lets stand in a field. Nil is a field about which nothing is known: that of a
// custom resource.
type fieldType struct {
	form    form
	element *fieldType   // of a list, or of the values of a map
	fields  reflect.Type // of an object with declared fields
	named   bool         // a text of a type of its own: one of a few words
	several []*fieldType // of objects that may be of any of these types
	root    bool         // of a whole object
	written bool         // the API server writes the field always
}

// isEnumeration reports whether a text can be one of a few words alone.
func (t *fieldType) isEnumeration() bool { return t != nil && t.form == textForm && t.named }

// always reports whether an object from the API server has the field.
func (t *fieldType) always() bool { return t != nil && t.written }

// objectType is the type of a whole object.
func objectType(t reflect.Type) *fieldType {
	return &fieldType{form: objectForm, fields: t, root: true}
}

// typeOf reads the type of a Go struct of a Kubernetes API.
func typeOf(t reflect.Type) *fieldType {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t {
	case reflect.TypeFor[resource.Quantity]():
		return &fieldType{form: quantityForm}
	case reflect.TypeFor[intstr.IntOrString]():
		return &fieldType{form: numberOrTextForm}
	case reflect.TypeFor[metav1.Time](), reflect.TypeFor[metav1.MicroTime](), reflect.TypeFor[metav1.Duration](), reflect.TypeFor[[]byte]():
		return &fieldType{form: textForm}
	}
	if opaque(t) {
		return nil
	}
	switch t.Kind() {
	case reflect.String:
		return &fieldType{form: textForm, named: t.Name() != "string"}
	case reflect.Bool:
		return &fieldType{form: flagForm}
	case reflect.Int, reflect.Int32, reflect.Int64:
		return &fieldType{form: numberForm}
	case reflect.Slice:
		element := typeOf(t.Elem())
		if element == nil {
			return nil
		}
		return &fieldType{form: listForm, element: element}
	case reflect.Map:
		element := typeOf(t.Elem())
		if element == nil {
			return nil
		}
		return &fieldType{form: objectForm, element: element}
	case reflect.Struct:
		return &fieldType{form: objectForm, fields: t}
	default:
		return nil
	}
}

// opaque reports whether the type writes its JSON by itself, so that its fields say nothing of it.
func opaque(t reflect.Type) bool {
	type marshaler interface{ MarshalJSON() ([]byte, error) }
	m := reflect.TypeFor[marshaler]()
	return t.Implements(m) || reflect.PointerTo(t).Implements(m)
}

// field gives the type of a field of an object: nil where nothing is known of it.
func (t *fieldType) field(key string) *fieldType {
	switch {
	case t == nil || t.form != objectForm:
		return nil
	case len(t.several) > 0:
		return t.fieldOfSeveral(key)
	case t.fields == nil:
		return t.element
	}
	f, ok := jsonField(t.fields, key)
	if !ok {
		return nil
	}
	out := typeOf(f.Type)
	if out != nil && t.root && f.Type.Kind() == reflect.Struct && (key == "spec" || key == "metadata") {
		written := *out
		written.written = true
		return &written
	}
	return out
}

// fieldOfSeveral gives the type of a field if it is known and has the same form in each of the types.
func (t *fieldType) fieldOfSeveral(key string) *fieldType {
	list := make([]*fieldType, len(t.several))
	for i, one := range t.several {
		list[i] = one.field(key)
	}
	return anyOfTypes(list)
}

// anyOfTypes is the type of what may be of any of these types; nil if they have not the same form.
func anyOfTypes(list []*fieldType) *fieldType {
	first := list[0]
	if first == nil {
		return nil
	}
	out := &fieldType{form: first.form, written: first.written}
	var elements []*fieldType
	for _, one := range list {
		if one == nil || one.form != first.form {
			return nil
		}
		out.written = out.written && one.written
		elements = append(elements, one.element)
	}
	switch {
	case first.form == listForm:
		if out.element = anyOfTypes(elements); out.element == nil {
			return nil
		}
	case first.form == objectForm && first.fields == nil && len(first.several) == 0:
		out.element = anyOfTypes(elements) // maps
	case first.form == objectForm:
		out.several = list
	}
	return out
}

// jsonField finds the Go field that is written under the key.
func jsonField(t reflect.Type, key string) (reflect.StructField, bool) {
	for f := range t.Fields() {
		name, rest, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == key:
			return f, true
		case f.Anonymous && name == "" && strings.Contains(rest, "inline"):
			inner := f.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			if found, ok := jsonField(inner, key); ok {
				return found, true
			}
		}
	}
	return reflect.StructField{}, false
}
