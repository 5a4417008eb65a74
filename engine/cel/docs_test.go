package cel

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/cel-go/common/types"
)

var update = flag.Bool("update", false, "write docs/cel-functions.md anew")

// TestTheFunctionReferenceIsUpToDate holds docs/cel-functions.md to the libraries. With -update it writes it anew.
func TestTheFunctionReferenceIsUpToDate(t *testing.T) {
	const path = "../../docs/cel-functions.md"
	got := functionsPage()
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
		t.Error("docs/cel-functions.md is not what the libraries say: run go test ./engine/cel -run TestTheFunctionReferenceIsUpToDate -update")
	}
}

const functionsHead = "# CEL functions of policies.kyverno.io\n\n" +
	"Written by the libraries themselves: `go test ./engine/cel -run TestTheFunctionReferenceIsUpToDate -update`. Every example\n" +
	"is evaluated by a test.\n\n" +
	"Expressions of the policies of `policies.kyverno.io` have the\n" +
	"[functions of an API server](https://kubernetes.io/docs/reference/using-api/cel/), cel-go's `cel.bind`, `base64`, `math`\n" +
	"and `regex`, the variable `exceptions` (`allowedImages`, `allowedValues`) and the functions below; expressions of API\n" +
	"server policies and of `validate.cel` have the API server's alone. An unknown function and an argument of a wrong type\n" +
	"are refused when the policy is loaded.\n\n" +
	"What asks the world (`resource`, `http`, `globalContext`, `image.GetMetadata`) goes through the same gate as the\n" +
	"look-ups of other policies, see [lookups.md](lookups.md). A look-up that fails ends the evaluation with an error,\n" +
	"whatever stands around it: it never reads as false, nor as what does not exist.\n\n"

// functionsPage writes all libraries as Markdown.
func functionsPage() []byte {
	var b bytes.Buffer
	b.WriteString(functionsHead)
	fmt.Fprintf(&b, "Bounds: a text that a function makes or reads is at most %d bytes long, and YAML, a random text and a certificate have the\n"+
		"bounds of the [JMESPath functions](functions.md). The expressions of a rule look up at most %d things in one evaluation, and\n"+
		"generate at most %d objects.\n", maxText, maxCalls, maxGenerated)
	for _, l := range libraries() {
		fmt.Fprintf(&b, "\n## %s\n\n| function | what it does | example |\n|---|---|---|\n", l.name)
		for _, f := range l.functions {
			fmt.Fprintf(&b, "| %s | %s | `%s` → `%s` |\n", strings.Join(f.signatures(), "<br>"), strings.ReplaceAll(f.is, "|", `\|`), f.example, f.gives)
		}
	}
	return b.Bytes()
}

// signatures are the forms of a function in its first spelling, and the other spellings.
func (f *function) signatures() []string {
	var out []string
	for i := range f.forms {
		form := &f.forms[i]
		var args []string
		for _, p := range form.takes {
			if p.is != worldType {
				args = append(args, p.name+": "+typeName(p.is))
			}
		}
		text := fmt.Sprintf("`%s(%s) -> %s`", f.names[0], strings.Join(args, ", "), typeName(form.gives))
		if form.only != nil && *form.only == ofNamespace {
			text += " in a namespaced policy"
		}
		out = append(out, text)
	}
	if others := f.names[1:]; len(others) > 0 {
		out = append(out, "also `"+strings.Join(others, "`, `")+"`")
	}
	return out
}

func typeName(t *types.Type) string {
	switch t {
	case gvrType:
		return "GVR"
	case dataType:
		return "object"
	}
	return strings.NewReplacer("map(string, dyn)", "object", "google.protobuf.", "").Replace(t.String())
}
