package scenarios

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestRemediationsSurviveDeath kills the program at its writes, one after the other, and lets another go on: every object is
// changed once, and the ledger has each intent with one outcome.
func TestRemediationsSurviveDeath(t *testing.T) {
	c := newCluster(t)
	g := c.newGateway(t, "gateway")
	o := c.executing(t, "holdfast")
	o.Kubeconfig = g.kubeconfig
	p := c.serve(t, o)
	// A canary and a wave of one take nine writes: a mark, the object, what became of it and of its health, twice, and the end.
	// In CI some of them, because each takes some seconds: HOLDFAST_DEATHS=all has all. Each has a Namespace of its own, because
	// there are budgets.
	const writes = 9
	every := 5
	if os.Getenv("HOLDFAST_DEATHS") == "all" {
		every = 1
	}
	var names []string
	for n := 0; n < 2*writes; n += every {
		set := []string{fmt.Sprintf("fought-%d-a", n), fmt.Sprintf("fought-%d-b", n)}
		namespace := fmt.Sprintf("death-%d", n)
		if _, err := c.kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		names = append(names, set...)
		death := &blow{at: atWrite(n/2 + 1), after: n%2 == 1, strike: func() bool { p.Kill(); return false }}
		g.await(death)
		c.tiers(t, namespace, set...)
		awaitBlow(t, death)
		c.dropLease(t)
		p = c.serve(t, o)
		eventually(t, fmt.Sprintf("all to be well after a death at write %d (after it: %v)", n/2+1, n%2 == 1), func(ctx context.Context) string {
			for _, name := range set {
				if tier := c.tier(ctx, namespace, name); tier != "gold" {
					return name + " has tier " + tier
				}
			}
			list, err := c.remediations(ctx, "fought")
			if err != nil {
				return err.Error()
			}
			for i := range list {
				if phase := list[i].Status.Phase; phase != "Succeeded" && phase != "Superseded" {
					return list[i].Metadata.Name + " " + list[i].says()
				}
			}
			return ""
		})
	}
	stop(t, p)
	for _, name := range names {
		if n := g.writes(name); n != 1 {
			t.Errorf("%s was written %d times", name, n)
		}
	}
	c.checkDeeds(t, len(names), "--state-dir", o.StateDir)
}

// awaitBlow waits until it has fallen.
func awaitBlow(t *testing.T, b *blow) {
	t.Helper()
	select {
	case <-b.fell:
	case <-time.After(patience):
		t.Fatal("the write at which something was to happen has not come")
	}
}

// dropLease takes the lease of one that was killed away: it runs out in fifteen seconds, for which nobody waits here.
func (c *cluster) dropLease(t *testing.T) {
	t.Helper()
	err := c.kube.CoordinationV1().Leases("holdfast").Delete(t.Context(), "holdfast-audit", metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
}

// checkDeeds holds the ledger to what was done: each intent has one outcome, each Remediation one end, and so many objects
// are changed. The last arguments say where the ledger is.
func (c *cluster) checkDeeds(t *testing.T, want int, place ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), c.binary, append([]string{"history", "export"}, place...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	type entry struct {
		Kind, Outcome, Inverse string
		Object                 struct{ Name string }
		Details                map[string]string
	}
	intents, outcomes, ends, done := map[string]int{}, map[string]int{}, map[string]int{}, 0
	for line := range strings.Lines(string(out)) {
		var e entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		deed := e.Object.Name + " " + e.Details["remediationUID"] + " " + e.Details["write"]
		switch e.Kind {
		case "intended":
			intents[deed]++
			if e.Inverse == "" {
				t.Errorf("%s has no way back", deed)
			}
		case "applied":
			outcomes[deed]++
			if e.Outcome == "done" {
				done++
			}
		case "concluded":
			ends[e.Details["remediationUID"]]++
		}
	}
	for uid, n := range ends {
		if n != 1 {
			t.Errorf("remediation %s has ended %d times", uid, n)
		}
	}
	for deed, n := range intents {
		if n != 1 || outcomes[deed] != 1 {
			t.Errorf("%s is intended %d times and has %d outcomes", deed, n, outcomes[deed])
		}
	}
	if done != want || len(outcomes) != len(intents) {
		t.Errorf("%d are done of %d intents and %d outcomes, want %d", done, len(intents), len(outcomes), want)
	}
}
