package scenarios

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"k8s.io/client-go/rest"
)

// gateway stands between holdfast and the API server. It sees the writes by which Remediations are carried out, and has
// something happen at one of them.
type gateway struct {
	forward    http.Handler
	kubeconfig string // leads to it
	// cut keeps leases from being renewed through it.
	cut atomic.Bool

	mu   sync.Mutex
	blow *blow
	// done counts the writes of each object that the API server took.
	done map[string]int
}

// blow is what happens at a write.
type blow struct {
	// at picks the write. It is asked about one after the other, by the object's name or "" for a status, until it says yes.
	at func(object string) bool
	// after: the API server does it first, and its answer is on its way. Otherwise it has not heard of it yet.
	after bool
	// strike makes it happen, and says whether the write goes on as if nothing had been; else nothing more is heard of it.
	strike func() bool
	fell   chan struct{} // closed when it has happened
}

// atObject picks the first write of an object.
func atObject(name string) func(string) bool {
	return func(object string) bool { return object == name }
}

// atWrite picks the n-th write, from 1.
func atWrite(n int) func(string) bool {
	return func(string) bool { n--; return n == 0 }
}

// newGateway starts a gateway.
func (c *cluster) newGateway(t *testing.T, name string) *gateway {
	t.Helper()
	transport, err := rest.TransportFor(c.RESTConfig())
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(c.RESTConfig().Host)
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{done: map[string]int{}, kubeconfig: filepath.Join(c.dir, name+".kubeconfig")}
	g.forward = &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: transport, FlushInterval: -1,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	text := fmt.Sprintf(`{"apiVersion": "v1", "kind": "Config", "clusters": [{"name": "c", "cluster": {"server": %q}}], "contexts": [{"name": "c", "context": {"cluster": "c"}}], "current-context": "c"}`, server.URL)
	if err := os.WriteFile(g.kubeconfig, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return g
}

// await has a blow fall at the next write that it picks.
func (g *gateway) await(b *blow) {
	b.fell = make(chan struct{})
	g.mu.Lock()
	defer g.mu.Unlock()
	g.blow = b
}

// writes is how often an object was written through the gateway.
func (g *gateway) writes(object string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.done[object]
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

// due is the blow that falls at a write; nil for none.
func (g *gateway) due(object string) *blow {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := g.blow
	if b == nil || !b.at(object) {
		return nil
	}
	g.blow = nil
	return b
}

// falls has it happen, and breaks the connection off if nothing more is to be heard of the write.
func (b *blow) falls() {
	goesOn := b.strike()
	close(b.fell)
	if !goesOn {
		panic(http.ErrAbortHandler)
	}
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	is, object := steps(r)
	switch {
	case g.cut.Load() && strings.Contains(r.URL.Path, "/leases/"):
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case !is:
		g.forward.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body) // whoever sent it may be gone when it goes on
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	b := g.due(object)
	if b != nil && !b.after {
		b.falls()
	}
	answer := httptest.NewRecorder()
	late := r.Clone(context.WithoutCancel(r.Context()))
	late.Body = io.NopCloser(bytes.NewReader(body))
	g.forward.ServeHTTP(answer, late)
	if answer.Code == http.StatusOK && object != "" {
		g.mu.Lock()
		g.done[object]++
		g.mu.Unlock()
	}
	if b != nil && b.after {
		b.falls()
	}
	for key, values := range answer.Header() {
		w.Header()[key] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()) // whoever asked may be gone
}
