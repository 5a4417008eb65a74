package scenarios

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// choosesPacks upgrades the release with a pack that is enforced, one in audit with a parameter, and one that is off, and
// sees what becomes of Pods.
func (c *cluster) choosesPacks(t *testing.T, env []string) {
	t.Helper()
	upgrade := exec.CommandContext(t.Context(), "bash", "-c", `helm upgrade holdfast charts/holdfast --namespace holdfast --reuse-values \
  --set packs.baseline=enforce,packs.images=audit,packs.best-practices=off --set 'parameters.allowedRegistries={registry.example/*}'`)
	upgrade.Dir, upgrade.Env = "../..", env
	if said, err := upgrade.CombinedOutput(); err != nil {
		t.Fatalf("helm upgrade: %v\n%s", err, said)
	}
	c.serveForTheChart(t)
	for name, labels := range map[string]map[string]string{"plain": nil, "agents": {"holdfast.dev/enforce": "false"}} {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
		if _, err := c.kube.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}

	const refusal = "policy disallow-host-ports, rule host-ports"
	eventually(t, "a Pod to be refused by a pack that is enforced", func(ctx context.Context) string {
		_, err := c.create(ctx, onPort("plain", "refused", "registry.example/app:v1", 80), metav1.DryRunAll)
		if apierrors.IsForbidden(err) && strings.Contains(err.Error(), refusal) {
			return ""
		}
		return fmt.Sprintf("it is told %v", err)
	})
	for _, pod := range []*unstructured.Unstructured{
		onPort("agents", "excepted", "registry.example/app:v1", 80), onPort("plain", "foreign", "quay.io/acme/app:v1", 0), onPort("plain", "own", "registry.example/app:v1", 0),
	} {
		eventually(t, pod.GetName()+" to be let in", func(ctx context.Context) string { // once there is an account that it runs as
			if _, err := c.create(ctx, pod); err != nil && !apierrors.IsAlreadyExists(err) {
				return err.Error()
			}
			return ""
		})
	}
	const ports, registries, off = "disallow-host-ports/host-ports", "restrict-image-registries/allowed-registries", "require-requests-and-limits/"
	eventually(t, "their reports", func(ctx context.Context) string {
		have, err := c.reported(ctx)
		if err != nil {
			return err.Error()
		}
		want := verdicts{"Pod agents/excepted " + ports: "fail", "Pod plain/foreign " + registries: "fail"}
		problems := want.missing(have)
		for key := range have {
			if key == "Pod plain/own "+registries || strings.HasPrefix(key, "Pod plain/") && strings.Contains(key, " "+off) {
				problems = append(problems, key+" is reported")
			}
		}
		return strings.Join(problems, "\n")
	})
}

// onPort is a Pod that takes a port of its node, or none with 0.
func onPort(namespace, name, image string, port int64) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": name, "namespace": namespace},
		"spec": map[string]any{"containers": []any{map[string]any{
			"name": "main", "image": image, "ports": []any{map[string]any{"containerPort": int64(8080), "hostPort": port}},
		}}},
	}}
}
