package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// asked is a replica that can be asked for a path beside /metrics.
type asked struct {
	name string
	get  func(ctx context.Context, path string) ([]byte, error)
}

// maxAnswer bounds an answer: a thousand types and ten thousand rules fit.
const maxAnswer = 16 << 20

// replicasAt are replicas at addresses.
func replicasAt(urls []string) []asked {
	client := &http.Client{Timeout: 10 * time.Second}
	out := make([]asked, len(urls))
	for i, u := range urls {
		out[i] = asked{u, func(ctx context.Context, path string) ([]byte, error) {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(u, "/")+path, http.NoBody)
			if err != nil {
				return nil, fmt.Errorf("asking: %w", err)
			}
			resp, err := client.Do(req)
			if err != nil {
				return nil, fmt.Errorf("asking: %w", err)
			}
			defer func() { _ = resp.Body.Close() }() // what it says has been read
			if resp.StatusCode != http.StatusOK {
				return nil, fmt.Errorf("it answers %s", resp.Status)
			}
			return io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		}}
	}
	return out
}

// podLabels find the Pods of the chart.
const podLabels = "app.kubernetes.io/name=holdfast,app.kubernetes.io/component in (admission, audit)"

// replicasIn are the Pods of the chart, which are asked through the API server, as kubectl's user may: that takes the right
// to get pods/proxy.
func replicasIn(ctx context.Context, kube kubernetes.Interface, namespace string) ([]asked, error) {
	pods, err := kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: podLabels})
	if err != nil {
		return nil, fmt.Errorf("listing the Pods in namespace %s: %w", namespace, err)
	}
	if len(pods.Items) == 0 {
		return nil, fmt.Errorf("namespace %s has no Pods of the chart: expected some with the labels %s; --namespace names another, --url asks elsewhere", namespace, podLabels)
	}
	out := make([]asked, len(pods.Items))
	for i := range pods.Items {
		pod := &pods.Items[i]
		out[i] = asked{pod.Name, func(ctx context.Context, path string) ([]byte, error) {
			if pod.Status.Phase != corev1.PodRunning {
				return nil, fmt.Errorf("the Pod is %s", strings.ToLower(string(pod.Status.Phase)))
			}
			return kube.CoreV1().Pods(pod.Namespace).ProxyGet("http", pod.Name, metricsPort(pod), path, nil).DoRaw(ctx)
		}}
	}
	return out, nil
}

// metricsPort is where the Pod says that it serves metrics.
func metricsPort(pod *corev1.Pod) string {
	for i := range pod.Spec.Containers {
		for _, p := range pod.Spec.Containers[i].Ports {
			if p.Name == "metrics" {
				return fmt.Sprint(p.ContainerPort)
			}
		}
	}
	return "8080"
}

// statusOf is what the replicas answer when they are asked how they are.
func statusOf(ctx context.Context, replicas []asked) []replicaStatus {
	out := make([]replicaStatus, len(replicas))
	for i, r := range replicas {
		out[i] = replica(r.name, func() ([]byte, error) { return r.get(ctx, "/status") })
	}
	return out
}

// replica reads what ask answers.
func replica(name string, ask func() ([]byte, error)) replicaStatus {
	body, err := ask()
	if err != nil {
		return replicaStatus{Name: name, Error: err.Error()}
	}
	s := &status{}
	if err := json.Unmarshal(body, s); err != nil {
		return replicaStatus{Name: name, Error: fmt.Sprintf("its answer is no status of holdfast: %v", err)}
	}
	return replicaStatus{Name: name, Status: s}
}
