package app

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-io/holdfast/traces"
)

// TraceOptions say whether and where spans are sent.
type TraceOptions struct {
	// Endpoint is the URL of a collector that takes OTLP over HTTP; empty for no traces.
	Endpoint string
	// CAFile has the CA of its certificate. Default: those of the system.
	CAFile string
	// HeadersFile has headers for it, NAME: VALUE on a line each.
	HeadersFile string
	// Ratio is the share of admission reviews that are traced of which the API server does not say. Default 0.1: of a
	// thousand reviews a second, each with six spans, ten times that would be more than most collectors like.
	Ratio float64
	// Attributes of all spans, as KEY=VALUE.
	Attributes []string
}

// DefaultTraceOptions gives the defaults.
func DefaultTraceOptions() TraceOptions { return TraceOptions{Ratio: 0.1, Attributes: []string{}} }

// Validate names the first option that cannot be used, by its flag.
func (o *TraceOptions) Validate() error {
	if o.Endpoint == "" && (o.CAFile != "" || o.HeadersFile != "") {
		return errors.New("--otlp-ca-file and --otlp-headers-file need --otlp-endpoint")
	}
	u, err := url.Parse(o.Endpoint)
	switch {
	case o.Ratio < 0 || o.Ratio > 1:
		return fmt.Errorf("--trace-ratio %g: expected 0 to 1", o.Ratio)
	case o.Endpoint == "":
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return errors.New("--otlp-endpoint: expected http://HOST:PORT or https://HOST:PORT")
	case u.User != nil:
		return errors.New("--otlp-endpoint has a user: expected credentials in --otlp-headers-file, which nobody sees")
	case u.RawQuery != "" || u.Fragment != "":
		return errors.New("--otlp-endpoint takes no query or fragment")
	case u.Scheme == "http" && o.CAFile != "":
		return errors.New("--otlp-ca-file needs an --otlp-endpoint of https")
	}
	_, err = o.attributes()
	return err
}

func (o *TraceOptions) attributes() (map[string]string, error) {
	out := map[string]string{}
	for _, a := range o.Attributes {
		key, value, found := strings.Cut(a, "=")
		if !found || key == "" {
			return nil, fmt.Errorf("--trace-attribute %q: expected KEY=VALUE", a)
		}
		out[key] = value
	}
	return out, nil
}

// tracing makes what sends spans; nil for none.
func (o *ServeOptions) tracing(log *slog.Logger, metrics prometheus.Registerer) (*traces.Provider, error) {
	t := &o.Traces
	if t.Endpoint == "" {
		return nil, nil //nolint:nilnil // traces that are not made
	}
	attributes, err := t.attributes()
	if err != nil {
		return nil, err
	}
	instance, err := o.replica()
	if err != nil {
		return nil, err
	}
	return traces.New(traces.Options{
		Endpoint: t.Endpoint, CAFile: t.CAFile, HeadersFile: t.HeadersFile, Ratio: t.Ratio, Attributes: attributes,
		Version: o.Version, Instance: instance, Logger: log, Metrics: metrics,
	})
}

// replica is the name of this one.
func (o *ServeOptions) replica() (string, error) {
	if o.PodName != "" {
		return o.PodName, nil
	}
	return podName()
}
