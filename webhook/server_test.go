package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// certificate is one that only tests know, from the standard library.
func certificate(t testing.TB) (*tls.Config, *x509.CertPool) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return &tls.Config{Certificates: s.TLS.Certificates, MinVersion: tls.VersionTLS12}, roots
}

func TestServer(t *testing.T) {
	config, roots := certificate(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := newDoor(t, requireTeam)
	entered, leave := make(chan struct{}), make(chan struct{})
	handler := http.NewServeMux()
	handler.Handle("/validate", d)
	handler.HandleFunc("/slow", func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-leave
		_, _ = w.Write([]byte("done"))
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Server{listener, config, handler, slog.New(slog.DiscardHandler)}.Run(ctx) }()

	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	client := &http.Client{Transport: transport}
	defer transport.CloseIdleConnections()
	base := "https://" + listener.Addr().String()
	resp, err := client.Post(base+"/validate", "application/json", strings.NewReader(reviewOf(nil)))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.ProtoMajor != 2 || resp.StatusCode != 200 || parse(t, body).Allowed {
		t.Errorf("HTTP/%d, %d: %s", resp.ProtoMajor, resp.StatusCode, body)
	}

	// What is in hand when the end comes is answered still.
	answer := make(chan string, 1)
	go func() {
		resp, err := client.Get(base + "/slow")
		if err != nil {
			answer <- err.Error()
			return
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		answer <- string(body)
	}()
	<-entered
	cancel()
	close(leave)
	if got := <-answer; got != "done" {
		t.Errorf("the last request got %s", got)
	}
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestServerOnAListenerThatFails(t *testing.T) {
	config, _ := certificate(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	err = Server{listener, config, http.NotFoundHandler(), slog.New(slog.DiscardHandler)}.Run(t.Context())
	if err == nil || !strings.HasPrefix(err.Error(), "serving admission reviews: ") {
		t.Errorf("got %v", err)
	}
}

// A shed review is read to its end: the connection, which all reviews of an API server share, survives.
func TestAShedReviewKeepsTheConnection(t *testing.T) {
	d := newDoor(t, requireTeam)
	d.limiter.count.Store(1 << 40)
	server := httptest.NewServer(d)
	defer server.Close()
	var connections []string
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		connections = append(connections, address)
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	// An API server writes the uid first.
	long := strings.Replace(reviewOf(obj{"object": pod(strings.Repeat("x", 2<<20), nil)}), `"request":{`, `"request":{"uid":"u-1",`, 1)
	for range 3 {
		resp, err := client.Post(server.URL+"/validate/fail-10s", "application/json", strings.NewReader(long))
		if err != nil {
			t.Fatal(err)
		}
		var body bytes.Buffer
		_, _ = body.ReadFrom(resp.Body)
		_ = resp.Body.Close()
		if got := parse(t, body.Bytes()); got.UID != "u-1" || got.Result.Code != 429 {
			t.Fatalf("got %s", body.String())
		}
	}
	if len(connections) != 1 {
		t.Errorf("%d connections were made", len(connections))
	}
}
