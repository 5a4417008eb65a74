package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/tools/cache"
)

// Lister asks the API server what it serves: client-go's discovery client.
type Lister interface {
	// ServerGroupsAndResources gives what could be found out even with an error. It cannot be cancelled:
	// give the client a timeout.
	ServerGroupsAndResources() ([]*metav1.APIGroup, []*metav1.APIResourceList, error)
}

// DiscoveryOptions say how to keep up with what the API server serves.
type DiscoveryOptions struct {
	Client Lister
	// Definitions watches CustomResourceDefinitions, so that a new type is known within seconds. Default: nil,
	// which leaves it to Interval and Poke.
	Definitions metadata.Interface
	// Interval is how often to ask. Default: 30 s, one or two requests that the API server answers from
	// memory; what Poke brings to light comes sooner.
	Interval time.Duration
	// Logger default: nothing is written.
	Logger *slog.Logger
}

const (
	defaultDiscoveryInterval = 30 * time.Second
	// After a poke the API server may take some seconds until it serves the new type.
	eagerInterval, eagerFor = 500 * time.Millisecond, 20 * time.Second
)

// Discovery knows what the API server serves. What it once knew it forgets only when the API server says
// that it is gone: an aggregated API that is down does not take its rules out of the configurations.
type Discovery struct {
	opts    DiscoveryOptions
	known   atomic.Pointer[served]
	changed chan struct{}
	poked   chan struct{}

	mu      sync.Mutex
	readers []chan struct{} // of Subscribe
}

// served is what one round of discovery found. It is immutable.
type served struct {
	resources []Resource
	kinds     map[schema.GroupVersionResource]schema.GroupVersionKind
}

// NewDiscovery makes a Discovery that knows nothing yet.
func NewDiscovery(opts DiscoveryOptions) (*Discovery, error) {
	if opts.Client == nil {
		return nil, errors.New("webhook discovery options: Client is missing")
	}
	if opts.Interval == 0 {
		opts.Interval = defaultDiscoveryInterval
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	d := &Discovery{opts: opts, changed: make(chan struct{}, 1), poked: make(chan struct{}, 1)}
	d.known.Store(&served{})
	return d, nil
}

// Resources lists what is served, in a fixed order. Empty until the first Refresh or Run. Not to be changed.
func (d *Discovery) Resources() []Resource { return d.known.Load().resources }

// KindOf gives the kind of a resource's objects.
func (d *Discovery) KindOf(r schema.GroupVersionResource) (schema.GroupVersionKind, bool) {
	k, ok := d.known.Load().kinds[r]
	return k, ok
}

// Changed receives after Resources has changed, once for changes in quick succession. It is for one reader.
func (d *Discovery) Changed() <-chan struct{} { return d.changed }

// Subscribe gives a channel like Changed for one more reader.
func (d *Discovery) Subscribe() <-chan struct{} {
	reader := make(chan struct{}, 1)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.readers = append(d.readers, reader)
	return reader
}

func (d *Discovery) tell() {
	signal(d.changed)
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, reader := range d.readers {
		signal(reader)
	}
}

// Poke says that something new may be served, such as a CustomResourceDefinition. It never blocks.
func (d *Discovery) Poke() { signal(d.poked) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // one is waiting already
	}
}

// Run keeps up until ctx ends. Failures are logged, and what is known stays.
func (d *Discovery) Run(ctx context.Context) error {
	var watching sync.WaitGroup
	defer watching.Wait()
	if d.opts.Definitions != nil {
		watching.Go(func() { d.watchDefinitions(ctx) })
	}
	eagerUntil := time.Time{}
	for {
		if err := d.Refresh(); err != nil {
			d.opts.Logger.Warn("discovery is incomplete: what was known stays in use", "error", err)
		}
		wait := d.opts.Interval
		if time.Now().Before(eagerUntil) {
			wait = min(wait, eagerInterval)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-d.poked:
			timer.Stop()
			eagerUntil = time.Now().Add(eagerFor)
		case <-timer.C:
		}
	}
}

// watchDefinitions pokes at each change of a CustomResourceDefinition, until ctx ends.
func (d *Discovery) watchDefinitions(ctx context.Context) {
	definitions := schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	informer := metadatainformer.NewFilteredMetadataInformer(d.opts.Definitions, definitions, metav1.NamespaceAll, 0, cache.Indexers{}, nil).Informer()
	// These calls fail on an informer that runs already, which this one does not. Only the news counts.
	_ = informer.SetTransform(func(o any) (any, error) {
		meta, ok := o.(*metav1.PartialObjectMetadata)
		if !ok {
			return o, nil
		}
		return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: meta.Name, ResourceVersion: meta.ResourceVersion}}, nil
	})
	_ = informer.SetWatchErrorHandlerWithContext(func(ctx context.Context, _ *cache.Reflector, err error) {
		d.opts.Logger.DebugContext(ctx, "watching definitions of types", "error", err)
	})
	_, _ = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { d.Poke() },
		UpdateFunc: func(any, any) { d.Poke() },
		DeleteFunc: func(any) { d.Poke() },
	})
	informer.RunWithContext(ctx)
}

// Refresh asks now. With an error it may have learnt a part.
func (d *Discovery) Refresh() error {
	_, lists, err := d.opts.Client.ServerGroupsAndResources()
	var failed map[schema.GroupVersion]error
	if err != nil {
		var partial *discovery.ErrGroupDiscoveryFailed
		if !errors.As(err, &partial) {
			return fmt.Errorf("asking the API server what it serves: %w", err)
		}
		failed = partial.Groups
		err = fmt.Errorf("asking the API server what it serves: %w", err)
	}
	before := d.known.Load()
	resources := readResources(lists)
	for _, r := range before.resources {
		if failed[schema.GroupVersion{Group: r.Group, Version: r.Version}] != nil {
			resources = append(resources, r)
		}
	}
	slices.SortFunc(resources, compareResources)
	resources = slices.CompactFunc(resources, func(a, b Resource) bool { return compareResources(a, b) == 0 })
	same := slices.EqualFunc(before.resources, resources, func(a, b Resource) bool {
		return compareResources(a, b) == 0 && a.Kind == b.Kind && a.Namespaced == b.Namespaced && slices.Equal(a.Verbs, b.Verbs)
	})
	if same {
		return err
	}
	now := &served{resources: resources, kinds: make(map[schema.GroupVersionResource]schema.GroupVersionKind, len(resources))}
	for i := range resources {
		r := &resources[i]
		now.kinds[schema.GroupVersionResource{Group: r.Group, Version: r.Version, Resource: r.Name}] = r.gvk()
	}
	d.known.Store(now)
	d.tell()
	return err
}

// readResources turns discovery's answer into ours: a subresource gets the kind of its parent.
func readResources(lists []*metav1.APIResourceList) []Resource {
	var out []Resource
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			continue // nothing that an API server could be asked for
		}
		parents := map[string]*metav1.APIResource{}
		for i := range list.APIResources {
			if r := &list.APIResources[i]; !strings.Contains(r.Name, "/") {
				parents[r.Name] = r
			}
		}
		for i := range list.APIResources {
			r := &list.APIResources[i]
			name, sub, _ := strings.Cut(r.Name, "/")
			parent := parents[name]
			if parent == nil {
				continue // a subresource without its resource belongs to no kind that rules could name
			}
			verbs := slices.Clone(r.Verbs)
			slices.Sort(verbs)
			out = append(out, Resource{
				Group: gv.Group, Version: gv.Version, Name: name, SubResource: sub,
				Kind: parent.Kind, Namespaced: parent.Namespaced, Verbs: verbs,
			})
		}
	}
	return out
}
