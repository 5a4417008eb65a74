package live

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/fake"
	"sigs.k8s.io/yaml"

	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/engine"
)

// served is what an API server serves, as a test says.
type served struct {
	mu      sync.Mutex
	types   map[schema.GroupVersionResource]bool
	changed chan struct{}
}

func (s *served) Known() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.types != nil
}

func (s *served) Serves(r schema.GroupVersionResource) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.types[r]
}

func (s *served) Changed() <-chan struct{} { return s.changed }

func (s *served) set(resources ...schema.GroupVersionResource) {
	s.mu.Lock()
	s.types = map[schema.GroupVersionResource]bool{}
	for _, r := range resources {
		s.types[r] = true
	}
	s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

func resource(version, name string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "kyverno.io", Version: version, Resource: name}
}

var (
	clusterPolicies = resource("v1", "clusterpolicies")
	policies        = resource("v1", "policies")
	exceptions      = resource("v2", "policyexceptions")
	contexts        = resource("v2beta1", "globalcontextentries")
)

// scene is a source on a cluster.
type scene struct {
	*Source
	client  *fake.FakeDynamicClient
	served  *served
	store   *bundle.Store
	metrics *prometheus.Registry
	changes int
	stop    func()
}

// play runs a source with a bundle of files, on a cluster with objects. It serves all types but for those that a change
// of the options leaves out.
func play(t *testing.T, files string, objects []string, change ...func(*scene, *Options)) *scene {
	t.Helper()
	base, _, err := bundle.Load(t.Context(), bundle.Sources{FS: fstest.MapFS{"files.yaml": {Data: []byte(files)}}})
	if err != nil {
		t.Fatal(err)
	}
	var there []runtime.Object
	for _, text := range objects {
		there = append(there, object(t, text))
	}
	s := &scene{
		served: &served{changed: make(chan struct{}, 1)}, store: bundle.NewStore(base), metrics: prometheus.NewPedanticRegistry(),
		client: fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
			clusterPolicies: "ClusterPolicyList", policies: "PolicyList", exceptions: "PolicyExceptionList", contexts: "GlobalContextEntryList",
			validatingPolicies: "ValidatingPolicyList", ofNamespaces: "NamespacedValidatingPolicyList", celExceptions: "PolicyExceptionList",
			inPoliciesGroup("v1beta1", "validatingpolicies"): "ValidatingPolicyList", inPoliciesGroup("v1alpha1", "validatingpolicies"): "ValidatingPolicyList",
			mutatingPolicies: "MutatingPolicyList", generatingPolicies: "GeneratingPolicyList", imagePolicies: "ImageValidatingPolicyList",
			admissionPolicies: "ValidatingAdmissionPolicyList", admissionBindings: "ValidatingAdmissionPolicyBindingList",
		}, there...),
	}
	s.served.set(clusterPolicies, policies, exceptions, contexts)
	opts := Options{
		Client: s.client, Served: s.served, Store: s.store, ExceptionNamespaces: engine.ExceptionNamespaces{"holdfast"},
		Changed: func() { s.changes++ }, Logger: slog.New(slog.DiscardHandler), Metrics: s.metrics,
	}
	for _, c := range change {
		c(s, &opts)
	}
	if s.Source, err = New(opts); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for _, run := range []func(context.Context) error{s.Run, s.WriteStatuses} {
		running.Go(func() {
			if err := run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	s.stop = func() { cancel(); running.Wait() }
	t.Cleanup(s.stop)
	s.settle()
	return s
}

// settle lets everything come to rest that does not wait for more than a moment.
func (s *scene) settle() {
	synctest.Wait()
	time.Sleep(time.Second) // of the bubble's clock
	synctest.Wait()
}

// object reads an object. Its UID is its name, its generation and resourceVersion are 1.
func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		t.Fatal(err)
	}
	if u.GetUID() == "" {
		u.SetUID(types.UID("uid of " + u.GetName()))
	}
	if u.GetGeneration() == 0 {
		u.SetGeneration(1)
	}
	if u.GetResourceVersion() == "" {
		u.SetResourceVersion("1")
	}
	return u
}

func (s *scene) on(u *unstructured.Unstructured) dynamic.ResourceInterface {
	r := map[string]schema.GroupVersionResource{
		clusterPolicy: clusterPolicies, policy: policies, policyException: exceptions, globalContextEntry: contexts,
		"ValidatingPolicy": validatingPolicies, "NamespacedValidatingPolicy": ofNamespaces,
		"MutatingPolicy": mutatingPolicies, "GeneratingPolicy": generatingPolicies, "ImageValidatingPolicy": imagePolicies,
	}[u.GetKind()]
	return s.client.Resource(r).Namespace(u.GetNamespace())
}

func (s *scene) create(t *testing.T, text string) {
	t.Helper()
	u := object(t, text)
	if _, err := s.on(u).Create(t.Context(), u, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	s.settle()
}

// replace writes another version, with the generation that follows.
func (s *scene) replace(t *testing.T, text string) {
	t.Helper()
	u := object(t, text)
	old := s.get(t, text)
	u.SetGeneration(old.GetGeneration() + 1)
	u.SetResourceVersion(fmt.Sprintf("%s1", old.GetResourceVersion()))
	if status, ok := old.Object["status"]; ok {
		u.Object["status"] = status
	}
	if _, err := s.on(u).Update(t.Context(), u, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	s.settle()
}

func (s *scene) delete(t *testing.T, text string) {
	t.Helper()
	u := object(t, text)
	if err := s.on(u).Delete(t.Context(), u.GetName(), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	s.settle()
}

func (s *scene) get(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	u := object(t, text)
	live, err := s.on(u).Get(t.Context(), u.GetName(), metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return live
}

// applied says that the webhook configurations have what is in force.
func (s *scene) applied() {
	s.Applied(s.store.Current())
	s.settle()
}
