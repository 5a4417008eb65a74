package diagnose

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"
)

// Options say where to look.
type Options struct {
	// Client is the way to the cluster.
	Client kubernetes.Interface
	// Namespace is where the chart was installed.
	Namespace string
	// Replicas are those that can be asked.
	Replicas []Replica
	// Now is the time, by which leases and certificates are judged.
	Now time.Time
}

// Replica is one running program.
type Replica struct {
	Name string
	// Get asks it for a path of its own, such as /metrics.
	Get func(ctx context.Context, path string) ([]byte, error)
}

// The bounds of what is asked for. A replica that is well logs some lines a minute, so that 2,000 go back for hours.
const (
	logLines  = 2000
	logBytes  = 1 << 20
	maxPods   = 20
	maxEvents = 500
)

// chartLabel finds what the chart made.
const chartLabel = "app.kubernetes.io/name=holdfast"

// Gather adds to the archive what the cluster and the replicas tell, and what looks wrong of it. What cannot be had is
// missing, and keeps nothing else away.
func Gather(ctx context.Context, a *Archive, opts Options) {
	for _, r := range opts.Replicas {
		a.metrics(ctx, r)
	}
	a.server(ctx, opts)
	pods := a.workloads(ctx, opts)
	for i := range pods {
		a.logs(ctx, opts, &pods[i])
	}
	a.configuration(ctx, opts)
	a.webhooks(ctx, opts)
	a.leases(ctx, opts)
	a.events(ctx, opts)
}

// server tells which Kubernetes it is.
func (a *Archive) server(_ context.Context, opts Options) {
	version, err := opts.Client.Discovery().ServerVersion()
	if err != nil {
		a.Missed("the version of the API server", err)
		return
	}
	a.addYAML("kubernetes.yaml", version)
}

// configuration has the ConfigMaps of the chart: the configuration, and a bundle of one's own.
func (a *Archive) configuration(ctx context.Context, opts Options) {
	maps, err := opts.Client.CoreV1().ConfigMaps(opts.Namespace).List(ctx, metav1.ListOptions{LabelSelector: chartLabel})
	if err != nil {
		a.Missed("the configuration", err)
		return
	}
	for i := range maps.Items {
		m := &maps.Items[i]
		for key, text := range m.Data {
			a.Add("config/"+m.Name+"/"+key, []byte(text))
		}
	}
}

// leases tell who leads. One whose holder has gone without giving it back is told.
func (a *Archive) leases(ctx context.Context, opts Options) {
	leases, err := opts.Client.CoordinationV1().Leases(opts.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		a.Missed("the leases in namespace "+opts.Namespace, err)
		return
	}
	for i := range leases.Items {
		l := &leases.Items[i]
		tidy(&l.ObjectMeta)
		if !strings.HasPrefix(l.Name, "holdfast") || l.Spec.HolderIdentity == nil || *l.Spec.HolderIdentity == "" || l.Spec.RenewTime == nil || l.Spec.LeaseDurationSeconds == nil {
			continue
		}
		age := opts.Now.Sub(l.Spec.RenewTime.Time)
		if age > 2*time.Duration(*l.Spec.LeaseDurationSeconds)*time.Second {
			a.Found("lease %s was last renewed %s ago by %s: who held it has died, and nobody has taken it since (runbook audit.md)",
				l.Name, age.Round(time.Second), *l.Spec.HolderIdentity)
		}
	}
	a.addYAML("leases.yaml", leases)
}

// events are those in the namespace, and those that we wrote on objects anywhere.
func (a *Archive) events(ctx context.Context, opts Options) {
	for _, from := range []struct {
		file, namespace, fields string
	}{{"events.yaml", opts.Namespace, ""}, {"events-written.yaml", metav1.NamespaceAll, "source=holdfast"}} {
		list, err := opts.Client.CoreV1().Events(from.namespace).List(ctx, metav1.ListOptions{FieldSelector: from.fields, Limit: maxEvents})
		if err != nil {
			a.Missed(from.file, err)
			continue
		}
		for i := range list.Items {
			e := &list.Items[i]
			tidy(&e.ObjectMeta)
			if from.fields == "" && e.Type == corev1.EventTypeWarning && e.Source.Component != "holdfast" {
				a.Found("Kubernetes warns of %s %s: %s: %s", e.InvolvedObject.Kind, e.InvolvedObject.Name, e.Reason, e.Message)
			}
		}
		a.addYAML(from.file, list)
	}
}

// logs has the end of what the Pod has logged, and of what it did before its container was started again.
func (a *Archive) logs(ctx context.Context, opts Options, pod *corev1.Pod) {
	tries := []bool{false}
	for i := range pod.Status.ContainerStatuses {
		if pod.Status.ContainerStatuses[i].RestartCount > 0 {
			tries = append(tries, true)
			break
		}
	}
	for _, previous := range tries {
		file := "logs/" + pod.Name + ".log"
		if previous {
			file = "logs/" + pod.Name + ".previous.log"
		}
		text, err := opts.Client.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{
			Container: containerName, Previous: previous, TailLines: new(int64(logLines)), LimitBytes: new(int64(logBytes)),
		}).DoRaw(ctx)
		if err != nil {
			a.Missed(file, err)
			continue
		}
		a.Log(file, pod.Name, text)
	}
}

// containerName is what the chart calls the container.
const containerName = "holdfast"

// Log adds the end of a log, and tells of the errors in it.
func (a *Archive) Log(file, replica string, text []byte) {
	lines := bytes.Split(bytes.TrimRight(text, "\n"), []byte("\n"))
	lines = lines[max(0, len(lines)-logLines):]
	text = bytes.Join(lines, []byte("\n"))
	text = text[max(0, len(text)-logBytes):]
	a.Add(file, append(text, '\n'))
	errors, last := 0, ""
	var kept [][]byte
	for _, line := range lines {
		severe := bytes.Contains(line, []byte("level=ERROR")) || bytes.Contains(line, []byte(`"level":"ERROR"`)) || bytes.HasPrefix(line, []byte("panic:"))
		if severe {
			errors++
			last = string(line)
		}
		if severe || bytes.Contains(line, []byte("level=WARN")) || bytes.Contains(line, []byte(`"level":"WARN"`)) {
			kept = append(kept, line)
		}
	}
	if errors > 0 {
		a.Found("%s has logged %d errors in its last %d lines; the last is: %s", replica, errors, len(lines), last)
	}
	if len(kept) > 0 {
		a.Add(strings.TrimSuffix(file, ".log")+".errors.log", append(bytes.Join(kept, []byte("\n")), '\n'))
	}
}

func (a *Archive) addYAML(name string, value any) {
	text, err := yaml.Marshal(value)
	if err != nil {
		a.Missed(name, fmt.Errorf("writing YAML: %w", err))
		return
	}
	a.Add(name, text)
}

// tidy takes out of an object what nobody reads, and the copy of it that kubectl leaves.
func tidy(meta *metav1.ObjectMeta) {
	meta.ManagedFields = nil
	delete(meta.Annotations, corev1.LastAppliedConfigAnnotation)
}
