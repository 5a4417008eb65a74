package lookup

import (
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-io/holdfast/engine"
)

// servicesFor allows URLs, with a resolver of these names.
func servicesFor(t *testing.T, known map[string]string, allowed ...string) *services {
	t.Helper()
	list, err := ParseServices(allowed)
	if err != nil {
		t.Fatal(err)
	}
	s := newServices(list, &guard{resolver: names(known), literal: list.literals()}, time.Minute)
	t.Cleanup(s.close)
	return s
}

func get(url string) *engine.Call { return &engine.Call{URL: url, Method: http.MethodGet} }

func TestAServiceIsCalled(t *testing.T) {
	server := answering(t, saying(200, "text/plain", `{"day":"Sunday","n":1}`))
	s := servicesFor(t, nil, server.URL)
	call := get(server.URL + "/a%2Fb?q=1")
	call.Headers = []engine.Header{{Name: "X-Team", Value: "sea"}, {Name: "authorization", Value: "Basic theirs"}}
	got, err := s.call(t.Context(), call)
	says(t, err, "")
	if diff := cmp.Diff(map[string]any{"day": "Sunday", "n": 1.0}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	_, err = s.call(t.Context(), &engine.Call{URL: server.URL, Method: "POST", Body: map[string]any{"images": []any{"a"}}})
	says(t, err, "")
	with := get(server.URL)
	with.Status = true
	got, err = s.call(t.Context(), with)
	says(t, err, "")
	if diff := cmp.Diff(map[string]any{"status": 200.0, "body": map[string]any{"day": "Sunday", "n": 1.0}}, got); diff != "" {
		t.Errorf("with its status (-want +got):\n%s", diff)
	}
	r := server.all()
	if r[0].URL.String() != "/a%2Fb?q=1" || r[0].Header.Get("X-Team") != "sea" || r[0].Header.Get("Authorization") != "Basic theirs" {
		t.Errorf("asked for %s with %v", r[0].URL, r[0].Header)
	}
	if server.bodies[1] != `{"images":["a"]}` || r[1].Header.Get("Content-Type") != "application/json" || r[1].Header.Get("X-Team") != "" {
		t.Errorf("posted %q with %v", server.bodies[1], r[1].Header)
	}
}

func TestCallsThatAreNotMade(t *testing.T) {
	const notListed = "the service is not among those that policies may call: --allowed-service-url allows it"
	s := servicesFor(t, nil, "https://api.test/v1/", "http://plain.test:8080")
	for name, test := range map[string]struct {
		call engine.Call
		want string
	}{
		"another host":            {engine.Call{URL: "https://evil.test/v1/x?token=1", Method: "GET"}, "GET https://evil.test/v1/x: " + notListed},
		"a host that begins so":   {engine.Call{URL: "https://api.test.evil.test/v1/x", Method: "GET"}, "GET https://api.test.evil.test/v1/x: " + notListed},
		"another scheme":          {engine.Call{URL: "http://api.test/v1/x", Method: "GET"}, "GET http://api.test/v1/x: " + notListed},
		"another port":            {engine.Call{URL: "https://api.test:8443/v1/x", Method: "GET"}, "GET https://api.test:8443/v1/x: " + notListed},
		"a path beside":           {engine.Call{URL: "https://api.test/v10", Method: "GET"}, "GET https://api.test/v10: " + notListed},
		"a path above":            {engine.Call{URL: "https://api.test/", Method: "GET"}, "GET https://api.test/: " + notListed},
		"a way up":                {engine.Call{URL: "https://api.test/v1/../admin", Method: "GET"}, "GET https://api.test/v1/../admin: the path has . or .. in it"},
		"a way up, escaped":       {engine.Call{URL: "https://api.test/v1/%2e%2e%2fadmin", Method: "GET"}, "GET https://api.test/v1/%2e%2e%2fadmin: the path has . or .. in it"},
		"a user":                  {engine.Call{URL: "https://api.test@evil.test/v1/", Method: "GET"}, "GET https://evil.test/v1/: a URL with a user in it is not called"},
		"a user of the host":      {engine.Call{URL: "https://me:pw@api.test/v1/", Method: "GET"}, "GET https://api.test/v1/: a URL with a user in it is not called"},
		"a file":                  {engine.Call{URL: "file:///etc/passwd", Method: "GET"}, "GET file:///etc/passwd: file is neither http nor https"},
		"no URL":                  {engine.Call{URL: "http://[::1", Method: "GET"}, "calling a service: the URL cannot be read: missing ']' in host"},
		"another method":          {engine.Call{URL: "https://api.test/v1/x", Method: "DELETE"}, "DELETE https://api.test/v1/x: a look-up is a GET or a POST"},
		"a header with a break":   {engine.Call{URL: "https://api.test/v1/x", Method: "GET", Headers: []engine.Header{{Name: "X", Value: "a\r\nHost: evil"}}}, "GET https://api.test/v1/x: the value of the header X has characters that no header has"},
		"a name with a break":     {engine.Call{URL: "https://api.test/v1/x", Method: "GET", Headers: []engine.Header{{Name: "X\r\nY", Value: "a"}}}, `GET https://api.test/v1/x: "X\r\nY" is no name of a header`},
		"a header of HTTP itself": {engine.Call{URL: "https://api.test/v1/x", Method: "GET", Headers: []engine.Header{{Name: "transfer-encoding", Value: "chunked"}}}, "GET https://api.test/v1/x: the header Transfer-Encoding cannot be set"},
		"the host as a header":    {engine.Call{URL: "https://api.test/v1/x", Method: "GET", Headers: []engine.Header{{Name: "Host", Value: "evil"}}}, "GET https://api.test/v1/x: the header Host cannot be set"},
		"a header without an end": {engine.Call{URL: "https://api.test/v1/x", Method: "GET", Headers: []engine.Header{{Name: "X", Value: strings.Repeat("x", maxHeader+1)}}}, "GET https://api.test/v1/x: the value of the header X is longer than 8192 bytes"},
		"a CA that is none":       {engine.Call{URL: "https://api.test/v1/x", Method: "GET", CABundle: "x"}, "GET https://api.test/v1/x: the CA bundle has no certificate in PEM"},
		"a host without address":  {engine.Call{URL: "http://plain.test:8080/x?token=1", Method: "GET"}, "GET http://plain.test:8080/x: dial tcp: lookup plain.test on 127.0.0.1:53: no such host"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.call(t.Context(), &test.call)
			got := fmt.Sprint(err)
			if name == "a host without address" { // which server was asked depends on the machine
				got, test.want = strings.Split(got, " on ")[0], strings.Split(test.want, " on ")[0]
			}
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestAnswersOfServicesThatAreNone(t *testing.T) {
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"an error":          {saying(500, "text/plain", "out of order\nmore"), "the service answers 500 Internal Server Error: out of order"},
		"nothing there":     {saying(404, "text/plain", "no"), "the service answers 404 Not Found: no"},
		"HTML":              {saying(200, "text/html", "<html>\n"), "the service answers 200 OK with what is not JSON: <html>"},
		"too much":          {saying(200, "application/json", `"`+strings.Repeat("x", maxAnswer)), "the answer of the service is longer than 2.1 MB, the limit of a look-up"},
		"no body":           {saying(204, "", ""), "the service answers 204 No Content without a body: expected JSON"},
		"nothing, forever":  {hanging, "no answer in time (50ms at most)"},
		"headers for miles": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) }, "net/http: HTTP/1.x transport connection broken: net/http: server response headers exceeded 65536 bytes; aborted"},
	} {
		t.Run(name, func(t *testing.T) {
			server := answering(t, test.answer)
			s := servicesFor(t, nil, server.URL)
			if strings.HasPrefix(test.want, "no answer") {
				s.timeout = 50 * time.Millisecond
			}
			_, err := s.call(t.Context(), get(server.URL+"/x?token=1"))
			says(t, err, "GET "+server.URL+"/x: "+test.want)
		})
	}
}

func redirect(to string, code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, code) }
}

func TestRedirects(t *testing.T) {
	target := answering(t, saying(200, "application/json", `"there"`))
	stranger := answering(t, saying(200, "application/json", `"stranger"`))
	loop := answering(t, redirect("/again", http.StatusFound))
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		method string
		want   string // the answer, or the error
	}{
		"to what is allowed":     {redirect(target.URL+"/x", http.StatusFound), "GET", "there"},
		"to what is not":         {redirect(stranger.URL+"/x?q=1", http.StatusFound), "GET", "the service redirects to " + stranger.URL + "/x: the service is not among those that policies may call: --allowed-service-url allows it"},
		"to a file":              {redirect("file:///etc/passwd", http.StatusFound), "GET", "the service redirects to file:///etc/passwd: file is neither http nor https"},
		"with the body":          {redirect(target.URL, http.StatusTemporaryRedirect), "POST", "the service redirects to " + target.URL + ", which would get the body that was meant for it"},
		"without the body":       {redirect(target.URL, http.StatusSeeOther), "POST", "there"},
		"to what goes in rounds": {redirect(loop.URL, http.StatusFound), "GET", "the service redirects more than 3 times"},
	} {
		t.Run(name, func(t *testing.T) {
			server := answering(t, test.answer)
			s := servicesFor(t, nil, server.URL, target.URL, loop.URL)
			before := len(target.all())
			call := get(server.URL + "/?secret=1")
			call.Method, call.Body = test.method, map[string]any{"a": "b"}
			call.Headers = []engine.Header{{Name: "Authorization", Value: "Basic theirs"}, {Name: "X-Key", Value: "theirs"}}
			got, err := s.call(t.Context(), call)
			if err != nil {
				says(t, err, test.method+" "+server.URL+"/: "+test.want)
			} else if got != test.want {
				t.Errorf("got %v, want %s", got, test.want)
			}
			for _, r := range target.all()[before:] {
				if h := r.Header; h.Get("Authorization") != "" || h.Get("X-Key") != "" || h.Get("Referer") != "" {
					t.Errorf("another host got %v", h)
				}
			}
		})
	}
	if n := len(stranger.all()); n != 0 {
		t.Errorf("%d requests reached what is not allowed", n)
	}
}

func TestTLSOfServices(t *testing.T) {
	quiet := slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server := httptest.NewUnstartedServer(saying(200, "application/json", `"hello"`))
	server.Config.ErrorLog = quiet
	server.StartTLS()
	t.Cleanup(server.Close)
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	s := servicesFor(t, nil, server.URL)

	call := get(server.URL)
	_, err := s.call(t.Context(), call)
	if err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an authority that nobody trusts: %v", err)
	}
	call.CABundle = ca
	if got, err := s.call(t.Context(), call); err != nil || got != "hello" {
		t.Errorf("got %v, %v", got, err)
	}
	if min := s.clients[ca].Transport.(*http.Transport).TLSClientConfig.MinVersion; min != 0x0303 {
		t.Errorf("TLS %x is taken", min)
	}
	for i := range 2 * maxBundles {
		if _, err := s.client(ca + strings.Repeat("\n", i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(s.clients); n > maxBundles {
		t.Errorf("%d clients are kept", n)
	}
}

func TestNoProxyIsUsed(t *testing.T) {
	proxy := answering(t, saying(200, "application/json", `"proxy"`))
	server := answering(t, saying(200, "application/json", `"server"`))
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	if got, err := servicesFor(t, nil, server.URL).call(t.Context(), get(server.URL)); err != nil || got != "server" {
		t.Errorf("got %v, %v", got, err)
	}
}

func FuzzAllowedURLs(f *testing.F) {
	for _, u := range []string{"https://api.test/v1/x", "https://API.test.:443/v1", "https://api.test/v1/..//x", "https://api.test\\@evil/v1/", "https://api.test/v1%2f..%2fx", "https://user@api.test/v1"} {
		f.Add(u)
	}
	allowed, err := ParseServices([]string{"https://api.test/v1/"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := url.Parse(text)
		if err != nil || allowed.allow(u) != nil {
			return
		}
		// What net/http would connect to and ask for.
		request, err := http.NewRequest(http.MethodGet, u.String(), http.NoBody)
		if err != nil {
			return
		}
		host := strings.TrimSuffix(strings.ToLower(request.URL.Hostname()), ".")
		if port := request.URL.Port(); host != "api.test" || port != "" && port != "443" || request.URL.Scheme != "https" || !strings.HasPrefix(request.URL.JoinPath().Path+"/", "/v1/") {
			t.Errorf("%q is allowed", text)
		}
	})
}
