package scenarios

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/holdfast-io/holdfast/e2e/controlplane"
)

// The API server's own policies get the same answers from Holdfast as from the API server. The requests are in the
// product's module, which knows both sides.
func TestAdmissionPoliciesAnswerAsTheAPIServer(t *testing.T) {
	cp, err := controlplane.Start(t.Context(), controlplane.Options{Progress: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cp.Stop(); err != nil {
			t.Error(err)
		}
	})
	test := exec.CommandContext(t.Context(), "go", "test", "-tags", "e2e", "-count", "1", "-v", "-run", "^TestParity", "./app")
	if test.Dir, err = filepath.Abs(filepath.Join("..", "..")); err != nil {
		t.Fatal(err)
	}
	test.Env = append(os.Environ(), "KUBECONFIG="+cp.KubeconfigPath())
	test.Stdout, test.Stderr = t.Output(), t.Output()
	if err := test.Run(); err != nil {
		t.Error(err)
	}
}
