package scenarios

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/holdfast-io/holdfast/e2e/controlplane"
)

// The chart's two parts apart, two Pods each: those that admit remember who wrote what, and those that audit ask them, by the
// webhook's certificate, as the chart's account. The API server calls the replicas where EndpointSlices say that they are.
func TestShardsTellWhoWroteWhat(t *testing.T) {
	host := hostAddress(t)
	binary, err := controlplane.Builder{Progress: t.Output()}.Holdfast(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rendered := newChart(t).render(t, "{replicas: 2, audit: {shards: 2}, findings: {settle: 1s}, livePolicies: {enabled: false}, reconcile: {mode: report}}", "--include-crds")
	cp := startForChartWith(t, controlplane.Options{ExtraArgs: map[controlplane.Component][]string{
		controlplane.APIServer: {"--enable-aggregator-routing=true"}, // by EndpointSlices: nobody plays the Service's own address
	}})
	applyTo(t, cp, rendered)
	kubectl(t.Context(), t, cp, "", "wait", "--for=condition=Established", "--timeout=60s", "customresourcedefinitions", "policyreports.wgpolicyk8s.io")
	c := &cluster{ControlPlane: cp}
	if c.kube, err = kubernetes.NewForConfig(cp.RESTConfig()); err != nil {
		t.Fatal(err)
	}
	if c.dynamic, err = dynamic.NewForConfig(cp.RESTConfig()); err != nil {
		t.Fatal(err)
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	if _, err := c.kube.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Create(t.Context(), account, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}

	admission, audit := must[appsv1.Deployment](t, rendered, "Deployment", "holdfast"), must[appsv1.StatefulSet](t, rendered, "StatefulSet", "holdfast-audit")
	var admitting, auditing []*served
	for i := range int(*admission.Spec.Replicas) {
		port, err := cp.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		c.behindTheService(t, host, i, int32(port))
		s := startAsChart(t, cp, binary, rendered, append(flagsOf(&admission.Spec.Template.Spec), "--listen", net.JoinHostPort(host, fmt.Sprint(port)))...)
		admitting = append(admitting, s)
	}
	for i := range int(*audit.Spec.Replicas) {
		auditing = append(auditing, startAsChart(t, cp, binary, rendered, append(flagsOf(&audit.Spec.Template.Spec), "--pod-name", fmt.Sprint("holdfast-audit-", i))...))
	}
	for _, s := range append(admitting, auditing...) {
		s.waitFor(t, "readiness", s.ready)
	}
	for i, s := range auditing {
		s.waitFor(t, fmt.Sprintf("shard %d to audit", i), func(ctx context.Context) error { return leadsOf(ctx, s, len(auditing)) })
	}
	ana := c.as(t, "ana").CoreV1().Pods(metav1.NamespaceDefault)
	admitting[0].waitFor(t, "the API server to ask", func(ctx context.Context) error {
		_, err := ana.Create(ctx, latest("tried"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return errors.Join(err, errWithout(asked(ctx, admitting), "nobody was asked about a write"))
	})

	const many = 24 // so that each shard has some: that one has none happens once in eight million times
	for i := range many {
		if _, err := ana.Create(t.Context(), latest(fmt.Sprint("from-ana-", i)), metav1.CreateOptions{FieldManager: "editor"}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all findings to say who wrote the Pods", func(ctx context.Context) string { return c.writtenBy(ctx, "ana", many) })
	for i, s := range auditing {
		body, err := s.get(t.Context(), "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(body), "\nholdfast_audit_replicas_asked_total{outcome=\"known\"}") {
			t.Errorf("shard %d was told of no write by a replica", i)
		}
	}
	for _, s := range append(auditing, admitting...) {
		s.stop(t)
		if log := s.log(t); strings.Contains(log, "forbidden") {
			t.Errorf("a right is missing:\n%s", log)
		}
	}
}

// hostAddress is one of this machine that EndpointSlices may name: loopback's they may not.
func hostAddress(t *testing.T) string {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
			return n.IP.String()
		}
	}
	t.Skip("this machine has no address but loopback's")
	return ""
}

// behindTheService plays the controller of EndpointSlices.
func (c *cluster) behindTheService(t *testing.T, host string, replica int, port int32) {
	t.Helper()
	name, protocol, ready := "webhook", corev1.ProtocolTCP, true
	_, err := c.kube.DiscoveryV1().EndpointSlices("holdfast").Create(t.Context(), &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: fmt.Sprint("holdfast-", replica), Labels: map[string]string{discoveryv1.LabelServiceName: "holdfast"}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: &name, Port: &port, Protocol: &protocol}},
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{host}, Conditions: discoveryv1.EndpointConditions{Ready: &ready}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// flagsOf are those that a Pod of the chart has beside its configuration.
func flagsOf(pod *corev1.PodSpec) []string {
	const before = 3 // serve --config FILE
	return append([]string{}, pod.Containers[0].Args[before:]...)
}

// leadsOf asks whether the replica audits its part, of so many.
func leadsOf(ctx context.Context, s *served, many int) error {
	body, err := s.get(ctx, "/status")
	if err != nil {
		return err
	}
	var status replicaStatus
	if err := json.Unmarshal(body, &status); err != nil {
		return fmt.Errorf("read the status: %w", err)
	}
	if !status.Leader || status.Shard.Of != many || len(status.Coverage) == 0 {
		return fmt.Errorf("it leads: %t, of %d, and looks at %d kinds", status.Leader, status.Shard.Of, len(status.Coverage))
	}
	for _, c := range status.Coverage {
		if c.Listed == "" {
			return fmt.Errorf("it has not listed %s", c.Kind)
		}
	}
	return nil
}

// asked reports whether a replica has answered a review of a Pod.
func asked(ctx context.Context, replicas []*served) bool {
	for _, s := range replicas {
		if body, err := s.get(ctx, "/metrics"); err == nil && strings.Contains(string(body), `kind="Pod",operation="CREATE"`) {
			return true
		}
	}
	return false
}

func errWithout(ok bool, text string) error {
	if ok {
		return nil
	}
	return errors.New(text)
}

// latest is a Pod that the shipped bundle has something to say about, and lets pass.
func latest(name string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "nginx:latest"}}}}
}

// writtenBy gives an empty string when there are reports about so many Pods, and each failure says that the user wrote it.
func (c *cluster) writtenBy(ctx context.Context, user string, many int) string {
	list, err := c.dynamic.Resource(policyReports).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err.Error()
	}
	about := 0
	for i := range list.Items {
		var report struct {
			Scope   struct{ Kind, Name string }
			Results []struct {
				result
				Properties map[string]string
			}
		}
		raw, err := list.Items[i].MarshalJSON()
		if err == nil {
			err = json.Unmarshal(raw, &report)
		}
		if err != nil {
			return err.Error()
		}
		if report.Scope.Kind != "Pod" {
			continue
		}
		about++
		for _, r := range report.Results {
			if r.Result == "fail" && r.Properties["written-by"] != user {
				return fmt.Sprintf("%s, %s/%s: %v", report.Scope.Name, r.Policy, r.Rule, r.Properties)
			}
		}
	}
	if about != many {
		return fmt.Sprintf("%d reports about Pods, want %d", about, many)
	}
	return ""
}
