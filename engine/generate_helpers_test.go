package engine

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// shelf is a world that holds objects.
type shelf struct {
	NoLookups
	objects []map[string]any
	// broken is the error of every look-up of a kind.
	broken map[string]error
	now    time.Time
	asked  []string
}

func newShelf(t testing.TB, texts ...string) *shelf {
	t.Helper()
	s := &shelf{now: time.Unix(1_800_000_000, 0)}
	for _, text := range texts {
		s.objects = append(s.objects, object(t, text))
	}
	return s
}

func (s *shelf) inputs() *Inputs {
	return &Inputs{Lookups: s, Now: func() time.Time { return s.now }, Rand: strings.NewReader(strings.Repeat("chance", 100))}
}

func (s *shelf) find(kind schema.GroupVersionKind, namespace, name string) int {
	for i, o := range s.objects {
		version, _ := o["apiVersion"].(string)
		k, _ := o["kind"].(string)
		in, _ := metadata(o)["namespace"].(string)
		if schema.FromAPIVersionAndKind(version, k) == kind && in == namespace && objectName(o) == name {
			return i
		}
	}
	return -1
}

func (s *shelf) Get(_ context.Context, kind schema.GroupVersionKind, namespace, name string) (map[string]any, error) {
	s.asked = append(s.asked, "get "+objectText(kind, namespace, name))
	if err := s.broken[kind.Kind]; err != nil {
		return nil, err
	}
	if i := s.find(kind, namespace, name); i >= 0 {
		return s.objects[i], nil
	}
	return nil, fmt.Errorf("%s %w", objectText(kind, namespace, name), ErrNotFound)
}

func (s *shelf) List(_ context.Context, kind schema.GroupVersionKind, namespace string, selector labels.Selector) ([]map[string]any, error) {
	s.asked = append(s.asked, "list "+objectText(kind, namespace, ""))
	if err := s.broken[kind.Kind]; err != nil {
		return nil, err
	}
	var out []map[string]any
	for _, o := range s.objects {
		version, _ := o["apiVersion"].(string)
		k, _ := o["kind"].(string)
		in, _ := metadata(o)["namespace"].(string)
		if schema.FromAPIVersionAndKind(version, k) != kind || (namespace != "" && in != namespace) {
			continue
		}
		if selector == nil || selector.Matches(labelsOf(o)) {
			out = append(out, o)
		}
	}
	return out, nil
}

// apply makes the changes, as whoever acts on them would.
func (s *shelf) apply(t testing.TB, changes []Change) {
	t.Helper()
	for i := range changes {
		c := &changes[i]
		at := s.find(c.Kind, c.Namespace, c.Name)
		switch c.Action {
		case CreateObject:
			if at >= 0 {
				t.Fatalf("%s is to be created and is there", c)
			}
			s.objects = append(s.objects, c.Object)
		case UpdateObject:
			if at < 0 {
				t.Fatalf("%s is to be updated and is not there", c)
			}
			s.objects[at] = c.Object
		case DeleteObject:
			if at < 0 {
				t.Fatalf("%s is to be deleted and is not there", c)
			}
			s.objects = append(s.objects[:at:at], s.objects[at+1:]...)
		}
	}
}

// generate writes a ClusterPolicy with one generate rule for Namespaces.
func generate(fields string) string {
	return clusterPolicy("p", "{rules: [{name: r, match: {any: [{resources: {kinds: [Namespace]}}]}, generate: "+fields+"}]}")
}

const defaultDeny = `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, name: deny, namespace: "{{request.object.metadata.name}}",
  synchronize: true, data: {spec: {podSelector: {}, policyTypes: [Ingress, Egress]}}}`

const namespaceShop = `{apiVersion: v1, kind: Namespace, metadata: {name: shop, uid: u1}}`

// changeLines writes changes as "create NetworkPolicy shop/deny".
func changeLines(changes []Change) string {
	out := make([]string, len(changes))
	for i := range changes {
		out[i] = string(changes[i].Action) + " " + changes[i].String()
	}
	return strings.Join(out, "\n")
}
