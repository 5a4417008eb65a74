package cel

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
)

// jsonOf gives a value that YAML was decoded into as a JSON value.
func jsonOf(v any) (any, error) {
	switch v := v.(type) {
	case map[string]any:
		for key, item := range v {
			var err error
			if v[key], err = jsonOf(item); err != nil {
				return nil, err
			}
		}
		return v, nil
	case map[any]any:
		out := make(map[string]any, len(v))
		for key, item := range v {
			text, err := scalarText(key)
			if err == nil {
				out[text], err = jsonOf(item)
			}
			if err != nil {
				return nil, err
			}
		}
		return out, nil
	case []any:
		for i, item := range v {
			var err error
			if v[i], err = jsonOf(item); err != nil {
				return nil, err
			}
		}
		return v, nil
	case int:
		return float64(v), nil
	case int64:
		return float64(v), nil
	case uint64:
		return float64(v), nil
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return nil, fmt.Errorf("the number %v has no place in JSON", v)
		}
		return v, nil
	case time.Time:
		return dateText(v), nil
	default:
		return v, nil
	}
}

// dateText writes a date of YAML, which JSON has as text.
func dateText(t time.Time) string {
	if t.Equal(t.Truncate(24*time.Hour)) && t.Location() == time.UTC {
		return t.Format(time.DateOnly)
	}
	return t.Format(time.RFC3339Nano)
}

// scalarText writes a JSON value that stands within a text.
func scalarText(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case int:
		return strconv.Itoa(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case uint64:
		return strconv.FormatUint(v, 10), nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	case nil:
		return "", fmt.Errorf("null has no place within a text: expected text, a number or a boolean")
	case []any:
		return "", fmt.Errorf("a list has no place within a text: expected text, a number or a boolean")
	default:
		return "", fmt.Errorf("a map has no place within a text: expected text, a number or a boolean")
	}
}

// objects evaluates the template. What it gives is the caller's own.
func (t *template) objects(e *evaluation) ([]map[string]any, error) {
	budget := maxText
	out := make([]map[string]any, len(t.documents))
	for i, document := range t.documents {
		v, err := document.render(e, &budget)
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", i+1, err)
		}
		object, ok := v.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("document %d is no object", i+1)
		}
		out[i] = object
	}
	return out, nil
}

// render copies the constant: what is generated belongs to whoever it is given to.
func (c constant) render(*evaluation, *int) (any, error) { return copyJSON(c.value), nil }

func copyJSON(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, item := range v {
			out[key] = copyJSON(item)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = copyJSON(item)
		}
		return out
	default:
		return v
	}
}

func (m mapping) render(e *evaluation, budget *int) (any, error) {
	out := make(map[string]any, len(m))
	for _, entry := range m {
		v, err := entry.value.render(e, budget)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", entry.key, err)
		}
		out[entry.key] = v
	}
	return out, nil
}

func (s nodes) render(e *evaluation, budget *int) (any, error) {
	out := make([]any, len(s))
	for i, item := range s {
		v, err := item.render(e, budget)
		if err != nil {
			return nil, fmt.Errorf("[%d]: %w", i, err)
		}
		out[i] = v
	}
	return out, nil
}

func (s splice) render(e *evaluation, budget *int) (any, error) {
	v, err := e.run(&s.program)
	if err != nil {
		return nil, err
	}
	return s.plain(v, budget)
}

// plain gives the JSON value of what the expression came to.
func (p *program) plain(v ref.Val, budget *int) (any, error) {
	if optional, ok := v.(*types.Optional); ok {
		if !optional.HasValue() {
			return nil, p.failed(fmt.Errorf("it gives no value"))
		}
		v = optional.GetValue()
	}
	out, err := plain(v, budget)
	if err != nil {
		return nil, p.failed(err)
	}
	return out, nil
}

func (m mixture) render(e *evaluation, budget *int) (any, error) {
	var out strings.Builder
	for i := range m {
		f := &m[i]
		if f.program == nil {
			out.WriteString(f.text)
			continue
		}
		v, err := e.run(f.program)
		if err != nil {
			return nil, err
		}
		value, err := f.program.plain(v, budget)
		if err != nil {
			return nil, err
		}
		text, err := scalarText(value)
		if err != nil {
			return nil, f.program.failed(err)
		}
		out.WriteString(text)
	}
	return out.String(), nil
}
