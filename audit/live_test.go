//go:build e2e

package audit

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

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

func TestLiveAudit(t *testing.T) {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	check(t, err)
	transport, err := rest.HTTPClientFor(config)
	check(t, err)
	t.Cleanup(func() { utilnet.CloseIdleConnectionsFor(transport.Transport) })
	client, err := dynamic.NewForConfigAndClient(config, transport)
	check(t, err)
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
