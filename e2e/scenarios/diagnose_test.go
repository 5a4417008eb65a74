package scenarios

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Of a serve that is well nothing looks wrong. When a rule cannot be evaluated, and when the program is gone, that is said.
// What is secret in the cluster is in no archive.
func TestDiagnoseSaysWhatIsWrong(t *testing.T) {
	c := newCluster(t)
	options := c.options(t, "holdfast", c.writeBundle(t, "bundle", cannotBeEvaluated))
	p := c.serve(t, options)
	c.plantSecrets(t)
	url := fmt.Sprintf("http://127.0.0.1:%d", options.MetricsPort)
	archive := 0
	diagnose := func(ctx context.Context) (said string, code int, path string) {
		archive++
		path = filepath.Join(c.dir, fmt.Sprintf("case-%d.tar.gz", archive))
		out, err := exec.CommandContext(ctx, c.binary, "diagnose", "--kubeconfig", c.KubeconfigPath(), "--url", url, "--log", options.LogPath, "--out", path).CombinedOutput()
		exit := (*exec.ExitError)(nil)
		if errors.As(err, &exit) {
			code = exit.ExitCode()
		} else if err != nil {
			t.Fatal(err)
		}
		return string(out), code, path
	}
	eventually(t, "nothing to look wrong", func(ctx context.Context) string {
		said, code, _ := diagnose(ctx)
		if code != 0 || !strings.Contains(said, "\nnothing looks wrong\n") {
			return fmt.Sprintf("code %d: %s", code, said)
		}
		return ""
	})

	bad := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "bad", Namespace: metav1.NamespaceDefault, Labels: map[string]string{"forbidden": "yes"}}}
	if _, err := c.kube.CoreV1().ConfigMaps(metav1.NamespaceDefault).Create(t.Context(), bad, metav1.CreateOptions{}); err == nil {
		t.Error("a write that cannot be judged was let through")
	}
	said, code, path := diagnose(t.Context())
	if want := url + " has 1 reviews, or rules of one, that could not be evaluated (runbook admission-fails.md)"; code != 1 || !strings.Contains(said, want) {
		t.Errorf("code %d, want 1 and %q in\n%s", code, want, said)
	}
	files, err := exec.CommandContext(t.Context(), "tar", "-xzOf", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"holdfast_admission_errors_total", "failurePolicy: Fail", "holderIdentity: ", `"policies": 1`, "level=INFO", "gitVersion: v1."} {
		if !strings.Contains(string(files), want) {
			t.Errorf("the archive has no %q", want)
		}
	}
	if at := strings.Index(string(files), "planted"); at >= 0 {
		t.Errorf("the archive holds what is secret: %s", files[max(0, at-200):min(len(files), at+50)])
	}
	if said, code, _ := func() (string, int, string) { archive--; return diagnose(t.Context()) }(); code != 2 || !strings.Contains(said, "file exists") {
		t.Errorf("code %d, want 2 and no archive over another: %s", code, said)
	}

	p.Kill()
	said, code, _ = diagnose(t.Context())
	if want := "replica " + url + " does not answer: asking: "; code != 1 || !strings.Contains(said, want) {
		t.Errorf("code %d, want 1 and %q in\n%s", code, want, said)
	}
}

// cannotBeEvaluated is a policy on ConfigMaps whose condition there is no value for.
const cannotBeEvaluated = `apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: on-configmaps}
spec:
  failurePolicy: Fail
  rules:
    - name: label
      match: {any: [{resources: {kinds: [ConfigMap], selector: {matchExpressions: [{key: forbidden, operator: Exists}]}}}]}
      validate:
        failureAction: Enforce
        message: It has no label.
        deny: {conditions: {all: [{key: "{{ request.object.data.nothing }}", operator: Equals, value: "yes"}]}}
`

// plantSecrets puts into the cluster what must not be in an archive.
func (c *cluster) plantSecrets(t *testing.T) {
	t.Helper()
	labels := map[string]string{"app.kubernetes.io/name": "holdfast"}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "holdfast"}}
	if _, err := c.kube.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "dsn", Labels: labels}, StringData: map[string]string{"dsn": "planted-in-secret"}}
	if _, err := c.kube.CoreV1().Secrets("holdfast").Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "holdfast", Labels: labels}, Data: map[string]string{"holdfast.yaml": "listen: :9443\npassword: planted-in-config\n"}}
	if _, err := c.kube.CoreV1().ConfigMaps("holdfast").Create(t.Context(), config, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}
