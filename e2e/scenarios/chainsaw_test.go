package scenarios

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/restmapper"

	"github.com/holdfast-io/holdfast/e2e/chainsaw"
	"github.com/holdfast-io/holdfast/e2e/controlplane"
)

// chainsawRunner runs tests on the cluster.
func (c *cluster) chainsawRunner(t *testing.T) *chainsaw.Runner {
	t.Helper()
	kubectl, err := controlplane.Builder{Progress: t.Output()}.Tool(t.Context(), "kubectl")
	if err != nil {
		t.Fatal(err)
	}
	tools := t.TempDir()
	if err := os.Symlink(kubectl, filepath.Join(tools, "kubectl")); err != nil {
		t.Fatal(err)
	}
	return &chainsaw.Runner{
		Client: c.dynamic, Types: restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(c.kube.Discovery())),
		Kubeconfig: c.KubeconfigPath(), Path: tools, StandIns: true,
	}
}

// wrong are the cases that must fail, with why: a runner that sees nothing passes all.
var wrong = map[string]string{
	"fails-refusal":        "step, operation 1: apply ConfigMap admitted () is not refused: it was accepted",
	"fails-second-refusal": "step, operation 1: apply ConfigMap changed () is not refused: it was accepted, and then: ",
	"fails-assertion":      "step, operation 1: assert Namespace default (): .metadata.labels.kubernetes.io/metadata.name is default, want other",
	"fails-script":         `configmaps "there-is-none" not found`,
}

// The cases of the folder testdata say how their policies act; each must.
func TestChainsawCases(t *testing.T) {
	c := newCluster(t)
	c.installPolicyTypes(t)
	p := c.serve(t, c.options(t, "holdfast", c.emptyBundle(t)))
	runner := c.chainsawRunner(t)
	tests, err := chainsaw.Find(filepath.Join("..", "testdata", "chainsaw"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range tests {
		t.Run(tests[i].Name, func(t *testing.T) {
			if reason := tests[i].Skip(); reason != "" {
				t.Fatalf("cannot be run: %s", reason)
			}
			err := runner.Run(t.Context(), &tests[i])
			switch want := wrong[tests[i].Name]; {
			case want == "" && err != nil:
				t.Error(err)
			case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
				t.Errorf("got %v, want an error with %q", err, want)
			}
		})
	}
	stop(t, p)
}

// A library of policies with chainsaw tests, of the folder HOLDFAST_CHAINSAW, on a whole control plane: its tests are
// counted, by what became of them and why. HOLDFAST_CHAINSAW_RUN picks some of them by a regular expression.
func TestChainsawLibrary(t *testing.T) {
	root := os.Getenv("HOLDFAST_CHAINSAW")
	if root == "" {
		t.Log("HOLDFAST_CHAINSAW names no folder: nothing to run")
		return
	}
	tests, err := chainsaw.Find(root)
	if err != nil {
		t.Fatal(err)
	}
	c := newClusterOf(t, controlplane.Options{Progress: t.Output(), Components: controlplane.Everything(), ExtraArgs: newKubelet(t)})
	if _, err := c.AddNodes(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	c.installPolicyTypes(t)
	c.installCELTypes(t)
	c.kyvernoConfigMap(t)
	p := c.serve(t, c.options(t, "holdfast", c.emptyBundle(t)))
	runner := c.chainsawRunner(t)
	only, err := regexp.Compile(os.Getenv("HOLDFAST_CHAINSAW_RUN"))
	if err != nil {
		t.Fatal(err)
	}
	outcomes := map[string][]string{}
	for i := range tests {
		test := &tests[i]
		if !only.MatchString(test.Name) {
			continue
		}
		if reason := test.Skip(); reason != "" {
			outcomes["skipped: "+reason] = append(outcomes["skipped: "+reason], test.Name)
			t.Logf("SKIPPED %s: %s", test.Name, reason)
			continue
		}
		outcome := "passed: " + strings.Join(test.Features(), ", ")
		began := time.Now()
		err := runner.Run(t.Context(), test)
		switch {
		case meta.IsNoMatchError(err):
			outcome = "skipped: the cluster does not have a type that the test uses"
			t.Logf("SKIPPED %s: %v", test.Name, err)
		case err != nil:
			outcome = "failed: " + strings.Join(test.Features(), ", ")
			t.Logf("FAILED %s: %v", test.Name, err)
		default:
			if test.AboutRights() {
				outcome += ", but for what it says of the rights of Kyverno's account"
			}
			t.Logf("passed %s in %s", test.Name, time.Since(began).Round(time.Second))
		}
		outcomes[outcome] = append(outcomes[outcome], test.Name)
	}
	var lines []string
	for outcome, names := range outcomes {
		lines = append(lines, fmt.Sprintf("%4d %s", len(names), outcome))
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[5:], b[5:]) })
	t.Logf("of %d tests\n%s", len(tests), strings.Join(lines, "\n"))
	stop(t, p)
}

// kyvernoConfigMap makes the object in which tests of Kyverno switch its own filters off.
func (c *cluster) kyvernoConfigMap(t *testing.T) {
	t.Helper()
	namespace := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "kyverno"}}}
	namespaces := c.dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"})
	if _, err := namespaces.Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	config := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "kyverno", "namespace": "kyverno"}, "data": map[string]any{"resourceFilters": ""},
	}}
	if _, err := c.dynamic.Resource(configMaps).Namespace("kyverno").Create(t.Context(), config, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}
