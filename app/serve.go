package app

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"github.com/holdfast-io/holdfast/audit"
	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/certs"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/lookup"
	"github.com/holdfast-io/holdfast/reconcile"
	"github.com/holdfast-io/holdfast/report"
	"github.com/holdfast-io/holdfast/webhook"
)

// certificateSecret keeps the webhook's certificates, in the program's own namespace.
const certificateSecret = "holdfast-webhook-certs"

// Serve answers admission reviews and audits the cluster until the context ends.
//
// Every replica admits. One of them, the holder of the lease, audits and writes reports.
func Serve(ctx context.Context, opts ServeOptions, streams IO) (exit Exit, err error) {
	log := streams.Log
	snapshot, sum, err := load(ctx, opts.Bundle, streams)
	if err != nil {
		return Failed, err
	}
	snapshots := bundle.NewStore(snapshot)
	clients, err := connect(opts.Kubeconfig, opts.Version, log)
	if err != nil {
		return Failed, err
	}
	defer clients.close()
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), bundleInfo(snapshots))

	// All that can fail at once does so before anything runs: addresses, options, certificates' place.
	admission, err := listen(ctx, opts.Listen)
	if err != nil {
		return Failed, err
	}
	defer func() { _ = admission.Close() }() // closed already if the server ran
	plain, err := listen(ctx, opts.MetricsListen)
	if err != nil {
		return Failed, err
	}
	defer func() { _ = plain.Close() }()
	certificates, err := opts.certificates(clients, streams, metrics)
	if err != nil {
		return Failed, err
	}
	lookups, err := lookup.New(opts.Lookups.on(clients, opts.Namespace, log, metrics))
	if err != nil {
		return Failed, err
	}
	lookups.SetEntries(snapshot.GlobalContexts())
	inputs := engine.Inputs{Lookups: lookups, Now: time.Now, Rand: rand.Reader, ManagedBy: opts.ManagedBy}
	served, err := webhook.NewDiscovery(webhook.DiscoveryOptions{Client: clients.discovery, Definitions: clients.metadata, Logger: log})
	if err != nil {
		return Failed, err
	}
	keeper, err := opts.keeper(reconcile.Options{
		Client: clients.dynamic, Resource: resourceOf(served), Snapshots: snapshots,
		Inputs: func() *engine.Inputs { return &inputs }, Logger: log, Metrics: metrics,
	})
	if err != nil {
		return Failed, err
	}
	handler, err := webhook.NewHandler(webhook.Options{
		Snapshots: snapshots, Inputs: inputs, Kinds: served, Admitted: keeper.Admitted, Own: ownWrites(ctx, clients.kube, log), Logger: log, Metrics: metrics,
	})
	if err != nil {
		return Failed, err
	}
	registration := webhook.RegistrarOptions{
		Client: clients.kube, Snapshots: snapshots, Certificates: certificates, Resources: served,
		Name: opts.WebhookName, Endpoint: opts.endpoint(),
		ExcludedNamespaces: []string{opts.Namespace}, RemoveOnShutdown: opts.WebhookURL != "",
		Logger: log, Metrics: metrics,
	}
	admissions := http.NewServeMux()
	admissions.Handle("/", handler)
	news := make(chan struct{}, 1) // that there is a new snapshot
	policies, err := opts.policies(livePolicies{
		clients: clients, served: served, snapshots: snapshots, lookups: lookups, changed: func() { signal(news) },
		registration: &registration, admissions: admissions, log: log, metrics: metrics,
	})
	if err != nil {
		return Failed, err
	}
	registrar, err := webhook.NewRegistrar(registration)
	if err != nil {
		return Failed, err
	}
	writer, err := report.NewWriter(report.WriterOptions{Client: clients.dynamic, Logger: log, Metrics: metrics})
	if err != nil {
		return Failed, err
	}
	auditor, err := audit.New(audit.Options{
		Client: clients.dynamic, Metadata: clients.metadata, Discovery: servedTypes{served}, Snapshots: snapshots,
		Inputs: func() *engine.Inputs { return &inputs }, Sink: findings{writer, keeper}, Logger: log, Metrics: metrics,
	})
	if err != nil {
		return Failed, err
	}
	if opts.WebhookURL != "" {
		if err := prepareCluster(ctx, clients, opts.Namespace, log); err != nil {
			return Failed, err
		}
	}
	leader, err := newLeadership(clients.kube, opts.Namespace, log, metrics)
	if err != nil {
		return Failed, err
	}
	log.Info("serving", "policies", len(sum.Policies), "digest", snapshot.Digest(), "listen", admission.Addr().String(),
		"metrics", plain.Addr().String(), "webhook", opts.WebhookName)

	// Parts stop in the reverse order: the configurations go before the server that they lead to.
	parts := newLifecycle(ctx, log)
	health := &health{certificates: certificates, lookups: lookups, policies: policies, registrar: registrar, auditor: auditor, snapshots: snapshots, leader: leader}
	parts.start("metrics server", plainServer{plain, health.handler(metrics), log}.run)
	parts.start("certificates", certificates.Run)
	parts.start("look-ups", lookups.Run)
	parts.start("discovery", served.Run)
	parts.start("policies of the cluster", policies.Run)
	parts.start("consequences of requests", keeper.Follow)
	parts.start("admission server", webhook.Server{Listener: admission, TLS: certificates.TLSConfig(), Handler: admissions, Logger: log}.Run)
	parts.start("webhook configurations", func(ctx context.Context) error {
		// The API server is told of us only once we can answer.
		if !ready(ctx, certificates, lookups, policies) {
			return nil
		}
		if len(snapshots.Current().Policies()) == 0 {
			log.Warn("the bundle is empty: every write is admitted and nothing is audited")
		}
		return registrar.Run(ctx)
	})
	parts.start("news of the bundle", func(ctx context.Context) error {
		follow(ctx, news, registrar.Poke, auditor.BundleChanged, replaced(snapshots, keeper))
		return nil
	})
	types := served.Subscribe()
	parts.start("news of what is served", func(ctx context.Context) error {
		follow(ctx, types, auditor.TypesChanged)
		return nil
	})
	parts.start("audit", func(ctx context.Context) error {
		if !ready(ctx, certificates, lookups, policies) {
			return nil
		}
		return leader.run(ctx, func(ctx context.Context) error {
			terms := newLifecycle(ctx, log)
			terms.start("report writer", writer.Run)
			terms.start("keeper of what rules generate", keeper.Run)
			terms.start("auditor", auditor.Run)
			terms.start("status of policies", policies.WriteStatuses)
			return terms.wait(ctx)
		})
	})
	if err := parts.wait(ctx); err != nil {
		return Failed, err
	}
	return Clean, nil
}

// ready waits until requests can be answered, or for the end.
func ready(ctx context.Context, certificates certs.Source, lookups *lookup.Cluster, policies policySource) bool {
	for _, part := range []<-chan struct{}{certificates.Ready(), policies.Ready()} {
		select {
		case <-ctx.Done():
			return false
		case <-part:
		}
	}
	return lookups.WaitForSync(ctx) == nil
}

func listen(ctx context.Context, address string) (net.Listener, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", address, err)
	}
	return l, nil
}

// certificates chooses where certificates come from: a folder that somebody else fills, files of our own
// outside of the cluster, a Secret inside.
func (o *ServeOptions) certificates(clients *cluster, streams IO, metrics prometheus.Registerer) (certs.Source, error) {
	switch {
	case o.CertDir != "":
		return certs.NewDirectory(certs.DirectoryOptions{Dir: o.CertDir, Logger: streams.Log, Metrics: metrics})
	case o.WebhookURL != "":
		u, err := url.Parse(o.WebhookURL)
		if err != nil {
			return nil, fmt.Errorf("--webhook-url: %w", err)
		}
		dir := filepath.Join(o.StateDir, "certs")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("making the folder for certificates: %w", err)
		}
		return certs.NewFiles(certs.FilesOptions{Dir: dir, Names: []string{u.Hostname()}, Logger: streams.Log, Metrics: metrics})
	default:
		service := o.Service + "." + o.Namespace + ".svc"
		return certs.NewSecret(certs.SecretOptions{
			Client: clients.kube, Namespace: o.Namespace, Name: certificateSecret,
			Names: []string{service, service + ".cluster.local"}, Logger: streams.Log, Metrics: metrics,
		})
	}
}

func (o *ServeOptions) endpoint() webhook.Endpoint {
	if o.WebhookURL != "" {
		return webhook.Endpoint{URL: o.WebhookURL}
	}
	return webhook.Endpoint{Service: &admissionregistrationv1.ServiceReference{Namespace: o.Namespace, Name: o.Service}}
}

// bundleInfo shows which bundle is in force.
func bundleInfo(snapshots *bundle.Store) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "holdfast_bundle_policies",
		Help: "Policies of the bundle in force.",
	}, func() float64 { return float64(len(snapshots.Current().Policies())) })
}
