package app

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"
	oteltrace "go.opentelemetry.io/otel/trace"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/bundle/live"
	"github.com/holdfast-io/holdfast/certs"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/events"
	"github.com/holdfast-io/holdfast/reconcile"
	"github.com/holdfast-io/holdfast/reconcile/act"
	"github.com/holdfast-io/holdfast/reconcile/approval"
	"github.com/holdfast-io/holdfast/webhook"
)

// certificateSecret keeps the webhook's certificates, in the program's own namespace.
const certificateSecret = "holdfast-webhook-certs"

// door is where admission reviews come in: the server, its certificates and the webhook configurations. Without
// admission it is nil: then there is nothing to wait for.
type door struct {
	listener     net.Listener
	certificates certs.Source
	server       webhook.Server
	registrar    *webhook.Registrar
	replicas     *replicas   // nil outside of a cluster, where this process is all
	neighbours   *neighbours // nil outside of a cluster, where this process is all
	keeper       keeper
	snapshots    *bundle.Store
}

// admissionParts are what a door is put together from.
type admissionParts struct {
	clients   *cluster
	snapshots *bundle.Store
	inputs    engine.Inputs
	served    *webhook.Discovery
	keeper    keeper
	policies  policySource
	seen      *writes
	events    *events.Recorder
	record    *chronicle
	tracer    oteltrace.Tracer // nil for none
	streams   IO
	metrics   prometheus.Registerer
}

// admission makes the door.
func (o *ServeOptions) admission(ctx context.Context, p admissionParts) (made *door, err error) {
	if !o.Admission {
		return nil, nil //nolint:nilnil // a door that is not there
	}
	log := p.streams.Log
	d := &door{keeper: p.keeper, snapshots: p.snapshots}
	if d.listener, err = listen(ctx, o.Listen); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	if d.certificates, err = o.certificates(p.clients, p.streams, p.metrics); err != nil {
		return nil, err
	}
	spared := o.spared()
	us := self(ctx, p.clients.kube, log)
	handler, err := webhook.NewHandler(webhook.Options{
		Snapshots: p.snapshots, Inputs: p.inputs, Kinds: p.served, Admitted: p.keeper.Admitted, Memory: p.seen.memory, Refused: tellRefusals(p.events, p.record), Own: writtenBy(us, reconcile.FieldManager), Returns: writtenBy(us, act.BackManager), Spared: spared, Logger: log, Metrics: p.metrics, Tracer: p.tracer,
	})
	if err != nil {
		return nil, err
	}
	stamps, err := o.stamps(p)
	if err != nil {
		return nil, err
	}
	only := func(h http.Handler) http.Handler { return h }
	if o.ClientCAFile != "" {
		c, err := newCallers(o.ClientCAFile, o.ClientNames)
		if err != nil {
			return nil, err
		}
		only = c.only
	}
	mux := http.NewServeMux()
	mux.Handle("/", only(handler))
	mux.Handle(approval.Path, only(stamps))
	registration := webhook.RegistrarOptions{
		Client: p.clients.kube, Snapshots: p.snapshots, Certificates: d.certificates, Resources: p.served,
		Name: o.WebhookName, Endpoint: o.endpoint(),
		Spared: spared, RemoveOnShutdown: o.WebhookURL != "", Guards: []webhook.Guard{stampGuard()},
		Logger: log, Metrics: p.metrics,
	}
	if o.WebhookURL == "" && o.Deployment != "" {
		d.replicas = newReplicas(p.clients.kube, o.Namespace, o.Deployment, log)
		registration.Replicas = d.replicas
	}
	if o.WebhookURL == "" && o.WebhookOwner != "" {
		registration.Owners = clusterRole(p.clients.kube, o.WebhookOwner)
	}
	if source, ok := p.policies.(*live.Source); ok {
		reviews, err := webhook.NewPolicyHandler(webhook.PolicyOptions{Checker: source, BreakGlass: spared.BreakGlass, Memory: p.seen.memory, Written: p.record.policyWritten, Refused: p.record.policyRefused, Logger: log, Metrics: p.metrics})
		if err != nil {
			return nil, err
		}
		mux.Handle(webhook.PoliciesPath, only(reviews))
		registration.Policies, registration.Applied, registration.RepairAfter = live.Types(), source.Applied, repairAfter
	}
	if d.registrar, err = webhook.NewRegistrar(registration); err != nil {
		return nil, err
	}
	d.server = webhook.Server{Listener: d.listener, TLS: d.certificates.TLSConfig(), Handler: mux, Logger: log}
	if o.ClientCAFile != "" {
		d.server.TLS = asksForCertificates(d.server.TLS)
	}
	if o.WebhookURL == "" {
		mux.Handle(writesPath, recall{p.seen.memory, d.certificates, o.serviceHost()})
		d.server.TLS = asksForCertificates(d.server.TLS)
		d.neighbours = newNeighbours(p.clients.kube, o.Namespace, o.Service, log)
		if p.seen.peers, err = newPeers(d.certificates, o.serviceHost(), d.neighbours.addresses, p.metrics); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// start starts the parts of the door. The API server is told of it only once ready says that requests can be answered.
func (d *door) start(parts *lifecycle, ready func(context.Context) bool) {
	if d == nil {
		return
	}
	parts.start("certificates", d.certificates.Run)
	parts.start("consequences of requests", d.keeper.Follow)
	parts.start("admission server", d.server.Run)
	if d.replicas != nil {
		parts.start("replicas", d.replicas.run)
	}
	if d.neighbours != nil {
		parts.start("other replicas", d.neighbours.run)
	}
	parts.start("webhook configurations", func(ctx context.Context) error {
		if !ready(ctx) {
			return nil
		}
		if len(d.snapshots.Current().Policies()) == 0 {
			parts.log.Warn("the bundle is empty: every write is admitted and nothing is audited")
		}
		return d.registrar.Run(ctx)
	})
}

// certified is closed once there is a certificate.
func (d *door) certified() <-chan struct{} {
	if d == nil {
		none := make(chan struct{})
		close(none)
		return none
	}
	return d.certificates.Ready()
}

// registered is closed once the API server has been told of the door; at once where there is none: another one's is there.
func (d *door) registered() <-chan struct{} {
	if d == nil {
		none := make(chan struct{})
		close(none)
		return none
	}
	return d.registrar.Ready()
}

// poke tells of a new bundle.
func (d *door) poke() {
	if d != nil {
		d.registrar.Poke()
	}
}

// unready says what is missing before reviews can be answered, or nothing.
func (d *door) unready() string {
	switch {
	case d == nil:
		return ""
	case !closed(d.certificates.Ready()):
		return "there is no certificate yet"
	case !closed(d.registrar.Ready()):
		return "the webhook configurations have not been written yet"
	default:
		return ""
	}
}

// failNotYetOn says why failures are ignored that are to refuse a write, or nothing.
func (d *door) failNotYetOn() string {
	if d == nil {
		return ""
	}
	return d.registrar.FailNotYetOn()
}

func (d *door) unserved() []webhook.Unserved {
	if d == nil {
		return nil
	}
	return d.registrar.Unserved()
}

func (d *door) address() string {
	if d == nil {
		return ""
	}
	return d.listener.Addr().String()
}

// close lets go of the address, if the server has not done so.
func (d *door) close() {
	if d != nil {
		_ = d.listener.Close()
	}
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
		service := o.serviceHost()
		return certs.NewSecret(certs.SecretOptions{
			Client: clients.kube, Namespace: o.Namespace, Name: certificateSecret,
			Names: []string{service, service + ".cluster.local"}, Logger: streams.Log, Metrics: metrics,
		})
	}
}

// spared is what admission is never asked about.
func (o *ServeOptions) spared() webhook.Spared {
	return webhook.Spared{
		Namespaces: []string{o.Namespace},
		BreakGlass: webhook.BreakGlass{Users: o.BreakGlassUsers, Groups: o.BreakGlassGroups},
	}
}

// serviceHost is the name by which API servers call the Service, and other replicas this one.
func (o *ServeOptions) serviceHost() string { return o.Service + "." + o.Namespace + ".svc" }

func (o *ServeOptions) endpoint() webhook.Endpoint {
	if o.WebhookURL != "" {
		return webhook.Endpoint{URL: o.WebhookURL}
	}
	return webhook.Endpoint{Service: &admissionregistrationv1.ServiceReference{Namespace: o.Namespace, Name: o.Service}}
}
