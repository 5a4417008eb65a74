package controlplane

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	nodefast "sigs.k8s.io/kwok/kustomize/stage/node/fast"
	podfast "sigs.k8s.io/kwok/kustomize/stage/pod/fast"
	"sigs.k8s.io/yaml"
)

// FailAnnotation on a pod, with the value "true", makes its containers crash: the pod runs and is not ready. Put into a
// Deployment's pod template, the rollout stays incomplete; put on a running pod, it ceases to be ready. Taking it off a
// pod makes the pod ready again.
const FailAnnotation = "e2e.holdfast.dev/fail"

// kwokUser is who kwok is to kube-apiserver.
const kwokUser = "system:kwok"

// failStages are the stages of pods that fail, and that fail no more.
//
//go:embed stages/pod-fail.yaml stages/pod-recover.yaml
var failStages embed.FS

// kwokStages gives kwok's configuration: its own fast stages, less the failing pods, and the stages of the failing pods.
func kwokStages() ([]byte, error) {
	stages := [][]byte{[]byte(nodefast.DefaultNodeInit), []byte(podfast.DefaultPodDelete)}
	for _, stage := range []string{podfast.DefaultPodReady, podfast.DefaultPodComplete} {
		data, err := withoutFailing(stage)
		if err != nil {
			return nil, err
		}
		stages = append(stages, data)
	}
	for _, name := range []string{"stages/pod-fail.yaml", "stages/pod-recover.yaml"} {
		data, err := failStages.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read an embedded stage: %w", err)
		}
		stages = append(stages, data)
	}
	return bytes.Join(stages, []byte("\n---\n")), nil
}

// withoutFailing takes the pods with FailAnnotation out of a stage's selector.
func withoutFailing(stage string) ([]byte, error) {
	var object struct {
		APIVersion string         `json:"apiVersion"`
		Kind       string         `json:"kind"`
		Metadata   map[string]any `json:"metadata"`
		Spec       map[string]any `json:"spec"`
	}
	if err := yaml.Unmarshal([]byte(stage), &object); err != nil {
		return nil, fmt.Errorf("read a stage of kwok: %w", err)
	}
	selector, _ := object.Spec["selector"].(map[string]any)
	expressions, _ := selector["matchExpressions"].([]any)
	if len(expressions) == 0 {
		return nil, fmt.Errorf("read stage %v of kwok: it has no spec.selector.matchExpressions", object.Metadata["name"])
	}
	selector["matchExpressions"] = append(expressions, map[string]any{
		"key":      `.metadata.annotations["` + FailAnnotation + `"]`,
		"operator": "NotIn",
		"values":   []any{"true"},
	})
	data, err := yaml.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("write stage %v of kwok: %w", object.Metadata["name"], err)
	}
	return data, nil
}

// grantKwok gives kwok the rights of a kubelet on every node, and no others.
func grantKwok(ctx context.Context, client kubernetes.Interface) error {
	rule := func(group string, resources, verbs []string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: resources, Verbs: verbs}
	}
	role := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: kwokUser},
		Rules: []rbacv1.PolicyRule{
			rule("", []string{"nodes"}, []string{"get", "list", "watch"}),
			rule("", []string{"pods"}, []string{"get", "list", "watch", "update", "patch", "delete"}),
			rule("", []string{"nodes/status", "pods/status"}, []string{"update", "patch"}),
			rule("", []string{"events"}, []string{"create", "update", "patch"}),
			rule("coordination.k8s.io", []string{"leases"}, []string{"get", "list", "watch", "create", "update", "patch"}),
		},
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: kwokUser},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: kwokUser},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: kwokUser}},
	}
	if _, err := client.RbacV1().ClusterRoles().Create(ctx, role, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("grant kwok its rights: %w", err)
	}
	if _, err := client.RbacV1().ClusterRoleBindings().Create(ctx, binding, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("grant kwok its rights: %w", err)
	}
	return nil
}

// AddNodes adds n nodes, on which kwok runs pods, waits until pods can be scheduled on them, and gives their names.
// Each has 32 CPUs, 128 GiB and room for 110 pods, and they lie in zones "a", "b" and "c" by turns.
func (cp *ControlPlane) AddNodes(ctx context.Context, n int) ([]string, error) {
	if !cp.Runs(Kwok) {
		return nil, fmt.Errorf("add nodes: %s does not run here, and without it a node never becomes ready", Kwok)
	}
	first := int(cp.nodes.Add(int64(n))) - n
	names := make([]string, 0, n)
	for i := first; i < first+n; i++ {
		node := newNode(i)
		if _, err := cp.client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{}); err != nil {
			return nil, fmt.Errorf("add node %s: %w", node.Name, err)
		}
		names = append(names, node.Name)
	}
	cp.progress.say("waiting for %d nodes to be ready", n)
	for _, name := range names {
		var last error
		err := wait.PollUntilContextCancel(ctx, pollInterval, true, func(ctx context.Context) (bool, error) {
			var node *corev1.Node
			if node, last = cp.client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{}); last != nil {
				return false, cp.Err()
			}
			return cp.usable(node), cp.Err()
		})
		if err != nil {
			return nil, fmt.Errorf("wait for node %s to be ready: %w", name, withAnswer(err, last))
		}
	}
	return names, nil
}

// usable tells whether the node is ready and, where kube-controller-manager runs, cleared of the taint with which
// kube-apiserver meets every new node.
func (cp *ControlPlane) usable(node *corev1.Node) bool {
	ready := false
	for _, c := range node.Status.Conditions {
		ready = ready || c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	}
	tainted := false
	for _, t := range node.Spec.Taints {
		tainted = tainted || t.Key == corev1.TaintNodeNotReady
	}
	return ready && !(tainted && cp.Runs(ControllerManager))
}

func newNode(i int) *corev1.Node {
	name := fmt.Sprintf("node-%d", i)
	size := corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("32"),
		corev1.ResourceMemory: resource.MustParse("128Gi"),
		corev1.ResourcePods:   resource.MustParse("110"),
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: name,
			Labels: map[string]string{
				corev1.LabelHostname:     name,
				corev1.LabelOSStable:     "linux",
				corev1.LabelArchStable:   "amd64",
				corev1.LabelTopologyZone: string("abc"[i%3]),
			},
			Annotations: map[string]string{"kwok.x-k8s.io/node": "fake"},
		},
		Status: corev1.NodeStatus{Capacity: size, Allocatable: size},
	}
}

// pollInterval is short beside everything that is waited for here, and long beside the request that asks.
const pollInterval = 50 * time.Millisecond

// withAnswer adds to the error of a wait what the server said last, if that was an error.
func withAnswer(err, last error) error {
	if last != nil {
		return fmt.Errorf("%w (last answer: %w)", err, last)
	}
	return err
}
