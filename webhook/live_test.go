//go:build e2e

package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/connrotation"

	"github.com/holdfast-io/holdfast/certs"
	"github.com/holdfast-io/holdfast/engine"
)

// These tests run against the API server of $KUBECONFIG, which the test in e2e/scenarios starts and stops.

// installation is a whole webhook: handler, server, certificates, discovery and registrar.
type installation struct {
	client     *kubernetes.Clientset
	dynamic    dynamic.Interface
	config     *rest.Config
	snapshots  *snapshots
	discovery  *Discovery
	registrar  *Registrar
	metrics    *prometheus.Registry
	url        string
	certs      *certs.Rotator
	stopServer func()
	stopAll    func()
}

func install(t *testing.T, name, policies string, lifetimes certs.Lifetimes, wrap func(http.Handler) http.Handler) *installation {
	t.Helper()
	return installWith(t, name, policies, lifetimes, wrap, Spared{Namespaces: []string{"holdfast"}})
}

func installWith(t *testing.T, name, policies string, lifetimes certs.Lifetimes, wrap func(http.Handler) http.Handler, spared Spared) *installation {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		t.Fatal(err)
	}
	config.QPS, config.Burst = 1000, 1000
	dialer := connrotation.NewDialer((&net.Dialer{}).DialContext)
	config.Dial = dialer.DialContext
	t.Cleanup(dialer.CloseAll)
	i := &installation{config: config, snapshots: &snapshots{}, metrics: prometheus.NewPedanticRegistry()}
	transport, err := rest.HTTPClientFor(config)
	check(t, err)
	i.client, err = kubernetes.NewForConfigAndClient(config, transport)
	check(t, err)
	i.dynamic, err = dynamic.NewForConfigAndClient(config, transport)
	check(t, err)
	i.snapshots.Store(compile(t, policies))
	i.url = "https://127.0.0.1:" + os.Getenv("HOLDFAST_E2E_PORT")
	logger := slog.New(slog.NewTextHandler(t.Output(), nil))

	i.certs, err = certs.NewFiles(certs.FilesOptions{Dir: t.TempDir(), Names: []string{"127.0.0.1"}, Lifetimes: lifetimes, Logger: logger})
	check(t, err)
	definitions, err := metadata.NewForConfigAndClient(config, transport)
	check(t, err)
	i.discovery, err = NewDiscovery(DiscoveryOptions{Client: i.client.Discovery(), Definitions: definitions, Logger: logger})
	check(t, err)
	handler, err := NewHandler(Options{
		Snapshots: i.snapshots, Inputs: engine.Inputs{Lookups: &lookups{labels: map[string]map[string]string{}}, Now: time.Now},
		Kinds: i.discovery, Spared: spared, Metrics: i.metrics,
	})
	check(t, err)
	i.registrar, err = NewRegistrar(RegistrarOptions{
		Client: i.client, Snapshots: i.snapshots, Certificates: i.certs, Resources: i.discovery, Name: name,
		Endpoint: Endpoint{URL: i.url}, Spared: spared, RemoveOnShutdown: true, Logger: logger, Metrics: i.metrics,
	})
	check(t, err)
	listener, err := net.Listen("tcp", strings.TrimPrefix(i.url, "https://"))
	check(t, err)

	ctx, cancel := context.WithCancel(context.Background())
	serving, stopServing := context.WithCancel(ctx)
	var running, server sync.WaitGroup
	start := func(group *sync.WaitGroup, run func() error) {
		group.Go(func() {
			if err := run(); err != nil {
				t.Error(err)
			}
		})
	}
	start(&running, func() error { return i.certs.Run(ctx) })
	start(&running, func() error { return i.discovery.Run(ctx) })
	start(&running, func() error { return i.registrar.Run(ctx) })
	start(&server, func() error { return Server{listener, i.certs.TLSConfig(), wrap(handler), logger}.Run(serving) })
	i.stopServer = func() { stopServing(); server.Wait() }
	i.stopAll = func() { cancel(); server.Wait(); running.Wait() }
	t.Cleanup(i.stopAll)
	within(t, "the configurations to be written", func() bool {
		select {
		case <-i.registrar.Ready():
			return true
		default:
			return false
		}
	})
	return i
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

func asIs(h http.Handler) http.Handler { return h }

func (i *installation) create(namespace string, labels map[string]string, options metav1.CreateOptions) (*corev1.Pod, error) {
	return i.client.CoreV1().Pods(namespace).Create(context.Background(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "web-", Labels: labels},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "nginx:1"}}},
	}, options)
}

var dryRun = metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}

const forSquids = `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: no-squids}
spec:
  rules:
  - name: squid
    match: {any: [{resources: {kinds: [Squid]}}]}
    validate: {failureAction: Enforce, message: no squids here, deny: {}}
`

const forExec = `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: no-exec}
spec:
  rules:
  - name: exec
    match: {any: [{resources: {kinds: [Pod/exec]}}]}
    validate: {failureAction: Enforce, message: nobody looks inside, deny: {}}
`

func TestLiveAdmission(t *testing.T) {
	all := requireTeam + and + auditProbes + and + strings.Replace(addTeam, "+(team): nobody", "+(tier): backend", 1) + and + forSquids + and + forExec
	i := install(t, "holdfast", all, certs.Lifetimes{}, asIs)

	refusal := func(labels map[string]string) string {
		_, err := i.create("default", labels, dryRun)
		if err == nil {
			return ""
		}
		return err.Error()
	}
	const refused = `admission webhook "fail-10s.validate.holdfast.dev" denied the request: policy require-team, rule check-team: the label team says who is called at night; failed at /metadata/labels/team/`
	within(t, "the API server to ask", func() bool { return refusal(nil) == refused })

	t.Run("a good Pod passes, mutated, with warnings", func(t *testing.T) {
		var warnings warningList
		config := rest.CopyConfig(i.config)
		config.WarningHandlerWithContext = &warnings
		client := *i
		transport, err := rest.HTTPClientFor(config)
		check(t, err)
		client.client, err = kubernetes.NewForConfigAndClient(config, transport)
		check(t, err)
		pod, err := client.create("default", map[string]string{"team": "sea"}, metav1.CreateOptions{})
		check(t, err)
		if pod.Labels["tier"] != "backend" || pod.Labels["team"] != "sea" {
			t.Errorf("labels are %v", pod.Labels)
		}
		want := "policy want-probes, rule readiness: a container has a readinessProbe; failed at /spec/containers/0/readinessProbe/"
		if got := strings.Join(warnings.texts, "|"); got != want {
			t.Errorf("warnings are %s, expected %s", got, want)
		}
	})
	t.Run("the refusal is one that programs can read", func(t *testing.T) {
		_, err := i.create("default", nil, metav1.CreateOptions{})
		var status apierrors.APIStatus
		errors.As(err, &status)
		if !apierrors.IsForbidden(err) || status == nil || len(status.Status().Details.Causes) != 1 || status.Status().Details.Causes[0].Type != "require-team/check-team" {
			t.Errorf("got %#v", err)
		}
	})
	t.Run("our own namespace is left out", func(t *testing.T) {
		_, err := i.client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "holdfast"}}, metav1.CreateOptions{})
		check(t, err)
		within(t, "a Pod in it", func() bool {
			_, err := i.create("holdfast", nil, dryRun)
			return err == nil
		})
	})
	t.Run("a connection is known by its parent", func(t *testing.T) {
		pod, err := i.create("default", map[string]string{"team": "sea"}, metav1.CreateOptions{})
		check(t, err)
		err = i.client.CoreV1().RESTClient().Post().Namespace("default").Resource("pods").Name(pod.Name).SubResource("exec").
			Param("command", "sh").Param("container", "main").Param("stdout", "true").Do(t.Context()).Error()
		const want = `admission webhook "fail-10s.validate.holdfast.dev" denied the request: policy no-exec, rule exec: nobody looks inside`
		if err == nil || err.Error() != want {
			t.Errorf("got %v, expected %s", err, want)
		}
	})
	t.Run("what the API server stores is what we compare with", func(t *testing.T) {
		want, err := Configure(Wanted{Name: "holdfast", Snapshot: i.snapshots.Load(), Resources: i.discovery.Resources(),
			Endpoint: Endpoint{URL: i.url}, CABundle: i.certs.CABundle(), Spared: Spared{Namespaces: []string{"holdfast"}}})
		check(t, err)
		validating, err := i.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(t.Context(), "holdfast", metav1.GetOptions{})
		check(t, err)
		mutating, err := i.client.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(t.Context(), "holdfast", metav1.GetOptions{})
		check(t, err)
		same(t, validating.Webhooks, want.Validating.Webhooks)
		same(t, mutating.Webhooks, want.Mutating.Webhooks)
		if got := gathered(t, i.metrics)["holdfast_webhook_configuration_writes_total{change=updated,configuration=validating}"]; got != 0 {
			t.Errorf("it was updated %v times for nothing", got)
		}
	})
	t.Run("deleted by hand", func(t *testing.T) {
		check(t, i.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Delete(t.Context(), "holdfast", metav1.DeleteOptions{}))
		within(t, "it to come back", func() bool {
			_, err := i.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(t.Context(), "holdfast", metav1.GetOptions{})
			return err == nil
		})
	})
	t.Run("edited by hand", func(t *testing.T) {
		patch := []byte(`[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"},{"op":"add","path":"/webhooks/0/matchConditions","value":[{"name":"never","expression":"false"}]}]`)
		edited, err := i.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Patch(t.Context(), "holdfast", "application/json-patch+json", patch, metav1.PatchOptions{})
		check(t, err)
		within(t, "it to be put right", func() bool {
			got, err := i.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(t.Context(), "holdfast", metav1.GetOptions{})
			check(t, err)
			return got.ResourceVersion != edited.ResourceVersion && *got.Webhooks[0].FailurePolicy == admissionregistrationv1.Fail && got.Webhooks[0].MatchConditions == nil
		})
		within(t, "the API server to ask again", func() bool { return refusal(nil) == refused })
	})
	t.Run("a kind that appears later", func(t *testing.T) {
		if got := i.registrar.Unserved(); !reflect.DeepEqual(got, []Unserved{{Kind: "*/*/Squid", Policies: []string{"no-squids"}}}) {
			t.Errorf("not served: %v", got)
		}
		_, err := i.dynamic.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}).
			Create(t.Context(), squidDefinition(), metav1.CreateOptions{})
		check(t, err)
		squids := i.dynamic.Resource(schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "squids"})
		const want = `admission webhook "fail-10s.validate.holdfast.dev" denied the request: policy no-squids, rule squid: no squids here`
		within(t, "squids to be refused", func() bool {
			_, err := squids.Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": "example.com/v1", "kind": "Squid", "metadata": map[string]any{"name": "one"},
			}}, metav1.CreateOptions{DryRun: dryRun.DryRun})
			return err != nil && err.Error() == want
		})
	})
	t.Run("a bundle without mutations", func(t *testing.T) {
		i.snapshots.Store(compile(t, requireTeam))
		i.registrar.Poke()
		within(t, "the mutating configuration to go", func() bool {
			_, err := i.client.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(t.Context(), "holdfast", metav1.GetOptions{})
			return apierrors.IsNotFound(err)
		})
	})
	t.Run("nobody answers: the failurePolicy holds", func(t *testing.T) {
		i.snapshots.Store(compile(t, requireTeam+and+denyLatest))
		i.registrar.Poke()
		within(t, "both entries", func() bool {
			got, err := i.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(t.Context(), "holdfast", metav1.GetOptions{})
			check(t, err)
			return len(got.Webhooks) == 2
		})
		i.stopServer()
		message := refusal(map[string]string{"team": "sea"})
		if !strings.HasPrefix(message, `Internal error occurred: failed calling webhook "fail-10s.validate.holdfast.dev": failed to call webhook: Post "`+i.url+`/validate/fail-10s?timeout=10s"`) {
			t.Errorf("got %q", message)
		}
		i.snapshots.Store(compile(t, denyLatest))
		i.registrar.Poke()
		within(t, "the Ignore entry alone to let pass", func() bool { return refusal(nil) == "" })
	})
	t.Run("a clean end takes the configurations away", func(t *testing.T) {
		i.stopAll()
		_, err := i.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(t.Context(), "holdfast", metav1.GetOptions{})
		if !apierrors.IsNotFound(err) {
			t.Errorf("got %v", err)
		}
	})
}

// warningList keeps what the API server warns of.
type warningList struct{ texts []string }

func (w *warningList) HandleWarningHeaderWithContext(_ context.Context, _ int, _, text string) {
	w.texts = append(w.texts, text)
}

func squidDefinition() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": map[string]any{"name": "squids.example.com"},
		"spec": map[string]any{
			"group": "example.com", "scope": "Cluster", "names": map[string]any{"kind": "Squid", "plural": "squids", "singular": "squid"},
			"versions": []any{map[string]any{"name": "v1", "served": true, "storage": true, "schema": map[string]any{
				"openAPIV3Schema": map[string]any{"type": "object"},
			}}},
		},
	}}
}

// Two CAs and some leaves come and go within three quarters of a minute, and every request makes a new connection: each is
// answered.
func TestLiveRotation(t *testing.T) {
	lifetimes := certs.Lifetimes{CA: 30 * time.Second, CARenewBefore: 14 * time.Second, Leaf: 10 * time.Second, LeafRenewBefore: 4 * time.Second, Overlap: 3 * time.Second}
	i := install(t, "holdfast-rotation", requireTeam, lifetimes, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "close") // in HTTP/2 too, net/http then ends the connection
			h.ServeHTTP(w, r)
		})
	})
	ask := func() error {
		_, err := i.create("default", nil, dryRun)
		if apierrors.IsForbidden(err) {
			return nil
		}
		return fmt.Errorf("not an answer of the webhook: %w", err)
	}
	within(t, "the API server to ask", func() bool { return ask() == nil })
	bundles, count := map[string]bool{}, 0
	for end := time.Now().Add(45 * time.Second); time.Now().Before(end); count++ {
		if err := ask(); err != nil {
			t.Fatalf("request %d, with %d bundles seen: %v", count, len(bundles), err)
		}
		bundles[string(i.certs.CABundle())] = true
	}
	t.Logf("%d requests while %d CA bundles were in use", count, len(bundles))
	if len(bundles) < 6 {
		t.Errorf("%d bundles: expected three for each of two changes of the CA", len(bundles))
	}
}
