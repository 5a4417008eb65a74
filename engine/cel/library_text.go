package cel

import (
	"bytes"
	"compress/gzip"
	"crypto/md5"  //nolint:gosec // expressions name the hash that they want
	"crypto/sha1" //nolint:gosec // as above
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"

	"github.com/holdfast-io/holdfast/engine/expr/jmesfn"
)

func jsonFunctions() []function {
	return []function{
		{
			names: []string{"unmarshal"}, on: jsonType,
			is:      "Reads a JSON value. Its numbers are doubles.",
			example: `json.unmarshal('{"a": [1, 2]}').a[1]`, gives: `2.0`,
			forms: []form{{takes: []parameter{{"text", types.DynType}}, gives: types.DynType, weight: 2, call: unmarshal}},
		},
		{
			names: []string{"marshal"}, on: jsonType,
			is:      "Writes a value as JSON, with keys in their order.",
			example: `json.marshal({'b': [1, 2.5, null], 'a': 'x'})`, gives: `'{"a":"x","b":[1,2.5,null]}'`,
			forms: []form{{takes: []parameter{{"value", types.DynType}}, gives: textType, weight: 2, call: marshal}},
		},
	}
}

func unmarshal(args []ref.Val) ref.Val {
	text, ok := args[1].(types.String)
	if !ok {
		return failed("json.unmarshal", noText(args[1]))
	}
	if len(text) > maxText {
		return tooLarge(len(text))
	}
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		var wrong *json.SyntaxError
		if errors.As(err, &wrong) {
			return failed("json.unmarshal", fmt.Errorf("the text is no valid JSON at byte %d", wrong.Offset))
		}
		return failed("json.unmarshal", errors.New("the text is no valid JSON"))
	}
	return value(doubles(v))
}

func marshal(args []ref.Val) ref.Val {
	budget := maxText
	v, err := plain(args[1], &budget)
	if err != nil {
		return failed("json.marshal", err)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return failed("json.marshal", err)
	}
	if len(text) > maxText {
		return tooLarge(len(text))
	}
	return types.String(text)
}

func yamlFunctions() []function {
	return []function{{
		names: []string{"parse"}, on: yamlType,
		is:      "Reads the first document of a YAML text, as YAML 1.1 has it. Its numbers are doubles.",
		example: `yaml.parse('a: [1, yes]').a`, gives: `[1.0, true]`,
		forms: []form{{takes: []parameter{{"text", textType}}, gives: types.DynType, weight: 5, call: func(args []ref.Val) ref.Val {
			v, err := jmesfn.ParseYAML(argText(args, 1))
			if err != nil {
				return failed("yaml.parse", err)
			}
			return value(doubles(v))
		}}},
	}}
}

func hashFunctions() []function {
	hash := func(name, is, gives string, sum func([]byte) []byte) function {
		return function{
			names: []string{name, "hash." + name}, is: "Gives the " + is + " of a text, in lower-case hexadecimal.",
			example: "hash." + name + "('kelp')", gives: "'" + gives + "'",
			forms: []form{{takes: []parameter{{"text", textType}}, gives: textType, call: func(args []ref.Val) ref.Val {
				text := argText(args, 0)
				if len(text) > maxText {
					return tooLarge(len(text))
				}
				return types.String(hex.EncodeToString(sum([]byte(text))))
			}}},
		}
	}
	return []function{
		hash("md5", "MD5", "c40c69779e15780adae46c45eb451e23", func(b []byte) []byte { s := md5.Sum(b); return s[:] }),             //nolint:gosec // see above
		hash("sha1", "SHA-1", "70b6a0495fb444a63297c83de187b1730a18e85a", func(b []byte) []byte { s := sha1.Sum(b); return s[:] }), //nolint:gosec // see above
		hash("sha256", "SHA-256", "280f8bb8c43d532f389ef0e2a5321220b0782b065205dcdfcb8d8f02ed5115b9", func(b []byte) []byte { s := sha256.Sum256(b); return s[:] }),
	}
}

func gzipFunctions() []function {
	return []function{
		{
			names:   []string{"gzip.compress"},
			is:      "Compresses a text. The same text gives the same bytes.",
			example: `gzip.decompress(gzip.compress('kelp'))`, gives: `'kelp'`,
			forms: []form{{takes: []parameter{{"text", types.DynType}}, gives: types.BytesType, weight: 5, call: compress}},
		},
		{
			names:   []string{"gzip.decompress"},
			is:      "Gives the text that was compressed.",
			example: `gzip.decompress(base64.decode('H4sIAAAAAAACA8tOzSkAAELzMhoEAAAA'))`, gives: `'kelp'`,
			forms: []form{{takes: []parameter{{"data", types.BytesType}}, gives: textType, call: decompress}},
		},
	}
}

func compress(args []ref.Val) ref.Val {
	text, ok := args[0].(types.String)
	if !ok {
		return failed("gzip.compress", noText(args[0]))
	}
	if len(text) > maxText {
		return tooLarge(len(text))
	}
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := io.WriteString(w, string(text)); err != nil {
		return failed("gzip.compress", err)
	}
	if err := w.Close(); err != nil {
		return failed("gzip.compress", err)
	}
	return types.Bytes(out.Bytes())
}

// decompress stops where the text gets too long: a few kilobytes can hold gigabytes.
func decompress(args []ref.Val) ref.Val {
	data, ok := args[0].(types.Bytes)
	if !ok {
		return types.MaybeNoSuchOverloadErr(args[0])
	}
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return failed("gzip.decompress", err)
	}
	text, err := io.ReadAll(io.LimitReader(r, maxText+1))
	if err != nil {
		return failed("gzip.decompress", err)
	}
	if len(text) > maxText {
		return failed("gzip.decompress", fmt.Errorf("the text is longer than %d bytes", maxText))
	}
	return types.String(text)
}

func noText(v ref.Val) error {
	return fmt.Errorf("a value of type %s: expected string", v.Type().TypeName())
}
