package jmesfn

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v2"
)

// parseFunctions read values from text.
var parseFunctions = []function{
	{Spec: Spec{
		Name: "parse_json", Args: []Arg{arg("text", String)}, Returns: Any,
		Doc:      "Reads a JSON value from a string.",
		Examples: []Example{{Expr: "parse_json('{\"a\": [1, 2]}').a[1]", Result: "2"}},
	}, impl: func(c *call) (any, error) {
		if err := c.readable(); err != nil {
			return nil, err
		}
		var value any
		if err := json.Unmarshal([]byte(c.string(0)), &value); err != nil {
			return nil, c.argument(0, "is no valid JSON%s", position(err))
		}
		return value, nil
	}},
	{Spec: Spec{
		Name: "parse_yaml", Args: []Arg{arg("text", String)}, Returns: Any,
		Doc: "Reads the first YAML document of a string, as YAML 1.1 has it (yes and no are booleans). " +
			"Keys that are numbers or booleans become strings.",
		Examples: []Example{{Expr: "parse_yaml('a: [1, yes]')", Result: `{"a": [1, true]}`}},
	}, impl: func(c *call) (any, error) {
		if err := c.readable(); err != nil {
			return nil, err
		}
		var value any
		if err := yaml.Unmarshal([]byte(c.string(0)), &value); err != nil {
			return nil, c.argument(0, "is no valid YAML%s", position(err))
		}
		conv := converter{budget: MaxString}
		value, err := conv.toJSON(value)
		if err != nil {
			return nil, c.argument(0, "%w", err)
		}
		return value, nil
	}},
	{Spec: Spec{
		Name: "to_boolean", Args: []Arg{arg("text", String)}, Returns: Boolean,
		Doc:      "Reads true or false from a string, in any case.",
		Examples: []Example{{Expr: "to_boolean('True')", Result: "true"}},
	}, impl: func(c *call) (any, error) {
		switch text := c.string(0); {
		case strings.EqualFold(text, "true"):
			return true, nil
		case strings.EqualFold(text, "false"):
			return false, nil
		}
		return nil, c.argument(0, "must be true or false, in any case")
	}},
}

// readable bounds what the parsers are given: they make a value some thirty times the size of its text.
func (c *call) readable() error {
	if len(c.string(0)) > MaxString {
		return c.argument(0, "is longer than %d bytes: %w", MaxString, ErrTooLarge)
	}
	return nil
}

// position gives where a parser stopped, and nothing of the text that it stopped at.
func position(err error) string {
	var wrong *json.SyntaxError
	if errors.As(err, &wrong) {
		return fmt.Sprintf(" at byte %d", wrong.Offset)
	}
	line, _, found := strings.Cut(strings.TrimPrefix(err.Error(), "yaml: line "), ":")
	if _, notNumber := strconv.Atoi(line); found && notNumber == nil {
		return " at line " + line
	}
	return ""
}

// converter turns what the YAML library decodes into JSON values. Anchors make a small text into a large
// value (each alias is decoded again, and a long string may be named a thousand times), so it counts.
type converter struct{ budget int }

var errYAMLSize = fmt.Errorf("is YAML whose aliases make more than %d bytes: %w", MaxString, ErrTooLarge)

func (c *converter) toJSON(v any) (any, error) {
	if c.budget--; c.budget < 0 {
		return nil, errYAMLSize
	}
	switch v := v.(type) {
	case nil, bool:
		return v, nil
	case string:
		if c.budget -= len(v); c.budget < 0 {
			return nil, errYAMLSize
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
			return nil, errors.New("holds a number that is not finite")
		}
		return v, nil
	case []any:
		return c.list(v)
	case map[any]any:
		return c.object(v)
	default:
		return nil, fmt.Errorf("holds a value of type %T, which JSON does not have", v)
	}
}

func (c *converter) list(in []any) (any, error) {
	out := make([]any, len(in))
	for i, item := range in {
		var err error
		if out[i], err = c.toJSON(item); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (c *converter) object(in map[any]any) (any, error) {
	out := make(map[string]any, len(in))
	for k, item := range in {
		key, err := keyText(k)
		if err != nil {
			return nil, err
		}
		if _, taken := out[key]; taken {
			return nil, errors.New("holds two keys that are the same text") // which one wins would be chance
		}
		c.budget -= len(key)
		if out[key], err = c.toJSON(item); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func keyText(key any) (string, error) {
	switch key := key.(type) {
	case string:
		return key, nil
	case bool:
		return strconv.FormatBool(key), nil
	case int:
		return strconv.Itoa(key), nil
	case int64:
		return strconv.FormatInt(key, 10), nil
	case float64:
		switch {
		case math.IsInf(key, 1):
			return ".inf", nil
		case math.IsInf(key, -1):
			return "-.inf", nil
		case math.IsNaN(key):
			return ".nan", nil
		}
		return strconv.FormatFloat(key, 'g', -1, 64), nil
	default:
		return "", fmt.Errorf("holds a key of type %T, which JSON does not have", key)
	}
}
