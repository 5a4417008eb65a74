package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"
)

// StatusOptions are what `holdfast status` takes.
type StatusOptions struct {
	// Kubeconfig leads to the cluster; empty means the usual places.
	Kubeconfig string
	// Namespace is where the replicas run.
	Namespace string
	// URLs are where replicas serve /status, for those that are not reached through the API server.
	URLs []string
	// Output is Table, JSON or YAML.
	Output  Format
	Version string
}

// StatusFormats are those of a status.
func StatusFormats() []Format { return []Format{Table, JSON, YAML} }

// Validate names the first option that cannot be.
func (o *StatusOptions) Validate() error {
	for _, u := range o.URLs {
		if parsed, err := url.Parse(u); err != nil || (parsed.Scheme != "http" && parsed.Scheme != "https") || parsed.Host == "" {
			return fmt.Errorf("--url %q: expected http://HOST:PORT", u)
		}
	}
	if o.Namespace == "" {
		return errors.New("--namespace is empty")
	}
	return nil
}

// clusterStatus is the answer of `holdfast status`: what each replica says, and what that makes together.
type clusterStatus struct {
	Replicas []replicaStatus `json:"replicas"`
	// Coverage is what those that audit have seen together, by type.
	Coverage []statusCoverage `json:"coverage"`
	// Gaps say what is not as it should be. Nothing in them means that all is looked at.
	Gaps []string `json:"gaps,omitempty"`
	// NotAuditable are rules that no audit can judge, which is as it should be.
	NotAuditable []statusNotJudged `json:"notAuditable,omitempty"`
}

// replicaStatus is what one replica answered, or why it did not.
type replicaStatus struct {
	Name   string  `json:"name"`
	Error  string  `json:"error,omitempty"`
	Status *status `json:"status,omitempty"`
}

// Status asks every replica how it is, writes what that makes together, and answers Findings where there are gaps.
func Status(ctx context.Context, opts StatusOptions, streams IO) (Exit, error) {
	var replicas []replicaStatus
	var err error
	if len(opts.URLs) > 0 {
		replicas = askURLs(ctx, opts.URLs)
	} else if replicas, err = askPods(ctx, &opts, streams.Log); err != nil {
		return Failed, err
	}
	s := together(replicas)
	switch opts.Output {
	case JSON:
		encoder := json.NewEncoder(streams.Out)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(s)
	case YAML:
		var text []byte
		if text, err = yaml.Marshal(s); err == nil {
			_, err = streams.Out.Write(text)
		}
	default:
		err = s.write(streams.Out, time.Now())
	}
	switch {
	case err != nil:
		return Failed, fmt.Errorf("writing the status: %w", err)
	case !slices.ContainsFunc(replicas, func(r replicaStatus) bool { return r.Status != nil }):
		return Failed, errors.New("no replica has answered")
	case len(s.Gaps) > 0:
		return Findings, nil
	default:
		return Clean, nil
	}
}

// maxStatus bounds an answer: a thousand types and ten thousand rules fit.
const maxStatus = 16 << 20

func askURLs(ctx context.Context, urls []string) []replicaStatus {
	client := &http.Client{Timeout: 10 * time.Second}
	out := make([]replicaStatus, len(urls))
	for i, u := range urls {
		out[i] = replica(u, func() ([]byte, error) {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(u, "/")+"/status", http.NoBody)
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
			return io.ReadAll(io.LimitReader(resp.Body, maxStatus))
		})
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

// podLabels find the Pods of the chart.
const podLabels = "app.kubernetes.io/name=holdfast,app.kubernetes.io/component in (admission, audit)"

// askPods asks the Pods through the API server, as kubectl's user may: that takes the right to get pods/proxy.
func askPods(ctx context.Context, opts *StatusOptions, log *slog.Logger) ([]replicaStatus, error) {
	kubeconfig := opts.Kubeconfig
	if kubeconfig == "" {
		kubeconfig = clientcmd.NewDefaultClientConfigLoadingRules().GetDefaultFilename()
	}
	clients, err := connect(kubeconfig, opts.Version, log)
	if err != nil {
		return nil, err
	}
	defer clients.close()
	pods, err := clients.kube.CoreV1().Pods(opts.Namespace).List(ctx, metav1.ListOptions{LabelSelector: podLabels})
	if err != nil {
		return nil, fmt.Errorf("listing the Pods in namespace %s: %w", opts.Namespace, err)
	}
	if len(pods.Items) == 0 {
		return nil, fmt.Errorf("namespace %s has no Pods of the chart: expected some with the labels %s; --namespace names another, --url asks elsewhere", opts.Namespace, podLabels)
	}
	var out []replicaStatus
	for i := range pods.Items {
		pod := &pods.Items[i]
		out = append(out, replica(pod.Name, func() ([]byte, error) {
			if pod.Status.Phase != corev1.PodRunning {
				return nil, fmt.Errorf("the Pod is %s", strings.ToLower(string(pod.Status.Phase)))
			}
			return clients.kube.CoreV1().Pods(pod.Namespace).ProxyGet("http", pod.Name, metricsPort(pod), "/status", nil).DoRaw(ctx)
		}))
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
