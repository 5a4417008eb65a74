package lookup

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/holdfast-io/holdfast/engine"
)

const (
	// maxHops is how many redirects a call follows. Services that move an answer once or twice need no more.
	maxHops = 3
	// maxHeader bounds a header of a call: a token fits, a body does not.
	maxHeader = 8 << 10
	// maxBundles is how many CA bundles have a client of their own; there is about one for each service that is called.
	maxBundles = 16
	// connectionsPerHost bounds what a service that hangs can hold on to. Others wait their turn within their time.
	connectionsPerHost = 32
)

// services calls what is not the API server. It has no credentials, and takes no proxy from the environment: with a
// proxy between, the guard would see the proxy's address and not where the call goes.
type services struct {
	allowed *Services
	guard   *guard
	timeout time.Duration
	mu      sync.Mutex
	clients map[string]*http.Client // by CA bundle; "" for the system's
}

func newServices(allowed *Services, g *guard, timeout time.Duration) *services {
	return &services{allowed: allowed, guard: g, timeout: timeout, clients: map[string]*http.Client{}}
}

// call asks a service.
func (s *services) call(ctx context.Context, call *engine.Call) (any, error) {
	target, err := url.Parse(call.URL)
	if err != nil {
		return nil, refusef("calling a service: the URL cannot be read: %w", errors.Unwrap(err))
	}
	what := call.Method + " " + shown(target)
	request, err := s.request(ctx, call, target)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	client, err := s.client(call.CABundle)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	response, err := client.Do(request.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, late(ctx, withoutURL(err), s.timeout))
	}
	defer func() { _ = response.Body.Close() }() // what matters of it has been read
	value, err := decode(response, "the service")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, late(ctx, err, s.timeout))
	}
	if call.Status {
		return map[string]any{"status": float64(response.StatusCode), "body": value}, nil
	}
	return value, nil
}

// shown is a URL without its query, and without a user.
func shown(u *url.URL) string { return u.Scheme + "://" + u.Host + u.EscapedPath() }

// request makes the request of a call that is allowed.
func (s *services) request(ctx context.Context, call *engine.Call, target *url.URL) (*http.Request, error) {
	if call.Method != http.MethodGet && call.Method != http.MethodPost {
		return nil, refusef("a look-up is a GET or a POST")
	}
	if err := s.allowed.allow(target); err != nil {
		return nil, err
	}
	var body any
	if call.Method == http.MethodPost {
		body = call.Body
	}
	reader, err := encode(body)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, call.Method, target.String(), reader)
	if err != nil {
		return nil, withoutURL(err)
	}
	request.Header.Set("Accept", "application/json")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	for _, h := range call.Headers {
		if err := checkHeader(h); err != nil {
			return nil, err
		}
		request.Header.Set(h.Name, h.Value)
	}
	return request, nil
}

// ownHeaders are those that HTTP itself writes. One from a policy could make a server read two requests where there
// is one, or another host's.
func ownHeaders() []string {
	return []string{"Connection", "Content-Length", "Host", "Keep-Alive", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}
}

// checkHeader says what is wrong with a header. The value may be a secret, and is not told.
func checkHeader(h engine.Header) error {
	switch {
	case !httpguts.ValidHeaderFieldName(h.Name):
		return refusef("%q is no name of a header", h.Name)
	case slices.Contains(ownHeaders(), http.CanonicalHeaderKey(h.Name)):
		return refusef("the header %s cannot be set", http.CanonicalHeaderKey(h.Name))
	case !httpguts.ValidHeaderFieldValue(h.Value):
		return refusef("the value of the header %s has characters that no header has", h.Name)
	case len(h.Value) > maxHeader:
		return refusef("the value of the header %s is longer than %d bytes", h.Name, maxHeader)
	}
	return nil
}

// follow looks at each redirect as at the first URL. A host other than the first gets none of the policy's headers.
func (s *services) follow(next *http.Request, via []*http.Request) error {
	if len(via) > maxHops {
		return refusef("the service redirects more than %d times", maxHops)
	}
	if err := s.allowed.allow(next.URL); err != nil {
		return fmt.Errorf("the service redirects to %s: %w", shown(next.URL), err)
	}
	if first := via[0].URL; first.Scheme != next.URL.Scheme || authority(first) != authority(next.URL) {
		next.Header = http.Header{"Accept": {"application/json"}}
		if next.Body != nil && next.Body != http.NoBody {
			return refusef("the service redirects to %s, which would get the body that was meant for it", shown(next.URL))
		}
	}
	return nil
}

// client gives the client that trusts a CA bundle, and nothing else; without one, the system's.
func (s *services) client(bundle string) (*http.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.clients[bundle]; found != nil {
		return found, nil
	}
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	if bundle != "" {
		trust.RootCAs = x509.NewCertPool()
		if !trust.RootCAs.AppendCertsFromPEM([]byte(bundle)) {
			return nil, errors.New("the CA bundle has no certificate in PEM")
		}
	}
	if len(s.clients) >= maxBundles {
		for key, client := range s.clients {
			client.CloseIdleConnections()
			delete(s.clients, key)
		}
	}
	client := &http.Client{Transport: s.guard.transport(trust), CheckRedirect: s.follow}
	s.clients[bundle] = client
	return client, nil
}

// transport is one without credentials and without a proxy.
func (g *guard) transport(trust *tls.Config) *http.Transport {
	return &http.Transport{
		DialContext: g.DialContext, TLSClientConfig: trust, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: connectTimeout, IdleConnTimeout: 30 * time.Second,
		MaxIdleConnsPerHost: 4, MaxConnsPerHost: connectionsPerHost, MaxResponseHeaderBytes: 64 << 10,
	}
}

func (s *services) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, client := range s.clients {
		client.CloseIdleConnections()
	}
}
