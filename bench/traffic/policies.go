package traffic

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/holdfast-io/holdfast/policies"
)

const (
	// PoliciesVariable names files and folders with policies to measure, as PATH names folders.
	PoliciesVariable = "HOLDFAST_BENCH_POLICIES"
	// ObjectsVariable names a file of lines {"obj": OBJECT}, whose objects are sent.
	ObjectsVariable = "HOLDFAST_BENCH_OBJECTS"
)

// Policies are the texts of the files that PoliciesVariable names, without it those of the shipped bundle; one policy
// each. All refuse what fails them (Enforce): what is only reported, others put off until after the answer, so that it
// would not be measured.
func Policies() ([][]byte, error) {
	var out [][]byte
	add := func(text []byte) error {
		text, err := enforced(text)
		out = append(out, text)
		return err
	}
	value := os.Getenv(PoliciesVariable)
	if value == "" {
		return out, eachFile(policies.FS(), add)
	}
	for _, root := range filepath.SplitList(value) {
		info, err := os.Stat(root)
		if err == nil && info.IsDir() {
			err = eachFile(os.DirFS(root), add)
		} else if err == nil {
			var text []byte
			if text, err = os.ReadFile(root); err == nil {
				err = add(text)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("reading the policies of %s in %s: %w", PoliciesVariable, root, err)
		}
	}
	return out, nil
}

func eachFile(from fs.FS, visit func([]byte) error) error {
	return fs.WalkDir(from, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".yaml") {
			return err
		}
		text, err := fs.ReadFile(from, path)
		if err == nil {
			err = visit(text)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return nil
	})
}

func enforced(text []byte) ([]byte, error) {
	var policy struct {
		APIVersion string         `json:"apiVersion"`
		Kind       string         `json:"kind"`
		Metadata   map[string]any `json:"metadata"`
		Spec       map[string]any `json:"spec"`
	}
	if err := yaml.Unmarshal(text, &policy); err != nil {
		return nil, err
	}
	if policy.Spec == nil {
		return nil, fmt.Errorf("%s has no spec", policy.Kind)
	}
	delete(policy.Spec, "validationFailureActionOverrides")
	policy.Spec["validationFailureAction"] = "Enforce"
	rules, _ := policy.Spec["rules"].([]any)
	for _, r := range rules {
		rule, _ := r.(map[string]any)
		if validate, ok := rule["validate"].(map[string]any); ok {
			delete(validate, "failureAction")
			delete(validate, "failureActionOverrides")
		}
	}
	return yaml.Marshal(policy)
}
