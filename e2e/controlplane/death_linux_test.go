package controlplane

import (
	"errors"
	"os"
	"strings"
	"testing"
)

func TestChildDiesWithItsParentAndNotWithTheThreadThatAskedForIt(t *testing.T) {
	cmd, report := startHelper(t, "child")
	killHelper(t, cmd)
	eventually(t, "the child to be gone after its parent was killed", allGone(report.PIDs))
}

func TestControlPlanesRunSideBySideAndDieWithTheirParent(t *testing.T) {
	ctx := testContext(t)
	cp := startForTest(t, Options{})
	cmd, other := startHelper(t, "controlplane")
	if other.URL == cp.RESTConfig().Host {
		t.Fatalf("both control planes are at %s", other.URL)
	}
	if len(other.PIDs) != 2 {
		t.Fatalf("the helper runs processes %v, want etcd and kube-apiserver", other.PIDs)
	}

	// The other one's certificates are nothing here, and the other way round.
	config := cp.RESTConfig()
	config.Host = other.URL
	if err := listNamespaces(ctx, t, config); err == nil {
		t.Error("a control plane lets in the administrator of another")
	}

	killHelper(t, cmd)
	eventually(t, "the children of the killed process to be gone", allGone(other.PIDs))
	if err := listNamespaces(ctx, t, cp.RESTConfig()); err != nil {
		t.Errorf("the control plane that was not killed: %v", err)
	}
	if err := cp.Err(); err != nil {
		t.Errorf("the control plane that was not killed: %v", err)
	}
}

func TestComponentThatDiesIsReported(t *testing.T) {
	var out buffer
	cp, err := Start(testContext(t), Options{Dir: t.TempDir(), Progress: &out})
	if err != nil {
		t.Fatal(err)
	}
	list := pids(cp)
	cp.mu.Lock()
	etcd := cp.children[Etcd].process
	cp.mu.Unlock()
	if err := etcd.Kill(); err != nil {
		t.Fatal(err)
	}
	<-cp.Died()
	const want = "etcd ended: signal: killed\n--- end of "
	if err := cp.Err(); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("Err() = %v, want %s...", err, want)
	}
	if err := cp.Stop(); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("Stop() = %v, want %s...", err, want)
	}
	if err := cp.Stop(); err != nil {
		t.Errorf("second Stop() = %v", err)
	}
	eventually(t, "all processes to be gone after Stop", allGone(list))
	if got := out.String(); !strings.Contains(got, "control plane: "+want) {
		t.Errorf("the progress does not tell of the death:\n%s", got)
	}
	if _, err := os.Stat(cp.LogPath(Etcd)); err != nil {
		t.Errorf("Stop removed a directory that the caller named: %v", err)
	}
	if _, err := cp.FreePort(); !errors.Is(err, ErrStopped) {
		t.Errorf("FreePort after Stop: %v", err)
	}
	if err := cp.StartAPIServer(t.Context()); !errors.Is(err, ErrStopped) {
		t.Errorf("StartAPIServer after Stop: %v", err)
	}
	cp.StopAPIServer()
}
