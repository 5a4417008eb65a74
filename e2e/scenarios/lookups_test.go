package scenarios

import (
	"context"
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

// Without the right to read everything, the chart grants ConfigMaps and what is listed for look-ups, to be read alone.
func TestChartGrantsWhatRulesLookUp(t *testing.T) {
	c := newChart(t)
	cp := startForChart(t)
	client, err := kubernetes.NewForConfig(cp.RESTConfig())
	if err != nil {
		t.Fatal(err)
	}
	rendered := c.render(t, `{audit: {readAll: false, resources: []}, lookups: {allowedServices: ["https://facts.tools.svc"], timeout: 3s,
		resources: [{apiGroups: [""], resources: [configmaps]}, {apiGroups: [apps], resources: [deployments]}]}}`, "--include-crds")
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
		if may("get", "", "configmaps") {
			return ""
		}
		return "ConfigMaps cannot be read"
	})
	for _, verb := range []string{"get", "list", "watch", "create", "update", "patch", "delete"} {
		reads := slices.Contains([]string{"get", "list", "watch"}, verb)
		for resource, want := range map[string]bool{"/configmaps": reads, "apps/deployments": reads, "/secrets": false, "/pods": false, "apps/daemonsets": false} {
			group, name, _ := strings.Cut(resource, "/")
			if got := may(verb, group, name); got != want {
				t.Errorf("%s %s: %t", verb, resource, got)
			}
		}
	}
	config := must[corev1.ConfigMap](t, rendered, "ConfigMap", "holdfast").Data["holdfast.yaml"]
	for _, line := range []string{"lookup-timeout: 3s\n", `allowed-service-url: ["https://facts.tools.svc"]` + "\n"} {
		if !strings.Contains(config, line) {
			t.Errorf("%q is not in the configuration:\n%s", line, config)
		}
	}
}
