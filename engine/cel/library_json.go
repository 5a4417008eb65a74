package cel

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// plain makes a JSON value of what an expression has made, with nothing in common with it: who gets it may change it. The
// budget bounds its size: the bytes of all texts, and a few for each value.
func plain(v ref.Val, budget *int) (any, error) {
	const overhead = 4 // of a value in JSON: a comma, quotes
	if *budget -= overhead; *budget < 0 {
		return nil, errTooLarge
	}
	switch v := v.(type) {
	case types.Null:
		return nil, nil
	case types.Bool:
		return bool(v), nil
	case types.String:
		if *budget -= len(v); *budget < 0 {
			return nil, errTooLarge
		}
		return string(v), nil
	case types.Bytes:
		if *budget -= base64.StdEncoding.EncodedLen(len(v)); *budget < 0 {
			return nil, errTooLarge
		}
		return base64.StdEncoding.EncodeToString(v), nil
	case types.Int:
		if f := float64(v); types.Int(f) == v && math.Abs(f) < 1<<53 {
			return f, nil
		}
		return int64(v), nil // a float64 would be another number
	case types.Uint:
		if v < 1<<53 {
			return float64(v), nil
		}
		return uint64(v), nil
	case types.Double:
		if math.IsInf(float64(v), 0) || math.IsNaN(float64(v)) {
			return nil, fmt.Errorf("the number %v has no place in JSON", float64(v))
		}
		return float64(v), nil
	case types.Timestamp:
		return v.Format(time.RFC3339Nano), nil
	case types.Duration:
		return float64(v.Duration), nil // nanoseconds, as Go writes them
	case traits.Mapper:
		return plainMap(v, budget)
	case traits.Lister:
		return plainList(v, budget)
	default:
		return nil, fmt.Errorf("a value of type %s has no place in JSON", v.Type().TypeName())
	}
}

func plainMap(m traits.Mapper, budget *int) (any, error) {
	out := map[string]any{}
	for it := m.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		name, ok := key.(types.String)
		if !ok {
			return nil, fmt.Errorf("a key of type %s has no place in JSON: expected string", key.Type().TypeName())
		}
		if *budget -= len(name); *budget < 0 {
			return nil, errTooLarge
		}
		item, err := plain(m.Get(key), budget)
		if err != nil {
			return nil, err
		}
		out[string(name)] = item
	}
	return out, nil
}

func plainList(l traits.Lister, budget *int) (any, error) {
	out := []any{}
	for it := l.Iterator(); it.HasNext() == types.True; {
		item, err := plain(it.Next(), budget)
		if err != nil {
			return nil, err
		}
		out = append(out, item)
	}
	return out, nil
}

var errTooLarge = errors.New("the value is too large")

// plainArg makes a JSON object of an argument.
func plainArg(args []ref.Val, i int) (map[string]any, error) {
	budget := maxText
	v, err := plain(args[i], &budget)
	if err != nil {
		return nil, fmt.Errorf("the object: %w", err)
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("expected an object")
	}
	return object, nil
}

// doubles makes all numbers of a decoded text doubles, as they are to Kyverno, where the numbers of an object are ints if
// they are whole. The value is changed: it must be nobody else's.
func doubles(v any) any {
	switch v := v.(type) {
	case float64:
		return types.Double(v)
	case map[string]any:
		for k, item := range v {
			v[k] = doubles(item)
		}
	case []any:
		for i, item := range v {
			v[i] = doubles(item)
		}
	}
	return v
}

// copied is a value that is nobody else's.
func copied(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, item := range v {
			out[k] = copied(item)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = copied(item)
		}
		return out
	default:
		return v
	}
}

// failed is the answer of a function that cannot give one.
func failed(function string, err error) ref.Val {
	return types.WrapErr(fmt.Errorf("%s: %w", function, err))
}
