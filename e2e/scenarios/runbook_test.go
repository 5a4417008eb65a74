package scenarios

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/holdfast-io/holdfast/e2e/controlplane"
)

// everythingFails is a policy that has to be asked about every write there is, subresources too.
const everythingFails = `apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: no-forbidden}
spec:
  failurePolicy: Fail
  webhookConfiguration: {timeoutSeconds: 5}
  rules:
    - name: forbidden
      match: {any: [{resources: {kinds: ["*", "*/*"]}}]}
      validate:
        failureAction: Enforce
        message: The label forbidden is.
        deny: {conditions: {all: [{key: "{{ request.object.metadata.labels.forbidden || '' }}", operator: Equals, value: "yes"}]}}
`

// stricken is a cluster whose webhook can die.
type stricken struct {
	*cluster
	kubectl string
	// runbook are the commands of docs/runbooks/webhook-down.md, by heading.
	runbook map[string]string
}

// The webhook of a cluster dies, and all nodes are lost. What docs/runbooks/webhook-down.md says goes on, and its
// commands, as they are written there, open the door and close it.
func TestAClusterWhoseWebhookIsDeadComesBack(t *testing.T) {
	c := &stricken{cluster: newClusterOf(t, controlplane.Options{Progress: t.Output(), Components: controlplane.Everything()})}
	var err error
	if c.kubectl, err = (controlplane.Builder{Progress: t.Output()}).Tool(t.Context(), "kubectl"); err != nil {
		t.Fatal(err)
	}
	c.runbook = commandsOf(t, filepath.Join("..", "..", "docs", "runbooks", "webhook-down.md"))
	c.populate(t)
	options := c.options(t, "holdfast", c.writeBundle(t, "bundle", everythingFails))
	options.Args = []string{"--break-glass-users=ana", "--break-glass-groups=oncall", "--reconcile=false"}
	p := c.serve(t, options)
	eventually(t, "the policy to hold", func(ctx context.Context) string {
		if err := c.write(ctx, c.kube, "yes"); err == nil || !strings.Contains(err.Error(), "The label forbidden is.") {
			return "no refusal: " + textOf(err)
		}
		return ""
	})
	p.Kill()
	c.shut(t)
	if said, err := c.run(t, c.KubeconfigPath(), c.runbook["Is it this?"]); err != nil || !strings.Contains(said, `failed calling webhook "fail-5s.validate.holdfast.dev"`) {
		t.Errorf("%v, and the runbook's first look says\n%s", err, said)
	}

	// All nodes are lost. Nobody but who breaks the glass could say so.
	glass := c.user(t, "ana")
	if err := glass.CoreV1().Nodes().Delete(t.Context(), "node-0", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := c.kube.CoreV1().Pods("holdfast").DeleteCollection(t.Context(), metav1.DeleteOptions{GracePeriodSeconds: new(int64)}, metav1.ListOptions{}); err != nil {
		t.Fatal(err)
	}
	c.nodeComesBack(t)
	eventually(t, "the Pods of Holdfast to run on the new node", func(ctx context.Context) string {
		d, err := c.kube.AppsV1().Deployments("holdfast").Get(ctx, "holdfast", metav1.GetOptions{})
		if err != nil {
			return err.Error()
		}
		if d.Status.ReadyReplicas != 2 {
			pods, _ := c.kube.CoreV1().Pods("holdfast").List(ctx, metav1.ListOptions{})
			return pods.String()
		}
		return ""
	})
	leader := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "scheduler", Namespace: metav1.NamespaceSystem}}
	if _, err := c.kube.CoordinationV1().Leases(metav1.NamespaceSystem).Create(t.Context(), leader, metav1.CreateOptions{}); err != nil {
		t.Errorf("nobody can lead: %v", err)
	}
	c.shut(t)

	for _, way := range []string{"Let failures pass", "Or delete the configurations"} {
		for _, section := range []string{"Get in", way} {
			if said, err := c.run(t, "break-glass.kubeconfig", c.commands(t, section)); err != nil {
				t.Fatalf("%s: %v\n%s", section, err, said)
			}
		}
		if err := c.write(t.Context(), c.kube, "yes"); err != nil {
			t.Errorf("after %q: %v", way, err)
		}
		if said, err := c.run(t, "break-glass.kubeconfig", c.commands(t, "Close it again")); err != nil {
			t.Fatalf("%v\n%s", err, said)
		}
		p := c.serve(t, options)
		eventually(t, "the policy to hold again", func(ctx context.Context) string {
			if err := c.write(ctx, c.kube, "yes"); err == nil {
				return "what is forbidden is written"
			}
			return ""
		})
		if said, err := c.run(t, c.KubeconfigPath(), c.commands(t, "What came in meanwhile")); err != nil {
			t.Errorf("%v\n%s", err, said)
		}
		p.Kill()
		c.shut(t)
	}
}

// populate makes a node, rights for kubelets and for who breaks the glass, and Pods that stand for Holdfast's.
func (c *stricken) populate(t *testing.T) {
	t.Helper()
	if _, err := c.AddNodes(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	for _, b := range []struct {
		role    string
		subject rbacv1.Subject
	}{
		{"system:node", rbacv1.Subject{Kind: rbacv1.GroupKind, Name: "system:nodes"}},
		{"cluster-admin", rbacv1.Subject{Kind: rbacv1.UserKind, Name: "ana"}},
		{"cluster-admin", rbacv1.Subject{Kind: rbacv1.GroupKind, Name: "oncall"}},
	} {
		b.subject.APIGroup = rbacv1.GroupName
		_, err := c.kube.RbacV1().ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "e2e-"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: b.role}, Subjects: []rbacv1.Subject{b.subject},
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "holdfast"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	replicas, labels := int32(2), map[string]string{"app": "holdfast"}
	_, err := c.kube.AppsV1().Deployments("holdfast").Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "holdfast"},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "holdfast", Image: "registry.example/holdfast:v1"}}},
			},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig, err := c.KubeconfigFor("ben", "oncall")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.dir, "break-glass.kubeconfig"), kubeconfig, 0o600); err != nil {
		t.Fatal(err)
	}
}

// nodeComesBack does what the kubelet of a new node does, as which it is known.
func (c *stricken) nodeComesBack(t *testing.T) {
	t.Helper()
	kubelet := c.user(t, "system:node:fresh", "system:nodes")
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "elsewhere", Namespace: corev1.NamespaceNodeLease}}
	if _, err := kubelet.CoordinationV1().Leases(corev1.NamespaceNodeLease).Create(t.Context(), lease, metav1.CreateOptions{}); err != nil {
		t.Errorf("no heartbeat by lease: %v", err)
	}
	size := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("8"), corev1.ResourceMemory: resource.MustParse("8Gi"), corev1.ResourcePods: resource.MustParse("9")}
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "fresh", Labels: map[string]string{corev1.LabelHostname: "fresh"}},
		Status:     corev1.NodeStatus{Capacity: size, Allocatable: size},
	}
	if _, err := kubelet.CoreV1().Nodes().Create(t.Context(), node, metav1.CreateOptions{}); err != nil {
		t.Fatalf("a node cannot register: %v", err)
	}
	status := []byte(`{"status": {"conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}]}}`)
	if _, err := kubelet.CoreV1().Nodes().Patch(t.Context(), "fresh", types.StrategicMergePatchType, status, metav1.PatchOptions{}, "status"); err != nil {
		t.Fatalf("no heartbeat by status: %v", err)
	}
	label := []byte(`{"metadata": {"labels": {"zone": "a"}}}`)
	if _, err := kubelet.CoreV1().Nodes().Patch(t.Context(), "fresh", types.StrategicMergePatchType, label, metav1.PatchOptions{}); err != nil {
		t.Errorf("a node cannot label itself: %v", err)
	}
	if _, err := c.kube.CoreV1().Nodes().Patch(t.Context(), "fresh", types.StrategicMergePatchType, label, metav1.PatchOptions{}); err == nil {
		t.Error("somebody else labels a node, although nobody answers")
	}
}

// user is somebody else than the administrator.
func (c *stricken) user(t *testing.T, name string, groups ...string) kubernetes.Interface {
	t.Helper()
	config, err := c.RESTConfigFor(name, groups...)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// write tries to write a ConfigMap.
func (c *stricken) write(ctx context.Context, client kubernetes.Interface, forbidden string) error {
	_, err := client.CoreV1().ConfigMaps(metav1.NamespaceDefault).Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "written", Labels: map[string]string{"forbidden": forbidden}},
	}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	return err
}

// shut checks that nobody writes but who may break the glass.
func (c *stricken) shut(t *testing.T) {
	t.Helper()
	if err := c.write(t.Context(), c.kube, "no"); err == nil || !strings.Contains(err.Error(), "failed calling webhook") {
		t.Errorf("the administrator's write, while nobody answers: %s", textOf(err))
	}
	if err := c.write(t.Context(), c.user(t, "ana"), "yes"); err != nil {
		t.Errorf("the write of a user who breaks the glass: %v", err)
	}
	if err := c.write(t.Context(), c.user(t, "ben", "oncall"), "yes"); err != nil {
		t.Errorf("the write of a member of a group that breaks the glass: %v", err)
	}
}

func textOf(err error) string {
	if err == nil {
		return "it passes"
	}
	return err.Error()
}

// commands are those under a heading of the runbook. The first that fails ends them.
func (c *stricken) commands(t *testing.T, heading string) string {
	t.Helper()
	commands := c.runbook[heading]
	if commands == "" {
		t.Fatalf("the runbook has no commands under %q", heading)
	}
	return "set -e\n" + commands
}

// run gives what commands print.
func (c *stricken) run(t *testing.T, kubeconfig, commands string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-o", "pipefail", "-c", commands)
	cmd.Dir = c.dir
	cmd.Env = []string{"HOME=" + c.dir, "KUBECONFIG=" + kubeconfig, "PATH=" + filepath.Dir(c.kubectl) + ":/usr/bin:/bin"}
	said, err := cmd.CombinedOutput()
	return string(said), err
}

// commandsOf gives the blocks of sh of a text in Markdown, those of one heading together.
func commandsOf(t *testing.T, path string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, section := range strings.Split(string(text), "\n## ")[1:] {
		heading, body, _ := strings.Cut(section, "\n")
		for i, part := range strings.Split(body, "\n```") {
			if commands, ok := strings.CutPrefix(part, "sh\n"); ok && i%2 == 1 {
				out[heading] += commands + "\n"
			}
		}
	}
	return out
}
