package jmesfn

import (
	"crypto/md5"  //nolint:gosec // a name, not a secret: policies use it to shorten text
	"crypto/sha1" //nolint:gosec // as above
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
)

// encodingFunctions turn text or values into other text.
var encodingFunctions = []function{
	{Spec: Spec{
		Name: "base64_encode", Args: []Arg{arg("text", String)}, Returns: String,
		Doc:      "Encodes a string in standard base64 with padding.",
		Examples: []Example{{Expr: "base64_encode('Hello, world!')", Result: `"SGVsbG8sIHdvcmxkIQ=="`}},
	}, impl: func(c *call) (any, error) {
		text := c.string(0)
		if err := checkString(base64.StdEncoding.EncodedLen(len(text))); err != nil {
			return nil, c.errorf("%w", err)
		}
		return base64.StdEncoding.EncodeToString([]byte(text)), nil
	}},
	{Spec: Spec{
		Name: "base64_decode", Args: []Arg{arg("text", String)}, Returns: String,
		Doc:      "Decodes standard base64 with padding; line breaks are skipped.",
		Examples: []Example{{Expr: "base64_decode('SGVsbG8sIHdvcmxkIQ==')", Result: `"Hello, world!"`}},
	}, impl: func(c *call) (any, error) {
		decoded, err := base64.StdEncoding.DecodeString(c.string(0))
		if err != nil {
			return nil, c.argument(0, "is no valid base64: %w", err)
		}
		return string(decoded), nil
	}},
	{Spec: Spec{
		Name: "sha256", Args: []Arg{arg("text", String)}, Returns: String,
		Doc:      "Gives the SHA-256 hash of a string, in hexadecimal.",
		Examples: []Example{{Expr: "sha256('holdfast')", Result: `"d1580d2df7f24b6f5e2a861eba2918755c3a7246b7068817e349d8adc66a8566"`}},
	}, impl: func(c *call) (any, error) {
		sum := sha256.Sum256([]byte(c.string(0)))
		return hex.EncodeToString(sum[:]), nil
	}},
	{Spec: Spec{
		Name: "sha1", Args: []Arg{arg("text", String)}, Returns: String,
		Doc:      "Gives the SHA-1 hash of a string, in hexadecimal. It is no protection against forgery.",
		Examples: []Example{{Expr: "sha1('holdfast')", Result: `"9212b8e82fa751fa6648cc2fe7add936bde18507"`}},
	}, impl: func(c *call) (any, error) {
		sum := sha1.Sum([]byte(c.string(0))) //nolint:gosec // as above
		return hex.EncodeToString(sum[:]), nil
	}},
	{Spec: Spec{
		Name: "md5", Args: []Arg{arg("text", String)}, Returns: String,
		Doc:      "Gives the MD5 hash of a string, in hexadecimal. It is no protection against forgery.",
		Examples: []Example{{Expr: "md5('holdfast')", Result: `"dce38a1a984bc9108fccfe5a32fda9f7"`}},
	}, impl: func(c *call) (any, error) {
		sum := md5.Sum([]byte(c.string(0))) //nolint:gosec // as above
		return hex.EncodeToString(sum[:]), nil
	}},
	{Spec: Spec{
		Name: "to_string", Args: []Arg{arg("value", Any)}, Returns: String, Standard: true,
		Doc:      "Writes a value as JSON, the keys of objects sorted and <, > and & escaped. A string is given as it is.",
		Examples: []Example{{Expr: "to_string(`{\"b\": 1, \"a\": [true]}`)", Result: `"{\"a\":[true],\"b\":1}"`}},
	}, impl: toString},
}

func toString(c *call) (any, error) {
	if s, ok := c.args[0].(string); ok {
		return s, nil
	}
	// Before it is written: see SizeWithin.
	if !SizeWithin(c.args[0], MaxString) {
		return nil, c.errorf("%w", checkString(MaxString+1))
	}
	text, err := json.Marshal(c.args[0])
	if err != nil {
		return nil, c.argument(0, "cannot be written as JSON")
	}
	return c.made(string(text))
}
