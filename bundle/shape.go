package bundle

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-io/holdfast/bundle/manifest"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/engine/nearest"
)

// checkShape holds a document against the Go type that it is about to be decoded into, and finds every
// field that the type does not have and every value of another type than the field's. Decoding alone
// would tell the first one, without its place, and keep silent on the rest.
func checkShape(value any, t reflect.Type) []engine.Problem {
	s := shape{}
	s.check(nil, value, t)
	return s.problems
}

// CheckShape holds a document of another kind against its Go type in the same way.
func CheckShape(value any, t reflect.Type) []engine.Problem { return checkShape(value, t) }

type shape struct {
	problems []engine.Problem
}

func (s *shape) wrong(path []any, format string, args ...any) {
	s.problems = append(s.problems, engine.Problem{Path: path, Message: fmt.Sprintf(format, args...)})
}

// opaque are types that take any value: what stands there is the engine's to check.
var opaque = [...]reflect.Type{
	reflect.TypeFor[apiextensionsv1.JSON](),
	reflect.TypeFor[kyvernov1.Any](),
	reflect.TypeFor[metav1.FieldsV1](),
}

// textual are types that decode themselves from text.
var textual = [...]reflect.Type{
	reflect.TypeFor[metav1.Time](),
	reflect.TypeFor[metav1.MicroTime](),
	reflect.TypeFor[metav1.Duration](),
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

func (s *shape) check(path []any, value any, t reflect.Type) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if value == nil || t.Kind() == reflect.Interface || slices.Contains(opaque[:], t) {
		return // null leaves a field as it is
	}
	_, isList := value.([]any)
	switch {
	case slices.Contains(textual[:], t):
		if text, ok := value.(string); ok {
			s.text(path, text, t)
			return
		}
		t = reflect.TypeFor[string]()
	case isList && t == reflect.TypeFor[kyvernov1.ConditionsWrapper](): // the old form
		t = reflect.TypeFor[[]kyvernov1.Condition]()
	case wrapped(t) != t:
		t = wrapped(t)
	case reflect.PointerTo(t).Implements(unmarshaler):
		return // it knows itself what it takes
	}
	switch t.Kind() {
	case reflect.Struct:
		if object, ok := value.(map[string]any); ok {
			s.object(path, object, t)
			return
		}
	case reflect.Map:
		if object, ok := value.(map[string]any); ok {
			for _, key := range sortedKeys(object) {
				s.check(below(path, key), object[key], t.Elem())
			}
			return
		}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			t = reflect.TypeFor[string]() // bytes are base64
			break
		}
		if list, ok := value.([]any); ok {
			for i, item := range list {
				s.check(below(path, i), item, t.Elem())
			}
			return
		}
	}
	s.scalar(path, value, t)
}

// text checks the text of a type that decodes itself from one.
func (s *shape) text(path []any, text string, t reflect.Type) {
	raw, err := json.Marshal(text)
	if err == nil {
		err = json.Unmarshal(raw, reflect.New(t).Interface())
	}
	if err == nil {
		return
	}
	want := "a time such as 2026-05-01T00:00:00Z"
	if t == reflect.TypeFor[metav1.Duration]() {
		want = "a duration such as 1h30m"
	}
	s.wrong(path, "is %q: expected %s", text, want)
}

// wrapped is the type of what stands in a field whose own type decodes itself.
func wrapped(t reflect.Type) reflect.Type {
	switch t {
	case reflect.TypeFor[kyvernov1.ConditionsWrapper]():
		return reflect.TypeFor[kyvernov1.AnyAllConditions]()
	case reflect.TypeFor[kyvernov1.ForEachValidationWrapper]():
		return reflect.TypeFor[[]kyvernov1.ForEachValidation]()
	case reflect.TypeFor[kyvernov1.ForEachMutationWrapper]():
		return reflect.TypeFor[[]kyvernov1.ForEachMutation]()
	default:
		return t
	}
}

// scalar checks a value that is neither an object nor a list where one is wanted.
func (s *shape) scalar(path []any, value any, t reflect.Type) {
	want := ""
	switch t.Kind() {
	case reflect.String:
		if _, ok := value.(string); ok {
			return
		}
		want = "a string"
		switch value.(type) {
		case bool, float64:
			want += ": put it in quotes"
		}
	case reflect.Bool:
		if _, ok := value.(bool); ok {
			return
		}
		want = "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		f, ok := value.(float64)
		whole := ok && f == math.Trunc(f)
		if whole && !outOfRange(f, t) {
			return
		}
		if ok {
			s.wrong(path, "is %s: expected a whole number of %d bits", strconv.FormatFloat(f, 'f', -1, 64), t.Bits())
			return
		}
		want = "a whole number"
	case reflect.Float32, reflect.Float64:
		if _, ok := value.(float64); ok {
			return
		}
		want = "a number"
	case reflect.Slice:
		want = "a list"
	default:
		want = "an object"
	}
	s.wrong(path, "is %s: expected %s", manifest.Describe(value), want)
}

func outOfRange(f float64, t reflect.Type) bool {
	zero := reflect.Zero(t)
	if zero.CanUint() {
		return f < 0 || f > math.MaxInt64 || zero.OverflowUint(uint64(f))
	}
	return math.Abs(f) >= math.MaxInt64 || zero.OverflowInt(int64(f))
}

func (s *shape) object(path []any, object map[string]any, t reflect.Type) {
	fields := map[string]reflect.Type{}
	jsonFields(t, fields)
	for _, key := range sortedKeys(object) {
		field, ok := fields[key]
		if !ok {
			s.wrong(below(path, key), "unknown field %q%s", key, expected(key, fields))
			continue
		}
		s.check(below(path, key), object[key], field)
	}
}

// jsonFields gathers the fields of a struct by the names that encoding/json gives them.
func jsonFields(t reflect.Type, into map[string]reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		embedded := f.Type
		if embedded.Kind() == reflect.Pointer {
			embedded = embedded.Elem()
		}
		switch {
		case name == "-":
		case f.Anonymous && name == "" && embedded.Kind() == reflect.Struct:
			jsonFields(embedded, into)
		case !f.IsExported():
		case name == "":
			into[f.Name] = f.Type
		default:
			into[name] = f.Type
		}
	}
}

// expected says what could have been meant by an unknown field: the one that is spelled like it, or, if
// they are few, all that there are.
func expected(key string, fields map[string]reflect.Type) string {
	names := sortedKeys(fields)
	if near := nearest.Name(key, names); near != "" {
		return ": did you mean " + near + "?"
	}
	if len(names) > 12 {
		return ""
	}
	return ": expected one of " + strings.Join(names, ", ")
}

func below(path []any, part any) []any { return append(path[:len(path):len(path)], part) }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
