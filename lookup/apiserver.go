package lookup

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-io/holdfast/engine"
)

// apiServer calls paths of the API server with our rights.
type apiServer struct {
	base    *url.URL
	client  *http.Client
	timeout time.Duration
}

func newAPIServer(base *url.URL, transport http.RoundTripper, timeout time.Duration) *apiServer {
	return &apiServer{base: base, timeout: timeout, client: &http.Client{
		Transport: transport,
		// The transport adds our token to whatever it is handed, and a Service behind the API server's proxy can answer
		// with a redirect to anywhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// call asks for a path. What is not there is engine.ErrNotFound.
func (a *apiServer) call(ctx context.Context, call *engine.Call) (any, error) {
	target, below, err := a.url(call.Path)
	if err != nil {
		return nil, err
	}
	if err := mayAsk(call.Method, below); err != nil {
		return nil, err
	}
	what := call.Method + " " + below
	var body any
	if call.Method == http.MethodPost {
		body = call.Body
	}
	reader, err := encode(body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, call.Method, target.String(), reader)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, withoutURL(err))
	}
	request.Header.Set("Accept", "application/json")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := a.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, late(ctx, withoutURL(err), a.timeout))
	}
	defer func() { _ = response.Body.Close() }() // what matters of it has been read
	value, err := decode(response, "the API server")
	if err == nil {
		return value, nil
	}
	err = fmt.Errorf("%s: %w", what, late(ctx, err, a.timeout))
	switch response.StatusCode {
	case http.StatusForbidden, http.StatusUnauthorized:
		return nil, labeled{err, errForbidden}
	case http.StatusNotFound:
		return nil, labeled{err, engine.ErrNotFound}
	}
	return nil, err
}

// url is the URL of a path on the API server, and the path in one spelling. Nothing in it can lead to another host.
func (a *apiServer) url(text string) (target *url.URL, below string, err error) {
	parsed, err := url.ParseRequestURI(text)
	switch {
	case err != nil:
		return nil, "", refusef("calling the API server: the path is not that of a URL: %w", errors.Unwrap(err))
	case !strings.HasPrefix(text, "/") || parsed.Host != "" || parsed.Scheme != "":
		return nil, "", refusef("calling the API server: %q is no path: expected /api/... or /apis/...", parsed.Path)
	case dotted(parsed.Path):
		return nil, "", refusef("calling the API server: the path %q has . or .. in it", parsed.Path)
	}
	target = a.base.JoinPath(parsed.EscapedPath())
	target.RawQuery = parsed.RawQuery
	return target, path.Clean(parsed.Path), nil
}

// dotted says whether a path has segments that mean another.
func dotted(path string) bool {
	return slices.ContainsFunc(strings.Split(path, "/"), func(s string) bool { return s == "." || s == ".." })
}

// mayAsk refuses what would change something: a look-up reads. The API server's reviews are questions that are POSTed.
func mayAsk(method, path string) error {
	switch {
	case method == http.MethodGet:
		return nil
	case method != http.MethodPost:
		return refusef("%s %s: a look-up is a GET or a POST", method, path)
	case reviews(path):
		return nil
	default:
		return refusef("POST %s: a look-up writes nothing: it may POST reviews of authorization.k8s.io and authentication.k8s.io only", path)
	}
}

// reviews says whether the path creates a review, which the API server answers and does not keep.
func reviews(path string) bool {
	return strings.HasSuffix(path, "reviews") &&
		(strings.HasPrefix(path, "/apis/authorization.k8s.io/") || strings.HasPrefix(path, "/apis/authentication.k8s.io/"))
}
