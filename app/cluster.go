package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/connrotation"

	"github.com/holdfast-io/holdfast/audit"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/lookup"
	"github.com/holdfast-io/holdfast/report"
	"github.com/holdfast-io/holdfast/webhook"
)

// cluster is a way to one cluster. All clients share its connections.
type cluster struct {
	kube      kubernetes.Interface
	dynamic   dynamic.Interface
	metadata  metadata.Interface
	discovery discovery.DiscoveryInterface
	// server is the API server, and transport sends requests there with our credentials.
	server    *url.URL
	transport http.RoundTripper
	// close ends every connection, those of calls under way too: a watch whose end is still travelling would
	// otherwise hold its connection open.
	close func()
}

// serverWarnings takes the warnings that come with the API server's answers. They are about the types that
// we read and write because somebody else uses them, such as policies of a deprecated version.
type serverWarnings struct{ log *slog.Logger }

func (w serverWarnings) HandleWarningHeaderWithContext(ctx context.Context, _ int, _, text string) {
	w.log.DebugContext(ctx, "the API server warns", "warning", text)
}

// connect makes the clients. An empty kubeconfig means the cluster that the program runs in.
func connect(kubeconfig, programVersion string, log *slog.Logger) (*cluster, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("finding the way to the cluster: %w", err)
	}
	config.UserAgent = "holdfast/" + programVersion
	config.WarningHandlerWithContext = serverWarnings{log}
	// The API server's own fairness keeps order between clients; these only bound a runaway.
	config.QPS, config.Burst = 200, 400
	dialer := connrotation.NewDialer((&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext)
	config.Dial = dialer.DialContext
	shared, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	// Discovery calls cannot be cancelled, so that they end by themselves.
	timed := &http.Client{Transport: shared.Transport, Timeout: 10 * time.Second}
	c := &cluster{close: dialer.CloseAll, transport: shared.Transport}
	var errs [5]error
	c.kube, errs[0] = kubernetes.NewForConfigAndClient(config, shared)
	c.dynamic, errs[1] = newDynamic(config, shared)
	c.metadata, errs[2] = metadata.NewForConfigAndClient(config, shared)
	c.discovery, errs[3] = discovery.NewDiscoveryClientForConfigAndClient(config, timed)
	c.server, _, errs[4] = rest.DefaultServerUrlFor(config)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	return c, nil
}

// servedTypes tells the auditor what the cluster serves, from what the webhook's discovery knows.
type servedTypes struct{ discovery *webhook.Discovery }

// unaudited are types that come and go by themselves, or that we write: a rule on every kind would find
// nothing in them that anybody could mend.
func unaudited(r *webhook.Resource) bool {
	switch r.Group {
	case "wgpolicyk8s.io", "openreports.io", "reports.kyverno.io", "metrics.k8s.io", "holdfast.dev":
		return true
	case "", "events.k8s.io":
		return r.Name == "events"
	case "coordination.k8s.io":
		return r.Name == "leases"
	default:
		return false
	}
}

// Types lists what can be listed and watched, with the highest version of a group as the preferred one.
func (s servedTypes) Types(context.Context) ([]audit.Type, error) {
	resources := s.discovery.Resources()
	if len(resources) == 0 {
		return nil, errors.New("the cluster has not been asked yet")
	}
	best := map[schema.GroupResource]string{}
	var types []audit.Type
	for i := range resources {
		r := &resources[i]
		if r.SubResource != "" || !slices.Contains(r.Verbs, "list") || !slices.Contains(r.Verbs, "watch") || unaudited(r) {
			continue
		}
		group := schema.GroupResource{Group: r.Group, Resource: r.Name}
		if best[group] == "" || version.CompareKubeAwareVersionStrings(r.Version, best[group]) > 0 {
			best[group] = r.Version
		}
		types = append(types, audit.Type{
			Kind:       schema.GroupVersionKind{Group: r.Group, Version: r.Version, Kind: r.Kind},
			Resource:   schema.GroupVersionResource{Group: r.Group, Version: r.Version, Resource: r.Name},
			Namespaced: r.Namespaced,
		})
	}
	for i := range types {
		types[i].Preferred = best[types[i].Resource.GroupResource()] == types[i].Resource.Version
	}
	return types, nil
}

// fixed is a snapshot that does not change.
type fixed struct{ snapshot *engine.Snapshot }

func (f fixed) Current() *engine.Snapshot { return f.snapshot }

// ClusterSweep audits a live cluster once, for `holdfast audit --cluster`.
type ClusterSweep struct {
	// Kubeconfig leads to the cluster; empty means the usual places.
	Kubeconfig string
	Version    string
	Lookups    LookupOptions
	Log        *slog.Logger
}

// Audit lists and judges everything that the bundle matches.
func (c ClusterSweep) Audit(ctx context.Context, s *engine.Snapshot, found func(Judged)) ([]report.Coverage, error) {
	clients, err := connect(userKubeconfig(c.Kubeconfig), c.Version, c.Log)
	if err != nil {
		return nil, err
	}
	defer clients.close()
	served, err := webhook.NewDiscovery(webhook.DiscoveryOptions{Client: clients.discovery, Logger: c.Log})
	if err != nil {
		return nil, err
	}
	if err := served.Refresh(); err != nil {
		return nil, fmt.Errorf("asking what the cluster serves: %w", err)
	}
	lookups, err := lookup.New(c.Lookups.on(clients, ownNamespace, c.Log, nil))
	if err != nil {
		return nil, err
	}
	lookups.SetEntries(s.GlobalContexts())
	parts := newLifecycle(ctx, c.Log)
	parts.start("look-ups", lookups.Run)
	defer func() { _ = parts.stop() }() // watches end without an error
	if err := lookups.WaitForSync(ctx); err != nil {
		return nil, err
	}
	swept, err := audit.Once(ctx, audit.Options{
		Client: clients.dynamic, Discovery: servedTypes{served}, Snapshots: fixed{s}, Logger: c.Log,
		Inputs: func() *engine.Inputs { return &engine.Inputs{Lookups: lookups, Now: time.Now, Rand: rand.Reader} },
	}, func(f audit.Finding) {
		found(Judged{Subject: subjectOf(&f), Mutation: f.Result, Since: sincesOf(&f)})
	})
	out := coverageOf(swept)
	if err != nil && len(out) == 0 {
		return nil, err
	}
	return out, nil // what is missing is in the coverage
}

func coverageOf(swept []audit.Coverage) []report.Coverage {
	out := make([]report.Coverage, 0, len(swept))
	for i := range swept {
		c := &swept[i]
		apiVersion, kind := c.Type.Kind.ToAPIVersionAndKind()
		entry := report.Coverage{Source: "cluster", APIVersion: apiVersion, Kind: kind, Objects: c.Objects, Error: c.Error, Skipped: c.Skipped}
		if !c.Listed.IsZero() {
			entry.Listed = &c.Listed
		}
		out = append(out, entry)
	}
	return out
}

func subjectOf(f *audit.Finding) report.Subject {
	apiVersion, kind := f.Object.Kind.ToAPIVersionAndKind()
	return report.Subject{
		Resource: report.Resource{APIVersion: apiVersion, Kind: kind, Namespace: f.Object.Namespace, Name: f.Object.Name, UID: f.Object.UID},
		Object:   f.Result.Object,
	}
}
