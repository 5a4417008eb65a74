package scenarios

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-io/holdfast/e2e/postgres"
	"github.com/holdfast-io/holdfast/e2e/serving"
)

// database starts a PostgreSQL server for as long as the test runs. A machine without it leaves the test out and says so;
// where HOLDFAST_TEST_POSTGRES is set, as in CI, its absence is a failure.
func (c *cluster) database(t *testing.T) *postgres.Server {
	t.Helper()
	port, err := c.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, err := postgres.New(ctx, port)
	if errors.Is(err, postgres.ErrMissing) && os.Getenv("HOLDFAST_TEST_POSTGRES") == "" {
		t.Skipf("left out: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// replica is one of two programs on one cluster, with a gateway of its own between.
type replica struct {
	options serving.Options
	gateway *gateway
	process *serving.Process
}

// pair are two replicas that keep one ledger in a database.
type pair struct {
	*cluster
	database *postgres.Server
	dsnFile  string
	replicas [2]*replica
}

func newPair(t *testing.T, c *cluster) *pair {
	t.Helper()
	p := &pair{cluster: c, database: c.database(t), dsnFile: filepath.Join(c.dir, "dsn")}
	if err := os.WriteFile(p.dsnFile, []byte(p.database.DSN()), 0o600); err != nil {
		t.Fatal(err)
	}
	bundle := c.writeBundle(t, "bundle", noPrivileged)
	for i := range p.replicas {
		name := fmt.Sprintf("holdfast-%d", i)
		r := &replica{options: c.options(t, name, bundle), gateway: c.newGateway(t, name)}
		r.options.WebhookName, r.options.Kubeconfig = name, r.gateway.kubeconfig
		r.options.Args = append(r.options.Args, "--ledger-dsn-file", p.dsnFile, "--reconcile-mode", "enforce", "--settle", "0s",
			"--reconcile-strategy", "canary=1, wave=50%, pause=1s, health-timeout=5m", "--reconcile-budget-namespace", "100")
		r.process = c.serve(t, r.options)
		p.replicas[i] = r
		if i == 0 {
			eventually(t, "the first to lead", shows(&r.options, leads))
		}
	}
	return p
}

// leads is what the metrics of the one that leads say.
const leads = "holdfast_audit_leader 1"

// now gives the one that leads, and the other.
func (p *pair) now(t *testing.T) (leader, other *replica) {
	t.Helper()
	eventually(t, "one of two to lead", func(ctx context.Context) string {
		for i, r := range p.replicas {
			if shows(&r.options, leads)(ctx) == "" {
				leader, other = r, p.replicas[1-i]
				return ""
			}
		}
		return "nobody leads"
	})
	return leader, other
}

// begin makes the five objects of a policy and then the policy, so that they are found and planned for together and changed in
// three waves of one, two and two, and waits until the blow has fallen on the one that leads.
func (p *pair) begin(t *testing.T, name string, leader *replica, b *blow) {
	t.Helper()
	p.tiers(t, metav1.NamespaceDefault, objectsOf(name)...)
	leader.gateway.await(b)
	if _, err := p.dynamic.Resource(clusterPolicies).Create(t.Context(), parsed(t, golden(name, "enforce")), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	awaitBlow(t, b)
}

func objectsOf(name string) []string {
	var out []string
	for _, letter := range "abcde" {
		out = append(out, name+"-"+string(letter))
	}
	return out
}

// end waits until all objects of a policy are as it wants them, and no Remediation is open. Then each was written once.
func (p *pair) end(t *testing.T, name string) {
	t.Helper()
	eventually(t, "all to be well", func(ctx context.Context) string {
		for _, object := range objectsOf(name) {
			if tier := p.tier(ctx, metav1.NamespaceDefault, object); tier != "gold" {
				return object + " has tier " + tier
			}
		}
		list, err := p.remediations(ctx, name)
		if err != nil {
			return err.Error()
		}
		for i := range list {
			if !slices.Contains([]string{"Succeeded", "Superseded"}, list[i].Status.Phase) {
				return list[i].Metadata.Name + " " + list[i].says()
			}
		}
		return ""
	})
	for _, object := range objectsOf(name) {
		if n := p.replicas[0].gateway.writes(object) + p.replicas[1].gateway.writes(object); n != 1 {
			t.Errorf("%s was written %d times", object, n)
		}
	}
}

// goneOn waits until an object is written by a replica. It is for a blow, which must not end the test.
func (r *replica) goneOn(object string) bool {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(interval) {
		if r.gateway.writes(object) > 0 {
			return true
		}
	}
	return false
}

// TestRemediationsGoOnInOtherHands has the one that carries a Remediation out stop in the middle of a wave, in each way that
// there is, and what it stands on go away and come back. Every object is changed once, and the ledger, which both write, has
// each intent with one outcome.
func TestRemediationsGoOnInOtherHands(t *testing.T) {
	t.Parallel() // it waits for leases to run out, most of the time
	c := newCluster(t)
	c.installPolicyTypes(t)
	p := newPair(t, c)
	rounds := 0
	run := func(what, name string, round func(t *testing.T, leader, other *replica)) {
		rounds++
		well := t.Run(what, func(t *testing.T) {
			leader, other := p.now(t)
			round(t, leader, other)
			p.end(t, name)
		})
		if !well {
			t.FailNow()
		}
		for _, r := range p.replicas {
			select {
			case <-r.process.Ended():
				r.process = c.serve(t, r.options)
			default:
			}
		}
	}
	signal := func(r *replica, s syscall.Signal) {
		if err := syscall.Kill(r.process.PID(), s); err != nil {
			t.Error(err)
		}
	}

	run("the leader is told to end", "told", func(t *testing.T, leader, other *replica) {
		p.begin(t, "told", leader, &blow{at: atObject("told-b"), after: true, strike: func() bool {
			signal(leader, syscall.SIGTERM)
			return true
		}})
		stop(t, leader.process)
		p.end(t, "told")
		if n := other.gateway.writes("told-e"); n != 1 {
			t.Errorf("the other has written the last object %d times", n)
		}
	})
	run("the leader is killed", "killed", func(t *testing.T, leader, other *replica) {
		p.begin(t, "killed", leader, &blow{at: atObject("killed-c"), strike: func() bool {
			leader.process.Kill()
			return false
		}})
		c.dropLease(t)
		p.end(t, "killed")
		if n := other.gateway.writes("killed-c"); n != 1 {
			t.Errorf("the other has written what the first was about to write %d times", n)
		}
	})
	// The write of the one that leads no more arrives when the other has made it: it must not count, for nothing.
	run("the leader loses its lease, and its write comes late", "late", func(t *testing.T, leader, other *replica) {
		p.begin(t, "late", leader, &blow{at: atObject("late-b"), strike: func() bool {
			leader.gateway.cut.Store(true)
			return other.goneOn("late-b")
		}})
		p.end(t, "late")
		leader.gateway.cut.Store(false)
	})
	run("the leader stands still, and wakes up when another leads", "still", func(t *testing.T, leader, other *replica) {
		p.begin(t, "still", leader, &blow{at: atObject("still-b"), strike: func() bool {
			signal(leader, syscall.SIGSTOP)
			defer signal(leader, syscall.SIGCONT)
			return other.goneOn("still-b")
		}})
	})
	run("the API server goes away", "away", func(t *testing.T, leader, other *replica) {
		p.begin(t, "away", leader, &blow{at: atObject("away-b"), after: true, strike: func() bool {
			c.StopAPIServer()
			return false
		}})
		eventually(t, "it to say that it cannot tell how the kill switch stands", shows(&leader.options, "holdfast_reconcile_stopped 1"))
		for _, r := range []*replica{leader, other} {
			eventually(t, "nobody to lead", shows(&r.options, "holdfast_audit_leader 0"))
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if err := c.StartAPIServer(ctx); err != nil {
			t.Fatal(err)
		}
	})
	run("the database goes away", "unrecorded", func(t *testing.T, leader, _ *replica) {
		p.begin(t, "unrecorded", leader, &blow{at: atObject("unrecorded-b"), after: true, strike: func() bool {
			p.database.Kill()
			return true
		}})
		for _, line := range []string{"holdfast_ledger_writing 0", "holdfast_remediation_failures_total"} {
			eventually(t, "it to say so", shows(&leader.options, line))
		}
		failures, err := metric(t.Context(), &leader.options, "holdfast_remediation_failures_total")
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "it to be tried again", func(ctx context.Context) string {
			if now, err := metric(ctx, &leader.options, "holdfast_remediation_failures_total"); err != nil || now < failures+2 {
				return fmt.Sprintf("%v failures, %v", now, err)
			}
			return ""
		})
		if status, err := c.statusText(t.Context(), leader.options.MetricsPort); err != nil || !strings.Contains(status, "the database of the ledger is away") {
			t.Errorf("the status says %s, %v", status, err)
		}
		if problem := c.refuses(t.Context()); problem != "" {
			t.Errorf("admission: %s", problem)
		}
		if _, err := c.create(t.Context(), pod("refused", true)); err == nil {
			t.Error("a privileged Pod is let pass")
		}
		// What had been intended when it went may have been done: no more.
		c.have(t, "gold", "unrecorded-a", "unrecorded-b")
		c.have(t, "lead", "unrecorded-d", "unrecorded-e")
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if err := p.database.Start(ctx); err != nil {
			t.Fatal(err)
		}
	})
	for _, r := range p.replicas {
		stop(t, r.process)
	}
	place := []string{"--ledger-dsn-file", p.dsnFile}
	c.checkDeeds(t, rounds*len(objectsOf("")), place...)
	said := c.runs(t, append([]string{"history", "verify"}, place...)...)
	if !strings.Contains(said, " verified, ") {
		t.Errorf("verify says %s", said)
	}
	// What was refused while the database was away waited for it, from whichever replica refused it.
	if said := c.runs(t, append([]string{"history", "Pod/refused", "--kind", "denied"}, place...)...); !strings.Contains(said, "no-privileged") {
		t.Errorf("what was refused meanwhile is not on record:\n%s", said)
	}
}
