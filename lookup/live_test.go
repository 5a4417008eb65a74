//go:build e2e

package lookup

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/holdfast-io/holdfast/engine"
)

// These tests run against the API server of $KUBECONFIG, which the test in e2e/scenarios starts and stops.
// $HOLDFAST_E2E_ACCOUNT leads there as the ServiceAccount lookups/holdfast, which has the rights that a test gives it.

const accountNamespace, accountName = "lookups", "holdfast"

// counted counts the requests that are neither a watch nor discovery.
type counted struct {
	http.RoundTripper
	n *atomic.Int64
}

func (c counted) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.Contains(r.URL.Path, "configmaps") && r.URL.Query().Get("watch") == "" {
		c.n.Add(1)
	}
	return c.RoundTripper.RoundTrip(r)
}

// connected gives a client of the cluster's administrator, and the look-ups of whom the kubeconfig is for.
func connected(t *testing.T, kubeconfig string) (admin *kubernetes.Clientset, l *Cluster, requests *atomic.Int64) {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	check(t, err)
	admin, err = kubernetes.NewForConfig(config)
	check(t, err)
	for _, name := range []string{accountNamespace, "elsewhere"} {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if _, err := admin.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); !apierrors.IsAlreadyExists(err) {
			check(t, err)
		}
	}

	config, err = clientcmd.BuildConfigFromFlags("", os.Getenv(kubeconfig))
	check(t, err)
	requests = &atomic.Int64{}
	config.Wrap(func(rt http.RoundTripper) http.RoundTripper { return counted{rt, requests} })
	shared, err := rest.HTTPClientFor(config)
	check(t, err)
	o := Options{Transport: shared.Transport, Namespace: accountNamespace, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
	o.Server, _, err = rest.DefaultServerUrlFor(config)
	check(t, err)
	o.Kube, err = kubernetes.NewForConfigAndClient(config, shared)
	check(t, err)
	o.Dynamic, err = dynamic.NewForConfigAndClient(config, shared)
	check(t, err)
	o.Metadata, err = metadata.NewForConfigAndClient(config, shared)
	check(t, err)
	o.Discovery, err = discovery.NewDiscoveryClientForConfigAndClient(config, shared)
	check(t, err)
	l, err = New(o)
	check(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		check(t, <-ended)
	})
	return admin, l, requests
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits until look gives an empty string, and fails with the last one that it gave.
func eventually(t *testing.T, what string, look func(context.Context) string) {
	t.Helper()
	var last string
	err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		last = look(ctx)
		return last == "", nil
	})
	if err != nil {
		t.Fatalf("waited for %s: %v; last seen: %s", what, err, last)
	}
}

func TestLiveConfigMapsAreAnsweredFromAWatch(t *testing.T) {
	admin, l, requests := connected(t, "KUBECONFIG")
	check(t, l.WaitForSync(t.Context()))
	maps := admin.CoreV1().ConfigMaps("elsewhere")
	settings, err := maps.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "settings", Labels: map[string]string{"of": "watch"}}, Data: map[string]string{"env": "prod"}}, metav1.CreateOptions{})
	check(t, err)
	env := func(ctx context.Context) string {
		got, err := l.Get(ctx, configMaps, "elsewhere", "settings")
		if err != nil {
			return err.Error()
		}
		if meta := got["metadata"].(map[string]any); meta["managedFields"] != nil || meta["name"] != "settings" {
			t.Errorf("metadata %v", meta)
		}
		value, _, _ := unstructured.NestedString(got, "data", "env")
		return value
	}
	if got := env(t.Context()); got != "prod" { // the first one starts the watch, and waits for it
		t.Fatalf("got %s", got)
	}
	settings.Data["env"] = "test"
	settings, err = maps.Update(t.Context(), settings, metav1.UpdateOptions{})
	check(t, err)
	eventually(t, "the change", func(ctx context.Context) string {
		if got := env(ctx); got != "test" {
			return got
		}
		return ""
	})
	before := requests.Load()
	for range 100 {
		if got := env(t.Context()); got != "test" {
			t.Fatalf("got %s", got)
		}
	}
	list, err := l.List(t.Context(), configMaps, "elsewhere", labels.SelectorFromSet(labels.Set{"of": "watch"}))
	check(t, err)
	if len(list) != 1 || requests.Load() != before {
		t.Errorf("%d objects; %d requests for what is watched", len(list), requests.Load()-before)
	}
	// What was made a moment ago is found, watched or not.
	for _, name := range []string{"new-1", "new-2", "new-3"} {
		_, err := maps.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
		check(t, err)
		_, err = l.Get(t.Context(), configMaps, "elsewhere", name)
		check(t, err)
	}
	check(t, maps.Delete(t.Context(), settings.Name, metav1.DeleteOptions{}))
	eventually(t, "the deletion", func(ctx context.Context) string {
		_, err := l.Get(ctx, configMaps, "elsewhere", "settings")
		if errors.Is(err, engine.ErrNotFound) {
			return ""
		}
		return "it is still there"
	})
}

// grant gives the account rights in a namespace.
func grant(t *testing.T, admin *kubernetes.Clientset, namespace, name string, rules ...rbacv1.PolicyRule) {
	t.Helper()
	meta := metav1.ObjectMeta{Name: name, Namespace: namespace}
	_, err := admin.RbacV1().Roles(namespace).Create(t.Context(), &rbacv1.Role{ObjectMeta: meta, Rules: rules}, metav1.CreateOptions{})
	check(t, err)
	_, err = admin.RbacV1().RoleBindings(namespace).Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: accountNamespace, Name: accountName}},
	}, metav1.CreateOptions{})
	check(t, err)
}

// Look-ups have the rights of the account and no others: in a namespace, without a watch, and not elsewhere.
func TestLiveLookUpsHaveTheRightsOfTheAccount(t *testing.T) {
	admin, l, _ := connected(t, "HOLDFAST_E2E_ACCOUNT")
	for _, namespace := range []string{accountNamespace, "elsewhere"} {
		_, err := admin.CoreV1().ConfigMaps(namespace).Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "mine"}}, metav1.CreateOptions{})
		check(t, err)
	}
	_, err := l.Get(t.Context(), configMaps, accountNamespace, "mine")
	says(t, err, `looking up ConfigMap lookups/mine: the right to get configmaps is missing: configmaps "mine" is forbidden: User "system:serviceaccount:lookups:holdfast" cannot get resource "configmaps" in API group "" in the namespace "lookups"`)
	_, err = l.List(t.Context(), configMaps, accountNamespace, nil)
	if err == nil || !strings.HasPrefix(err.Error(), "listing ConfigMap: the right to list configmaps is missing: ") || outcome(err) != "forbidden" {
		t.Errorf("a list: %v", err)
	}
	call := &engine.Call{Path: "/api/v1/namespaces/lookups/configmaps?limit=5", Method: "GET"}
	_, err = l.Call(t.Context(), call)
	says(t, err, `GET /api/v1/namespaces/lookups/configmaps: the API server answers 403 Forbidden: configmaps is forbidden: User "system:serviceaccount:lookups:holdfast" cannot list resource "configmaps" in API group "" in the namespace "lookups"`)

	grant(t, admin, accountNamespace, "reader", rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"get", "list"}})
	eventually(t, "the right", func(ctx context.Context) string {
		if _, err := l.Get(ctx, configMaps, accountNamespace, "mine"); err != nil {
			return err.Error()
		}
		return ""
	})
	answer, err := l.Call(t.Context(), call)
	check(t, err)
	if list := answer.(map[string]any); list["kind"] != "ConfigMapList" {
		t.Errorf("got %v", list["kind"])
	}
	for _, path := range []string{"/api/v1/namespaces/elsewhere/configmaps", "/api/v1/configmaps", "/api/v1/namespaces/lookups/secrets"} {
		if _, err := l.Call(t.Context(), &engine.Call{Path: path, Method: "GET"}); outcome(err) != "forbidden" {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := l.Get(t.Context(), configMaps, "elsewhere", "mine"); outcome(err) != "forbidden" {
		t.Errorf("elsewhere: %v", err)
	}
	if _, err := l.Call(t.Context(), &engine.Call{Path: "/api/v1/namespaces/lookups/configmaps/none", Method: "GET"}); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("what is not there: %v", err)
	}

	review := func(verb string) any {
		answer, err := l.Call(t.Context(), &engine.Call{
			Path: "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", Method: "POST",
			Body: map[string]any{
				"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
				"spec": map[string]any{"resourceAttributes": map[string]any{"namespace": accountNamespace, "verb": verb, "resource": "configmaps"}},
			},
		})
		check(t, err)
		return answer.(map[string]any)["status"].(map[string]any)["allowed"]
	}
	if review("get") != true || review("delete") != false {
		t.Error("a review does not tell the rights of the account")
	}
}

func TestLiveGlobalContextFollowsWhatItWatches(t *testing.T) {
	admin, l, _ := connected(t, "KUBECONFIG")
	maps := admin.CoreV1().ConfigMaps("elsewhere")
	names := engine.Projection{Name: "names", Query: query(t, "[?metadata.labels.of=='entry'].metadata.name | sort(@)")}
	l.SetEntries([]*engine.GlobalContext{
		watching("maps", resourceOfConfigMaps, "elsewhere", names),
		{Name: "called", Digest: "1", Call: &engine.RepeatedCall{Call: engine.Call{Path: "/api/v1/namespaces/elsewhere", Method: "GET"}, Refresh: time.Second, Retries: 1}},
		watching("undefined", schema.GroupVersionResource{Group: "x.test", Version: "v1", Resource: "widgets"}, ""),
	})
	check(t, l.WaitForSync(t.Context()))
	if !l.Synced() {
		t.Error("not synced after it was waited for")
	}
	is := func(want ...any) {
		t.Helper()
		eventually(t, "the names", func(ctx context.Context) string {
			got, err := l.GlobalContext(ctx, "maps.names")
			if err != nil {
				return err.Error()
			}
			return cmp.Diff(want, append([]any(nil), got.([]any)...))
		})
	}
	is()
	for _, name := range []string{"b", "a"} {
		_, err := maps.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"of": "entry"}}}, metav1.CreateOptions{})
		check(t, err)
	}
	is("a", "b")
	check(t, maps.Delete(t.Context(), "a", metav1.DeleteOptions{}))
	is("b")

	namespace, err := l.GlobalContext(t.Context(), "called")
	check(t, err)
	if namespace.(map[string]any)["kind"] != "Namespace" {
		t.Errorf("got %v", namespace)
	}
	_, err = l.GlobalContext(t.Context(), "undefined")
	if err == nil || !strings.Contains(err.Error(), "could not find the requested resource") {
		t.Errorf("a resource that is not defined: %v", err)
	}
	for _, s := range l.Entries() {
		if failing := s.Error != ""; failing != (s.Name == "undefined") || s.Refreshed.IsZero() != (s.Name != "called") {
			t.Errorf("status %+v", s)
		}
	}
}

func TestLiveSecretsAndClusterScopedObjects(t *testing.T) {
	admin, l, _ := connected(t, "KUBECONFIG")
	_, err := admin.CoreV1().Secrets("elsewhere").Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "s"}, Data: map[string][]byte{"a": []byte("b")}}, metav1.CreateOptions{})
	check(t, err)
	got, err := l.Get(t.Context(), secretKind, "elsewhere", "s")
	check(t, err)
	if value, _, _ := unstructured.NestedString(got, "data", "a"); value != "Yg==" {
		t.Errorf("got %v", got["data"])
	}
	got, err = l.Get(t.Context(), schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}, "", "elsewhere")
	check(t, err)
	if got["kind"] != "Namespace" {
		t.Errorf("got %v", got)
	}
	roles, err := l.List(t.Context(), schema.GroupVersionKind{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRole"}, "", nil)
	check(t, err)
	live, err := admin.RbacV1().ClusterRoles().List(t.Context(), metav1.ListOptions{})
	check(t, err)
	if len(roles) != len(live.Items) {
		t.Errorf("%d of %d ClusterRoles", len(roles), len(live.Items))
	}
	if kinds, _, _ := l.objects.watches.held(); kinds != 2 {
		t.Errorf("%d kinds are watched", kinds)
	}
}
