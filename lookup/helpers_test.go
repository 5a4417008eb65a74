package lookup

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	discoveryfake "k8s.io/client-go/discovery/fake"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

var (
	configMaps = schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}
	secretKind = schema.GroupVersionKind{Version: "v1", Kind: "Secret"}
	nodes      = schema.GroupVersionKind{Version: "v1", Kind: "Node"}
)

// world is a cluster of fakes, and the look-ups on it.
type world struct {
	*Cluster
	dynamic   *dynamicfake.FakeDynamicClient
	kube      *fake.Clientset
	discovery *discoveryfake.FakeDiscovery
	options   Options
}

// newWorld makes a cluster that has the objects and serves the core group. Its look-ups run until the test ends.
func newWorld(t *testing.T, objects ...runtime.Object) *world {
	t.Helper()
	listKinds := map[schema.GroupVersionResource]string{
		{Version: "v1", Resource: "configmaps"}: "ConfigMapList", {Version: "v1", Resource: "secrets"}: "SecretList",
		{Version: "v1", Resource: "nodes"}: "NodeList",
	}
	for i := range maxWatches + 1 {
		listKinds[widgets(i)] = "WidgetList"
	}
	w := &world{
		dynamic: dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), listKinds, objects...),
		kube:    fake.NewClientset(),
	}
	w.discovery = &discoveryfake.FakeDiscovery{Fake: &clienttesting.Fake{Resources: []*metav1.APIResourceList{{
		GroupVersion: "v1", APIResources: []metav1.APIResource{
			{Name: "configmaps", Kind: "ConfigMap", Namespaced: true, Verbs: metav1.Verbs{"get", "list", "watch"}},
			{Name: "configmaps/status", Kind: "ConfigMap", Namespaced: true},
			{Name: "secrets", Kind: "Secret", Namespaced: true, Verbs: metav1.Verbs{"get", "list", "watch"}},
			{Name: "nodes", Kind: "Node", Verbs: metav1.Verbs{"get", "list", "watch"}},
			{Name: "componentstatuses", Kind: "ComponentStatus", Verbs: metav1.Verbs{"get", "list"}},
		},
	}}}}
	w.options = Options{
		Kube: w.kube, Metadata: metadataClient(t), Dynamic: w.dynamic, Discovery: w.discovery,
		Server: &url.URL{Scheme: "https", Host: "api.test"}, Transport: http.DefaultTransport, Namespace: "holdfast",
	}
	return w
}

// widgets is one of many resources, without objects.
func widgets(i int) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "x.test", Version: "v1", Resource: fmt.Sprint("widgets", i)}
}

// start makes the look-ups and runs them until the test ends.
func (w *world) start(t *testing.T) *world {
	t.Helper()
	var err error
	if w.Cluster, err = New(w.options); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return w
}

// count says how often the API server was asked with a verb.
func (w *world) count(verb string) int {
	n := 0
	for _, action := range w.dynamic.Actions() {
		if action.GetVerb() == verb {
			n++
		}
	}
	return n
}

func object(kind, namespace, name string, fields map[string]any) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": kind}}
	for key, value := range fields {
		o.Object[key] = value
	}
	o.SetNamespace(namespace)
	o.SetName(name)
	return o
}

// bubble runs a test with a clock that stands still unless everybody waits.
func bubble(t *testing.T, run func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, run)
}

// says fails unless the error has exactly this text; "" is for none.
func says(t *testing.T, err error, want string) {
	t.Helper()
	got := ""
	if err != nil {
		got = err.Error()
	}
	if got != want {
		t.Errorf("got error  %q\nwant error %q", got, want)
	}
}

// seen is a server that keeps what it was asked.
type seen struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*http.Request
	bodies   []string
}

func (s *seen) keep(r *http.Request) {
	body, _ := io.ReadAll(r.Body) // what a test sends can be read
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r)
	s.bodies = append(s.bodies, string(body))
}

func (s *seen) all() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// answering is a server on loopback that does what the handler does.
func answering(t *testing.T, handle http.HandlerFunc) *seen {
	t.Helper()
	s := &seen{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.keep(r)
		handle(w, r)
	}))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	t.Cleanup(s.Close)
	return s
}

// saying answers with a status and a body.
func saying(code int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body) // the client may have gone
	}
}

// hanging answers nothing until the client goes away.
func hanging(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// names is a resolver that knows these names and no others.
func names(known map[string]string) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go answerNames(server, known)
		return client, nil
	}}
}

// answerNames speaks DNS over a stream: messages with their length in front.
func answerNames(c net.Conn, known map[string]string) {
	defer func() { _ = c.Close() }() // the client may have closed it
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	for {
		var length [2]byte
		if _, err := io.ReadFull(c, length[:]); err != nil {
			return
		}
		text := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(c, text); err != nil {
			return
		}
		var m dnsmessage.Message
		if err := m.Unpack(text); err != nil || len(m.Questions) != 1 {
			return
		}
		m.Response, m.Additionals = true, nil
		q := m.Questions[0]
		if address, err := netip.ParseAddr(known[strings.TrimSuffix(q.Name.String(), ".")]); err != nil {
			m.RCode = dnsmessage.RCodeNameError
		} else if head := (dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, Type: q.Type}); address.Is4() && q.Type == dnsmessage.TypeA {
			m.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.AResource{A: address.As4()}}}
		} else if address.Is6() && q.Type == dnsmessage.TypeAAAA {
			m.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.AAAAResource{AAAA: address.As16()}}}
		}
		packed, err := m.Pack()
		if err != nil {
			return
		}
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(packed))), packed...)); err != nil {
			return
		}
	}
}
