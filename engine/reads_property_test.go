package engine_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/engine"
)

// verdicts writes down all that an audit says of an object.
func verdicts(t rapid.TB, s *engine.Snapshot, object map[string]any) string {
	t.Helper()
	res, err := s.Audit(context.Background(), request(object), inputs())
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for i := range res.Decisions {
		d := &res.Decisions[i]
		fmt.Fprintf(&b, "%s %s: %s %s %q at %q %v %v %v\n", d.Policy.Key(), d.Rule.Name, d.Status, d.Action, d.Message, d.Path, d.Exceptions, d.Properties, d.Keeps)
		raw, err := json.Marshal([]any{d.Patch, d.Changes})
		if err != nil {
			t.Fatal(err)
		}
		b.Write(raw)
	}
	fmt.Fprintln(&b, res.Patch, res.Dependencies)
	return b.String()
}

// beside gives objects that differ from this one in one place: another value there, none, or one where there was none.
func beside(object map[string]any) []map[string]any {
	var out []map[string]any
	var walk func(v any, rebuild func(any) map[string]any, depth int)
	walk = func(v any, rebuild func(any) map[string]any, depth int) {
		if depth > 0 {
			for _, odd := range []any{nil, "", "odd", -7.0, true, []any{}, map[string]any{"odd": "x"}} {
				out = append(out, rebuild(odd))
			}
		}
		m, ok := v.(map[string]any)
		if !ok || depth == 5 {
			return
		}
		with := func(key string, value any) map[string]any {
			changed := maps.Clone(m)
			changed[key] = value
			return rebuild(changed)
		}
		for key, value := range m {
			if depth == 0 && (key == "apiVersion" || key == "kind") || depth == 1 && (key == "name" || key == "namespace" || key == "managedFields" || key == "resourceVersion") {
				continue
			}
			gone := maps.Clone(m)
			delete(gone, key)
			out = append(out, rebuild(gone))
			walk(value, func(value any) map[string]any { return with(key, value) }, depth+1)
		}
		for _, key := range []string{"odd", "labels", "annotations", "spec", "status", "generation"} {
			if _, ok := m[key]; !ok {
				out = append(out, with(key, map[string]any{"odd": "x"}), with(key, 3.0))
			}
		}
	}
	walk(object, func(v any) map[string]any { return v.(map[string]any) }, 0)
	return out
}

// unread holds an object to the law that the audit says the same of whatever has the same fingerprint. It gives the number
// of objects that had.
func unread(t rapid.TB, s *engine.Snapshot, object map[string]any) int {
	t.Helper()
	resource := request(object).Target()
	reads := s.Reads(&resource)
	seed := engine.NewSeed()
	print := reads.Fingerprint(&seed, object)
	want, same := "", 0
	for _, other := range beside(object) {
		if reads.Fingerprint(&seed, other) != print {
			continue
		}
		if same++; want == "" {
			want = verdicts(t, s, object)
		}
		if got := verdicts(t, s, other); got != want {
			raw, _ := json.Marshal(other)
			t.Fatalf("rules that read %q say of\n%s\n%s\nand not what they say of %v:\n%s", reads.Paths(), raw, got, object, want)
		}
	}
	return same
}

func TestWhatIsNotReadDoesNotCount(t *testing.T) {
	list := objects(t)
	whole := map[string]*engine.Snapshot{"shipped": shipped(t), "written": written(t)}
	sets := maps.Clone(whole)
	for name, s := range whole {
		for _, p := range s.Policies() {
			sets[name+" "+p.Name] = s.Where(func(q *engine.Policy) bool { return q == p })
		}
	}
	for name, s := range sets {
		t.Run(name, func(t *testing.T) {
			same := 0
			for i, object := range list {
				resource := request(object).Target()
				if whole[name] != nil && i%5 != 0 || !slices.ContainsFunc([]engine.RuleKind{engine.Validate, engine.Mutate, engine.Generate}, func(k engine.RuleKind) bool { return s.Matches(k, &resource, engine.Create) }) {
					continue // each policy has all that it matches
				}
				same += unread(t, s, object)
			}
			if same == 0 {
				t.Error("every change counts")
			}
		})
		if whole[name] != nil {
			t.Run(name+", generated", rapid.MakeCheck(func(t *rapid.T) { unread(t, s, grown(t)) }))
		}
	}
}

// TestWhatIsNotReadDoesNotCountInALibrary takes each policy below the folders of $HOLDFAST_POLICY_LIBRARY by itself, on the
// objects that lie beside it.
func TestWhatIsNotReadDoesNotCountInALibrary(t *testing.T) {
	folders := filepath.SplitList(os.Getenv("HOLDFAST_POLICY_LIBRARY"))
	compiler, err := engine.NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	policies, objects, same := map[string][]*engine.Policy{}, map[string][]map[string]any{}, 0
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" {
				return err
			}
			beside := filepath.Dir(path)
			if strings.HasPrefix(filepath.Base(beside), ".") {
				beside = filepath.Dir(beside)
			}
			for _, object := range documents(path) {
				if made, problems := bundle.CompileObject(compiler, object); len(problems) == 0 && made.Policy != nil {
					policies[beside] = append(policies[beside], made.Policy)
				} else if kind, _ := object["kind"].(string); kind != "" {
					objects[beside] = append(objects[beside], object)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for folder, list := range policies {
		for _, p := range list {
			s, err := engine.NewSnapshot([]*engine.Policy{p})
			if err != nil {
				t.Fatal(err)
			}
			for _, object := range objects[folder][:min(len(objects[folder]), 12)] {
				same += unread(t, s, object)
			}
		}
	}
	t.Logf("%d folders with policies, %d objects judged that differ from another in what is not read", len(policies), same)
	if len(folders) > 0 && same == 0 {
		t.Error("there are no policies, or every change counts")
	}
}

// documents reads the objects of a file, and leaves out what is none.
func documents(path string) []map[string]any {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	var out []map[string]any
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		doc, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return out
		}
		var object map[string]any
		if err == nil && yaml.Unmarshal(doc, &object) == nil && object != nil {
			out = append(out, object)
		}
		if err != nil {
			return out
		}
	}
}
