package app

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-io/holdfast/lookup"
)

// ownNamespace is the program's own namespace, unless it is told another.
const ownNamespace = "holdfast"

// LookupOptions say how far the look-ups of rules may go on a live cluster.
type LookupOptions struct {
	// AllowedServices are the URLs of services that policies may call: SCHEME://HOST[:PORT][/PATH]. Default: none, so
	// that a policy reaches nothing but the API server until somebody who runs the program wants it to.
	AllowedServices []string
	// Timeout bounds one look-up. Default: 10 s, the default timeout of a webhook.
	Timeout time.Duration
}

// DefaultLookupOptions gives the defaults.
func DefaultLookupOptions() LookupOptions { return LookupOptions{Timeout: lookup.DefaultTimeout} }

// longestLookup is the longest timeout of the admission API: nobody waits longer.
const longestLookup = 30 * time.Second

// Validate names the first option that cannot be used, by its flag.
func (o *LookupOptions) Validate() error {
	if _, err := lookup.ParseServices(o.AllowedServices); err != nil {
		return fmt.Errorf("--allowed-service-url: %w", err)
	}
	if o.Timeout <= 0 || o.Timeout > longestLookup {
		return errors.New("--lookup-timeout: expected more than 0 and at most " + longestLookup.String())
	}
	return nil
}

// on gives the options of look-ups on a cluster. Without a registerer nobody reads metrics.
func (o *LookupOptions) on(clients *cluster, namespace string, log *slog.Logger, metrics prometheus.Registerer) lookup.Options {
	return lookup.Options{
		Kube: clients.kube, Metadata: clients.metadata, Dynamic: clients.dynamic, Discovery: clients.discovery,
		Server: clients.server, Transport: clients.transport, Namespace: namespace,
		AllowedServices: o.AllowedServices, Timeout: o.Timeout, Logger: log, Metrics: metrics,
	}
}
