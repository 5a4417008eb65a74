package cel

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// maxMade is how many values a patch may hold. An object of the size that etcd takes has fewer. What an expression takes
// from its input is shared and not copied, so that a patch could name the same large value over and over at no cost, and
// whoever writes it down would pay (GHSA-r2rj-wwm5-x6mq): each time counts. The bytes of its texts are bound by maxText.
const maxMade = 100_000

// jsonWriter turns values of expressions into JSON values, as encoding/json decodes them.
type jsonWriter struct {
	values, bytes int  // how much more there may be
	noNull        bool // null is an error
}

func newJSONWriter() *jsonWriter { return &jsonWriter{values: maxMade, bytes: maxText} }

func (w *jsonWriter) count(bytes int) error {
	w.values--
	w.bytes -= bytes
	switch {
	case w.values < 0:
		return fmt.Errorf("the patch holds more than %d values", maxMade)
	case w.bytes < 0:
		return fmt.Errorf("the texts of the patch are longer than %d bytes", maxText)
	}
	return nil
}

// object gives the fields of an Object. Its type must be named for the place where it stands, so that a field which is
// written into the wrong part of the object is found.
func (w *jsonWriter) object(o *made, place string) (map[string]any, error) {
	w.noNull = true
	v, err := w.value(o, place)
	if err != nil {
		return nil, err
	}
	out, _ := v.(map[string]any)
	return out, nil
}

// value gives the JSON value of v; place is the name that an Object there must have.
func (w *jsonWriter) value(v ref.Val, place string) (any, error) {
	switch v := v.(type) {
	case *made:
		return w.made(v, place)
	case object:
		return w.taken(map[string]any(v))
	case *object:
		return w.value(*v, place)
	case *list:
		return w.taken([]any(*v))
	case traits.Lister:
		return w.list(v, place)
	case traits.Mapper:
		return w.mapped(v, place)
	default:
		return w.scalar(v)
	}
}

func (w *jsonWriter) scalar(v ref.Val) (any, error) {
	var out any
	switch v := v.(type) {
	case types.Null:
		if w.noNull {
			return nil, errNull
		}
	case types.Bool:
		out = bool(v)
	case types.Int:
		out = float64(v)
	case types.Uint:
		out = float64(v)
	case types.Double:
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, fmt.Errorf("%v is no number in JSON", f)
		}
		out = float64(v)
	case types.String:
		out = string(v)
	case types.Bytes:
		out = base64.StdEncoding.EncodeToString(v)
	case types.Timestamp:
		out = v.UTC().Format(time.RFC3339Nano)
	case types.Duration:
		out = strconv.FormatFloat(v.Seconds(), 'f', -1, 64) + "s"
	case *types.Err:
		return nil, v
	default:
		return nil, fmt.Errorf("a value of the type %s has no form in JSON", v.Type().TypeName())
	}
	text, _ := out.(string)
	return out, w.count(len(text))
}

func (w *jsonWriter) made(m *made, place string) (any, error) {
	if m.name != place {
		return nil, fmt.Errorf("type mismatch: unexpected type name %q, expected %q, which matches field name path from root Object type", m.name, place)
	}
	if m.name == typeJSONPatch {
		return nil, errors.New("a JSONPatch is not a value of an object")
	}
	if err := w.count(0); err != nil {
		return nil, err
	}
	out := make(map[string]any, len(m.fields))
	for _, name := range slices.Sorted(maps.Keys(m.fields)) {
		v, err := w.value(m.fields[name], place+"."+name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out[name] = v
	}
	return out, nil
}

func (w *jsonWriter) list(l traits.Lister, place string) (any, error) {
	if err := w.count(0); err != nil {
		return nil, err
	}
	out := []any{}
	for it := l.Iterator(); it.HasNext() == types.True; {
		v, err := w.value(it.Next(), place)
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", len(out), err)
		}
		out = append(out, v)
	}
	return out, nil
}

func (w *jsonWriter) mapped(m traits.Mapper, place string) (any, error) {
	if err := w.count(0); err != nil {
		return nil, err
	}
	out := map[string]any{}
	for it := m.Iterator(); it.HasNext() == types.True; {
		k := it.Next()
		key, ok := k.(types.String)
		if !ok {
			return nil, fmt.Errorf("the key %v is %s: expected string", k.Value(), k.Type().TypeName())
		}
		v, err := w.value(m.Get(key), place)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", string(key), err)
		}
		out[string(key)] = v
	}
	return out, nil
}

// taken counts a JSON value that is taken as it is. Only the objects of a look-up are made a list as others are.
func (w *jsonWriter) taken(v any) (any, error) {
	size := 0
	switch c := v.(type) {
	case string:
		size = len(c)
	case map[string]any:
		for k, item := range c {
			size += len(k)
			kept, err := w.taken(item)
			if err != nil {
				return nil, err
			}
			if _, looked := item.(objects); looked { // at the top of what a look-up gives, which is the expression's own
				own := maps.Clone(c)
				own[k] = kept
				v = own
			}
		}
	case []any:
		for _, item := range c {
			if _, err := w.taken(item); err != nil {
				return nil, err
			}
		}
	case objects:
		items := make([]any, len(c))
		for i, item := range c {
			if _, err := w.taken(item); err != nil {
				return nil, err
			}
			items[i] = item
		}
		v = items
	}
	return v, w.count(size)
}
