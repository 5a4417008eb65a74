package controlplane

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// full is a control plane with everything, and what its tests do to it.
type full struct {
	*ControlPlane
	admin kubernetes.Interface
}

// TestFullControlPlane shares one control plane among its parts, because each start costs seconds. The parts do not
// depend on one another's objects.
func TestFullControlPlane(t *testing.T) {
	cp := startForTest(t, Options{Components: Everything(), AuditPolicy: AuditRequests})
	admin, err := kubernetes.NewForConfig(cp.RESTConfig())
	if err != nil {
		t.Fatal(err)
	}
	f := &full{ControlPlane: cp, admin: admin}
	names, err := cp.AddNodes(testContext(t), 2)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"node-0", "node-1"}; !slices.Equal(names, want) {
		t.Errorf("AddNodes(2) = %v, want %v", names, want)
	}
	t.Run("a Deployment rolls out", f.testRollout)
	t.Run("a Deployment whose new pods fail does not roll out", f.testFailingRollout)
	t.Run("a running pod can be made to fail and to recover", f.testFailingPod)
	t.Run("users have the rights that RBAC gives them", f.testUsers)
	t.Run("a request for a certificate is signed once it is approved", f.testSigning)
	t.Run("pods act as their service account", f.testServiceAccounts)
	t.Run("the audit log says who asked for what", f.testAudit)
	t.Run("kubectl talks to it", f.testKubectl)
	t.Run("it survives the death of kube-apiserver", f.testRestart)
}

// deployment of pods that are never really run.
func deployment(name string, annotations map[string]string) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	replicas, deadline := int32(2), int32(1)
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, ProgressDeadlineSeconds: &deadline,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: annotations},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "registry.example/app:1"}}},
			},
		},
	}
}

func (f *full) create(t *testing.T, d *appsv1.Deployment) {
	t.Helper()
	if _, err := f.admin.AppsV1().Deployments(d.Namespace).Create(t.Context(), d, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// rolledOut waits until all pods of the Deployment are of its newest template, and ready.
func (f *full) rolledOut(t *testing.T, name string) {
	t.Helper()
	eventually(t, "Deployment "+name+" to be rolled out", func(ctx context.Context) string {
		d, err := f.admin.AppsV1().Deployments("default").Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err.Error()
		}
		if s := d.Status; s.ObservedGeneration < d.Generation || s.UpdatedReplicas != *d.Spec.Replicas ||
			s.Replicas != *d.Spec.Replicas || s.ReadyReplicas != *d.Spec.Replicas {
			return fmt.Sprintf("%+v", s)
		}
		return ""
	})
}

// stuck waits until the Deployment has given up its rollout.
func (f *full) stuck(t *testing.T, name string) *appsv1.Deployment {
	t.Helper()
	var d *appsv1.Deployment
	eventually(t, "Deployment "+name+" to exceed its deadline", func(ctx context.Context) string {
		var err error
		if d, err = f.admin.AppsV1().Deployments("default").Get(ctx, name, metav1.GetOptions{}); err != nil {
			return err.Error()
		}
		for _, c := range d.Status.Conditions {
			// A deadline of a second can be over before the new pod is counted.
			if c.Type == appsv1.DeploymentProgressing && c.Reason == "ProgressDeadlineExceeded" &&
				d.Status.ObservedGeneration == d.Generation && d.Status.UpdatedReplicas > 0 {
				return ""
			}
		}
		return fmt.Sprintf("%+v", d.Status)
	})
	return d
}

func (f *full) patch(t *testing.T, name, patch string) {
	t.Helper()
	_, err := f.admin.AppsV1().Deployments("default").Patch(t.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

func (f *full) pods(ctx context.Context, t *testing.T, app string) []corev1.Pod {
	t.Helper()
	list, err := f.admin.CoreV1().Pods("default").List(ctx, metav1.ListOptions{LabelSelector: "app=" + app})
	if err != nil {
		t.Fatal(err)
	}
	return list.Items
}

func (f *full) testRollout(t *testing.T) {
	f.create(t, deployment("web", nil))
	f.rolledOut(t, "web")
	for _, pod := range f.pods(t.Context(), t, "web") {
		if pod.Status.Phase != corev1.PodRunning || !strings.HasPrefix(pod.Spec.NodeName, "node-") {
			t.Errorf("pod %s is %s on node %q", pod.Name, pod.Status.Phase, pod.Spec.NodeName)
		}
	}
}

func (f *full) testFailingRollout(t *testing.T) {
	f.create(t, deployment("breaks", nil))
	f.rolledOut(t, "breaks")
	f.patch(t, "breaks", `{"spec":{"template":{"metadata":{"annotations":{"`+FailAnnotation+`":"true"}}}}}`)
	d := f.stuck(t, "breaks")
	if d.Status.AvailableReplicas != 2 || d.Status.UnavailableReplicas == 0 {
		t.Errorf("want two old pods ready and a new one not: %+v", d.Status)
	}
	eventually(t, "the pods of the new template to crash", func(ctx context.Context) string {
		failing := 0
		for _, pod := range f.pods(ctx, t, "breaks") {
			if pod.Annotations[FailAnnotation] != "true" {
				continue
			}
			failing++
			if isReady(&pod) || pod.Status.Phase != corev1.PodRunning || len(pod.Status.ContainerStatuses) != 1 ||
				pod.Status.PodIP == "" || pod.Status.ContainerStatuses[0].State.Waiting == nil ||
				pod.Status.ContainerStatuses[0].State.Waiting.Reason != "CrashLoopBackOff" {
				return fmt.Sprintf("pod %s does not crash: %+v", pod.Name, pod.Status)
			}
		}
		if failing == 0 {
			return "there is no pod of the new template"
		}
		return ""
	})
	f.patch(t, "breaks", `{"spec":{"template":{"metadata":{"annotations":{"`+FailAnnotation+`":null}}}}}`)
	f.rolledOut(t, "breaks")
}

func isReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

func (f *full) testFailingPod(t *testing.T) {
	f.create(t, deployment("wobbles", nil))
	f.rolledOut(t, "wobbles")
	pods := f.pods(t.Context(), t, "wobbles")
	victim, ip := pods[0].Name, pods[0].Status.PodIP
	for _, step := range []struct {
		value string
		ready bool
	}{{`"true"`, false}, {`null`, true}, {`"true"`, false}, {`"false"`, true}} {
		patch := `{"metadata":{"annotations":{"` + FailAnnotation + `":` + step.value + `}}}`
		_, err := f.admin.CoreV1().Pods("default").Patch(t.Context(), victim, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		if err != nil {
			t.Fatal(err)
		}
		what := fmt.Sprintf("pod %s with the annotation %s to have ready = %v", victim, step.value, step.ready)
		eventually(t, what, func(ctx context.Context) string {
			pod, err := f.admin.CoreV1().Pods("default").Get(ctx, victim, metav1.GetOptions{})
			if err != nil {
				return err.Error()
			}
			if isReady(pod) != step.ready || pod.Status.PodIP != ip {
				return fmt.Sprintf("%+v", pod.Status)
			}
			return ""
		})
	}
}

func (f *full) testUsers(t *testing.T) {
	ctx := t.Context()
	jane, err := f.RESTConfigFor("jane", "devs")
	if err != nil {
		t.Fatal(err)
	}
	const denied = `namespaces is forbidden: User "jane" cannot list resource "namespaces" in API group "" at the cluster scope`
	if err := listNamespaces(ctx, t, jane); !apierrors.IsForbidden(err) || err.Error() != denied {
		t.Errorf("without a role: %v, want %s", err, denied)
	}
	_, err = f.admin.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "devs-view"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "devs"}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "a new role binding to be in force for the group", func(ctx context.Context) string {
		if err := listNamespaces(ctx, t, jane); err != nil {
			return err.Error()
		}
		return ""
	})
	kubeconfig, err := f.KubeconfigFor("john", "ops")
	if err != nil {
		t.Fatal(err)
	}
	john, err := clientcmd.RESTConfigFromKubeConfig(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	if err := listNamespaces(ctx, t, john); !apierrors.IsForbidden(err) {
		t.Errorf("a user of another group: %v, want forbidden", err)
	}
	anonymous := f.RESTConfig()
	anonymous.CertData, anonymous.KeyData = nil, nil
	if err := listNamespaces(ctx, t, anonymous); !apierrors.IsForbidden(err) {
		t.Errorf("without a certificate: %v, want forbidden", err)
	}
}

func (f *full) testServiceAccounts(t *testing.T) {
	ctx := t.Context()
	f.create(t, deployment("tokens", nil))
	f.rolledOut(t, "tokens")
	pod := f.pods(ctx, t, "tokens")[0]
	if pod.Spec.ServiceAccountName != "default" || len(pod.Spec.Volumes) != 1 || pod.Spec.Volumes[0].Projected == nil {
		t.Errorf("the pod has account %q and volumes %v, want the default account and its token", pod.Spec.ServiceAccountName, pod.Spec.Volumes)
	}
	config, err := f.RESTConfigFor("system:serviceaccount:default:default", "system:serviceaccounts", "system:serviceaccounts:default")
	if err != nil {
		t.Fatal(err)
	}
	if err := listNamespaces(ctx, t, config); !apierrors.IsForbidden(err) {
		t.Errorf("as a service account without a role: %v, want forbidden", err)
	}
}

func (f *full) testAudit(t *testing.T) {
	ctx := t.Context()
	mary, err := f.RESTConfigFor("mary", "auditors")
	if err != nil {
		t.Fatal(err)
	}
	if err := listNamespaces(ctx, t, mary); !apierrors.IsForbidden(err) {
		t.Fatalf("list namespaces: %v, want forbidden", err)
	}
	events, err := f.AuditEvents()
	if err != nil {
		t.Fatal(err)
	}
	var found, controllers int
	for _, e := range events {
		if e.User.Username == "mary" && e.Verb == "list" && e.ObjectRef.Resource == "namespaces" && e.ResponseStatus.Code == 403 &&
			slices.Contains(e.User.Groups, "auditors") {
			found++
		}
		if e.User.Username == "system:serviceaccount:kube-system:replicaset-controller" && e.Verb == "create" && e.ObjectRef.Resource == "pods" {
			controllers++
		}
	}
	if found != 1 {
		t.Errorf("mary's one request is in the audit log %d times", found)
	}
	if controllers == 0 {
		t.Error("no pod was made by the ReplicaSet controller under its own name")
	}
}

func (f *full) testKubectl(t *testing.T) {
	kubectl, err := Builder{Progress: t.Output()}.Tool(testContext(t), "kubectl")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), kubectl, "get", "namespace", "default", "-o", "name")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+f.KubeconfigPath())
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != "namespace/default\n" {
		t.Errorf("kubectl says %q, %v", out, err)
	}
	version, err := f.admin.Discovery().ServerVersion()
	if err != nil || version.Major != "1" || !strings.HasPrefix(version.GitVersion, "v1."+version.Minor+".") {
		t.Errorf("server version %+v, %v", version, err)
	}
}

func (f *full) testRestart(t *testing.T) {
	ctx := testContext(t)
	url := f.RESTConfig().Host
	f.create(t, deployment("stays", nil))
	f.rolledOut(t, "stays")

	f.StopAPIServer()
	f.StopAPIServer()
	if err := listNamespaces(ctx, t, f.RESTConfig()); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("while kube-apiserver is down: %v, want connection refused", err)
	}
	for range 2 {
		if err := f.StartAPIServer(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if got := f.RESTConfig().Host; got != url {
		t.Errorf("kube-apiserver has moved from %s to %s", url, got)
	}
	if pods := f.pods(ctx, t, "stays"); len(pods) != 2 {
		t.Errorf("after the restart there are %d pods of 2", len(pods))
	}
	// The other components have come through.
	f.create(t, deployment("after", nil))
	f.rolledOut(t, "after")
	if err := f.Err(); err != nil {
		t.Errorf("a component has died: %v", err)
	}
}
