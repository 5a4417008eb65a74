//go:build e2e

package audit

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
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
	return connectedBy(t, func(*rest.Config) {})
}

func connectedBy(t *testing.T, change func(*rest.Config)) (dynamic.Interface, metadata.Interface) {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	check(t, err)
	change(config)
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

// paging keeps a client from asking for objects as events.
type paging struct{ dynamic.Interface }

func (paging) IsWatchListSemanticsUnSupported() bool { return true }

// lists counts the requests that are lists.
type lists struct {
	http.RoundTripper
	n atomic.Int64
}

func (l *lists) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/configmaps") && r.URL.Query().Get("watch") == "" {
		l.n.Add(1)
	}
	return l.RoundTripper.RoundTrip(r)
}

func TestLiveAudit(t *testing.T) {
	client, _ := connected(t)
	for _, events := range []bool{true, false} {
		t.Run(fmt.Sprintf("objects come as events: %t", events), func(t *testing.T) {
			counted := &lists{}
			reading, _ := connectedBy(t, func(c *rest.Config) {
				c.Wrap(func(rt http.RoundTripper) http.RoundTripper { counted.RoundTripper = rt; return counted })
			})
			if !events {
				reading = paging{reading}
			}
			liveAudit(t, client, reading)
			if listed := counted.n.Load() > 0; listed == events {
				t.Errorf("%d lists", counted.n.Load())
			}
		})
	}
}

// What may not be read is a gap, by name, and is read when it may be.
func TestLiveAuditOfWhatIsForbidden(t *testing.T) {
	client, _ := connected(t)
	reading, _ := connectedBy(t, func(c *rest.Config) { c.Impersonate = rest.ImpersonationConfig{UserName: "auditor-without-rights"} })
	maps := Type{Kind: schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, Resource: schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, Namespaced: true}
	bundle := &snapshots{}
	bundle.Store(compile(t, policyFor("p", "ConfigMap")))
	auditor, err := New(Options{
		Client: reading, Discovery: &discovery{types: []Type{maps}}, Snapshots: bundle, Sink: &ledger{known: map[string]string{}},
		Inputs: func() *engine.Inputs { return &engine.Inputs{Lookups: noLookups{}, Now: time.Now} },
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Retry: 50 * time.Millisecond, RetryMax: 100 * time.Millisecond,
	})
	check(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- auditor.Run(ctx) }()
	defer func() {
		cancel()
		check(t, <-done)
	}()
	within(t, "the gap", func() bool {
		c := auditor.Coverage()
		return len(c) == 1 && c[0].Stale && c[0].Listed.IsZero() && strings.Contains(c[0].Error, `configmaps is forbidden: User "auditor-without-rights" cannot`)
	})
	for resource, object := range map[string]map[string]any{
		"clusterroles":        {"kind": "ClusterRole", "rules": []any{map[string]any{"apiGroups": []any{""}, "resources": []any{"configmaps"}, "verbs": []any{"list", "watch"}}}},
		"clusterrolebindings": {"kind": "ClusterRoleBinding", "roleRef": map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "audit-live"}, "subjects": []any{map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "auditor-without-rights"}}},
	} {
		object["apiVersion"] = "rbac.authorization.k8s.io/v1"
		object["metadata"] = map[string]any{"name": "audit-live"}
		made := client.Resource(schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: resource})
		_, err := made.Create(t.Context(), &unstructured.Unstructured{Object: object}, metav1.CreateOptions{})
		check(t, err)
		t.Cleanup(func() { check(t, made.Delete(context.Background(), "audit-live", metav1.DeleteOptions{})) })
	}
	within(t, "what may be read", func() bool { c := auditor.Coverage()[0]; return !c.Stale && c.Watching && c.Judged > 0 })
}

// liveAudit follows objects that are made by one client through an audit with the other.
func liveAudit(t *testing.T, client, reading dynamic.Interface) {
	t.Helper()
	maps := Type{Kind: schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, Resource: schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, Namespaced: true}
	objects := client.Resource(maps.Resource).Namespace("default")
	create := func(name string, labels map[string]string) *unstructured.Unstructured {
		t.Helper()
		u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap"}}
		u.SetName(name)
		u.SetLabels(labels)
		made, err := objects.Create(t.Context(), u, metav1.CreateOptions{})
		check(t, err)
		t.Cleanup(func() { _ = objects.Delete(context.Background(), name, metav1.DeleteOptions{}) }) // unless the test has done so
		return made
	}
	before := create("audit-before", nil)
	mended := create("audit-mended", team)

	bundle := &snapshots{}
	bundle.Store(compile(t, policyFor("p", "ConfigMap")))
	served := &discovery{types: []Type{maps}}
	sink := &ledger{known: map[string]string{}}
	auditor, err := New(Options{
		Client: reading, Discovery: served, Snapshots: bundle, Sink: sink, PageSize: 1, WatchTimeout: 2 * time.Second,
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
	within(t, "what was there before", func() bool { return is(before, "fail")() && is(mended, "pass")() })
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
