package lookup

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"github.com/holdfast-io/holdfast/engine"
)

// Holes that were published of programs like this one, as far as the network side has to keep them closed. Each test is
// named for the advisory.

// Calls to metadata and internal services: nothing is called that is not on the list, which is empty by default, and
// what is on it leads to no such address by its name, after a change of the name, or by a redirect.
func TestGHSA_rggm_jjmc_3394_NoCallsToMetadataOrInternalServices(t *testing.T) {
	inside := answering(t, saying(200, "application/json", `{"AccessKeyId":"stolen"}`))
	_, port, _ := strings.Cut(strings.TrimPrefix(inside.URL, "http://"), ":")

	none, err := ParseServices(nil)
	if err != nil {
		t.Fatal(err)
	}
	empty := newServices(none, &guard{}, time.Minute)
	t.Cleanup(empty.close)
	for _, u := range []string{inside.URL, "http://169.254.169.254/latest/meta-data/", "http://metadata.google.internal/", "https://kubernetes.default.svc/"} {
		_, err := empty.call(t.Context(), get(u))
		says(t, err, "GET "+u+": the service is not among those that policies may call: --allowed-service-url allows it")
	}

	// The names are allowed, and lead where they should not.
	known := map[string]string{
		"metadata.test": "169.254.169.254", "local.test": "127.0.0.1", "six.test": "::1", "mapped.test": "64:ff9b::a9fe:a9fe", "alibaba.test": "100.100.100.200",
	}
	for host, reason := range map[string]string{
		"metadata.test": "a link-local address", "local.test": loopback, "six.test": loopback, "mapped.test": "a link-local address",
		"alibaba.test": "a metadata address", "localhost": loopback,
	} {
		u := "http://" + host + ":" + port
		// That its address is allowed elsewhere helps no name.
		_, err := servicesFor(t, known, u, inside.URL).call(t.Context(), get(u+"/x"))
		says(t, err, "GET "+u+"/x: the host is at "+reason+", which look-ups do not reach")
		if outcome(err) != "refused" {
			t.Errorf("%s: the outcome is %s", host, outcome(err))
		}
	}

	// A service that is allowed redirects there.
	for _, target := range []string{"http://169.254.169.254/latest/", "http://local.test:" + port + "/", "http://[::1]:" + port, "http://metadata.test/"} {
		middle := answering(t, redirect(target, http.StatusFound))
		_, err := servicesFor(t, known, middle.URL).call(t.Context(), get(middle.URL))
		if err == nil || !strings.Contains(err.Error(), "the service is not among those that policies may call") {
			t.Errorf("a redirect to %s: %v", target, err)
		}
	}
	middle := answering(t, redirect("http://local.test:"+port+"/", http.StatusFound))
	_, err = servicesFor(t, known, middle.URL, "http://local.test:"+port).call(t.Context(), get(middle.URL))
	says(t, err, "GET "+middle.URL+": the host is at a loopback address, which look-ups do not reach")
	if n := len(inside.all()); n != 0 {
		t.Errorf("%d requests came through", n)
	}
}

// A name that means a good address when it is looked at and another when it is called: the address of each connection
// is what counts.
func TestGHSA_rggm_jjmc_3394_NoCallsByANameThatChanges(t *testing.T) {
	server := answering(t, saying(200, "application/json", `1`))
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	u := "http://moving.test:" + port
	known := map[string]string{"moving.test": "192.0.2.1"} // an address for documents: nobody is there
	s := servicesFor(t, known, u)
	s.timeout = 50 * time.Millisecond
	if _, err := s.call(t.Context(), get(u)); err == nil || outcome(err) == "refused" {
		t.Errorf("a good address: %v", err)
	}
	known["moving.test"] = "127.0.0.1"
	s.timeout = time.Minute
	_, err := s.call(t.Context(), get(u))
	says(t, err, "GET "+u+": the host is at a loopback address, which look-ups do not reach")
	if n := len(server.all()); n != 0 {
		t.Errorf("%d requests came through", n)
	}
}

// "Service" calls to outside addresses: the same list stands before them.
func TestGHSA_459x_q9hg_4gpq_NoServiceCallsToOutsideAddresses(t *testing.T) {
	s := servicesFor(t, map[string]string{"evil.test": "203.0.113.9"}, "http://facts.tools.svc.cluster.local")
	for _, u := range []string{"http://evil.test/", "http://203.0.113.9/", "https://facts.tools.svc.cluster.local.evil.test/", "http://facts.tools.svc.cluster.local@evil.test/"} {
		if _, err := s.call(t.Context(), get(u)); err == nil || outcome(err) != "refused" {
			t.Errorf("%s: %v", u, err)
		}
	}
}

// The token of the ServiceAccount attached to outgoing calls: our credentials go to the API server and nowhere else,
// not to services and not where the API server redirects to.
func TestGHSA_f9g8_6ppc_pqq4_CredentialsGoToTheAPIServerOnly(t *testing.T) {
	service := answering(t, saying(200, "application/json", `1`))
	evil := answering(t, saying(200, "application/json", `1`))
	api := answering(t, redirect(evil.URL+"/stolen", http.StatusTemporaryRedirect))
	base, err := url.Parse(api.URL)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	w.options.Server, w.options.Transport, w.options.AllowedServices = base, withToken{transport}, []string{service.URL}
	w.start(t)

	if _, err := w.Call(t.Context(), get(service.URL)); err != nil {
		t.Error(err)
	}
	for _, r := range service.all() {
		for _, name := range []string{"Authorization", "Cookie", "Proxy-Authorization"} {
			if r.Header.Get(name) != "" {
				t.Errorf("the service got %s", name)
			}
		}
	}
	_, err = w.Call(t.Context(), &engine.Call{Path: "/api/v1/namespaces/a/services/b/proxy/", Method: "GET"})
	says(t, err, "GET /api/v1/namespaces/a/services/b/proxy: the API server answers 307 Temporary Redirect: <a href=\""+evil.URL+"/stolen\">Temporary Redirect</a>.")
	if len(api.all()) != 1 || api.all()[0].Header.Get("Authorization") != "Bearer ours" {
		t.Error("the API server was not asked with our credentials")
	}
	if n := len(evil.all()); n != 0 {
		t.Errorf("%d requests followed the redirect", n)
	}
}

// Text of a request that leads a call to another host: whatever is in a path stays in the path.
func TestGHSA_qr4g_8hrp_c4rw_APathLeadsToNoOtherHost(t *testing.T) {
	evil := answering(t, saying(200, "application/json", `1`))
	api := answering(t, saying(200, "application/json", `1`))
	a := apiAt(t, api.Server, time.Minute)
	host := strings.TrimPrefix(evil.URL, "http://")
	for _, path := range []string{"//" + host + "/x", "/@" + host, "/\\" + host, evil.URL, "/api/v1/../../" + evil.URL} {
		_, _ = a.call(t.Context(), &engine.Call{Path: path, Method: "GET"}) // refused, or answered by our API server
	}
	if n := len(evil.all()); n != 0 {
		t.Errorf("%d requests came through", n)
	}
}

// Variables that reach into other namespaces through a name.
func TestGHSA_cvq5_hhx3_f99p_ANameLeadsToNoOtherNamespace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, object("ConfigMap", "other", "settings", nil)).start(t)
		for _, at := range [][2]string{{"own", "../../other/configmaps/settings"}, {"own/../other", "settings"}, {"", "other/settings"}, {"own", "%2e%2e"}, {"..", "settings"}} {
			if got, err := w.Get(t.Context(), configMaps, at[0], at[1]); err == nil {
				t.Errorf("%v: %v", at, got)
			}
		}
	})
}

// An error while labels are read is an error, and not a namespace without labels.
func TestGHSA_jrr2_x33p_6hvc_AnErrorIsNotAnAnswer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		meta := metadataClient(t)
		meta.PrependReactor("get", "namespaces", func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewInternalError(errors.New("etcd is away"))
		})
		w.options.Metadata = meta
		w.start(t)
		if err := w.WaitForSync(t.Context()); err != nil {
			t.Fatal(err)
		}
		got, err := w.NamespaceLabels(t.Context(), "a")
		if err == nil || got != nil || errors.Is(err, engine.ErrNotFound) {
			t.Errorf("got %v, %v", got, err)
		}
	})
}

// Decisions before the replicated data had arrived: until then nothing is answered, and nobody is told that we are
// ready.
func TestCVE_2021_43979_NotReadyBeforeWhatIsLookedUpIsThere(t *testing.T) {
	bubble(t, func(t *testing.T) {
		held := make(chan struct{})
		w := newWorld(t, object("ConfigMap", "a", "settings", nil))
		slow := func(clienttesting.Action) (bool, runtime.Object, error) {
			<-held
			return false, nil, nil
		}
		w.dynamic.PrependReactor("list", "configmaps", slow)
		w.start(t)
		w.SetEntries([]*engine.GlobalContext{watching("settings", resourceOfConfigMaps, "")})
		synctest.Wait()
		if w.Synced() {
			t.Error("ready, though an entry has not been read")
		}
		answers := make(chan any, 1)
		go func() {
			got, err := w.GlobalContext(t.Context(), "settings")
			if err != nil {
				t.Error(err)
			}
			answers <- got
		}()
		synctest.Wait()
		select {
		case got := <-answers:
			t.Errorf("answered with %v before the list was there", got)
		default:
		}
		close(held)
		if got := (<-answers).([]any); len(got) != 1 {
			t.Errorf("%d objects", len(got))
		}
		if err := w.WaitForSync(t.Context()); err != nil || !w.Synced() {
			t.Errorf("not ready: %v", err)
		}
	})
}

// A registry comes from the image of a request: it leads to no address of ours either, by its name, its redirects or
// the place of its tokens.
func TestGHSA_rggm_jjmc_3394_NoRegistryIsMetadata(t *testing.T) {
	inside := answering(t, saying(200, "application/json", `{"token":"x"}`))
	_, port, _ := strings.Cut(strings.TrimPrefix(inside.URL, "http://"), ":")
	known := map[string]string{"metadata.test": "169.254.169.254", "local.test": "127.0.0.1"}
	for reference, reason := range map[string]string{
		"169.254.169.254/latest/meta-data:v1": "a link-local address", "metadata.test/xx:v1": "a link-local address",
		"local.test:" + port + "/xx:v1": loopback, "localhost:" + port + "/xx:v1": loopback, "127.0.0.1:" + port + "/xx:v1": loopback,
	} {
		i := imagesFor(t, known, nil)
		_, err := i.get(t.Context(), &engine.ImageCall{Reference: reference, Insecure: true})
		if err == nil || !strings.Contains(err.Error(), "the host is at "+reason) || outcome(err) != "refused" {
			t.Errorf("%s: %v", reference, err)
		}
	}
	// A registry that may be reached sends for its tokens there.
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="http://local.test:`+port+`/token",service="x"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(registry.Close)
	i := imagesFor(t, known, map[string]bool{strings.TrimPrefix(registry.URL, "http://"): true})
	_, err := i.get(t.Context(), &engine.ImageCall{Reference: strings.TrimPrefix(registry.URL, "http://") + "/xx:v1", Insecure: true})
	if err == nil || !strings.Contains(err.Error(), "the host is at a loopback address") {
		t.Errorf("a realm: %v", err)
	}
	if n := len(inside.all()); n != 0 {
		t.Errorf("%d requests came through", n)
	}
}
