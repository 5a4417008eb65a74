package cel

import (
	"errors"
	"testing"
)

// FuzzLibraries hands any text to the functions that read texts of others: nothing panics, a function that cannot read the
// text is an error of the expression, and what was read and written again is the same.
func FuzzLibraries(f *testing.F) {
	for _, seed := range []string{
		"", "{}", `{"a": [1, 2.5, null, "x\u00e9"], "b": {"": false}}`, "a: &a [1]\nb: *a\n", "<<: {a: 1}", "- 0x1F\n- 1e3\n- 2001-01-01\n",
		"registry.example.com:5000/web:1.2@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "[a-z]{3}(x|y)*", "(((",
		"system:serviceaccount:a:b", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----", "\x1f\x8b\x08\x00",
	} {
		f.Add(seed)
	}
	var rules []*Rule
	for _, expression := range []string{
		"gzip.decompress(gzip.compress(variables.t)) == variables.t && md5(variables.t).size() == 32",
		"parseServiceAccount(variables.t).Name.size() <= variables.t.size()",
		"json.unmarshal(json.marshal(json.unmarshal(variables.t))) == json.unmarshal(variables.t)",
		"json.unmarshal(json.marshal(yaml.parse(variables.t))) == yaml.parse(variables.t)",
		"isImage(variables.t) == (image(variables.t).registry() != '')",
		"gzip.decompress(bytes(variables.t)) == gzip.decompress(bytes(variables.t))",
		"random(variables.t) == random(variables.t)", // of the same bytes
		"x509.decode(variables.t) == x509.decode(variables.t)",
	} {
		rules = append(rules, mustCompile(f, withVariables(kyverno(expression), "t", "string(object.text)")))
	}
	f.Fuzz(func(t *testing.T, text string) {
		in := &Input{World: shop(), Object: map[string]any{"text": text}}
		for _, rule := range rules {
			r := rule.Evaluate(t.Context(), in)
			if r.Outcome == Fail || r.Err != nil && !errors.Is(r.Err, ErrExpression) {
				t.Errorf("%q: %s", text, line(r))
			}
		}
	})
}
