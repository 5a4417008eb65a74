package controlplane

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// startForTest starts a control plane that stops with the test, which fails if a component dies meanwhile.
func startForTest(t *testing.T, options Options) *ControlPlane {
	t.Helper()
	options.Progress = t.Output()
	cp, err := Start(testContext(t), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cp.Stop(); err != nil {
			t.Error(err)
		}
	})
	return cp
}

func listNamespaces(ctx context.Context, t *testing.T, config *rest.Config) error {
	t.Helper()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
	return err
}

func TestComponentThatDoesNotStartIsNamedWithItsLog(t *testing.T) {
	dir := t.TempDir()
	_, err := Start(testContext(t), Options{
		Dir: dir, Progress: t.Output(),
		ExtraArgs: map[Component][]string{APIServer: {"--no-such-flag"}},
	})
	const want = "start a control plane: wait for kube-apiserver to be ready: kube-apiserver ended: exit status 1\n--- end of "
	if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), "unknown flag: --no-such-flag") {
		t.Errorf("error %v\nwant %s... unknown flag: --no-such-flag", err, want)
	}
	if _, err := os.Stat(filepath.Join(dir, "kube-apiserver.log")); err != nil {
		t.Errorf("the log is gone after the failure: %v", err)
	}
}

// cancelAt collects progress and calls cancel when it comes to the line.
type cancelAt struct {
	buffer
	line   string
	cancel func()
}

func (c *cancelAt) Write(p []byte) (int, error) {
	if strings.Contains(string(p), c.line) {
		c.cancel()
	}
	return c.buffer.Write(p)
}

func TestStartEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	// At this moment etcd has been started, and kube-apiserver cannot be ready.
	out := cancelAt{line: "etcd ready in ", cancel: cancel}
	_, err := Start(ctx, Options{Dir: t.TempDir(), Progress: &out})
	const want = "start a control plane: wait for kube-apiserver to be ready: context canceled"
	if !errors.Is(err, context.Canceled) || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), "--- end of ") {
		t.Errorf("error %v\nwant %s...", err, want)
	}
	if strings.Contains(out.String(), " ended: ") {
		t.Errorf("components that Start itself has stopped are reported as dead:\n%s", out.String())
	}
}

func TestDirectoryMustBeEmpty(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "precious"), "")
	_, err := Start(testContext(t), Options{Dir: dir, Progress: t.Output()})
	want := "start a control plane: open the control plane's directory: " + dir + " is not empty"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestStopRemovesTheDirectoryThatStartMade(t *testing.T) {
	store := t.TempDir()
	// The programs come from the usual cache, so that this test does not build them again.
	base, err := openCache("")
	if err != nil {
		t.Fatal(err)
	}
	if err := Build(testContext(t), Options{Progress: t.Output()}); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(base.programs(), cache(store).programs()); err != nil {
		t.Fatal(err)
	}
	cp, err := Start(testContext(t), Options{CacheDir: store, Quiet: true})
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Dir(cp.Dir()) != cache(store).runs() {
		t.Errorf("the directory is %s", cp.Dir())
	}
	if err := cp.Stop(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(cache(store).runs())
	if err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	if _, err := cp.AuditEvents(); err == nil || err.Error() != "read the audit log: Options.AuditPolicy is empty" {
		t.Errorf("AuditEvents: %v", err)
	}
	if _, err := cp.AddNodes(t.Context(), 1); err == nil || err.Error() != "add nodes: kwok does not run here, and without it a node never becomes ready" {
		t.Errorf("AddNodes: %v", err)
	}
}
