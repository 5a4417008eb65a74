package lookup

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-io/holdfast/engine"
)

// withToken is the transport of our credentials: it adds them to whatever it is handed.
type withToken struct{ http.RoundTripper }

func (w withToken) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer ours")
	return w.RoundTripper.RoundTrip(r)
}

// apiAt is an API server under a path, as a proxy in front of many clusters serves it.
func apiAt(t *testing.T, server *httptest.Server, timeout time.Duration) *apiServer {
	t.Helper()
	base, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return newAPIServer(base, withToken{transport}, timeout)
}

func TestAPathIsAskedOfTheAPIServer(t *testing.T) {
	s := answering(t, saying(http.StatusOK, "application/json", `{"items":[1,{"a":null}]}`))
	a := apiAt(t, s.Server, time.Minute)
	got, err := a.call(t.Context(), &engine.Call{Path: "/api/v1/namespaces/a/pods?labelSelector=a%3Db&limit=3", Method: "GET", Body: map[string]any{"ignored": true}})
	says(t, err, "")
	if diff := cmp.Diff(map[string]any{"items": []any{1.0, map[string]any{"a": nil}}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	_, err = a.call(t.Context(), &engine.Call{Path: "/apis/authorization.k8s.io/v1/subjectaccessreviews", Method: "POST", Body: map[string]any{"spec": 1.0}})
	says(t, err, "")
	r := s.all()
	if got := r[0].URL.String(); got != "/api/v1/namespaces/a/pods?labelSelector=a%3Db&limit=3" || s.bodies[0] != "" {
		t.Errorf("asked for %s with %q", got, s.bodies[0])
	}
	if r[1].Method != "POST" || s.bodies[1] != `{"spec":1}` || r[1].Header.Get("Content-Type") != "application/json" {
		t.Errorf("asked for %v with %q", r[1].Header, s.bodies[1])
	}
	if r[0].Header.Get("Authorization") != "Bearer ours" {
		t.Error("our credentials did not reach the API server")
	}
}

func TestAnswersOfTheAPIServerThatAreNone(t *testing.T) {
	for name, test := range map[string]struct {
		answer  http.HandlerFunc
		want    string
		outcome string
	}{
		"a right is missing": {
			saying(403, "application/json", `{"kind":"Status","message":"pods is forbidden: User \"x\" cannot list resource \"pods\""}`),
			`GET /api/v1/pods: the API server answers 403 Forbidden: pods is forbidden: User "x" cannot list resource "pods"`, "forbidden",
		},
		"nothing is there": {
			saying(404, "application/json", `{"kind":"Status","message":"pods \"x\" not found"}`),
			`GET /api/v1/pods: the API server answers 404 Not Found: pods "x" not found`, "missing",
		},
		"it is broken":            {saying(500, "text/plain", "etcd is away\nstack: ...\n"), "GET /api/v1/pods: the API server answers 500 Internal Server Error: etcd is away", "error"},
		"it says nothing":         {saying(503, "text/plain", ""), "GET /api/v1/pods: the API server answers 503 Service Unavailable", "error"},
		"HTML":                    {saying(200, "text/html", "<!doctype html>\n<p>Sign in"), "GET /api/v1/pods: the API server answers 200 OK with what is not JSON: <!doctype html>", "error"},
		"HTML and an error":       {saying(502, "text/html", "<html>Bad\x1b[31m gateway</html>"), "GET /api/v1/pods: the API server answers 502 Bad Gateway: <html>Bad[31m gateway</html>", "error"},
		"half of JSON":            {saying(200, "application/json", `{"a":`), `GET /api/v1/pods: the API server answers 200 OK with what is not JSON: {"a":`, "error"},
		"no body":                 {saying(200, "application/json", " "), "GET /api/v1/pods: the API server answers 200 OK without a body: expected JSON", "error"},
		"a line without an end":   {saying(500, "text/plain", strings.Repeat("x", 1<<20)), "GET /api/v1/pods: the API server answers 500 Internal Server Error: " + strings.Repeat("x", firstLine) + "...", "error"},
		"too much":                {saying(200, "application/json", `"`+strings.Repeat("x", maxAnswer)+`"`), "GET /api/v1/pods: the answer of the API server is longer than 2.1 MB, the limit of a look-up", "too_large"},
		"a redirect":              {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/else", http.StatusFound) }, `GET /api/v1/pods: the API server answers 302 Found: <a href="/else">Found</a>.`, "error"},
		"nothing at all, forever": {hanging, "GET /api/v1/pods: no answer in time (50ms at most)", "timeout"},
		"a body without an end": {func(w http.ResponseWriter, r *http.Request) {
			saying(200, "application/json", `{"a":`)(w, r)
			_ = http.NewResponseController(w).Flush()
			hanging(w, r)
		}, "GET /api/v1/pods: no answer in time (50ms at most)", "timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			timeout := time.Minute
			if test.outcome == "timeout" {
				timeout = 50 * time.Millisecond
			}
			_, err := apiAt(t, answering(t, test.answer).Server, timeout).call(t.Context(), &engine.Call{Path: "/api/v1/pods?secret=1", Method: "GET"})
			says(t, err, test.want)
			if got := outcome(err); got != test.outcome {
				t.Errorf("the outcome is %s", got)
			}
			if missing := errors.Is(err, engine.ErrNotFound); missing != (test.outcome == "missing") {
				t.Errorf("ErrNotFound: %t", missing)
			}
		})
	}
}

func TestAnAPIServerThatIsAway(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	a := apiAt(t, s, time.Minute)
	s.Close()
	_, err := a.call(t.Context(), &engine.Call{Path: "/api/v1/pods?secret=1", Method: "GET"})
	if err == nil || !strings.HasPrefix(err.Error(), "GET /api/v1/pods: dial tcp ") || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}

func TestPathsThatAreNotAsked(t *testing.T) {
	s := answering(t, saying(http.StatusOK, "application/json", `1`))
	a := apiAt(t, s.Server, time.Minute)
	for name, test := range map[string]struct{ method, path, want string }{
		"a URL":                     {"GET", "http://evil.test/api", `calling the API server: "/api" is no path: expected /api/... or /apis/...`},
		"no path":                   {"GET", "", "calling the API server: the path is not that of a URL: empty url"},
		"a relative path":           {"GET", "api/v1", "calling the API server: the path is not that of a URL: invalid URI for request"},
		"a way up":                  {"GET", "/api/v1/namespaces/a/../../secrets", `calling the API server: the path "/api/v1/namespaces/a/../../secrets" has . or .. in it`},
		"a way up, escaped":         {"GET", "/api/v1/namespaces/a/%2e%2e/b", `calling the API server: the path "/api/v1/namespaces/a/../b" has . or .. in it`},
		"with escaped slashes":      {"GET", "/api/v1/namespaces/a%2f..%2fb", `calling the API server: the path "/api/v1/namespaces/a/../b" has . or .. in it`},
		"a broken escape":           {"GET", "/api/%zz", `calling the API server: the path is not that of a URL: invalid URL escape "%zz"`},
		"another method":            {"DELETE", "/api/v1/namespaces/a", "DELETE /api/v1/namespaces/a: a look-up is a GET or a POST"},
		"a write":                   {"POST", "/api/v1/namespaces", "POST /api/v1/namespaces: a look-up writes nothing: it may POST reviews of authorization.k8s.io and authentication.k8s.io only"},
		"a token":                   {"POST", "/api/v1/namespaces/a/serviceaccounts/b/token", "POST /api/v1/namespaces/a/serviceaccounts/b/token: a look-up writes nothing: it may POST reviews of authorization.k8s.io and authentication.k8s.io only"},
		"a write through a proxy":   {"POST", "/api/v1/namespaces/a/services/b/proxy/apis/authorization.k8s.io/v1/reviews", "POST /api/v1/namespaces/a/services/b/proxy/apis/authorization.k8s.io/v1/reviews: a look-up writes nothing: it may POST reviews of authorization.k8s.io and authentication.k8s.io only"},
		"a body that is no JSON":    {"POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", "POST /apis/authorization.k8s.io/v1/subjectaccessreviews: the body cannot be written as JSON: json: unsupported type: func()"},
		"a header in the path":      {"GET", "/api\r\nX: y", "calling the API server: the path is not that of a URL: net/url: invalid control character in URL"},
		"another host, no scheme":   {"GET", "//evil.test/api", ""},
		"another host, with a user": {"GET", "/@evil.test/api", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := a.call(t.Context(), &engine.Call{Path: test.path, Method: test.method, Body: func() {}})
			says(t, err, test.want) // "" reached our server: nobody else answers
		})
	}
	if n := len(s.all()); n != 2 {
		t.Errorf("%d requests reached the API server", n)
	}
}

func TestThePathOfTheAPIServerStaysInFront(t *testing.T) {
	s := answering(t, saying(http.StatusOK, "application/json", `1`))
	s.URL += "/k8s/clusters/c1"
	_, err := apiAt(t, s.Server, time.Minute).call(t.Context(), &engine.Call{Path: "/api/v1/pods?a=b", Method: "GET"})
	says(t, err, "")
	if got := s.all()[0].URL.String(); got != "/k8s/clusters/c1/api/v1/pods?a=b" {
		t.Errorf("asked for %s", got)
	}
}

func FuzzPathsStayOnTheAPIServer(f *testing.F) {
	for _, path := range []string{"/api/v1/pods", "//evil/x", "/a/../b", "/%2e%2e/b", "http://evil/", "/a?b=c#d", "/\\evil", "/@evil", "/a;b"} {
		f.Add(path)
	}
	a := newAPIServer(&url.URL{Scheme: "https", Host: "api.test:6443", Path: "/base"}, nil, time.Minute)
	f.Fuzz(func(t *testing.T, path string) {
		target, below, err := a.url(path)
		if err != nil {
			return
		}
		again, err := url.Parse(target.String())
		if err != nil {
			t.Fatal(err)
		}
		if again.Scheme != "https" || again.Host != "api.test:6443" || again.User != nil || !strings.HasPrefix(again.Path, "/base/") || strings.Contains(below, "/../") {
			t.Errorf("%q leads to %s", path, target)
		}
	})
}
