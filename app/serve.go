package app

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/audit"
	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/lookup"
	"github.com/holdfast-io/holdfast/reconcile"
	"github.com/holdfast-io/holdfast/reconcile/act"
	"github.com/holdfast-io/holdfast/reconcile/propose"
	"github.com/holdfast-io/holdfast/report"
	"github.com/holdfast-io/holdfast/webhook"
)

// Serve answers admission reviews and audits the cluster until the context ends.
//
// Every replica admits. One of them, the holder of the lease, audits and writes reports. Options make programs of these
// two, and divide the second among several.
func Serve(ctx context.Context, opts ServeOptions, streams IO) (exit Exit, err error) {
	metrics := prometheus.NewRegistry()
	log, limiter, err := opts.Logs.limit(streams.Log, metrics)
	if err != nil {
		return Failed, err
	}
	streams.Log = log
	snapshot, sum, err := load(ctx, opts.Bundle, opts.Packs, streams)
	if err != nil {
		return Failed, err
	}
	snapshots := bundle.NewStore(snapshot)
	clients, err := connect(opts.Kubeconfig, opts.Version, log)
	if err != nil {
		return Failed, err
	}
	defer clients.close()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), bundleInfo(snapshots))
	// All that can fail at once does so before anything runs: addresses, options, certificates' place.
	plain, err := listen(ctx, opts.MetricsListen)
	if err != nil {
		return Failed, err
	}
	defer func() { _ = plain.Close() }() // closed already if the server ran
	profiler, err := newProfiler(ctx, opts.ProfileListen, log)
	if err != nil {
		return Failed, err
	}
	defer profiler.close()
	spans, err := opts.tracing(log, metrics)
	if err != nil {
		return Failed, err
	}
	record, err := opts.chronicle(log, metrics)
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
	var stops *stopRecord
	halt, err := opts.killSwitch(clients, func() { stops.changed() }, log, metrics)
	if err != nil {
		return Failed, err
	}
	keeper, err := opts.keeper(reconcile.Options{
		Client: clients.dynamic, Resource: resourceOf(served), Snapshots: snapshots,
		Inputs: func() *engine.Inputs { return &inputs }, Journal: record.journal(), Stopped: func() string { return whyStopped(halt.State()) },
		Namespace: namespaceAnnotations(clients.metadata), Logger: log, Metrics: metrics,
	})
	if err != nil {
		return Failed, err
	}
	news := make(chan struct{}, 1) // that there is a new snapshot
	policies, err := opts.policies(livePolicies{
		clients: clients, served: served, snapshots: snapshots, lookups: lookups, changed: func() { signal(news) }, log: log, metrics: metrics,
	})
	if err != nil {
		return Failed, err
	}
	seen := opts.writes(time.Now())
	defer seen.close()
	recorder, err := opts.recorder(clients.kube, log, metrics)
	if err != nil {
		return Failed, err
	}
	door, err := opts.admission(ctx, admissionParts{
		clients: clients, snapshots: snapshots, inputs: inputs, served: served, keeper: keeper, policies: policies, seen: seen, events: recorder, record: record, tracer: spans.Tracer(), streams: streams, metrics: metrics,
	})
	if err != nil {
		return Failed, err
	}
	defer door.close()
	inquirer, err := opts.inquirer(clients, seen, streams, metrics)
	if err != nil {
		return Failed, err
	}
	division, err := opts.division(clients.kube, log, metrics)
	if err != nil {
		return Failed, err
	}
	var auditor *audit.Auditor
	writer, err := report.NewWriter(report.WriterOptions{
		Client: clients.dynamic, Metadata: clients.metadata, API: opts.Reports.API, Layout: opts.Reports.Layout, Results: opts.Reports.statuses(),
		Mine: division.mine, Logger: log, Metrics: metrics,
		Lost: func(t report.Target) { auditor.Recheck(schema.FromAPIVersionAndKind(t.APIVersion, t.Kind), t.UID) },
	})
	if err != nil {
		return Failed, err
	}
	found := record.findings(snapshots, division.mine, log)
	remediations := propose.NewRemediations(clients.dynamic, log)
	proposer, err := opts.proposer(propose.Options{
		Server: proposedOn(clients, served), Remediations: remediations, Snapshots: snapshots, Inputs: func() *engine.Inputs { return &inputs },
		Swept: func() bool { return swept(auditor) }, Busy: writer.Busy, Part: division.part(), Logger: log, Metrics: metrics, Tracer: spans.Tracer(),
	})
	if err != nil {
		return Failed, err
	}
	matches := opts.matches()
	acting := executorParts{
		clients: clients, served: served, snapshots: snapshots, inputs: func() *engine.Inputs { return &inputs }, matches: matches,
		auditor: func() *audit.Auditor { return auditor }, leads: division.leader.holds, stopped: halt.State, keys: opts.approvalKeys(clients), part: division.part(),
		remediations: remediations, book: act.NewClusterBook(remediations, clients.dynamic, division.part()), record: record, recorder: recorder, log: log, metrics: metrics, tracer: spans.Tracer(),
	}
	gates, err := opts.gates(acting)
	if err != nil {
		return Failed, err
	}
	executor, err := opts.executor(acting, gates)
	if err != nil {
		return Failed, err
	}
	stops = record.stops(stopRecord{stopped: halt.State, breakers: gates.breakers, log: log})
	plans := record.plans(remediations, &planRecord{read: acting.book.Read, keys: acting.keys, part: division.part(), log: log})
	auditor, err = audit.New(audit.Options{
		Client: clients.dynamic, Metadata: clients.metadata, Discovery: servedTypes{served}, Snapshots: snapshots,
		Inputs: func() *engine.Inputs { return &inputs }, Sink: findings{writer, keeper, proposer, recorder, found, matches}, Writes: seen, Settle: opts.Settle.audit(), Mine: division.mine, Resweep: opts.Resweep, Clock: opts.ClockInterval, Logger: log, Metrics: metrics, Tracer: spans.Tracer(),
	})
	if err != nil {
		return Failed, err
	}
	if opts.WebhookURL != "" {
		if err := prepareCluster(ctx, clients, &opts, log); err != nil {
			return Failed, err
		}
	}
	log.Info("serving", "policies", len(sum.Policies), "digest", snapshot.Digest(), "listen", door.address(),
		"metrics", plain.Addr().String(), "webhook", opts.WebhookName)

	// Parts stop in the reverse order: the configurations go before the server that they lead to.
	parts := newLifecycle(ctx, log)
	bundles := record.bundles(snapshots, log)
	health := &health{door: door, lookups: lookups, policies: policies, auditor: auditor, snapshots: snapshots, division: division, record: record, halt: halt, version: opts.Version}
	if limiter != nil {
		parts.start("repeated lines of the log", limiter.Run)
	}
	parts.start("traces", spans.Run)
	record.start(parts)
	parts.start("metrics server", plainServer{plain, health.handler(metrics), log}.run)
	parts.start("profiles", profiler.run)
	if recorder != nil {
		parts.start("events", recorder.Run)
	}
	parts.start("kill switch", halt.Run) // on every replica: each carries out what follows from the requests that it admits
	parts.start("look-ups", lookups.Run)
	parts.start("discovery", served.Run)
	parts.start("policies of the cluster", policies.Run)
	parts.start("record of bundles", bundles.run)
	ready := func(ctx context.Context) bool { return ready(ctx, door, lookups, policies) }
	door.start(parts, ready)
	inquirer.start(parts)
	parts.start("news of the bundle", func(ctx context.Context) error {
		follow(ctx, news, door.poke, auditor.BundleChanged, replaced(snapshots, keeper), bundles.changed)
		return nil
	})
	types := served.Subscribe()
	parts.start("news of what is served", func(ctx context.Context) error {
		follow(ctx, types, auditor.TypesChanged)
		return nil
	})
	parts.start("age of the registration", func(ctx context.Context) error {
		return seen.find(ctx, door.registered(), registration(clients.kube, opts.WebhookName))
	})
	parts.start("audit", func(ctx context.Context) error {
		if !ready(ctx) {
			return nil
		}
		seen.awaited(ctx)
		return division.run(ctx, func(ctx context.Context) error {
			terms := newLifecycle(ctx, log)
			matches.reset()
			if opts.Audit {
				terms.start("report writer", writer.Run)
				terms.start("record of findings", found.run)
				terms.start("record of what stops changes", stops.run)
				terms.start("record of plans", plans.run)
				terms.start("keeper of what rules generate", keeper.Run)
				if gates != nil {
					terms.start("watch of remediations", remediations.Run)
				}
				terms.start("proposer of remediations", proposer.Run)
				terms.start("executor of remediations", executor.Run)
				terms.start("auditor", auditor.Run)
			}
			if division.statuses {
				terms.start("status of policies", policies.WriteStatuses)
			}
			return terms.wait(ctx)
		})
	})
	if err := parts.wait(ctx); err != nil {
		return Failed, err
	}
	return Clean, nil
}

// ready waits until requests can be answered, or for the end.
func ready(ctx context.Context, door *door, lookups *lookup.Cluster, policies policySource) bool {
	for _, part := range []<-chan struct{}{door.certified(), policies.Ready()} {
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

// bundleInfo shows which bundle is in force.
func bundleInfo(snapshots *bundle.Store) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "holdfast_bundle_policies",
		Help: "Policies of the bundle in force.",
	}, func() float64 { return float64(len(snapshots.Current().Policies())) })
}
