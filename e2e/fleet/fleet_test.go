package fleet

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestTheFleetIsDiverseAndTheSameEachTime(t *testing.T) {
	const count = 5000
	kinds, wrong, bytes := map[string]int{}, map[string]int{}, map[string]int{}
	names := map[string]bool{}
	violating := 0
	var again []Object
	for o := range Generate(count, 42) {
		again = append(again, o)
	}
	i := 0
	for o := range Generate(count, 42) {
		if !reflect.DeepEqual(o, again[i]) {
			t.Fatalf("object %d is another one the second time", i)
		}
		i++
		raw, err := json.Marshal(o.Content)
		if err != nil {
			t.Fatal(err)
		}
		kind := o.Content["kind"].(string)
		kinds[kind]++
		bytes[kind] += len(raw)
		name := kind + "/" + o.Content["metadata"].(map[string]any)["name"].(string)
		if names[name] {
			t.Errorf("%s is there twice", name)
		}
		names[name] = true
		for _, v := range o.Violates {
			wrong[v]++
		}
		if len(o.Violates) > 0 {
			violating++
		}
	}
	if i != count || kinds["Namespace"] != count/perNamespace {
		t.Errorf("%d objects, %v", i, kinds)
	}
	for kind, between := range map[string][2]int{"Pod": {1400, 1600}, "Deployment": {1400, 1650}, "Service": {700, 900}, "ConfigMap": {650, 850}, "Ingress": {330, 470}} {
		if n := kinds[kind]; n < between[0] || n > between[1] {
			t.Errorf("%d %ss, expected %d to %d", n, kind, between[0], between[1])
		}
		if size := bytes[kind] / kinds[kind]; size < 1000 || size > 6000 {
			t.Errorf("a %s has %d bytes", kind, size)
		}
	}
	if violating < count*18/100 || violating > count*22/100 {
		t.Errorf("%d of %d objects violate something, expected a fifth", violating, count)
	}
	for _, v := range violations {
		if wrong[v.name] == 0 {
			t.Errorf("nobody violates %q", v.name)
		}
	}
	for o := range Generate(1, 43) {
		if reflect.DeepEqual(o, again[0]) {
			t.Error("another seed makes the same object")
		}
	}
}

func TestObjectsOfAFile(t *testing.T) {
	for name, tc := range map[string]struct{ file, text, err string }{
		"YAML documents, of which one is empty":     {"o.yaml", "kind: A\n---\n# nothing\n---\nkind: B\n", ""},
		"a line each":                               {"o.jsonl", `{"kind": "A"}` + "\n" + `{"kind": "B"}` + "\n", ""},
		"lines that say what is wrong":              {"o.jsonl", `{"path": "/x", "violates": ["much"], "obj": {"kind": "A"}}` + "\n" + `{"obj": {"kind": "B"}}`, ""},
		"an error names the object and ends it all": {"o.jsonl", `{"kind": "A"}` + "\n{\n" + `{"kind": "B"}`, "read object 2 of FILE: unexpected end of JSON input"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), tc.file)
			if err := os.WriteFile(path, []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			kinds, failure := "", ""
			for o, err := range Read(path) {
				if err != nil {
					failure = err.Error()
					continue
				}
				kinds += o.Content["kind"].(string)
			}
			want := "AB"
			if tc.err != "" {
				want = "A"
			}
			wantErr := tc.err
			if wantErr != "" {
				wantErr = "read object 2 of " + path + ": unexpected end of JSON input"
			}
			if kinds != want || failure != wantErr {
				t.Errorf("kinds %s, error %q", kinds, failure)
			}
		})
	}
}
