package v1alpha1

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write docs/api.md anew")

// TestTheReferenceIsUpToDate holds docs/api.md to the definition of the resource. With -update it writes it anew.
func TestTheReferenceIsUpToDate(t *testing.T) {
	const path = "../../docs/api.md"
	raw, err := os.ReadFile("../../charts/holdfast/definitions/holdfast.dev_remediations.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var definition apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(raw, &definition); err != nil {
		t.Fatal(err)
	}
	got := referenceOf(&definition)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Error("docs/api.md is not what the definition says: run go test ./api/v1alpha1 -run TestTheReferenceIsUpToDate -update")
	}
}

// referenceOf writes the fields of a resource as Markdown, a table for each object of it.
func referenceOf(definition *apiextensionsv1.CustomResourceDefinition) string {
	var b strings.Builder
	version := definition.Spec.Versions[0]
	fmt.Fprintf(&b, "# API reference\n\nWritten from the definition by `make generate`. [remediation.md](remediation.md) says what it is for.\n\n")
	fmt.Fprintf(&b, "## %s\n\n`apiVersion: %s/%s`, %s. %s\n", definition.Spec.Names.Kind, definition.Spec.Group, version.Name,
		strings.ToLower(string(definition.Spec.Scope)), inLine(version.Schema.OpenAPIV3Schema.Description))
	for _, part := range []string{"spec", "status"} {
		schema := version.Schema.OpenAPIV3Schema.Properties[part]
		fieldsOf(&b, part, &schema)
	}
	return b.String()
}

// fieldsOf writes the table of an object, and then those of the objects in it.
func fieldsOf(b *strings.Builder, path string, schema *apiextensionsv1.JSONSchemaProps) {
	fmt.Fprintf(b, "\n### `%s`\n", path)
	if text := inLine(schema.Description); text != "" {
		fmt.Fprintf(b, "\n%s\n", text)
	}
	fmt.Fprintf(b, "\n| field | type | |\n|---|---|---|\n")
	names := slices.Sorted(maps.Keys(schema.Properties))
	for _, name := range names {
		field := schema.Properties[name]
		text := inLine(field.Description)
		if slices.Contains(schema.Required, name) {
			text = strings.TrimSpace("**required.** " + text)
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", name, typeOf(&field), strings.ReplaceAll(text, "|", `\|`))
	}
	for _, name := range names {
		field := schema.Properties[name]
		below, at := &field, path+"."+name
		if field.Items != nil {
			below, at = field.Items.Schema, at+"[]"
		}
		if len(below.Properties) > 0 {
			fieldsOf(b, at, below)
		}
	}
}

// typeOf names the type of a field, with the values that it takes.
func typeOf(s *apiextensionsv1.JSONSchemaProps) string {
	switch {
	case len(s.Enum) > 0:
		var values []string
		for _, v := range s.Enum {
			values = append(values, "`"+strings.Trim(string(v.Raw), `"`)+"`")
		}
		return strings.Join(values, ", ")
	case s.Items != nil:
		return "list of " + typeOf(s.Items.Schema)
	case s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil:
		return "map of " + typeOf(s.AdditionalProperties.Schema)
	case s.Format != "":
		return s.Type + " (" + s.Format + ")"
	case s.Type == "":
		return "any"
	default:
		return s.Type
	}
}

func inLine(text string) string { return strings.Join(strings.Fields(text), " ") }
