package jmesfn

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/functions.md anew")

// shown is the example of a function whose argument is too long to be written out. Its test is
// TestTheShownExampleIsTrue.
var shown = map[string]Example{
	"x509_decode": {
		Expr:   `x509_decode(base64_decode(request.object.data."tls.crt")).Subject.CommonName`,
		Result: `"svc.example.com"`, Varies: true,
	},
}

// TestTheFunctionReferenceIsUpToDate holds docs/functions.md to the table of functions. With -update it writes
// it anew.
func TestTheFunctionReferenceIsUpToDate(t *testing.T) {
	const path = "../../../docs/functions.md"
	got := functionsPage(Specs())
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/functions.md is not what the table says: run go test ./engine/expr/jmesfn -update")
	}
}

func TestTheShownExampleIsTrue(t *testing.T) {
	key := rsaKey(t)
	text := certificate(t, nil, &key.PublicKey, key)
	encoded, err := search(t, "base64_encode(@)", text)
	if err != nil {
		t.Fatal(err)
	}
	secret := map[string]any{"request": map[string]any{"object": map[string]any{"data": map[string]any{"tls.crt": encoded}}}}
	for name, e := range shown {
		got, err := search(t, e.Expr, secret)
		if err != nil || got != decode(t, []byte(e.Result)) {
			t.Errorf("%s: got %v, %v, want %s", name, got, err, e.Result)
		}
	}
}

const functionsHead = "# JMESPath functions\n\n" +
	"Written by the table of functions itself: `go test ./engine/expr/jmesfn -update`. Every example is evaluated by a\n" +
	"test, and every function is compared with that of Kyverno 1.19 by `make differential`.\n\n" +
	"Variables (`{{ ... }}`), lists of `foreach` and every `jmesPath` of a policy are\n" +
	"[JMESPath](https://jmespath.org/specification.html) with these functions. An unknown function, a wrong number of\n" +
	"arguments and a bad pattern that is written out are refused when the policy is loaded. A wrong kind of argument makes\n" +
	"the rule an error, which never reads as a pass. Errors name the function and the argument and quote no value.\n\n"

// functionsPage writes all functions as Markdown.
func functionsPage(specs []Spec) []byte {
	var b bytes.Buffer
	b.WriteString(functionsHead)
	fmt.Fprintf(&b, "Bounds: a string that a function makes is at most %d bytes long, a list or object has at most %d elements;\n", MaxString, MaxItems)
	fmt.Fprintf(&b, "a regular expression is at most %d bytes long and %d instructions large, and a certificate %d bytes.\n", MaxPattern, MaxProgram, MaxCertificate)
	for _, part := range []struct {
		title    string
		standard bool
	}{{"Functions of JMESPath", true}, {"Functions of the policy language", false}} {
		var names []string
		for i := range specs {
			if specs[i].Standard == part.standard {
				names = append(names, fmt.Sprintf("[%s](#%s)", specs[i].Name, specs[i].Name))
			}
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", part.title, strings.Join(names, ", "))
		for i := range specs {
			if specs[i].Standard == part.standard {
				b.WriteString(entry(&specs[i]))
			}
		}
	}
	return b.Bytes()
}

func entry(s *Spec) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n### %s\n\n```\n%s\n```\n\n%s\n", s.Name, s.Signature(), s.Doc)
	examples := s.Examples
	if e, ok := shown[s.Name]; ok {
		examples = append(examples, e)
	}
	fmt.Fprintf(&b, "\n| example | result |\n|---|---|\n")
	for _, e := range examples {
		result := cell(e.Result)
		if e.Varies {
			result += ", for one"
		}
		fmt.Fprintf(&b, "| %s | %s |\n", cell(e.Expr), result)
	}
	return b.String()
}

// cell writes code in a table: fenced by more backticks than it holds, and with its pipes escaped.
func cell(code string) string {
	fence := "`"
	for strings.Contains(code, fence) {
		fence += "`"
	}
	pad := ""
	if len(fence) > 1 {
		pad = " "
	}
	return fence + pad + strings.ReplaceAll(code, "|", `\|`) + pad + fence
}
