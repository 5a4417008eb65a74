package traces

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/net/http/httpguts"
)

// Options say where spans go, and of what there are some.
type Options struct {
	// Endpoint is the collector's URL, http://HOST:PORT or https://HOST:PORT; /v1/traces comes behind its path. Required.
	Endpoint string
	// CAFile has the CA of the collector's certificate, as PEM. Default: those of the system.
	CAFile string
	// HeadersFile has headers for the collector, such as its API key, as NAME: VALUE on a line each. They are a file because
	// nobody is to see them. Default: none.
	HeadersFile string
	// Ratio is the share of admission reviews that are traced, 0 to 1, unless the API server says of a request that it is
	// traced, or is not. Sweeps and Remediations are always: they are few.
	Ratio float64
	// Attributes say whose the spans are, beside the program's name: of which cluster, say.
	Attributes map[string]string
	// Version of the program, and Instance, the name of this replica.
	Version, Instance string
	Logger            *slog.Logger
	// Metrics registers holdfast_trace_*; nil for none.
	Metrics prometheus.Registerer
}

// Validate names the first option that cannot be used.
func (o *Options) Validate() error {
	if o.Logger == nil {
		return errors.New("traces options: Logger is missing")
	}
	if o.Ratio < 0 || o.Ratio > 1 {
		return fmt.Errorf("traces options: Ratio is %g: expected 0 to 1", o.Ratio)
	}
	_, err := o.address()
	return err
}

// address is where spans are posted.
func (o *Options) address() (string, error) {
	u, err := url.Parse(o.Endpoint)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return "", errors.New("traces options: Endpoint: expected http://HOST:PORT or https://HOST:PORT")
	case u.User != nil:
		return "", errors.New("traces options: Endpoint has a user: expected credentials as a header in HeadersFile, which nobody sees")
	case u.RawQuery != "" || u.Fragment != "":
		return "", errors.New("traces options: Endpoint takes no query or fragment")
	}
	return u.JoinPath("v1", "traces").String(), nil
}

// headers reads HeadersFile. An error never quotes it.
func (o *Options) headers() (map[string]string, error) {
	out := map[string]string{}
	if o.HeadersFile == "" {
		return out, nil
	}
	raw, err := os.ReadFile(o.HeadersFile)
	if err != nil {
		return nil, fmt.Errorf("reading the headers for the collector: %w", err)
	}
	for i, line := range strings.Split(string(raw), "\n") {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, value, found := strings.Cut(line, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !found || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return nil, fmt.Errorf("reading the headers for the collector: %s:%d: expected NAME: VALUE", o.HeadersFile, i+1)
		}
		out[name] = value
	}
	return out, nil
}
