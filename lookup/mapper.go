package lookup

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
)

// rereadAfter is how old what a group version serves must be before a kind that is not among it makes us ask again:
// often enough for a new definition, too seldom for a policy on a kind that never comes to cost a request each time.
const rereadAfter = 10 * time.Second

// maxVersions bounds what is remembered. A cluster with everything installed serves less than half of it, and a
// policy that makes up group versions from requests must not fill the memory.
const maxVersions = 256

// mapper finds the resource of a kind. It asks the API server once for each group version that is used.
type mapper struct {
	discovery discovery.ServerResourcesInterface
	mu        sync.Mutex
	versions  map[schema.GroupVersion]*served
}

// served is what a group version serves.
type served struct {
	resources []metav1.APIResource
	read      time.Time
}

// mapped is the resource of a kind.
type mapped struct {
	schema.GroupVersionResource
	kind       string
	namespaced bool
	watchable  bool
}

func newMapper(d discovery.ServerResourcesInterface) *mapper {
	return &mapper{discovery: d, versions: map[schema.GroupVersion]*served{}}
}

// find gives the resource of a kind. The name of the resource itself (configmaps) is taken for its kind.
func (m *mapper) find(ctx context.Context, kind schema.GroupVersionKind) (mapped, error) {
	gv := kind.GroupVersion()
	m.mu.Lock()
	known := m.versions[gv]
	m.mu.Unlock()
	if known != nil {
		if found, ok := known.find(gv, kind.Kind); ok {
			return found, nil
		}
	}
	if known == nil || time.Since(known.read) > rereadAfter {
		var err error
		if known, err = m.read(ctx, gv); err != nil {
			return mapped{}, fmt.Errorf("asking what the cluster serves of %s: %w", gv, err)
		}
	}
	found, ok := known.find(gv, kind.Kind)
	if !ok {
		return mapped{}, fmt.Errorf("the cluster does not serve the kind %s of %s", kind.Kind, gv)
	}
	return found, nil
}

// forget makes the next look-up ask anew.
func (m *mapper) forget(gv schema.GroupVersion) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.versions, gv)
}

// read asks what a group version serves. The client takes no context, but has a timeout of its own.
func (m *mapper) read(ctx context.Context, gv schema.GroupVersion) (*served, error) {
	type result struct {
		list *metav1.APIResourceList
		err  error
	}
	answer := make(chan result, 1)
	go func() {
		list, err := m.discovery.ServerResourcesForGroupVersion(gv.String())
		answer <- result{list, err}
	}()
	now := &served{read: time.Now()}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case got := <-answer:
		switch {
		case apierrors.IsNotFound(got.err): // it serves nothing
		case got.err != nil:
			return nil, got.err
		default:
			now.resources = got.list.APIResources
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.versions) >= maxVersions {
		clear(m.versions)
	}
	m.versions[gv] = now
	return now, nil
}

func (s *served) find(gv schema.GroupVersion, kind string) (mapped, bool) {
	for i := range s.resources {
		r := &s.resources[i]
		if strings.Contains(r.Name, "/") || r.Kind != kind && r.Name != kind {
			continue
		}
		return mapped{
			GroupVersionResource: gv.WithResource(r.Name), kind: r.Kind, namespaced: r.Namespaced,
			watchable: slices.Contains(r.Verbs, "list") && slices.Contains(r.Verbs, "watch"),
		}, true
	}
	return mapped{}, false
}
