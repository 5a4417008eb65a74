package scenarios

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// chronicled is an entry of the ledger, as `holdfast history -o json` writes it.
type chronicled struct {
	Kind    string
	Object  struct{ Kind, Namespace, Name, UID string }
	Policy  struct{ Name, Rule, Digest string }
	Bundle  string
	Actor   struct{ User string }
	Message string
	Outcome string
	Request string
}

// history asks the ledger of a state folder, with exit code 0.
func (c *cluster) history(t *testing.T, stateDir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), c.binary, append([]string{"history"}, append(args, "--state-dir", stateDir)...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("history %v: %v\n%s%s", args, err, out, stderr.String())
	}
	return string(out)
}

func (c *cluster) chronicle(t *testing.T, stateDir string, args ...string) []chronicled {
	t.Helper()
	var out []chronicled
	if err := json.Unmarshal([]byte(c.history(t, stateDir, append(args, "-o", "json")...)), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTheLedgerTellsWhatWasDecided(t *testing.T) {
	c := newCluster(t)
	c.addDrift(t)
	options := c.options(t, "holdfast", c.writeBundle(t, "bundle", noPrivileged))
	p := c.serve(t, options)
	eventually(t, "a refusal", c.refuses) // of a dry run, which is not recorded
	if _, err := c.create(t.Context(), pod("refused", true)); !apierrors.IsForbidden(err) {
		t.Fatalf("the Pod is not refused: %v", err)
	}
	eventually(t, "the finding in the ledger", func(context.Context) string {
		for _, e := range c.chronicle(t, options.StateDir, "Pod/drifted", "-n", "default", "--kind", "finding-opened") {
			if e.Policy.Name == "no-privileged" && e.Policy.Rule == "privileged" && e.Object.UID != "" && e.Policy.Digest != "" {
				return ""
			}
		}
		return c.history(t, options.StateDir)
	})
	var denials []chronicled
	eventually(t, "the denial in the ledger", func(context.Context) string {
		if denials = c.chronicle(t, options.StateDir, "Pod/refused", "--kind", "denied", "--policy", "no-privileged", "--since", "1h"); len(denials) != 1 {
			return fmt.Sprintf("%d denials are told", len(denials))
		}
		return ""
	})
	if denials[0].Actor.User == "" || denials[0].Request == "" || !strings.Contains(denials[0].Message, "Privileged containers") {
		t.Errorf("the denials are told as %+v", denials)
	}
	if changes := c.chronicle(t, options.StateDir, "--kind", "bundle-changed"); len(changes) != 1 || changes[0].Bundle != denials[0].Bundle {
		t.Errorf("the bundle is told as %+v", changes)
	}

	// It is killed, and another one goes on: nothing is told twice, and what is over meanwhile is closed.
	p.Kill()
	if err := c.kube.CoreV1().Pods("default").Delete(t.Context(), "drifted", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	c.serve(t, options)
	eventually(t, "the end of the finding", func(context.Context) string {
		if ends := c.chronicle(t, options.StateDir, "Pod/drifted", "--kind", "finding-closed"); len(ends) != 1 {
			return fmt.Sprintf("%d ends are told", len(ends))
		}
		return ""
	})
	if begins := c.chronicle(t, options.StateDir, "Pod/drifted", "--kind", "finding-opened"); len(begins) != 1 {
		t.Errorf("the finding opened %d times", len(begins))
	}
	if changes := c.chronicle(t, options.StateDir, "--kind", "bundle-changed"); len(changes) != 1 {
		t.Errorf("the bundle changed %d times", len(changes))
	}
	if out := c.history(t, options.StateDir, "verify"); !strings.Contains(out, "verified") {
		t.Errorf("verify says %s", out)
	}
}
