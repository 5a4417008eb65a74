package chainsaw

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	strict "sigs.k8s.io/yaml"
)

// fileName is that of a test, in a folder of its own.
const fileName = "chainsaw-test.yaml"

// Test is one test file.
type Test struct {
	// Name is the folder below the one that was searched.
	Name string
	// Dir is where the files of its operations are looked for.
	Dir   string
	Steps []Step
}

// Step is a list of operations, and of those that clean up after it.
type Step struct {
	Name    string      `json:"name"`
	Try     []Operation `json:"try"`
	Catch   []Operation `json:"catch"`
	Finally []Operation `json:"finally"`
	Cleanup []Operation `json:"cleanup"`
}

// Operation is one of its fields. Other operations are in Unknown.
type Operation struct {
	Apply   *Change
	Create  *Change
	Patch   *Change
	Assert  *Change
	Error   *Change
	Delete  *Deletion
	Sleep   *Sleep
	Script  *Script
	Unknown string
}

// Change is about objects, of a file or given in place.
type Change struct {
	File     string         `json:"file"`
	Resource map[string]any `json:"resource"`
	Expect   []struct {
		Check map[string]any `json:"check"`
	} `json:"expect"`
	Timeout string `json:"timeout"`
}

// Deletion names an object.
type Deletion struct {
	Ref struct {
		APIVersion, Kind, Namespace, Name string
	} `json:"ref"`
	Timeout string `json:"timeout"`
}

// Sleep is a pause.
type Sleep struct {
	Duration string `json:"duration"`
}

// Script is run by a shell.
type Script struct {
	Content string `json:"content"`
	Timeout string `json:"timeout"`
}

// UnmarshalJSON reads the only field.
func (o *Operation) UnmarshalJSON(raw []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return fmt.Errorf("read an operation: %w", err)
	}
	known := map[string]any{
		"apply": &o.Apply, "create": &o.Create, "patch": &o.Patch, "assert": &o.Assert, "error": &o.Error,
		"delete": &o.Delete, "sleep": &o.Sleep, "script": &o.Script,
	}
	for name, value := range fields {
		into, ok := known[name]
		if !ok {
			o.Unknown = name
			continue
		}
		decoder := json.NewDecoder(bytes.NewReader(value))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(into); err != nil {
			o.Unknown = fmt.Sprintf("%s (%s)", name, err)
		}
	}
	return nil
}

// Find reads all tests below a folder, in the order of their names.
func Find(root string) ([]Test, error) {
	var tests []Test
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Name() != fileName {
			return err
		}
		test, err := read(path)
		if err != nil {
			return err
		}
		if test.Name, err = filepath.Rel(root, test.Dir); err != nil {
			return err
		}
		test.Name = strings.TrimSuffix(test.Name, "/.chainsaw-test")
		tests = append(tests, test)
		return nil
	})
	if err == nil && len(tests) == 0 {
		err = errors.New("there is none")
	}
	if err != nil {
		return nil, fmt.Errorf("find chainsaw tests in %s: %w", root, err)
	}
	slices.SortFunc(tests, func(a, b Test) int { return strings.Compare(a.Name, b.Name) })
	return tests, nil
}

func read(path string) (Test, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Test{}, err
	}
	var file struct {
		Spec struct {
			Steps []Step `json:"steps"`
		} `json:"spec"`
	}
	if err := strict.Unmarshal(text, &file); err != nil {
		return Test{}, fmt.Errorf("read %s: %w", path, err)
	}
	test := Test{Dir: filepath.Dir(path), Steps: file.Spec.Steps}
	for i := range test.Steps {
		test.Steps[i].Try = test.withoutDefinitions(test.Steps[i].Try)
	}
	return test, nil
}

// withoutDefinitions leaves out the operations that apply a file which is not there, if the next asserts the definition of
// a type: libraries keep those in one place for all tests, and a Runner has stand-ins for them.
func (t *Test) withoutDefinitions(operations []Operation) []Operation {
	var out []Operation
	for i, o := range operations {
		if o.Apply != nil && i+1 < len(operations) && operations[i+1].Assert != nil {
			_, err := t.objects(o.Apply)
			next, _ := t.objects(operations[i+1].Assert) // what cannot be read is found when the test is run
			if errors.Is(err, fs.ErrNotExist) && len(next) > 0 && !slices.ContainsFunc(next, func(u *unstructured.Unstructured) bool { return u.GetKind() != definition }) {
				continue
			}
		}
		out = append(out, o)
	}
	return out
}

// objects reads the objects of an operation.
func (t *Test) objects(c *Change) ([]*unstructured.Unstructured, error) {
	if c.File == "" {
		return []*unstructured.Unstructured{{Object: c.Resource}}, nil
	}
	text, err := os.ReadFile(filepath.Join(t.Dir, c.File))
	if err != nil {
		return nil, err
	}
	var out []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", c.File, err)
		}
		if len(object.Object) > 0 {
			out = append(out, object)
		}
	}
}

// refused reports whether the operation is to be refused. It is the only expectation that is known.
func (c *Change) refused() (bool, error) {
	if len(c.Expect) == 0 {
		return false, nil
	}
	check := c.Expect[0].Check
	if len(c.Expect) > 1 || len(check) != 1 || check["($error != null)"] != true {
		return false, fmt.Errorf("the expectation %v is not understood", c.Expect)
	}
	return true, nil
}

// within reads a timeout.
func within(text string, otherwise time.Duration) time.Duration {
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return d
	}
	return otherwise
}
