package traces

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// collector takes spans as one would that is out there, and answers what a test wants.
type collector struct {
	mu      sync.Mutex
	calls   int
	headers http.Header // of the last call
	path    string
	spans   []*tracepb.ResourceSpans
	// answer is asked at each call, by its number from 1; nil takes everything.
	answer func(w http.ResponseWriter, call int) (taken bool)
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	zip, err := gzip.NewReader(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	raw, err := io.ReadAll(zip)
	var request tracepb.TracesData
	if err != nil || proto.Unmarshal(raw, &request) != nil {
		http.Error(w, "not what it says", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	c.calls++
	call := c.calls
	c.headers, c.path = r.Header, r.URL.Path
	c.mu.Unlock()
	if c.answer != nil && !c.answer(w, call) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spans = append(c.spans, request.ResourceSpans...)
}

// got writes each span as PARENT > NAME, with its resource's attributes once.
func (c *collector) got() (spans, resource []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	names := map[string]string{}
	each := func(do func(*tracepb.Span)) {
		for _, r := range c.spans {
			for _, s := range r.ScopeSpans {
				for _, span := range s.Spans {
					do(span)
				}
			}
		}
	}
	each(func(s *tracepb.Span) { names[string(s.SpanId)] = s.Name })
	each(func(s *tracepb.Span) {
		parent, known := names[string(s.ParentSpanId)]
		if !known {
			parent = hex.EncodeToString(s.ParentSpanId)
		}
		spans = append(spans, parent+" > "+s.Name)
	})
	slices.Sort(spans)
	for _, a := range c.spans[0].Resource.Attributes {
		resource = append(resource, a.Key+"="+a.Value.GetStringValue())
	}
	return spans, resource
}

// start makes a provider that sends to the collector. stop ends it, and with it sends what waits.
func start(t *testing.T, o Options) (p *Provider, reg *prometheus.Registry, stop func()) {
	t.Helper()
	reg = prometheus.NewPedanticRegistry()
	o.Logger, o.Metrics = slog.New(slog.DiscardHandler), reg
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- p.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return p, reg, stop
}

// counted gives the counters of traces, those above zero.
func counted(t *testing.T, reg *prometheus.Registry) string {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name, value := strings.TrimPrefix(f.GetName(), "holdfast_trace_spans_"), m.GetCounter().GetValue()+m.GetGauge().GetValue()
			for _, l := range m.GetLabel() {
				name += "/" + l.GetValue()
			}
			if value != 0 {
				out = append(out, fmt.Sprintf("%s=%g", name, value))
			}
		}
	}
	return strings.Join(out, " ")
}

func expect(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got\n%s\nwant\n%s", what, got, want)
	}
}

func TestATreeOfSpansArrives(t *testing.T) {
	c := &collector{}
	server := httptest.NewTLSServer(c)
	defer server.Close()
	dir := t.TempDir()
	ca, headers := filepath.Join(dir, "ca.crt"), filepath.Join(dir, "headers")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(headers, []byte("Authorization: Bearer t:0ken\n\nx-scope-orgid:shop\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, reg, stop := start(t, Options{
		Endpoint: server.URL + "/otlp/", CAFile: ca, HeadersFile: headers, Ratio: 1, Version: "v1", Instance: "pod-1",
		Attributes: map[string]string{"k8s.cluster.name": "prod"},
	})
	ctx, root := p.Tracer().Start(t.Context(), "review", trace.WithSpanKind(trace.SpanKindServer))
	_, child := p.Tracer().Start(ctx, "phase")
	child.SetAttributes(attribute.String("long", strings.Repeat("x", 1000)))
	child.End()
	root.End()
	stop()
	spans, resource := c.got()
	expect(t, "spans", strings.Join(spans, "\n"), " > review\nreview > phase")
	expect(t, "resource", strings.Join(resource, " "), "k8s.cluster.name=prod service.instance.id=pod-1 service.name=holdfast service.version=v1")
	expect(t, "path", c.path, "/otlp/v1/traces")
	expect(t, "headers", strings.Join([]string{c.headers.Get("Content-Type"), c.headers.Get("Authorization"), c.headers.Get("X-Scope-OrgID")}, ", "), "application/x-protobuf, Bearer t:0ken, shop")
	expect(t, "metrics", counted(t, reg), "sent_total=2")
	for _, s := range c.spans[0].ScopeSpans[0].Spans {
		for _, a := range s.Attributes {
			if len(a.Value.GetStringValue()) != maxValue {
				t.Errorf("%s has a value of %d bytes: want %d", s.Name, len(a.Value.GetStringValue()), maxValue)
			}
		}
	}
}

func TestWhatIsTraced(t *testing.T) {
	parent := func(flags trace.TraceFlags) context.Context {
		return trace.ContextWithRemoteSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: flags, Remote: true,
		}))
	}
	for name, test := range map[string]struct {
		ratio float64
		kind  trace.SpanKind
		ctx   context.Context
		want  bool
	}{
		"no review":                                  {0, trace.SpanKindServer, context.Background(), false},
		"every review":                               {1, trace.SpanKindServer, context.Background(), true},
		"a review of a request that is traced":       {0, trace.SpanKindServer, parent(trace.FlagsSampled), true},
		"a review of a request that is not":          {1, trace.SpanKindServer, parent(0), false},
		"what we do by ourselves":                    {0, trace.SpanKindInternal, context.Background(), true},
		"what is below a Remediation that is traced": {0, trace.SpanKindInternal, parent(trace.FlagsSampled), true},
		"what is below a Remediation that is not":    {1, trace.SpanKindInternal, parent(0), false},
	} {
		t.Run(name, func(t *testing.T) {
			p, _, _ := start(t, Options{Endpoint: "http://127.0.0.1:1", Ratio: test.ratio})
			_, span := p.Tracer().Start(test.ctx, "x", trace.WithSpanKind(test.kind))
			if got := span.IsRecording(); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
}

// spans ends some.
func (p *Provider) spans(n int) {
	for range n {
		_, s := p.Tracer().Start(context.Background(), "sweep")
		s.End()
	}
}

func TestWhatCannotBeSentIsCounted(t *testing.T) {
	status := func(code int) func(http.ResponseWriter, int) bool {
		return func(w http.ResponseWriter, _ int) bool {
			w.WriteHeader(code)
			return false
		}
	}
	for name, test := range map[string]struct {
		answer func(http.ResponseWriter, int) bool
		want   string
		calls  int
	}{
		"one that comes back": {func(w http.ResponseWriter, call int) bool {
			if call < 3 {
				w.WriteHeader([]int{http.StatusServiceUnavailable, http.StatusTooManyRequests}[call-1])
			}
			return call >= 3
		}, "sent_total=3", 3},
		"one that does not take it": {status(http.StatusBadRequest), "dropped_total/unsent=3", 1},
		"one that sends elsewhere": {func(w http.ResponseWriter, _ int) bool {
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(http.StatusTemporaryRedirect)
			return false
		}, "dropped_total/unsent=3", 1},
		"one that takes a part": {func(w http.ResponseWriter, _ int) bool {
			inner := protowire.AppendString(protowire.AppendTag(nil, 2, protowire.BytesType), "too old")
			inner = protowire.AppendVarint(protowire.AppendTag(inner, 1, protowire.VarintType), 2)
			_, _ = w.Write(protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), inner))
			return true
		}, "dropped_total/rejected=2 sent_total=1", 1},
	} {
		t.Run(name, func(t *testing.T) {
			c := &collector{answer: test.answer}
			server := httptest.NewServer(c)
			defer server.Close()
			p, reg, stop := start(t, Options{Endpoint: server.URL})
			p.client.first = time.Millisecond
			p.spans(3)
			if err := p.sdk.ForceFlush(t.Context()); err != nil {
				t.Fatal(err)
			}
			expect(t, "metrics", counted(t, reg), test.want)
			if c.calls != test.calls {
				t.Errorf("%d calls, want %d", c.calls, test.calls)
			}
			stop()
		})
	}
}

// A collector that does not answer holds nobody up: what there is no room for is dropped, and the end comes in time.
func TestACollectorThatHangsHoldsNobodyUp(t *testing.T) {
	hung := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hung }))
	defer server.Close()
	p, reg, stop := start(t, Options{Endpoint: server.URL})
	const more = 100
	p.spans(maxWaiting + more)
	expect(t, "metrics", counted(t, reg), fmt.Sprintf("dropped_total/no_room=%d waiting=%d", more, maxWaiting))
	close(hung)
	stop()
	expect(t, "metrics in the end", counted(t, reg), fmt.Sprintf("dropped_total/no_room=%d sent_total=%d", more, maxWaiting))
}

func TestOptionsThatCannotBeUsed(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "headers")
	if err := os.WriteFile(bad, []byte("a: b\ns3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	for want, o := range map[string]Options{
		"traces options: Logger is missing":                                                                       {Endpoint: "http://c:4318"},
		"traces options: Endpoint: expected http://HOST:PORT or https://HOST:PORT":                                {Logger: log, Endpoint: "collector:4318"},
		"traces options: Endpoint has a user: expected credentials as a header in HeadersFile, which nobody sees": {Logger: log, Endpoint: "https://u:s3cret@c:4318"},
		"traces options: Endpoint takes no query or fragment":                                                     {Logger: log, Endpoint: "https://c:4318?key=s3cret"},
		"traces options: Ratio is 2: expected 0 to 1":                                                             {Logger: log, Endpoint: "http://c:4318", Ratio: 2},
		"reading the headers for the collector: " + bad + ":2: expected NAME: VALUE":                              {Logger: log, Endpoint: "http://c:4318", HeadersFile: bad},
		"reading the collector's CA: " + bad + " has no certificate in PEM":                                       {Logger: log, Endpoint: "https://c:4318", CAFile: bad},
		"reading the collector's CA: open " + bad + ".none: no such file or directory":                            {Logger: log, Endpoint: "https://c:4318", CAFile: bad + ".none"},
		"reading the headers for the collector: open " + bad + ".none: no such file or directory":                 {Logger: log, Endpoint: "https://c:4318", HeadersFile: bad + ".none"},
	} {
		if _, err := New(o); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// Whatever a collector answers, it is understood or taken for nothing.
func FuzzPartial(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0x0a, 0x02, 0x08, 0x03})
	f.Add(bytes.Repeat([]byte{0xff}, 20))
	f.Fuzz(func(t *testing.T, answer []byte) {
		if some := (rejected{}); errors.As(partial(answer), &some) && some.spans <= 0 {
			t.Errorf("%x: rejects %d spans", answer, some.spans)
		}
	})
}
