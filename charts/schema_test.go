package charts

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/policies"
)

// The packs and parameters that the schema lets pass are those of the shipped bundle.
func TestTheSchemaKnowsThePacksAndParameters(t *testing.T) {
	_, sum, err := bundle.Load(t.Context(), bundle.Sources{FS: policies.FS(), FSName: "shipped"})
	if err != nil {
		t.Fatal(err)
	}
	packs, parameters := map[string]bool{}, map[string]bool{}
	for _, p := range sum.Choices {
		for _, name := range p.Packs {
			packs[name] = true
		}
		for _, x := range p.Parameters {
			parameters[x.Name] = true
		}
	}
	text, err := os.ReadFile("holdfast/values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	type names struct {
		PropertyNames struct {
			Enum []string `json:"enum"`
		} `json:"propertyNames"`
	}
	var schema struct {
		Then struct {
			Properties struct {
				Packs      names `json:"packs"`
				Parameters names `json:"parameters"`
			} `json:"properties"`
		} `json:"then"`
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	for what, of := range map[string]struct {
		schema names
		want   map[string]bool
	}{"packs": {schema.Then.Properties.Packs, packs}, "parameters": {schema.Then.Properties.Parameters, parameters}} {
		if want := slices.Sorted(maps.Keys(of.want)); !slices.Equal(of.schema.PropertyNames.Enum, want) {
			t.Errorf("the schema knows the %s %v, want %v", what, of.schema.PropertyNames.Enum, want)
		}
	}
}
