package scenarios

import (
	"compress/gzip"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collector takes traces, as OpenTelemetry's would.
type collector struct {
	URL string

	mu    sync.Mutex
	spans []*tracepb.Span
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := c.take(r); err != nil {
			t.Errorf("the collector was sent what it cannot read: %v", err)
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	}))
	t.Cleanup(server.Close)
	c.URL = server.URL
	return c
}

func (c *collector) take(r *http.Request) error {
	if r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
		return fmt.Errorf("%s of %s", r.Header.Get("Content-Type"), r.URL.Path)
	}
	body, err := gzip.NewReader(r.Body)
	if err != nil {
		return err
	}
	raw, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	var request collectorpb.ExportTraceServiceRequest
	if err := proto.Unmarshal(raw, &request); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range request.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			c.spans = append(c.spans, scope.Spans...)
		}
	}
	return nil
}

// of gives the spans of a trace as PARENT > NAME, each once, in the order of the alphabet. A parent that never came is an ID.
func (c *collector) of(trace string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	names := map[string]string{}
	for _, s := range c.spans {
		names[string(s.SpanId)] = s.Name
	}
	var out []string
	for _, s := range c.spans {
		if hex.EncodeToString(s.TraceId) != trace {
			continue
		}
		parent, known := names[string(s.ParentSpanId)]
		if !known {
			parent = hex.EncodeToString(s.ParentSpanId)
		}
		out = append(out, parent+" > "+s.Name)
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), "\n")
}

// trace waits until all of a trace has come.
func (c *collector) trace(t *testing.T, id string, want ...string) {
	t.Helper()
	eventually(t, "the trace "+id, func(context.Context) string {
		got := c.of(id)
		if got == strings.Join(want, "\n") {
			return ""
		}
		return "it has\n" + got + "\nwant\n" + strings.Join(want, "\n")
	})
}

// traced sends requests with a trace of the caller's.
type traced struct {
	next        http.RoundTripper
	traceparent string
}

func (t traced) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("traceparent", t.traceparent)
	return t.next.RoundTrip(r)
}

// A review of a request that is traced is in its trace: the API server hands it on.
func (c *cluster) reviewIsTraced(t *testing.T, to *collector) {
	t.Helper()
	const trace, caller = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	config := c.RESTConfig()
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return traced{next, "00-" + trace + "-" + caller + "-01"}
	})
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "tier-traced"}, Data: map[string]string{"tier": "lead"}}
	if _, err := kube.CoreV1().ConfigMaps(metav1.NamespaceDefault).Create(t.Context(), m, metav1.CreateOptions{}); err == nil {
		t.Error("it was let pass")
	}
	to.trace(t, trace, "admission validate > answer", "admission validate > decode", "admission validate > match", "admission validate > read",
		"admission validate > validate", caller+" > admission validate")
}
