package lookup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"

	"github.com/holdfast-io/holdfast/engine"
)

// DefaultTimeout bounds one look-up, unless the request ends earlier. It is the default timeout of a webhook: a
// look-up that takes longer could no longer be of use to a request.
const DefaultTimeout = 10 * time.Second

// Options are what Cluster needs.
type Options struct {
	Kube     kubernetes.Interface // required, as are the three below
	Metadata metadata.Interface
	Dynamic  dynamic.Interface
	// Discovery is asked which resource a kind is. Its calls take no context: it must have a timeout.
	Discovery discovery.ServerResourcesInterface
	// Server is the URL of the API server, and Transport sends requests there with our credentials. Required.
	Server    *url.URL
	Transport http.RoundTripper
	// Namespace is our own: pull secrets of cluster-wide policies are there. Required.
	Namespace string
	// AllowedServices are the URLs whose services policies may call: SCHEME://HOST[:PORT][/PATH]. With a path, only
	// what is below it. None by default. See ParseServices.
	AllowedServices []string
	// Timeout bounds one look-up. Default: DefaultTimeout.
	Timeout time.Duration
	// Resolver finds the addresses of services and registries. Default: the system's.
	Resolver *net.Resolver
	Logger   *slog.Logger          // default: none
	Metrics  prometheus.Registerer // default: none
}

func (o *Options) validate() error {
	switch {
	case o.Kube == nil:
		return errors.New("look-up options: Kube is missing")
	case o.Metadata == nil:
		return errors.New("look-up options: Metadata is missing")
	case o.Dynamic == nil:
		return errors.New("look-up options: Dynamic is missing")
	case o.Discovery == nil:
		return errors.New("look-up options: Discovery is missing")
	case o.Server == nil || o.Transport == nil:
		return errors.New("look-up options: Server or Transport is missing")
	case o.Namespace == "":
		return errors.New("look-up options: Namespace is missing")
	case o.Timeout < 0:
		return errors.New("look-up options: Timeout is negative")
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Cluster answers the look-ups of rules on a live cluster. It is an engine.Lookups.
type Cluster struct {
	run      *tasks
	bindings *bindings
	objects  *objects
	api      *apiServer
	services *services
	entries  *entries
	images   *images
	metrics  *metrics
}

// New makes the look-ups of a cluster. They begin to answer when they Run.
func New(o Options) (*Cluster, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	allowed, err := ParseServices(o.AllowedServices)
	if err != nil {
		return nil, err
	}
	c := &Cluster{run: newTasks(), metrics: newMetrics()}
	trouble := func(err error) {
		c.metrics.watchFailures.Inc()
		o.Logger.Warn("a watch that look-ups need was interrupted", "error", err)
	}
	c.bindings = newBindings(o.Kube, o.Metadata, trouble)
	c.objects = &objects{
		client: o.Dynamic, mapper: newMapper(o.Discovery), watches: newWatches(c.run, o.Dynamic, trouble), timeout: o.Timeout,
	}
	guard := &guard{resolver: o.Resolver, literal: allowed.literals()}
	c.api = newAPIServer(o.Server, o.Transport, o.Timeout)
	c.services = newServices(allowed, guard, o.Timeout)
	c.entries = newEntries(c.run, c.objects, c.call, trouble, o.Logger)
	c.images = newImages(guard, secretsOf(o.Kube, o.Namespace), o.Timeout, o.Logger)
	if err := c.metrics.register(o.Metrics, c); err != nil {
		return nil, fmt.Errorf("registering the metrics of look-ups: %w", err)
	}
	return c, nil
}

// Run watches until ctx ends, and then ends everything that look-ups have started.
func (c *Cluster) Run(ctx context.Context) error {
	c.bindings.run(ctx)
	c.run.close()
	c.services.close()
	c.images.close()
	return nil
}

// Synced says whether everything that was to be watched from the start has been read once, or has said why it
// cannot be. Before that, nobody should be told that we are ready. Once it is true it remains so.
func (c *Cluster) Synced() bool { return c.bindings.synced() && c.entries.settled() }

// WaitForSync waits until Synced.
func (c *Cluster) WaitForSync(ctx context.Context) error {
	if err := c.bindings.wait(ctx); err != nil {
		return err
	}
	return c.entries.wait(ctx)
}

// SetEntries replaces the global context entries. Those whose digest stays go on with what they have.
func (c *Cluster) SetEntries(entries []*engine.GlobalContext) { c.entries.set(entries) }

// Entries says how the global context entries are, sorted by name.
func (c *Cluster) Entries() []EntryStatus { return c.entries.status() }

// Map gives the kind and the resource of a kind, or of the plural name of a resource.
func (c *Cluster) Map(ctx context.Context, kind schema.GroupVersionKind) (schema.GroupVersionKind, schema.GroupVersionResource, error) {
	ctx, cancel := context.WithTimeout(ctx, c.objects.timeout)
	defer cancel()
	found, err := c.objects.mapper.find(ctx, kind)
	if err != nil {
		return schema.GroupVersionKind{}, schema.GroupVersionResource{}, err
	}
	return found.GroupVersion().WithKind(found.kind), found.GroupVersionResource, nil
}

// Namespaced reports whether the cluster has objects of the kind in namespaces.
func (c *Cluster) Namespaced(ctx context.Context, kind schema.GroupVersionKind) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, c.objects.timeout)
	defer cancel()
	found, err := c.objects.mapper.find(ctx, kind)
	return found.namespaced, err
}

// NamespaceLabels gives the labels of a namespace. They are not to be changed.
func (c *Cluster) NamespaceLabels(ctx context.Context, namespace string) (found map[string]string, err error) {
	defer c.metrics.observe(ofNamespace, time.Now(), &err)
	return c.bindings.namespaceLabels(ctx, namespace)
}

// NamespaceLabelsAtHand gives the labels of a namespace that the watch has told of.
func (c *Cluster) NamespaceLabelsAtHand(namespace string) (map[string]string, bool) {
	return c.bindings.namespaceLabelsAtHand(namespace)
}

// Roles gives the Roles (namespace:name) and ClusterRoles that are bound to the user, to one of the user's
// groups, or to the ServiceAccount that the user is; sorted, each once.
func (c *Cluster) Roles(_ context.Context, user *authenticationv1.UserInfo) (roles, clusterRoles []string, err error) {
	defer c.metrics.observe(ofRoles, time.Now(), &err)
	return c.bindings.roles(user)
}

// Get gives one object. Instead of its kind, the name of the resource (configmaps) may be given.
func (c *Cluster) Get(ctx context.Context, kind schema.GroupVersionKind, namespace, name string) (object map[string]any, err error) {
	defer c.metrics.observe(ofObject, time.Now(), &err)
	return c.objects.get(ctx, kind, namespace, name)
}

// List gives the objects of a kind in a namespace, or in all, sorted by namespace and name.
func (c *Cluster) List(ctx context.Context, kind schema.GroupVersionKind, namespace string, selector labels.Selector) (list []map[string]any, err error) {
	defer c.metrics.observe(ofList, time.Now(), &err)
	return c.objects.list(ctx, kind, namespace, selector)
}

// Call asks the API server with our rights, or a service without any.
func (c *Cluster) Call(ctx context.Context, call *engine.Call) (any, error) { return c.call(ctx, call) }

func (c *Cluster) call(ctx context.Context, call *engine.Call) (answer any, err error) {
	if call.URL == "" {
		defer c.metrics.observe(ofAPICall, time.Now(), &err)
		return c.api.call(ctx, call)
	}
	defer c.metrics.observe(ofServiceCall, time.Now(), &err)
	return c.services.call(ctx, call)
}

// GlobalContext gives the value of an entry, or of one of its projections (entry.projection).
func (c *Cluster) GlobalContext(ctx context.Context, name string) (value any, err error) {
	defer c.metrics.observe(ofGlobalContext, time.Now(), &err)
	return c.entries.value(ctx, name)
}

// Image gives what a registry knows of an image. See images.
func (c *Cluster) Image(ctx context.Context, image *engine.ImageCall) (data map[string]any, err error) {
	defer c.metrics.observe(ofImage, time.Now(), &err)
	return c.images.get(ctx, image)
}

// AccessReview asks the API server whether a user may do something. Nothing of the answer is kept.
func (c *Cluster) AccessReview(ctx context.Context, question *authorizationv1.SubjectAccessReviewSpec) (status authorizationv1.SubjectAccessReviewStatus, err error) {
	defer c.metrics.observe(ofAccess, time.Now(), &err)
	return c.api.accessReview(ctx, question)
}
