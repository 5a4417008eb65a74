package sarif

import (
	"bytes"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	_ "github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif" // has the published schema
	"github.com/xeipuuv/gojsonschema"
)

// schema is that of SARIF 2.1.0 as it is published. The library has it for itself: its reader adds what logs leave out, so
// that logs are better held to the schema as they are.
func schema(t *testing.T) *gojsonschema.Schema {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-f", "{{.Dir}}", "github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif").Output()
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(strings.TrimSpace(string(dir)), "schema.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	ast.Inspect(file, func(n ast.Node) bool {
		if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING && text == "" {
			text, err = strconv.Unquote(literal.Value)
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := gojsonschema.NewSchema(gojsonschema.NewStringLoader(text))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// check says where the log is not as the schema wants it.
func check(t *testing.T, s *gojsonschema.Schema, log []byte) error {
	t.Helper()
	result, err := s.Validate(gojsonschema.NewBytesLoader(log))
	if err != nil {
		t.Fatal(err)
	}
	var wrong []string
	for _, e := range result.Errors() {
		wrong = append(wrong, e.String())
	}
	if len(wrong) > 0 {
		return errors.New(strings.Join(wrong, "\n"))
	}
	return nil
}

// The golden logs of all who write some are of the published schema.
func TestLogsAreOfThePublishedSchema(t *testing.T) {
	s := schema(t)
	for _, path := range []string{"../testdata/sarif.json", "../testdata/sarif-baseline.json", "../../clitest/testdata/sarif.json"} {
		log, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := check(t, s, log); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestTheSchemaRefusesWhatIsWrong(t *testing.T) {
	run := NewRun("", nil)
	run.Results = []Result{{Level: "grave", Locations: []Location{}, Fingerprints: map[string]string{}}}
	var b bytes.Buffer
	if err := Write(&b, run); err != nil {
		t.Fatal(err)
	}
	const want = `runs.0.results.0.level: runs.0.results.0.level must be one of the following: "none", "note", "warning", "error"`
	if err := check(t, schema(t), b.Bytes()); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestURI(t *testing.T) {
	for path, want := range map[string]string{
		"a/b.yaml": "a/b.yaml", "a b.yaml": "a%20b.yaml", "a:b.yaml": "./a:b.yaml", "/a/ä.yaml": "file:///a/%C3%A4.yaml", "stdin": "stdin",
	} {
		if got := URI(path); got != want {
			t.Errorf("URI(%q) = %q, want %q", path, got, want)
		}
	}
}
