package scenarios

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/holdfast-io/holdfast/e2e/controlplane"
)

// The commands of the chart's README: install with policies of one's own, upgrade the definitions, uninstall.
func TestChartIsInstalledAndUninstalledByHelm(t *testing.T) {
	c := newChart(t)
	binary, err := controlplane.Builder{Progress: t.Output()}.Holdfast(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cp := startForChartWith(t, controlplane.Options{Components: []controlplane.Component{controlplane.ControllerManager}}) // which collects what has lost its owner
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

	// A serve with the configuration of the release registers itself, and stays registered when the release is upgraded.
	s := startAsChart(t, cp, binary, c.render(t, ""))
	registered := func(ctx context.Context) (list []metav1.ObjectMeta, err error) {
		v, err := client.AdmissionregistrationV1().ValidatingWebhookConfigurations().List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, err
		}
		m, err := client.AdmissionregistrationV1().MutatingWebhookConfigurations().List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, err
		}
		for i := range v.Items {
			list = append(list, v.Items[i].ObjectMeta)
		}
		for i := range m.Items {
			list = append(list, m.Items[i].ObjectMeta)
		}
		return list, nil
	}
	s.waitFor(t, "it to be registered", s.ready)
	helm("upgrade", "holdfast", chartDir, "--set", "log.level=debug")
	s.waitFor(t, "both configurations, each with its owner", func(ctx context.Context) error {
		list, err := registered(ctx)
		if err == nil && (len(list) != 2 || len(list[0].OwnerReferences) != 1 || len(list[1].OwnerReferences) != 1) {
			err = fmt.Errorf("there are %v", list)
		}
		return err
	})

	if stdout, stderr, err := c.exec(t, "uninstall", "holdfast", "--namespace", "holdfast", "--kubeconfig", cp.KubeconfigPath()); err != nil {
		t.Fatalf("helm uninstall: %v\n%s%s", err, stdout, stderr)
	}
	if _, err := deployments.Get(t.Context(), "holdfast", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the Deployment after uninstalling: %v: want none", err)
	}
	// The configurations go, although the process that would put them right still runs: it has lost the right to.
	s.waitFor(t, "the webhook configurations to be collected", func(ctx context.Context) error {
		list, err := registered(ctx)
		if err == nil && len(list) > 0 {
			err = errors.New("there are " + list[0].Name)
		}
		return err
	})
	// Reports outlive the release: their definitions stay.
	kubectl(t.Context(), t, cp, "", "get", "customresourcedefinition", "policyreports.wgpolicyk8s.io")
}
