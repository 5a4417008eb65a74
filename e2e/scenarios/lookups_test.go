package scenarios

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/holdfast-io/holdfast/e2e/controlplane"
)

// The live tests of look-ups run in the product's module, on a fresh API server, as its administrator and as an account
// that has no rights but those that a test gives it.
func TestLookUps(t *testing.T) {
	cp, err := controlplane.Start(t.Context(), controlplane.Options{Progress: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cp.Stop(); err != nil {
			t.Error(err)
		}
	})
	kubeconfig, err := cp.KubeconfigFor("system:serviceaccount:lookups:holdfast", "system:serviceaccounts", "system:serviceaccounts:lookups", "system:authenticated")
	if err != nil {
		t.Fatal(err)
	}
	account := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(account, kubeconfig, 0o600); err != nil {
		t.Fatal(err)
	}
	test := exec.CommandContext(t.Context(), "go", "test", "-tags", "e2e", "-count", "1", "-v", "-run", "^TestLive", "./lookup")
	if test.Dir, err = filepath.Abs(filepath.Join("..", "..")); err != nil {
		t.Fatal(err)
	}
	test.Env = append(os.Environ(), "KUBECONFIG="+cp.KubeconfigPath(), "HOLDFAST_E2E_ACCOUNT="+account)
	test.Stdout, test.Stderr = t.Output(), t.Output()
	if err := test.Run(); err != nil {
		t.Error(err)
	}
}

// Without the right to read everything, the chart grants ConfigMaps and what is listed for look-ups, to be read alone, and
// what is listed for what rules want of other objects, to be written too.
func TestChartGrantsWhatRulesLookUp(t *testing.T) {
	c := newChart(t)
	// The executor's rights are gathered by kube-controller-manager.
	cp := startForChartWith(t, controlplane.Options{Components: []controlplane.Component{controlplane.ControllerManager}})
	client, err := kubernetes.NewForConfig(cp.RESTConfig())
	if err != nil {
		t.Fatal(err)
	}
	rendered := c.render(t, `{audit: {readAll: false, resources: []}, lookups: {allowedServices: ["https://facts.tools.svc"], timeout: 3s,
		resources: [{apiGroups: [""], resources: [configmaps]}, {apiGroups: [apps], resources: [deployments]}]},
		reconcile: {managedBy: platform, rules: [{apiGroups: [networking.k8s.io], resources: [networkpolicies]}]}}`, "--include-crds")
	applyTo(t, cp, rendered)
	may := func(verb, group, resource string) bool {
		review, err := client.AuthorizationV1().SubjectAccessReviews().Create(t.Context(), &authorizationv1.SubjectAccessReview{
			Spec: authorizationv1.SubjectAccessReviewSpec{
				User: "system:serviceaccount:holdfast:holdfast", Groups: []string{"system:serviceaccounts", "system:authenticated"},
				ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: "elsewhere", Verb: verb, Group: group, Resource: resource},
			},
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return review.Status.Allowed
	}
	eventually(t, "the rights", func(context.Context) string {
		switch {
		case !may("get", "", "configmaps"):
			return "ConfigMaps cannot be read"
		case !may("patch", "networking.k8s.io", "networkpolicies"):
			return "NetworkPolicies cannot be changed"
		default:
			return ""
		}
	})
	for _, verb := range []string{"get", "list", "watch", "create", "update", "patch", "delete"} {
		reads := slices.Contains([]string{"get", "list", "watch"}, verb)
		for resource, want := range map[string]bool{"/configmaps": reads, "apps/deployments": reads, "/secrets": false, "/pods": false, "apps/daemonsets": false, "networking.k8s.io/networkpolicies": true} {
			group, name, _ := strings.Cut(resource, "/")
			if got := may(verb, group, name); got != want {
				t.Errorf("%s %s: %t", verb, resource, got)
			}
		}
	}
	config := must[corev1.ConfigMap](t, rendered, "ConfigMap", "holdfast").Data["holdfast.yaml"]
	for _, line := range []string{"lookup-timeout: 3s\n", `allowed-service-url: ["https://facts.tools.svc"]` + "\n", "reconcile: true\n", `managed-by: "platform"` + "\n"} {
		if !strings.Contains(config, line) {
			t.Errorf("%q is not in the configuration:\n%s", line, config)
		}
	}
}

// asking is a bundle of policies on Pods with the label asks, each of which looks one thing up. %s is the URL of a
// service.
const asking = `apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: ask-a-configmap}
spec:
  rules:
    - name: team
      match: {any: [{resources: {kinds: [Pod], selector: {matchLabels: {asks: configmap}}}}]}
      context: [{name: settings, configMap: {name: settings, namespace: default}}]
      validate:
        failureAction: Enforce
        message: "The team is {{ settings.data.team }}."
        deny: {conditions: {any: [{key: "{{ request.object.metadata.labels.team }}", operator: NotEquals, value: "{{ settings.data.team }}"}]}}
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: ask-the-api-server}
spec:
  rules:
    - name: service-accounts
      match: {any: [{resources: {kinds: [Pod], selector: {matchLabels: {asks: api}}}}]}
      context: [{name: namespace, apiCall: {urlPath: "/api/v1/namespaces/{{ request.namespace }}", jmesPath: metadata.name}}]
      validate:
        failureAction: Enforce
        message: "The namespace is {{ namespace }}."
        deny: {conditions: {any: [{key: "{{ request.object.metadata.labels.team }}", operator: NotEquals, value: "{{ namespace }}"}]}}
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: ask-a-service}
spec:
  rules:
    - name: team
      match: {any: [{resources: {kinds: [Pod], selector: {matchLabels: {asks: service}}}}]}
      context: [{name: team, apiCall: {method: GET, service: {url: "%s/team"}, jmesPath: team}}]
      validate:
        failureAction: Enforce
        message: "The service says {{ team }}."
        deny: {conditions: {any: [{key: "{{ request.object.metadata.labels.team }}", operator: NotEquals, value: "{{ team }}"}]}}
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: ask-the-global-context}
spec:
  rules:
    - name: team
      match: {any: [{resources: {kinds: [Pod], selector: {matchLabels: {asks: global}}}}]}
      context: [{name: teams, globalReference: {name: settings.teams}}]
      validate:
        failureAction: Enforce
        message: "The teams are {{ teams }}."
        deny: {conditions: {any: [{key: "{{ request.object.metadata.labels.team }}", operator: AnyNotIn, value: "{{ teams }}"}]}}
---
apiVersion: kyverno.io/v2beta1
kind: GlobalContextEntry
metadata: {name: settings}
spec:
  kubernetesResource: {version: v1, resource: configmaps, namespace: default}
  projections: [{name: teams, jmesPath: "[].data.team"}]
`

// Requests are answered by what the cluster holds now, through serve and all the way.
func TestServeLooksThingsUp(t *testing.T) {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("the service got credentials")
		}
		_, _ = io.WriteString(w, `{"team":"sea"}`) // the client may have gone
	}))
	t.Cleanup(service.Close)
	c := newCluster(t)
	maps := c.kube.CoreV1().ConfigMaps(metav1.NamespaceDefault)
	settings, err := maps.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "settings"}, Data: map[string]string{"team": "sea"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	bundle := c.writeBundle(t, "asking", fmt.Sprintf(asking, service.URL))
	options := c.options(t, "allowed", bundle)
	options.AllowedServices = []string{service.URL}
	p := c.serve(t, options)

	said := func(ctx context.Context, asks, team string) string {
		o := pod("asks", false)
		o.SetLabels(map[string]string{"asks": asks, "team": team})
		if _, err := c.create(ctx, o, metav1.DryRunAll); err != nil {
			return err.Error()
		}
		return ""
	}
	refused := func(asks, team, because string) {
		t.Helper()
		if got := said(t.Context(), asks, team); !strings.Contains(got, because) {
			t.Errorf("team %s, asking %s: got %q, want %q in it", team, asks, got, because)
		}
	}
	for asks, because := range map[string]string{
		"configmap": "The team is sea.", "service": "The service says sea.", "global": "The teams are", "api": "The namespace is default.",
	} {
		right := "sea"
		if asks == "api" {
			right = "default"
		}
		eventually(t, "a good Pod that asks "+asks, func(ctx context.Context) string { return said(ctx, asks, right) })
		refused(asks, "land", because)
	}

	settings.Data["team"] = "land"
	if _, err := maps.Update(t.Context(), settings, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, asks := range []string{"configmap", "global"} {
		eventually(t, "the change, asking "+asks, func(ctx context.Context) string { return said(ctx, asks, "land") })
	}
	refused("configmap", "sea", "The team is land.")
	if err := maps.Delete(t.Context(), "settings", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "an error, which is not an answer", func(ctx context.Context) string {
		if got := said(ctx, "configmap", "land"); !strings.Contains(got, "ConfigMap default/settings does not exist") {
			return "got " + got
		}
		return ""
	})
	stop(t, p)

	// GHSA-rggm-jjmc-3394: without the flag nothing is called.
	c.serve(t, c.options(t, "not-allowed", bundle))
	eventually(t, "a refusal of the call", func(ctx context.Context) string {
		if got := said(ctx, "service", "sea"); !strings.Contains(got, "--allowed-service-url allows it") {
			return "got " + got
		}
		return ""
	})
}
