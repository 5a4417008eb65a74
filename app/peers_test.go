package app

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/cache"

	"github.com/holdfast-io/holdfast/certs"
	"github.com/holdfast-io/holdfast/webhook"
)

const peerHost = "holdfast.holdfast.svc"

// certified is a certificate of its own.
func certified(t *testing.T, host string) certs.Source {
	t.Helper()
	source, err := certs.NewFiles(certs.FilesOptions{Dir: t.TempDir(), Names: []string{host}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- source.Run(t.Context()) }()
	t.Cleanup(func() { <-done }) //nolint:errcheck // the test's context has ended by then
	<-source.Ready()
	return source
}

// peer is a replica that answers with the certificate.
func peer(t *testing.T, of identity, memory *webhook.Memory) string {
	t.Helper()
	server := httptest.NewUnstartedServer(recall{memory, of, peerHost})
	server.TLS = asksForCertificates(of.TLSConfig())
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	server.StartTLS()
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "https://")
}

func TestReplicasAskEachOther(t *testing.T) {
	ours, others := certified(t, peerHost), certified(t, peerHost)
	young, old := webhook.NewMemory(time.Now()), webhook.NewMemory(time.Now().Add(-time.Hour))
	first, second := peer(t, ours, old), peer(t, ours, old)
	recent := peer(t, ours, young)
	stranger := peer(t, others, old)
	at := time.Now().Add(-time.Minute)
	trace := webhook.Trace{UID: "u", Newest: at.UTC().Format(time.RFC3339)}
	for name, test := range map[string]struct {
		addresses []string
		known     bool
		at        time.Time
		complete  bool
		counted   string
	}{
		"all remember that time":          {[]string{first, second}, true, at, true, "unknown 2"},
		"one has begun since":             {[]string{first, recent}, true, at, false, "unknown 2"},
		"one is none of ours":             {[]string{first, stranger}, true, at, false, "unknown 1 failed 1"},
		"one is not there":                {[]string{first, "127.0.0.1:1"}, true, at, false, "unknown 1 failed 1"},
		"where they are is not known yet": {nil, false, at, false, ""},
		"there is none":                   {nil, true, at, false, ""},
		"a write of long ago":             {[]string{first}, true, at.Add(-time.Hour), false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := newPeers(ours, peerHost, func() ([]string, bool) { return test.addresses, test.known }, prometheus.NewPedanticRegistry())
			if err != nil {
				t.Fatal(err)
			}
			defer p.close()
			p.left = at.Add(-time.Minute)
			write, complete := p.recall(t.Context(), trace, test.at)
			if write != nil || complete != test.complete {
				t.Errorf("they know %v, complete: %v; want nothing, %v", write, complete, test.complete)
			}
			var counted []string
			for _, outcome := range []string{"unknown", "failed"} {
				if n := testutil.ToFloat64(p.metrics.WithLabelValues(outcome)); n > 0 {
					counted = append(counted, outcome+" "+strconv.Itoa(int(n)))
				}
			}
			if got := strings.Join(counted, " "); got != test.counted {
				t.Errorf("counted %q, want %q", got, test.counted)
			}
		})
	}
}

// What a replica remembered that is no more, nobody knows: that no other one remembers a write does not say that admission was
// not asked about it.
func TestWhatAReplicaRememberedGoesWithIt(t *testing.T) {
	ours := certified(t, peerHost)
	old := webhook.NewMemory(time.Now().Add(-time.Hour))
	first, second := peer(t, ours, old), peer(t, ours, old)
	addresses := []string{first, second}
	p, err := newPeers(ours, peerHost, func() ([]string, bool) { return addresses, true }, prometheus.NewPedanticRegistry())
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	at := time.Now().Add(-time.Minute)
	asked := func(when string, want bool) {
		t.Helper()
		if _, complete := p.recall(t.Context(), webhook.Trace{UID: "u"}, at); complete != want {
			t.Errorf("%s: complete is %v, want %v", when, complete, want)
		}
	}
	asked("of a write from before anybody could ask", false)
	p.left = at.Add(-time.Minute)
	asked("with both there all the while", true)
	addresses = addresses[:1]
	asked("with one gone", false)
	asked("with one gone, the next time", false)
	p.left = at.Add(-time.Minute)
	asked("of a write from after it went", true)
}

func TestWhoMayAskAReplica(t *testing.T) {
	ours := certified(t, peerHost)
	address := peer(t, ours, webhook.NewMemory(time.Now()))
	for name, test := range map[string]struct {
		certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
		want        int
	}{
		"one of ours":                   {ours.TLSConfig().GetCertificate, http.StatusOK},
		"one without a certificate":     {nil, http.StatusForbidden},
		"one with another CA's":         {certified(t, peerHost).TLSConfig().GetCertificate, http.StatusForbidden},
		"one with another host's of it": {certified(t, "other.holdfast.svc").TLSConfig().GetCertificate, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true} //nolint:gosec // it is the server that is tested
			if test.certificate != nil {
				config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return test.certificate(nil) }
			}
			transport := &http.Transport{TLSClientConfig: config}
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+address+writesPath, strings.NewReader(`{"uid": "u"}`))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != test.want {
				t.Errorf("it answers %d, want %d", resp.StatusCode, test.want)
			}
		})
	}
}

func TestWhereReplicasAre(t *testing.T) {
	port := int32(9443)
	client := fake.NewClientset(&discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Namespace: "holdfast", Name: "holdfast-x", Labels: map[string]string{discoveryv1.LabelServiceName: "holdfast"}},
		Ports:      []discoveryv1.EndpointPort{{Port: &port}},
		Endpoints:  []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.2"}}, {Addresses: []string{"10.0.0.1"}}},
	})
	n := newNeighbours(client, "holdfast", "holdfast", slog.New(slog.DiscardHandler))
	if _, known := n.addresses(); known {
		t.Error("they are known before they were read")
	}
	done := make(chan error)
	go func() { done <- n.run(t.Context()) }()
	t.Cleanup(func() { <-done })
	cache.WaitForCacheSync(t.Context().Done(), n.informer.HasSynced)
	got, known := n.addresses()
	if want := "10.0.0.1:9443 10.0.0.2:9443"; !known || strings.Join(got, " ") != want {
		t.Errorf("they are at %q, want %q", got, want)
	}
}
