package scenarios

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/holdfast-io/holdfast/e2e/serving"
)

// gateway stands between holdfast and the API server, and kills holdfast at one of the writes by which it carries out a
// Remediation: before the API server hears of it, or when it has been done and the answer is on its way.
type gateway struct {
	forward http.Handler

	mu      sync.Mutex
	process *serving.Process
	at      int  // the write that is still to come; 0 for none
	after   bool // it is done first
	died    chan struct{}
	// done counts the writes of each object that the API server took.
	done map[string]int
}

// newGateway starts a gateway, and writes a kubeconfig that leads to it.
func (c *cluster) newGateway(t *testing.T) (g *gateway, kubeconfig string) {
	t.Helper()
	transport, err := rest.TransportFor(c.RESTConfig())
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(c.RESTConfig().Host)
	if err != nil {
		t.Fatal(err)
	}
	g = &gateway{done: map[string]int{}}
	g.forward = &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: transport, FlushInterval: -1,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	kubeconfig = filepath.Join(c.dir, "gateway.kubeconfig")
	text := fmt.Sprintf(`{"apiVersion": "v1", "kind": "Config", "clusters": [{"name": "c", "cluster": {"server": %q}}], "contexts": [{"name": "c", "context": {"cluster": "c"}}], "current-context": "c"}`, server.URL)
	if err := os.WriteFile(kubeconfig, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return g, kubeconfig
}

// steps reports whether a request is one of those writes, and of which object it is, if it is of one.
func steps(r *http.Request) (is bool, object string) {
	if r.Method != http.MethodPatch || r.URL.Query().Get("dryRun") != "" || r.URL.Query().Get("fieldManager") != "holdfast-reconcile" {
		return false, ""
	}
	if _, name, ok := strings.Cut(r.URL.Path, "/configmaps/"); ok {
		return true, name
	}
	return strings.HasSuffix(r.URL.Path, "/status"), ""
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	is, object := steps(r)
	if !is {
		g.forward.ServeHTTP(w, r)
		return
	}
	g.mu.Lock()
	kill := false
	if g.at > 0 {
		g.at--
		kill = g.at == 0
	}
	process, after, died := g.process, g.after, g.died
	g.mu.Unlock()
	if kill && !after {
		process.Kill()
		close(died)
		return
	}
	answer := httptest.NewRecorder()
	g.forward.ServeHTTP(answer, r.WithContext(context.WithoutCancel(r.Context())))
	if answer.Code == http.StatusOK && object != "" {
		g.mu.Lock()
		g.done[object]++
		g.mu.Unlock()
	}
	if kill {
		process.Kill()
		close(died)
		return
	}
	for key, values := range answer.Header() {
		w.Header()[key] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()) // whoever asked may be gone
}

// TestRemediationsSurviveDeath kills the program at its writes, one after the other, and lets another go on: every object is
// changed once, and the ledger has each intent with one outcome.
func TestRemediationsSurviveDeath(t *testing.T) {
	c := newCluster(t)
	g, kubeconfig := c.newGateway(t)
	o := c.executing(t, "holdfast")
	o.Kubeconfig = kubeconfig
	g.process = c.serve(t, o)
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
		g.mu.Lock()
		g.at, g.after, g.died = n/2+1, n%2 == 1, make(chan struct{})
		died := g.died
		g.mu.Unlock()
		c.tiers(t, namespace, set...)
		select {
		case <-died:
		case <-t.Context().Done():
			t.Fatal("it has not died")
		}
		// Its lease runs out in fifteen seconds; nobody waits for that here.
		err := c.kube.CoordinationV1().Leases("holdfast").Delete(t.Context(), "holdfast-audit", metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			t.Fatal(err)
		}
		next := c.serve(t, o)
		g.mu.Lock()
		g.process = next
		g.mu.Unlock()
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
	stop(t, g.process)
	for _, name := range names {
		if g.done[name] != 1 {
			t.Errorf("%s was written %d times", name, g.done[name])
		}
	}
	c.checkDeeds(t, o.StateDir, len(names))
}

// checkDeeds holds the ledger to what was done: each intent has one outcome, and so many are done.
func (c *cluster) checkDeeds(t *testing.T, stateDir string, want int) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), c.binary, "history", "export", "--state-dir", stateDir).Output()
	if err != nil {
		t.Fatal(err)
	}
	type entry struct {
		Kind, Outcome, Inverse string
		Object                 struct{ Name string }
		Details                map[string]string
	}
	intents, outcomes, done := map[string]int{}, map[string]int{}, 0
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
