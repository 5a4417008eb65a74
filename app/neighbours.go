package app

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"strconv"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	informers "k8s.io/client-go/informers/discovery/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// neighbours knows where the replicas behind a Service are, by its EndpointSlices. This one is among them.
type neighbours struct {
	informer cache.SharedIndexInformer
	service  string
	log      *slog.Logger
}

func newNeighbours(client kubernetes.Interface, namespace, service string, log *slog.Logger) *neighbours {
	informer := informers.NewFilteredEndpointSliceInformer(client, namespace, 0, cache.Indexers{}, func(o *metav1.ListOptions) {
		o.LabelSelector = labels.Set{discoveryv1.LabelServiceName: service}.String()
	})
	return &neighbours{informer, service, log}
}

// run follows them until ctx ends.
func (n *neighbours) run(ctx context.Context) error {
	// The call fails on an informer that runs already, which this one does not.
	_ = n.informer.SetWatchErrorHandlerWithContext(func(ctx context.Context, _ *cache.Reflector, err error) {
		n.log.WarnContext(ctx, "The EndpointSlices of the webhook's Service cannot be watched; findings do not tell what other replicas know", "service", n.service, "error", err)
	})
	n.informer.RunWithContext(ctx)
	return nil
}

// addresses are HOST:PORT of each replica, ready or not: one that is about to end remembers still. False while they are not
// known.
func (n *neighbours) addresses() ([]string, bool) {
	if !n.informer.HasSynced() {
		return nil, false
	}
	var out []string
	for _, o := range n.informer.GetStore().List() {
		slice, ok := o.(*discoveryv1.EndpointSlice)
		if !ok || len(slice.Ports) == 0 || slice.Ports[0].Port == nil {
			continue
		}
		port := strconv.Itoa(int(*slice.Ports[0].Port)) // the Service has one
		for i := range slice.Endpoints {
			for _, address := range slice.Endpoints[i].Addresses[:min(1, len(slice.Endpoints[i].Addresses))] {
				out = append(out, net.JoinHostPort(address, port))
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out), true
}
