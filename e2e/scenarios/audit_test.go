package scenarios

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/holdfast-io/holdfast/e2e/controlplane"
)

// The live tests of the auditor, of the reports and of serve run in the product's module, on one fresh API server.
func TestAuditAndReports(t *testing.T) {
	cp, err := controlplane.Start(t.Context(), controlplane.Options{Progress: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cp.Stop(); err != nil {
			t.Error(err)
		}
	})
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	test := exec.CommandContext(t.Context(), "go", "test", "-tags", "e2e", "-p", "1", "-count", "1", "-v", "-run", "^TestLive", "./audit", "./report", "./app")
	test.Dir = root
	test.Env = append(os.Environ(), "KUBECONFIG="+cp.KubeconfigPath())
	test.Stdout, test.Stderr = t.Output(), t.Output()
	if err := test.Run(); err != nil {
		t.Error(err)
	}
}
