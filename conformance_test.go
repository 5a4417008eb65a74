package holdfast_test

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/bundle/manifest"
	"github.com/holdfast-io/holdfast/engine"
)

// conformanceFile is what is read of a Kyverno CLI test file: enough for tests that need no values.
type conformanceFile struct {
	Policies  []string            `json:"policies"`
	Resources []string            `json:"resources"`
	Results   []conformanceResult `json:"results"`
}

type conformanceResult struct {
	Policy           string   `json:"policy"`
	Rule             string   `json:"rule"`
	Kind             string   `json:"kind"`
	Resources        []string `json:"resources"`
	Resource         string   `json:"resource"`
	Namespace        string   `json:"namespace"`
	PatchedResources string   `json:"patchedResources"`
	PatchedResource  string   `json:"patchedResource"`
	Result           string   `json:"result"`
	Status           string   `json:"status"`
}

// TestConformance runs the Kyverno CLI test files below the folders of $HOLDFAST_CONFORMANCE on the
// engine: `make conformance`. A file that needs what is not built is counted by the name of the part.
func TestConformance(t *testing.T) {
	folders := filepath.SplitList(os.Getenv("HOLDFAST_CONFORMANCE"))
	if len(folders) == 0 {
		// The project's own policies are test files of this form too.
		folders = []string{"policies"}
	}
	tally := conformanceTally{parts: map[string]int{}}
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && d.Name() == "kyverno-test.yaml" {
				tally.file(t, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d files: %d cases passed, %d failed, %d skipped", tally.files, tally.passed, tally.failed, tally.skipped)
	for _, part := range slices.SortedFunc(maps.Keys(tally.parts), func(a, b string) int {
		return cmp.Or(cmp.Compare(tally.parts[b], tally.parts[a]), strings.Compare(a, b))
	}) {
		t.Logf("  %5d cases skipped: %s", tally.parts[part], part)
	}
	if tally.passed == 0 {
		t.Error("no case was run")
	}
}

type conformanceTally struct {
	files, passed, failed, skipped int
	parts                          map[string]int
}

func (c *conformanceTally) skip(cases int, part string) {
	c.skipped += cases
	c.parts[part] += cases
}

// notBuilt finds the part's name in a refusal.
var notBuilt = regexp.MustCompile(`([\w./ ]+) (?:is|are) not built yet`)

func (c *conformanceTally) file(t *testing.T, path string) {
	c.files++
	text, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
		return
	}
	var all map[string]any
	var f conformanceFile
	if err := errors.Join(yaml.Unmarshal(text, &all), yaml.Unmarshal(text, &f)); err != nil {
		t.Errorf("%s: %v", path, err)
		return
	}
	cases := 0
	for _, r := range f.Results {
		cases += max(1, len(r.Resources))
	}
	for _, field := range []string{"variables", "values", "userinfo", "exceptions", "context", "apiCallResponses", "globalContextEntries", "clusterResources", "paramResources", "targetResources", "jsonPayload"} {
		if all[field] != nil {
			c.skip(cases, "test files with "+field)
			return
		}
	}
	dir := filepath.Dir(path)
	snapshot, _, err := bundle.Load(t.Context(), bundle.Sources{Paths: below(dir, f.Policies)})
	if err != nil {
		if part := notBuilt.FindStringSubmatch(err.Error()); part != nil {
			c.skip(cases, strings.TrimSpace(part[1]))
			return
		}
		t.Errorf("%s: %v", path, err)
		c.failed += cases
		return
	}
	objects := conformanceObjects(t, below(dir, f.Resources))
	for _, r := range f.Results {
		c.result(t, path, dir, snapshot, objects, r)
	}
}

func below(dir string, paths []string) []string {
	out := make([]string, len(paths))
	for i, p := range paths {
		out[i] = filepath.Join(dir, p)
	}
	return out
}

func conformanceObjects(t *testing.T, paths []string) []map[string]any {
	t.Helper()
	var out []map[string]any
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
			continue
		}
		documents, problems := manifest.Parse(path, text)
		for _, p := range problems {
			t.Error(p)
		}
		for _, d := range documents {
			out = append(out, d.Object)
		}
	}
	return out
}

func (c *conformanceTally) result(t *testing.T, path, dir string, s *engine.Snapshot, objects []map[string]any, r conformanceResult) {
	names := r.Resources
	if len(names) == 0 {
		names = []string{r.Resource}
	}
	patched := conformanceObjects(t, below(dir, nonEmpty(r.PatchedResource, r.PatchedResources)))
	want := cmp.Or(r.Result, r.Status)
	for _, name := range names {
		got, mutated := "missing", map[string]any(nil)
		for _, object := range objects {
			if objectIs(object, r.Kind, name, r.Namespace) {
				got, mutated = conformanceVerdict(t.Context(), s, r, object)
				break
			}
		}
		if got == "pass" && len(patched) > 0 && !slices.ContainsFunc(patched, func(p map[string]any) bool { return same(p, mutated) }) {
			got = "fail"
		}
		if got == needsUser {
			c.skip(1, "rules that match by the user, without a user")
			continue
		}
		if got == want {
			c.passed++
			continue
		}
		c.failed++
		t.Errorf("%s: policy %s, rule %s, %s %s: got %s, want %s", path, r.Policy, r.Rule, r.Kind, name, got, want)
	}
}

// same compares objects but for what the peer's runner adds: a creationTimestamp of null, and the
// namespace that an object without one is in.
func same(a, b map[string]any) bool {
	for _, object := range []map[string]any{a, b} {
		if meta, ok := object["metadata"].(map[string]any); ok {
			delete(meta, "creationTimestamp")
			if meta["namespace"] == "default" {
				delete(meta, "namespace")
			}
		}
	}
	return reflect.DeepEqual(a, b)
}

func nonEmpty(words ...string) []string {
	return slices.DeleteFunc(words, func(s string) bool { return s == "" })
}

func objectIs(object map[string]any, kind, name, namespace string) bool {
	meta, _ := object["metadata"].(map[string]any)
	own, _ := meta["name"].(string)
	ns, _ := meta["namespace"].(string)
	if before, after, found := strings.Cut(name, "/"); found {
		namespace, name = before, after
	}
	return own == name && (kind == "" || object["kind"] == kind) && (namespace == "" || namespace == cmp.Or(ns, "default"))
}

// needsUser is the verdict of a rule that only an admission request could answer.
const needsUser = "not auditable"

// conformanceVerdict is what the policy's rule, or one made from it for pod controllers, says of the object.
func conformanceVerdict(ctx context.Context, s *engine.Snapshot, r conformanceResult, object map[string]any) (string, map[string]any) {
	apiVersion, _ := object["apiVersion"].(string)
	kind, _ := object["kind"].(string)
	meta, _ := object["metadata"].(map[string]any)
	name, _ := meta["name"].(string)
	namespace, _ := meta["namespace"].(string)
	if namespace == "" && kind != "Namespace" {
		namespace = "default"
	}
	req := &engine.Request{
		Operation: engine.Create, Kind: schema.FromAPIVersionAndKind(apiVersion, kind),
		Namespace: namespace, Name: name, Object: object,
	}
	in := &engine.Inputs{Lookups: noLabels{}, Now: time.Now}
	m, err := s.Mutate(ctx, req, in)
	if err != nil {
		return err.Error(), nil
	}
	req.Object = m.Object
	for _, d := range append(m.Decisions, s.Validate(ctx, req, in)...) {
		if d.Policy.Key() != r.Policy && d.Policy.Name != r.Policy {
			continue
		}
		base := strings.TrimPrefix(strings.TrimPrefix(d.Rule.Name, "autogen-"), "cronjob-")
		if r.Rule == "" || d.Rule.Name == r.Rule || base == r.Rule {
			if errors.Is(d.Err, engine.ErrNotAuditable) {
				return needsUser, m.Object
			}
			return d.Status.String(), m.Object
		}
	}
	return "skip", m.Object
}

// noLabels knows no labels of any namespace, as the peer's test runner without values.
type noLabels struct{ engine.NoLookups }

func (noLabels) NamespaceLabels(context.Context, string) (map[string]string, error) { return nil, nil }
func (noLabels) Roles(context.Context, *authenticationv1.UserInfo) (roles, clusterRoles []string, err error) {
	return nil, nil, nil
}
