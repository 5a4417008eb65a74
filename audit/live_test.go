//go:build e2e

package audit

import (
	"context"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/connrotation"

	"github.com/holdfast-io/holdfast/engine"
)

// This test runs against the API server of $KUBECONFIG, which the test in e2e/scenarios starts and stops.

// verdict is what the sink knows of the object; empty for nothing.
func (l *ledger) verdict(u *unstructured.Unstructured) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.known[string(u.GetUID())]
}

// within waits for what the API server does in its own time.
func within(t *testing.T, what string, done func() bool) {
	t.Helper()
	const patience = 30 * time.Second
	deadline := time.Now().Add(patience)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for %s", patience, what)
		}
		time.Sleep(20 * time.Millisecond) // until asked again
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// connected gives clients whose connections end with the test.
func connected(t *testing.T) (dynamic.Interface, metadata.Interface) {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	check(t, err)
	dialer := connrotation.NewDialer((&net.Dialer{}).DialContext)
	config.Dial = dialer.DialContext
	t.Cleanup(dialer.CloseAll)
	transport, err := rest.HTTPClientFor(config)
	check(t, err)
	client, err := dynamic.NewForConfigAndClient(config, transport)
	check(t, err)
	names, err := metadata.NewForConfigAndClient(config, transport)
	check(t, err)
	return client, names
}

func TestLiveAudit(t *testing.T) {
	client, _ := connected(t)
	maps := Type{Kind: schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, Resource: schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, Namespaced: true}
	objects := client.Resource(maps.Resource).Namespace("default")
	create := func(name string, labels map[string]string) *unstructured.Unstructured {
		t.Helper()
		u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap"}}
		u.SetName(name)
		u.SetLabels(labels)
		made, err := objects.Create(t.Context(), u, metav1.CreateOptions{})
		check(t, err)
		return made
	}
	before := create("audit-before", nil)
	mended := create("audit-mended", team)

	bundle := &snapshots{}
	bundle.Store(compile(t, policyFor("p", "ConfigMap")))
	served := &discovery{types: []Type{maps}}
	sink := &ledger{known: map[string]string{}}
	auditor, err := New(Options{
		Client: client, Discovery: served, Snapshots: bundle, Sink: sink, PageSize: 1,
		Inputs: func() *engine.Inputs { return &engine.Inputs{Lookups: noLookups{}, Now: time.Now} },
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Rediscover: 50 * time.Millisecond,
	})
	check(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- auditor.Run(ctx) }()
	defer func() {
		cancel()
		check(t, <-done)
	}()

	is := func(u *unstructured.Unstructured, want string) func() bool {
		return func() bool { return sink.verdict(u) == want }
	}
	within(t, "what was there before, page by page", func() bool { return is(before, "fail")() && is(mended, "pass")() })
	within(t, "the watch", func() bool { c := auditor.Coverage(); return len(c) == 1 && c[0].Watching })
	later := create("audit-later", nil)
	within(t, "an object that is created", is(later, "fail"))
	_, err = objects.Patch(t.Context(), "audit-later", types.MergePatchType, []byte(`{"metadata":{"labels":{"team":"a"}}}`), metav1.PatchOptions{})
	check(t, err)
	within(t, "an object that is changed", is(later, "pass"))
	check(t, objects.Delete(t.Context(), "audit-later", metav1.DeleteOptions{}))
	within(t, "an object that is deleted", is(later, ""))
	bundle.Store(compile(t, policyFor("p", "ConfigMap"), policyFor("q", "ConfigMap")))
	auditor.BundleChanged()
	within(t, "another bundle", func() bool { return is(before, "fail fail")() && is(mended, "pass pass")() })

	// A type that a server is said to have and has not.
	bundle.Store(compile(t, policyFor("p", "ConfigMap", "Ghost")))
	ghost := Type{Kind: schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Ghost"}, Resource: schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "ghosts"}}
	served.set(nil, maps, ghost)
	auditor.BundleChanged()
	within(t, "the type that is not there to be called stale, and no other", func() bool {
		c := auditor.Coverage()
		return len(c) == 2 && !c[0].Stale && c[0].Watching && c[1].Type == ghost && c[1].Stale && c[1].Listed.IsZero()
	})
}

// reading answers look-ups from the API server.
type reading struct {
	noLookups
	client dynamic.Interface
}

func (r reading) Get(ctx context.Context, kind schema.GroupVersionKind, namespace, name string) (map[string]any, error) {
	resource := schema.GroupVersionResource{Group: kind.Group, Version: kind.Version, Resource: strings.ToLower(kind.Kind) + "s"}
	u, err := r.client.Resource(resource).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, engine.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return engine.Normalize(u.Object), nil
}

// An object is judged anew when what its verdict rests on changes, though nothing happened to itself.
func TestLiveAuditOfWhatRulesLookUp(t *testing.T) {
	client, names := connected(t)
	maps := Type{Kind: schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, Resource: schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, Namespaced: true}
	secrets := Type{Kind: schema.GroupVersionKind{Version: "v1", Kind: "Secret"}, Resource: schema.GroupVersionResource{Version: "v1", Resource: "secrets"}, Namespaced: true}
	judged := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Secret"}}
	judged.SetName("rests-on-a-map")
	judged, err := client.Resource(secrets.Resource).Namespace("default").Create(t.Context(), judged, metav1.CreateOptions{})
	check(t, err)

	bundle := &snapshots{}
	bundle.Store(compile(t, `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: looks}
spec:
  rules:
  - name: r
    match: {any: [{resources: {kinds: [Secret], names: [rests-on-a-map]}}]}
    context: [{name: c, configMap: {name: settings, namespace: default}}]
    validate: {deny: {conditions: {any: [{key: "{{ c.data.closed }}", operator: Equals, value: "yes"}]}}}
`))
	sink := &ledger{known: map[string]string{}}
	auditor, err := New(Options{
		Client: client, Metadata: names, Discovery: &discovery{types: []Type{maps, secrets}}, Snapshots: bundle, Sink: sink,
		Inputs: func() *engine.Inputs { return &engine.Inputs{Lookups: reading{client: client}, Now: time.Now} },
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	check(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- auditor.Run(ctx) }()
	defer func() {
		cancel()
		check(t, <-done)
	}()
	is := func(want string) func() bool { return func() bool { return sink.verdict(judged) == want } }
	within(t, "an error, for the map is not there", is("error"))
	settings := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "data": map[string]any{"closed": "no"}}}
	settings.SetName("settings")
	objects := client.Resource(maps.Resource).Namespace("default")
	_, err = objects.Create(t.Context(), settings, metav1.CreateOptions{})
	check(t, err)
	within(t, "the map that came", is("pass"))
	_, err = objects.Patch(t.Context(), "settings", types.MergePatchType, []byte(`{"data":{"closed":"yes"}}`), metav1.PatchOptions{})
	check(t, err)
	within(t, "the map that changed", is("fail"))
	check(t, objects.Delete(t.Context(), "settings", metav1.DeleteOptions{}))
	within(t, "the map that went", is("error"))
}
