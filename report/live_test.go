//go:build e2e

package report

import (
	"bytes"
	"context"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/connrotation"
	"sigs.k8s.io/yaml"

	"github.com/holdfast-io/holdfast/charts"
)

// These tests run against the API server of $KUBECONFIG, which the test in e2e/scenarios starts and stops. It
// must not serve policy reports yet.

// site is a real API server, and writers at work on it.
type site struct {
	client   dynamic.Interface
	metadata metadata.Interface
	options  WriterOptions
	writer   *Writer
	stop     func()
	log      *lockedBuffer
}

// lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (s *site) start(t *testing.T) {
	t.Helper()
	s.log = &lockedBuffer{}
	var err error
	o := s.options
	o.Client, o.Metadata, o.RetryMax = s.client, s.metadata, time.Second
	o.Logger, o.Metrics = slog.New(slog.NewTextHandler(s.log, nil)), prometheus.NewPedanticRegistry()
	s.writer, err = NewWriter(o)
	check(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.writer.Run(ctx) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(s.stop)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
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

func (s *site) idle(t *testing.T) {
	t.Helper()
	within(t, "nothing to be pending", func() bool { return s.writer.pending() == 0 })
}

func (s *site) create(t *testing.T, resource, namespace, manifest string) Target {
	t.Helper()
	u := &unstructured.Unstructured{}
	check(t, yaml.Unmarshal([]byte(manifest), &u.Object))
	made, err := s.client.Resource(schema.GroupVersionResource{Version: "v1", Resource: resource}).Namespace(namespace).Create(t.Context(), u, metav1.CreateOptions{})
	check(t, err)
	return Target{APIVersion: "v1", Kind: made.GetKind(), Namespace: namespace, Name: made.GetName(), UID: string(made.GetUID())}
}

func (s *site) get(t *testing.T, of Target) *unstructured.Unstructured {
	t.Helper()
	u, err := s.client.Resource(PolicyReports.resource(of.Namespace)).Namespace(of.Namespace).Get(t.Context(), namePrefix+of.UID, metav1.GetOptions{})
	check(t, err)
	return u
}

func (s *site) has(t *testing.T, of Target) bool {
	t.Helper()
	_, err := s.client.Resource(PolicyReports.resource(of.Namespace)).Namespace(of.Namespace).Get(t.Context(), namePrefix+of.UID, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	return err == nil
}

func (s *site) install(t *testing.T) {
	t.Helper()
	definitions := s.client.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	files, err := fs.Glob(charts.CRDs(), "*.yaml")
	check(t, err)
	for _, name := range files {
		raw, err := fs.ReadFile(charts.CRDs(), name)
		check(t, err)
		u := &unstructured.Unstructured{}
		check(t, yaml.Unmarshal(raw, &u.Object))
		_, err = definitions.Create(t.Context(), u, metav1.CreateOptions{})
		check(t, err)
	}
}

func TestLiveReports(t *testing.T) {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	check(t, err)
	config.QPS, config.Burst = 1000, 1000
	dialer := connrotation.NewDialer((&net.Dialer{}).DialContext)
	config.Dial = dialer.DialContext
	t.Cleanup(dialer.CloseAll)
	transport, err := rest.HTTPClientFor(config)
	check(t, err)
	s := &site{}
	s.client, err = dynamic.NewForConfigAndClient(config, transport)
	check(t, err)
	s.metadata, err = metadata.NewForConfigAndClient(config, transport)
	check(t, err)

	s.create(t, "namespaces", "", "{apiVersion: v1, kind: Namespace, metadata: {name: reports}}")
	node := s.create(t, "nodes", "", "{apiVersion: v1, kind: Node, metadata: {name: reported}}")
	a := s.create(t, "configmaps", "reports", "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}")
	b := s.create(t, "configmaps", "reports", "{apiVersion: v1, kind: ConfigMap, metadata: {name: b}}")
	results := func(status Status) []Result {
		return []Result{
			{Source: Source, Policy: "ns/p", Rule: "r", Result: Pass, Severity: "high", Category: "C", Message: "m", Scored: true, Properties: map[string]string{"x": "y"}},
			{Source: Source, Policy: "q", Rule: "s", Result: status},
		}
	}

	s.start(t)
	for _, target := range []Target{node, a, b} {
		s.writer.Put(target, "d", results(Fail))
	}
	within(t, "the writer to see that reports are not served", func() bool {
		return testutil.ToFloat64(s.writer.metrics.writes.WithLabelValues("apply", "no_crd")) > 3
	})
	if n := s.writer.pending(); n != 3 {
		t.Errorf("%v reports are pending without definitions, want 3", n)
	}
	s.install(t)
	s.idle(t)
	if text := s.log.String(); strings.Count(text, "does not serve policy reports") != 1 {
		t.Errorf("log:\n%s", text)
	}

	got := s.get(t, a)
	summary, _, _ := unstructured.NestedMap(got.Object, "summary")
	first, _, _ := unstructured.NestedSlice(got.Object, "results")
	scope, _, _ := unstructured.NestedStringMap(got.Object, "scope")
	if summary["fail"] != int64(1) || summary["pass"] != int64(1) || len(first) != 1 || first[0].(map[string]any)["result"] != "fail" || scope["name"] != "a" || scope["uid"] != a.UID {
		t.Errorf("report: %v", got.Object)
	}
	if owners := got.GetOwnerReferences(); len(owners) != 1 || string(owners[0].UID) != a.UID {
		t.Errorf("owners: %v", owners)
	}
	if s.get(t, node).GetKind() != "ClusterPolicyReport" {
		t.Error("the report on a node is not a ClusterPolicyReport")
	}
	before := got.GetResourceVersion()
	s.stop()

	// A restart. What has not changed is left alone, what has is not; the node vanished meanwhile.
	s.start(t)
	s.writer.Put(a, "d2", results(Fail))
	s.writer.Put(b, "d2", results(Warn))
	s.writer.Retain("v1", "Node", func(string) bool { return false })
	within(t, "the node's report to go", func() bool { return !s.has(t, node) })
	s.idle(t)
	if after := s.get(t, a).GetResourceVersion(); after != before {
		t.Errorf("an unchanged report was written again: %s, before %s", after, before)
	}
	if summary, _, _ := unstructured.NestedMap(s.get(t, b).Object, "summary"); summary["warn"] != int64(1) || summary["fail"] != int64(0) {
		t.Errorf("summary after the change: %v", summary)
	}
	s.writer.Put(a, "d3", nil)
	within(t, "the report without findings to go", func() bool { return !s.has(t, a) })
	s.stop()

	// Another API and another layout take the place of the first ones, and a restart with them writes nothing.
	s.options = WriterOptions{API: OpenReports, Layout: PerNamespace, Results: Statuses()}
	s.start(t)
	s.writer.Put(a, "d3", results(Fail))
	s.writer.Put(b, "d3", results(Warn))
	within(t, "the report of the first form to go", func() bool { return !s.has(t, b) })
	part := func() *unstructured.Unstructured {
		u, err := s.client.Resource(OpenReports.resource("reports")).Namespace("reports").Get(t.Context(), sheetPrefix+"1", metav1.GetOptions{})
		check(t, err)
		return u
	}
	written := part()
	if all, _, _ := unstructured.NestedSlice(written.Object, "results"); len(all) != 4 {
		t.Errorf("the report on two objects: %v", written.Object)
	}
	s.writer.Put(b, "d3", results(Fail))
	s.idle(t)
	written = part()
	if all, _, _ := unstructured.NestedSlice(written.Object, "results"); len(all) != 4 || all[3].(map[string]any)["result"] != "fail" {
		t.Errorf("the report on two objects, of which one has changed: %v", written.Object)
	}
	s.stop()
	s.start(t)
	s.writer.Put(a, "d4", results(Fail))
	s.writer.Put(b, "d4", results(Fail))
	s.writer.Retain("v1", "ConfigMap", func(string) bool { return true })
	s.idle(t)
	if part().GetResourceVersion() != written.GetResourceVersion() {
		t.Error("an unchanged report about two objects was written again")
	}
	s.stop()
	s.options = WriterOptions{}
	s.start(t)

	// Namespaces that are going or gone want no reports. No controller ends the first one here.
	namespaces := s.client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"})
	check(t, namespaces.Delete(t.Context(), "reports", metav1.DeleteOptions{}))
	s.writer.Put(a, "d4", results(Fail))
	gone := a
	gone.Namespace, gone.UID = "nowhere", "00000000-0000-0000-0000-000000000000"
	s.writer.Put(gone, "d4", results(Fail))
	s.idle(t)
	if n := testutil.ToFloat64(s.writer.metrics.writes.WithLabelValues("apply", "gone")); n != 2 {
		t.Errorf("%v reports were let go with their namespaces, want 2; log:\n%s", n, s.log.String())
	}
	if text := s.log.String(); text != "" {
		t.Errorf("log:\n%s", text)
	}
}
