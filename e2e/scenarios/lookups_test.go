package scenarios

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/holdfast-io/holdfast/e2e/controlplane"
)

// The live tests of look-ups run in the product's module, on a fresh API server, as its administrator and as an account
// that has no rights but those that a test gives it.
func TestLookUps(t *testing.T) {
	cp, err := controlplane.Start(t.Context(), controlplane.Options{Progress: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cp.Stop(); err != nil {
			t.Error(err)
		}
	})
	kubeconfig, err := cp.KubeconfigFor("system:serviceaccount:lookups:holdfast", "system:serviceaccounts", "system:serviceaccounts:lookups", "system:authenticated")
	if err != nil {
		t.Fatal(err)
	}
	account := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(account, kubeconfig, 0o600); err != nil {
		t.Fatal(err)
	}
	test := exec.CommandContext(t.Context(), "go", "test", "-tags", "e2e", "-count", "1", "-v", "-run", "^TestLive", "./lookup")
	if test.Dir, err = filepath.Abs(filepath.Join("..", "..")); err != nil {
		t.Fatal(err)
	}
	test.Env = append(os.Environ(), "KUBECONFIG="+cp.KubeconfigPath(), "HOLDFAST_E2E_ACCOUNT="+account)
	test.Stdout, test.Stderr = t.Output(), t.Output()
	if err := test.Run(); err != nil {
		t.Error(err)
	}
}
