package policies_test

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	kyvernov1 "github.com/kyverno/kyverno/api/kyverno/v1"
	"sigs.k8s.io/yaml"

	"github.com/holdfast-io/holdfast/bundle/pack"
	"github.com/holdfast-io/holdfast/policies"
)

// systemNamespaces hold what the cluster and Holdfast themselves run.
var systemNamespaces = []string{"kube-system", "kube-node-lease", "kube-public", "holdfast"}

// packs are those that the policies belong to.
var packs = []string{"access", "baseline", "best-practices", "defaults", "images", "network", "restricted", "secrets"}

// clusterScoped are the kinds to which a namespace does not apply.
var clusterScoped = []string{"Namespace", "rbac.authorization.k8s.io/v1/ClusterRoleBinding"}

// shipped is one policy of the bundle: its folder, its text and what it says.
type shipped struct {
	folder string
	text   []byte
	kyvernov1.ClusterPolicy
}

// everyPolicy reads all policies, strictly: an unknown field fails the test.
func everyPolicy(t *testing.T) []shipped {
	t.Helper()
	paths, err := fs.Glob(policies.FS(), "*/policy.yaml")
	if err != nil {
		t.Fatalf("listing the bundle: %v", err)
	}
	var list []shipped
	for _, p := range paths {
		text, err := fs.ReadFile(policies.FS(), p)
		if err != nil {
			t.Fatalf("reading %s: %v", p, err)
		}
		s := shipped{folder: path.Dir(p), text: text}
		if err := yaml.UnmarshalStrict(text, &s.ClusterPolicy); err != nil {
			t.Fatalf("parsing %s: %v", p, err)
		}
		list = append(list, s)
	}
	if len(list) == 0 {
		t.Fatal("the bundle is empty")
	}
	return list
}

// folders are the folders beside this file.
func folders(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatalf("listing the folder: %v", err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

func TestTheBundleIsEveryFolderInOrderAndNothingElse(t *testing.T) {
	var want, got []string
	for _, name := range folders(t) {
		want = append(want, name+"/policy.yaml")
	}
	err := fs.WalkDir(policies.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			got = append(got, p)
		}
		return err
	})
	if err != nil {
		t.Fatalf("walking the bundle: %v", err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if !slices.IsSorted(got) {
		t.Errorf("not in the order of the names: %v", got)
	}
}

func TestEveryFolderHasItsTest(t *testing.T) {
	for _, name := range folders(t) {
		if _, err := os.Stat(path.Join(name, "test", "kyverno-test.yaml")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEveryPolicySaysWhatItIs(t *testing.T) {
	kebab := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	seen := map[string]string{}
	for _, p := range everyPolicy(t) {
		t.Run(p.folder, func(t *testing.T) {
			if p.APIVersion != "kyverno.io/v1" || p.Kind != "ClusterPolicy" {
				t.Errorf("is a %s of %s, want a ClusterPolicy of kyverno.io/v1", p.Kind, p.APIVersion)
			}
			if p.Name != p.folder || !kebab.MatchString(p.Name) {
				t.Errorf("its name %q is not the folder's, in words with hyphens", p.Name)
			}
			if other, ok := seen[p.Name]; ok {
				t.Errorf("its name stands in %s too", other)
			}
			seen[p.Name] = p.folder
			if !regexp.MustCompile(`^# [A-Z][^\n]+\n(# [^\n]+\n)*apiVersion:`).Match(p.text) {
				t.Error("does not open with a comment on its effect")
			}
			if bytes.Count(p.text, []byte("\n---")) > 0 {
				t.Error("is more than one document")
			}
			for _, key := range []string{
				"policies.kyverno.io/title", "policies.kyverno.io/category", "policies.kyverno.io/severity",
				"policies.kyverno.io/subject", "policies.kyverno.io/description", pack.PacksAnnotation, "holdfast.dev/patch",
			} {
				if strings.TrimSpace(p.Annotations[key]) == "" {
					t.Errorf("lacks the annotation %s", key)
				}
			}
			if s := severity(p); !slices.Contains([]string{"low", "medium", "high", "critical"}, s) {
				t.Errorf("its severity is %q", s)
			}
			for _, name := range packsOf(p) {
				if !slices.Contains(packs, name) {
					t.Errorf("is in the pack %q, which there is not", name)
				}
			}
			if slices.Contains(packsOf(p), "baseline") && !slices.Contains(packsOf(p), "restricted") {
				t.Error("is in the pack baseline and not in restricted, which includes it")
			}
			for _, r := range p.Spec.Rules {
				if !kebab.MatchString(r.Name) {
					t.Errorf("the rule's name %q is not words with hyphens", r.Name)
				}
				if r.HasValidate() && !strings.HasSuffix(strings.TrimSpace(r.Validation.Message), ".") {
					t.Errorf("rule %s: its message is not a sentence: %q", r.Name, r.Validation.Message)
				}
			}
		})
	}
}

func TestNoPolicyUsesWhatTheEngineRefuses(t *testing.T) {
	for _, p := range everyPolicy(t) {
		for _, r := range p.Spec.Rules {
			unbuilt := map[string]bool{
				"generate": r.HasGenerate(), "verifyImages": r.HasVerifyImages(), "celPreconditions": len(r.CELPreconditions) > 0,
				"imageExtractors": len(r.ImageExtractors) > 0,
			}
			if v := r.Validation; v != nil {
				unbuilt["validate.foreach"] = len(v.ForEachValidation) > 0
				unbuilt["validate.cel"] = v.CEL != nil
				unbuilt["validate.podSecurity"] = v.PodSecurity != nil
				unbuilt["validate.manifests"] = v.Manifests != nil
				unbuilt["validate.assert"] = v.DeprecatedAssert != nil
			}
			if m := r.Mutation; m != nil {
				unbuilt["mutate.foreach"] = len(m.ForEachMutation) > 0
				unbuilt["mutate.targets"] = len(m.Targets) > 0
			}
			for _, c := range r.Context {
				unbuilt["a context entry that is no variable"] = unbuilt["a context entry that is no variable"] || c.Variable == nil
			}
			for part, used := range unbuilt {
				if used {
					t.Errorf("%s, rule %s: uses %s", p.folder, r.Name, part)
				}
			}
		}
	}
}

func TestInstallingTheBundleBreaksNoCluster(t *testing.T) {
	for _, p := range everyPolicy(t) {
		t.Run(p.folder, func(t *testing.T) {
			if w := p.Spec.WebhookConfiguration; w == nil || w.FailurePolicy == nil || *w.FailurePolicy != kyvernov1.Ignore {
				t.Error("does not fail open: spec.webhookConfiguration.failurePolicy is not Ignore")
			}
			for _, r := range p.Spec.Rules {
				kinds := r.MatchResources.GetKinds()
				namespaced := !slices.ContainsFunc(kinds, func(k string) bool { return slices.Contains(clusterScoped, k) })
				if namespaced && !slices.Equal(excludedNamespaces(r), systemNamespaces) {
					t.Errorf("rule %s: leaves out the namespaces %v, want %v", r.Name, excludedNamespaces(r), systemNamespaces)
				}
				for _, f := range r.MatchResources.Any {
					if r.HasMutate() && !slices.Equal(f.Operations, []kyvernov1.AdmissionOperation{kyvernov1.Create}) {
						t.Errorf("rule %s: mutates on %v, want CREATE only", r.Name, f.Operations)
					}
					if r.HasValidate() && r.Validation.Deny != nil && len(f.Operations) == 0 {
						t.Errorf("rule %s: denies on every operation, want CREATE and UPDATE", r.Name)
					}
				}
			}
		})
	}
}

func TestWhatIsDangerousCanBeEnforcedAndNothingElseIs(t *testing.T) {
	for _, p := range everyPolicy(t) {
		dangerous := severity(p) == "high" || severity(p) == "critical"
		for _, r := range p.Spec.Rules {
			if !r.HasValidate() {
				continue
			}
			if got := action(r); (got != "Audit") != dangerous {
				t.Errorf("%s, rule %s: severity %s and action %q do not go together", p.folder, r.Name, severity(p), got)
			}
		}
	}
}

// packsOf are the packs of a policy.
func packsOf(p shipped) []string { return strings.Split(p.Annotations[pack.PacksAnnotation], ", ") }

func severity(p shipped) string { return p.Annotations["policies.kyverno.io/severity"] }

// action is what a rule does, in the words of the README.
func action(r kyvernov1.Rule) string {
	if r.HasMutate() {
		for _, f := range r.MatchResources.Any {
			if f.NamespaceSelector == nil {
				return "Mutate"
			}
		}
		return "Mutate: label"
	}
	if r.Validation.FailureAction.Enforce() {
		return "Enforce"
	}
	var where []string
	for _, o := range r.Validation.FailureActionOverrides {
		switch {
		case slices.Equal(o.Namespaces, []string{"default"}):
			where = append(where, "default")
		case o.NamespaceSelector != nil && o.NamespaceSelector.MatchLabels["holdfast.dev/enforce"] == "true":
			where = append(where, "label")
		default:
			where = append(where, "elsewhere")
		}
	}
	if len(where) == 0 {
		return "Audit"
	}
	return "Audit, Enforce: " + strings.Join(where, ", ")
}

func excludedNamespaces(r kyvernov1.Rule) []string {
	if r.ExcludeResources == nil || len(r.ExcludeResources.Any) != 1 {
		return nil
	}
	return r.ExcludeResources.Any[0].Namespaces
}
