// Package scenarios runs what Holdfast is made of against a real control plane.
package scenarios

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"github.com/holdfast-io/holdfast/e2e/controlplane"
)

// The webhook's own live test runs in the product's module, so that this one does not take on its dependencies. It gets
// a fresh API server and a port that is free.
func TestWebhook(t *testing.T) {
	cp, err := controlplane.Start(t.Context(), controlplane.Options{Progress: t.Output(), AuditPolicy: controlplane.AuditRequests})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cp.Stop(); err != nil {
			t.Error(err)
		}
	})
	port, err := cp.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	test := exec.CommandContext(t.Context(), "go", "test", "-tags", "e2e", "-count", "1", "-v", "-run", "^TestLive", "./webhook")
	test.Dir = root
	test.Env = append(os.Environ(), "KUBECONFIG="+cp.KubeconfigPath(), "HOLDFAST_E2E_PORT="+strconv.Itoa(port))
	test.Stdout, test.Stderr = t.Output(), t.Output()
	if err := test.Run(); err != nil {
		t.Error(err)
	}

	events, err := cp.AuditEvents()
	if err != nil {
		t.Fatal(err)
	}
	const key = "fail-10s.validate.holdfast.dev/require-team.check-team"
	const want = "denied: the label team says who is called at night; failed at /metadata/labels/team/"
	told := slices.ContainsFunc(events, func(e auditv1.Event) bool {
		return e.Annotations[key] == want && e.Annotations["fail-10s.validate.holdfast.dev/uid"] != "" && e.ResponseStatus != nil && e.ResponseStatus.Code == 403
	})
	if !told {
		t.Errorf("none of %d events of the audit log has the annotation %s: %s", len(events), key, want)
	}
}
