package scenarios

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/holdfast-io/holdfast/e2e/controlplane"
	"github.com/holdfast-io/holdfast/e2e/serving"
)

const (
	// patience bounds every single wait. It is long because the machine may be busy; nothing here takes it.
	patience = 90 * time.Second
	// interval is how often a wait looks.
	interval = 100 * time.Millisecond
)

// cluster is a fresh API server and the holdfast of this clone.
type cluster struct {
	*controlplane.ControlPlane
	kube    kubernetes.Interface
	dynamic dynamic.Interface
	binary  string
	dir     string
}

// newCluster starts etcd and kube-apiserver, for as long as the test runs.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	return newClusterOf(t, controlplane.Options{Progress: t.Output()})
}

// newClusterOf starts what the options say.
func newClusterOf(t *testing.T, options controlplane.Options) *cluster {
	t.Helper()
	binary, err := controlplane.Builder{Progress: t.Output()}.Holdfast(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cp, err := controlplane.Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cp.Stop(); err != nil {
			t.Error(err)
		}
	})
	c := &cluster{ControlPlane: cp, binary: binary, dir: t.TempDir()}
	config := cp.RESTConfig()
	config.WarningHandler = rest.NoWarnings{}
	if c.kube, err = kubernetes.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	if c.dynamic, err = dynamic.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	return c
}

// options are those of a `holdfast serve` with ports of its own. name tells its state and its log from others'.
func (c *cluster) options(t *testing.T, name, bundle string) serving.Options {
	t.Helper()
	o := serving.Options{
		Binary: c.binary, Kubeconfig: c.KubeconfigPath(), Bundle: bundle,
		StateDir: filepath.Join(c.dir, name), LogPath: filepath.Join(c.dir, name+".log"),
		Args: []string{"--report-results", "all"}, // so that tests see what passes
	}
	for _, port := range []*int{&o.Port, &o.MetricsPort} {
		var err error
		if *port, err = c.FreePort(); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// serve starts holdfast and waits until it is ready. It is killed at the end of the test, if it still runs.
func (c *cluster) serve(t *testing.T, o serving.Options) *serving.Process {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p, err := serving.Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Log(p.LogTail())
		}
	})
	return p
}

// stop ends holdfast in order.
func stop(t *testing.T, p *serving.Process) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := p.Stop(ctx); err != nil {
		t.Fatal(err)
	}
}

// eventually waits until check gives an empty string, and fails with the last one that it gave.
func eventually(t *testing.T, what string, check func(ctx context.Context) string) {
	t.Helper()
	t.Logf("waiting for %s", what)
	var last string
	err := wait.PollUntilContextTimeout(t.Context(), interval, patience, true, func(ctx context.Context) (bool, error) {
		last = check(ctx)
		return last == "", nil
	})
	if err != nil {
		t.Fatalf("waited for %s: %v; last seen: %s", what, err, last)
	}
}

// writeBundle writes a bundle of one file and gives its path.
func (c *cluster) writeBundle(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(c.dir, name+".yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// emptyBundle makes a bundle without policies.
func (c *cluster) emptyBundle(t *testing.T) string {
	t.Helper()
	path := filepath.Join(c.dir, "empty")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// pod is a Pod in namespace default.
func pod(name string, privileged any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": map[string]any{"name": name, "namespace": metav1.NamespaceDefault},
		"spec": map[string]any{"containers": []any{map[string]any{
			"name": "main", "image": "registry.example/app:v1", "securityContext": map[string]any{"privileged": privileged},
		}}},
	}}
}

var podResource = schema.GroupVersionResource{Version: "v1", Resource: "pods"}

// create creates a Pod.
func (c *cluster) create(ctx context.Context, object *unstructured.Unstructured, dryRun ...string) (*unstructured.Unstructured, error) {
	return c.dynamic.Resource(podResource).Namespace(object.GetNamespace()).
		Create(ctx, object, metav1.CreateOptions{DryRun: dryRun})
}

// refuses gives an empty string when the policy no-privileged refuses a privileged Pod, and else what happens.
func (c *cluster) refuses(ctx context.Context) string {
	_, err := c.create(ctx, pod("refused", true), metav1.DryRunAll)
	switch {
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), "policy no-privileged, rule privileged"):
		return ""
	case err == nil:
		return "a privileged Pod is admitted"
	}
	return err.Error()
}

// result is one result of a PolicyReport, or of the command line.
type result struct {
	Policy    string `json:"policy"`
	Rule      string `json:"rule"`
	Result    string `json:"result"`
	Message   string `json:"message"`
	Resources []struct {
		APIVersion, Kind, Namespace, Name, UID string
	} `json:"resources"`
}

// verdicts are the outcomes by object, policy and rule: KIND NAMESPACE/NAME POLICY/RULE.
type verdicts map[string]string

func verdictKey(kind, namespace, name, policy, rule string) string {
	return fmt.Sprintf("%s %s/%s %s/%s", kind, namespace, name, policy, rule)
}

// missing lists what has an outcome in want and none, or another, in have.
func (want verdicts) missing(have verdicts) []string {
	var out []string
	for key, outcome := range want {
		if have[key] != outcome {
			out = append(out, fmt.Sprintf("%s: %s here, %q there", key, outcome, have[key]))
		}
	}
	slices.Sort(out)
	return out
}

// reported reads all reports of the cluster.
func (c *cluster) reported(ctx context.Context) (verdicts, error) {
	out := verdicts{}
	for _, resource := range []string{"policyreports", "clusterpolicyreports"} {
		list, err := c.dynamic.Resource(schema.GroupVersionResource{Group: "wgpolicyk8s.io", Version: "v1alpha2", Resource: resource}).
			List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", resource, err)
		}
		for i := range list.Items {
			var report struct {
				Scope   struct{ Kind, Namespace, Name, UID string }
				Results []result
			}
			raw, err := list.Items[i].MarshalJSON()
			if err == nil {
				err = json.Unmarshal(raw, &report)
			}
			if err != nil {
				return nil, fmt.Errorf("read the report %s: %w", list.Items[i].GetName(), err)
			}
			for _, r := range report.Results {
				out[verdictKey(report.Scope.Kind, report.Scope.Namespace, report.Scope.Name, r.Policy, r.Rule)] = r.Result
			}
		}
	}
	return out, nil
}

// audited runs `holdfast audit` and gives its verdicts.
func (c *cluster) audited(t *testing.T, args ...string) verdicts {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.binary, append([]string{"audit", "-o", "json"}, args...)...)
	cmd.Env = []string{"HOME=" + c.dir, "PATH=/usr/bin:/bin"}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) { // 1 means findings
		t.Fatalf("holdfast audit %v: %v\n%s", args, err, stderr.String())
	}
	var document struct{ Results []result }
	if err := json.Unmarshal(stdout.Bytes(), &document); err != nil {
		t.Fatalf("read the answer of holdfast audit: %v", err)
	}
	out := verdicts{}
	for _, r := range document.Results {
		if len(r.Resources) != 1 {
			t.Fatalf("a result is about %d objects: %+v", len(r.Resources), r)
		}
		o := r.Resources[0]
		out[verdictKey(o.Kind, o.Namespace, o.Name, r.Policy, r.Rule)] = r.Result
	}
	return out
}

// fetch gets what is at a URL, whatever its status.
func fetch(ctx context.Context, url string) (body []byte, status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = resp.Body.Close() }() // it was read to its end
	body, err = io.ReadAll(resp.Body)
	return body, resp.StatusCode, err
}
