package scenarios

import (
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// The commands of the chart's README: install with policies of one's own, upgrade the definitions, uninstall.
func TestChartIsInstalledAndUninstalledByHelm(t *testing.T) {
	c := newChart(t)
	cp := startForChart(t)
	client, err := kubernetes.NewForConfig(cp.RESTConfig())
	if err != nil {
		t.Fatal(err)
	}
	helm := func(args ...string) string {
		t.Helper()
		stdout, stderr, err := c.run(t, "", append(args, "--namespace", "holdfast", "--kubeconfig", cp.KubeconfigPath())...)
		if err != nil {
			t.Fatalf("helm %s: %v\n%s", args[0], err, stderr)
		}
		return stdout
	}
	notes := helm("upgrade", "--install", "holdfast", chartDir, "--set-file", `bundle.policies.team\.yaml=../../policies/require-pod-spread/policy.yaml`)
	for _, want := range []string{
		"judges by the policies in ConfigMap holdfast-bundle.",
		"kubectl -n holdfast rollout status deployment/holdfast\n",
		"kubectl get validatingwebhookconfiguration,mutatingwebhookconfiguration holdfast\n",
		"kubectl get policyreports,clusterpolicyreports -A\n",
	} {
		if !strings.Contains(notes, want) {
			t.Errorf("the notes do not say %q:\n%s", want, notes)
		}
	}
	deployments := client.AppsV1().Deployments("holdfast")
	if _, err := deployments.Get(t.Context(), "holdfast", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
	kubectl(t.Context(), t, cp, "", "wait", "--for=condition=Established", "--timeout=60s",
		"customresourcedefinitions/policyreports.wgpolicyk8s.io", "customresourcedefinitions/clusterpolicyreports.wgpolicyk8s.io")

	if stdout, stderr, err := c.exec(t, "uninstall", "holdfast", "--namespace", "holdfast", "--kubeconfig", cp.KubeconfigPath()); err != nil {
		t.Fatalf("helm uninstall: %v\n%s%s", err, stdout, stderr)
	}
	if _, err := deployments.Get(t.Context(), "holdfast", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the Deployment after uninstalling: %v: want none", err)
	}
	// Reports outlive the release: their definitions stay.
	kubectl(t.Context(), t, cp, "", "get", "customresourcedefinition", "policyreports.wgpolicyk8s.io")
}
