package scenarios

import (
	"context"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
)

// tiersOf makes many ConfigMaps of one tier, several at a time.
func (c *cluster) tiersOf(t *testing.T, tier, prefix string, n int) {
	t.Helper()
	var g errgroup.Group
	g.SetLimit(16)
	for i := range n {
		g.Go(func() error {
			m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s-%d", prefix, i)}, Data: map[string]string{"tier": tier}}
			_, err := c.kube.CoreV1().ConfigMaps(metav1.NamespaceDefault).Create(t.Context(), m, metav1.CreateOptions{})
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

// TestManyFindingsAtOnceStayWithinTheirBudget has a policy find fault with many objects, a little less than half of what it
// matches: as many are changed as the budget of their Namespace lets be, and no more. HOLDFAST_CROWD=5000 makes it that many.
func TestManyFindingsAtOnceStayWithinTheirBudget(t *testing.T) {
	c := newCluster(t)
	n := crowd(t)
	c.tiersOf(t, "lead", "many-bad", n)
	c.tiersOf(t, "gold", "many-good", n+1)
	o := c.options(t, "holdfast", c.writeBundle(t, "bundle", golden("many", "enforce")))
	o.Args = append(o.Args, "--reconcile-mode", "enforce", "--settle", "0s", "--reconcile-strategy", "canary=1, wave=50%, pause=1s, health-timeout=1m")
	begun := time.Now()
	p := c.serve(t, o)
	const budget = 20 // of a Namespace, in an hour
	var targets, remediations, gold int
	look := func(ctx context.Context) error {
		list, err := c.remediations(ctx, "many")
		if err != nil {
			return err
		}
		targets, remediations = 0, 0
		held := 0
		for i := range list {
			r := &list[i]
			if r.Status.Phase == "Superseded" {
				continue
			}
			targets += len(r.Spec.Plan.Targets)
			remediations++
			if len(r.Status.Gates) == 1 && r.Status.Gates[0].Gate == "budget" && r.Status.Gates[0].Reason == "BudgetUsed" {
				held++
			}
		}
		maps, err := c.kube.CoreV1().ConfigMaps(metav1.NamespaceDefault).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		gold = -(n + 1)
		for i := range maps.Items {
			if maps.Items[i].Data["tier"] == "gold" {
				gold++
			}
		}
		if targets != n || held != remediations || gold != budget {
			return fmt.Errorf("%d targets of %d in %d remediations, %d of which the budget holds, %d changed", targets, n, remediations, held, gold)
		}
		return nil
	}
	// Each is read and tried at the API server: 5,000 take minutes on two cores.
	t.Log("waiting for many to be planned for, and some to be changed")
	var last error
	err := wait.PollUntilContextTimeout(t.Context(), 2*time.Second, 8*patience, true, func(ctx context.Context) (bool, error) {
		last = look(ctx)
		return last == nil, nil
	})
	if err != nil {
		t.Fatalf("%v: %v", err, last)
	}
	cpu, cpuErr := metric(t.Context(), &o, "process_cpu_seconds_total")
	memory, memoryErr := metric(t.Context(), &o, "process_resident_memory_bytes")
	if cpuErr != nil || memoryErr != nil {
		t.Fatal(cpuErr, memoryErr)
	}
	t.Logf("%d findings: %d remediations, %d changed, %s, %.0f CPU-s, %.0f MiB", n, remediations, gold, time.Since(begun).Round(time.Second), cpu, memory/(1<<20))
	stop(t, p)
	c.checkDeeds(t, budget, "--state-dir", o.StateDir)
}
