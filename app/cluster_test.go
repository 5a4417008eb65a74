package app

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-io/holdfast/webhook"
)

// serverGroups is what an API server says that it serves.
type serverGroups []*metav1.APIResourceList

func (s serverGroups) ServerGroupsAndResources() ([]*metav1.APIGroup, []*metav1.APIResourceList, error) {
	return nil, s, nil
}

func TestTheAuditSeesWhatCanBeListedAndWatched(t *testing.T) {
	all := metav1.Verbs{"create", "get", "list", "watch"}
	discovery, err := webhook.NewDiscovery(webhook.DiscoveryOptions{Client: serverGroups{
		{GroupVersion: "v1", APIResources: []metav1.APIResource{
			{Name: "pods", Kind: "Pod", Namespaced: true, Verbs: all},
			{Name: "pods/exec", Kind: "PodExecOptions", Namespaced: true, Verbs: metav1.Verbs{"create"}},
			{Name: "bindings", Kind: "Binding", Namespaced: true, Verbs: metav1.Verbs{"create"}},
			{Name: "events", Kind: "Event", Namespaced: true, Verbs: all},
		}},
		{GroupVersion: "example.com/v1beta1", APIResources: []metav1.APIResource{{Name: "widgets", Kind: "Widget", Verbs: all}}},
		{GroupVersion: "example.com/v1", APIResources: []metav1.APIResource{{Name: "widgets", Kind: "Widget", Verbs: all}}},
		{GroupVersion: "wgpolicyk8s.io/v1alpha2", APIResources: []metav1.APIResource{{Name: "policyreports", Kind: "PolicyReport", Namespaced: true, Verbs: all}}},
		{GroupVersion: "coordination.k8s.io/v1", APIResources: []metav1.APIResource{{Name: "leases", Kind: "Lease", Namespaced: true, Verbs: all}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (servedTypes{discovery}).Types(t.Context()); err == nil || err.Error() != "the cluster has not been asked yet" {
		t.Errorf("before the first answer: got %v", err)
	}
	if err := discovery.Refresh(); err != nil {
		t.Fatal(err)
	}
	types, err := servedTypes{discovery}.Types(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, typ := range types {
		got[typ.Resource.Resource+"."+typ.Resource.Version+"."+typ.Resource.Group] = typ.Preferred
	}
	want := map[string]bool{"pods.v1.": true, "widgets.v1.example.com": true, "widgets.v1beta1.example.com": false}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("types and whether they are preferred (-want +got):\n%s", diff)
	}
}
