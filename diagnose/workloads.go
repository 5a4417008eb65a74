package diagnose

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// workloads has what the chart runs, and gives its Pods.
func (a *Archive) workloads(ctx context.Context, opts Options) []corev1.Pod {
	ours := metav1.ListOptions{LabelSelector: chartLabel}
	if list, err := opts.Client.AppsV1().Deployments(opts.Namespace).List(ctx, ours); err != nil {
		a.Missed("the Deployments in namespace "+opts.Namespace, err)
	} else {
		for i := range list.Items {
			d := &list.Items[i]
			a.sizes("Deployment", &d.ObjectMeta, d.Spec.Replicas, d.Status.ReadyReplicas)
			tidyPod(&d.Spec.Template.Spec)
		}
		a.addYAML("workloads/deployments.yaml", list)
	}
	if list, err := opts.Client.AppsV1().StatefulSets(opts.Namespace).List(ctx, ours); err != nil {
		a.Missed("the StatefulSets in namespace "+opts.Namespace, err)
	} else {
		for i := range list.Items {
			s := &list.Items[i]
			a.sizes("StatefulSet", &s.ObjectMeta, s.Spec.Replicas, s.Status.ReadyReplicas)
			tidyPod(&s.Spec.Template.Spec)
		}
		a.addYAML("workloads/statefulsets.yaml", list)
	}
	pods, err := opts.Client.CoreV1().Pods(opts.Namespace).List(ctx, ours)
	if err != nil {
		a.Missed("the Pods in namespace "+opts.Namespace, err)
		return nil
	}
	for i := range pods.Items {
		p := &pods.Items[i]
		a.pod(p)
		tidy(&p.ObjectMeta)
		tidyPod(&p.Spec)
	}
	a.addYAML("workloads/pods.yaml", pods)
	return pods.Items[:min(len(pods.Items), maxPods)]
}

// sizes tells of a workload that has fewer replicas than it wants.
func (a *Archive) sizes(kind string, meta *metav1.ObjectMeta, wanted *int32, ready int32) {
	tidy(meta)
	if wanted != nil && ready < *wanted {
		a.Found("%s %s has %d of %d replicas ready", kind, meta.Name, ready, *wanted)
	}
}

// pod tells why a Pod is not well.
func (a *Archive) pod(p *corev1.Pod) {
	if p.Status.Phase != corev1.PodRunning {
		a.Found("Pod %s is %s%s", p.Name, p.Status.Phase, because(p.Status.Reason, p.Status.Message))
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			a.Found("Pod %s has no node%s", p.Name, because(c.Reason, c.Message))
		}
	}
	for i := range p.Status.ContainerStatuses {
		c := &p.Status.ContainerStatuses[i]
		if w := c.State.Waiting; w != nil {
			a.Found("container %s of Pod %s waits%s", c.Name, p.Name, because(w.Reason, w.Message))
		}
		if t := c.LastTerminationState.Terminated; c.RestartCount > 0 && t != nil {
			a.Found("container %s of Pod %s was started again %d times; it last ended with code %d%s",
				c.Name, p.Name, c.RestartCount, t.ExitCode, because(t.Reason, t.Message))
		}
	}
}

func because(reason, message string) string {
	switch {
	case reason == "" && message == "":
		return ""
	case message == "":
		return ": " + reason
	case reason == "":
		return ": " + message
	default:
		return ": " + reason + ": " + message
	}
}

// tidyPod takes the values of variables out: what others put there is none of ours.
func tidyPod(spec *corev1.PodSpec) {
	for _, containers := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range containers {
			for j := range containers[i].Env {
				if e := &containers[i].Env[j]; e.Value != "" && e.Name != "HOLDFAST_CONFIG" {
					e.Value = redacted
				}
			}
		}
	}
}
