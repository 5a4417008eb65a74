package charts

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write the table of values anew")

const readme = "holdfast/README.md"

// The README's table of values is made from the comments in values.yaml, each of which says what its key means.
func TestTheTableOfValuesIsUpToDate(t *testing.T) {
	text, err := os.ReadFile("holdfast/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var values yaml.Node
	if err := yaml.Unmarshal(text, &values); err != nil {
		t.Fatal(err)
	}
	table := &valueTable{t: t}
	table.mapping("", values.Content[0])
	if len(table.rows) < 60 {
		t.Fatalf("only %d values were found", len(table.rows))
	}
	before, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	const heading = "\n| key | default | |\n|---|---|---|\n"
	head, _, found := strings.Cut(string(before), heading)
	if !found {
		t.Fatalf("%s has no table", readme)
	}
	want := head + heading + strings.Join(table.rows, "")
	if want == string(before) {
		return
	}
	if !*update {
		t.Fatalf("the table in %s is not what values.yaml says: run go test ./charts -run %s -update", readme, t.Name())
	}
	if err := os.WriteFile(readme, []byte(want), 0o644); err != nil { //nolint:gosec // a document
		t.Fatal(err)
	}
}

// valueTable has a row for each value.
type valueTable struct {
	t    *testing.T
	rows []string
}

// mapping adds the values of a mapping, by the path before them. One whose keys have no comments of their own is a value as
// a whole.
func (v *valueTable) mapping(path string, node *yaml.Node) {
	for i := 0; i < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		at := path + key.Value
		if value.Kind == yaml.MappingNode && commented(value) {
			v.mapping(at+".", value)
			continue
		}
		about := strings.Join(strings.Fields(strings.ReplaceAll(key.HeadComment, "#", " ")), " ")
		if about == "" {
			v.t.Errorf("values.yaml: %s has no comment", at)
		}
		v.rows = append(v.rows, fmt.Sprintf("| `%s` | %s | %s |\n", at, v.shown(value), strings.ReplaceAll(about, "|", `\|`)))
	}
}

// commented reports whether a key in the mapping, or below it, has a comment.
func commented(node *yaml.Node) bool {
	for i := 0; i < len(node.Content); i += 2 {
		if node.Content[i].HeadComment != "" || node.Content[i+1].Kind == yaml.MappingNode && commented(node.Content[i+1]) {
			return true
		}
	}
	return false
}

// shown is a default, unless it is too long to be looked up in a table.
func (v *valueTable) shown(node *yaml.Node) string {
	const longest = 90
	var value any
	if err := node.Decode(&value); err != nil {
		v.t.Fatal(err)
	}
	text, err := json.Marshal(value)
	switch {
	case err != nil:
		v.t.Fatal(err)
	case value == "":
		return ""
	case len(text) > longest:
		return "see `values.yaml`"
	}
	if s, ok := value.(string); ok {
		return "`" + s + "`"
	}
	return "`" + string(text) + "`"
}
