//go:build e2e

package webhook

import (
	"context"
	"strings"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/holdfast-io/holdfast/certs"
)

// What the API server is told not to send does not arrive, and what a policy is about does.
func TestLiveNarrowing(t *testing.T) {
	policies := strings.Join([]string{
		narrowed{name: "pods", conditions: "object.metadata.generateName != 'skip-'"}.text(),
		narrowed{name: "more-pods", conditions: "object.metadata.generateName == 'never-'"}.text(),
		narrowed{name: "config", match: "kinds: [ConfigMap], selector: {matchLabels: {a: b}}"}.text(),
		narrowed{name: "secrets", match: "kinds: [Secret], namespaces: [default]"}.text(),
		narrowed{name: "change", match: "kinds: [Secret]", mutates: true, conditions: "request.userInfo.username != 'robot'"}.text(),
		narrowed{name: "vital", match: "kinds: [Lease, Node]"}.text(),
		narrowed{name: "loud", match: "kinds: [Endpoints]", conditions: "object.metadata.labels.a == 'b'"}.text(),
	}, and)
	glass := BreakGlass{Users: []string{"ana"}, Groups: []string{"oncall"}}
	i := installWith(t, "holdfast", policies, certs.Lifetimes{}, asIs, Spared{Namespaces: []string{"holdfast"}, BreakGlass: glass})
	user := func(name string, groups ...string) kubernetes.Interface {
		config := rest.CopyConfig(i.config)
		config.Impersonate = rest.ImpersonationConfig{UserName: name, Groups: append(groups, "system:masters")}
		client, err := kubernetes.NewForConfig(config)
		check(t, err)
		return client
	}
	dry := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
	pod := func(by kubernetes.Interface, name string) error {
		_, err := by.CoreV1().Pods("default").Create(context.Background(), &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{GenerateName: name},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "nginx:1"}}},
		}, dry)
		return err
	}
	secret := func(by kubernetes.Interface, namespace string) error {
		_, err := by.CoreV1().Secrets(namespace).Create(context.Background(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{GenerateName: "s-"}}, dry)
		return err
	}
	config := func(labels map[string]string) error {
		_, err := i.client.CoreV1().ConfigMaps("default").Create(context.Background(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "c-", Labels: labels}}, dry)
		return err
	}
	lease := func(namespace string) error {
		_, err := i.client.CoordinationV1().Leases(namespace).Create(context.Background(), &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{GenerateName: "l-"}}, dry)
		return err
	}
	node := func(by kubernetes.Interface) error {
		_, err := by.CoreV1().Nodes().Create(context.Background(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n"}}, dry)
		return err
	}
	endpoints := func() error {
		_, err := i.client.CoreV1().Endpoints("default").Create(context.Background(), &corev1.Endpoints{ObjectMeta: metav1.ObjectMeta{GenerateName: "e-"}}, dry) //nolint:staticcheck // a kind that nobody else writes
		return err
	}
	kubelet := user("system:node:n", "system:nodes")
	within(t, "the API server to ask", func() bool { return pod(i.client, "web-") != nil })
	const validated, mutated = "validate", "mutate"
	for name, test := range map[string]struct {
		write func() error
		asks  string // which questions are asked
		error string
	}{
		"a Pod":                                {func() error { return pod(i.client, "web-") }, validated, "policy pods, rule r: not here"},
		"a Pod that no conditions are about":   {func() error { return pod(i.client, "skip-") }, "", ""},
		"a Pod of who breaks the glass":        {func() error { return pod(user("ana"), "web-") }, "", ""},
		"a Pod of a group":                     {func() error { return pod(user("ben", "oncall"), "web-") }, "", ""},
		"labels":                               {func() error { return config(map[string]string{"a": "b"}) }, validated, "policy config, rule r: not here"},
		"other labels":                         {func() error { return config(map[string]string{"a": "c"}) }, "", ""},
		"a namespace":                          {func() error { return secret(i.client, "default") }, mutated + " " + validated, "policy secrets, rule r: not here"},
		"another namespace":                    {func() error { return secret(i.client, "kube-public") }, mutated, ""},
		"a mutation that does not want a user": {func() error { return secret(user("robot"), "kube-public") }, "", ""},
		"a lease":                              {func() error { return lease("default") }, validated, "policy vital, rule r: not here"},
		"a lease of kube-system":               {func() error { return lease("kube-system") }, "", ""},
		"a heartbeat":                          {func() error { return lease("kube-node-lease") }, "", ""},
		"a node":                               {func() error { return node(i.client) }, validated, "policy vital, rule r: not here"},
		"a node that registers":                {func() error { return node(kubelet) }, "", ""},
		"a condition without a result":         {endpoints, "", "no such key: labels"},
	} {
		t.Run(name, func(t *testing.T) {
			before := i.asked(t)
			err := test.write()
			if (err == nil) != (test.error == "") || err != nil && !strings.Contains(err.Error(), test.error) {
				t.Errorf("error %v, want %q", err, test.error)
			}
			var asks []string
			for _, question := range []string{mutated, validated} {
				switch n := i.asked(t)[question] - before[question]; n {
				case 0:
				case 1:
					asks = append(asks, question)
				default:
					t.Errorf("%s is asked %v times", question, n)
				}
			}
			if got := strings.Join(asks, " "); got != test.asks {
				t.Errorf("the API server asks %q, want %q", got, test.asks)
			}
		})
	}
	t.Run("what the API server stores is what we compare with", func(t *testing.T) {
		if got := gathered(t, i.metrics)["holdfast_webhook_configuration_writes_total{change=updated,configuration=validating}"]; got != 0 {
			t.Errorf("it was updated %v times for nothing", got)
		}
		got, err := i.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(t.Context(), "holdfast", metav1.GetOptions{})
		check(t, err)
		want, err := Configure(Wanted{Name: "holdfast", Snapshot: i.snapshots.Load(), Resources: i.discovery.Resources(),
			Endpoint: Endpoint{URL: i.url}, CABundle: i.certs.CABundle(), Spared: Spared{Namespaces: []string{"holdfast"}, BreakGlass: glass}})
		check(t, err)
		same(t, got.Webhooks, want.Validating.Webhooks)
	})
}

// asked counts the reviews that have come, by question.
func (i *installation) asked(t *testing.T) map[string]float64 {
	t.Helper()
	out := map[string]float64{}
	for name, n := range gathered(t, i.metrics) {
		for _, hook := range []Hook{Validate, Mutate} {
			if strings.HasPrefix(name, "holdfast_admission_requests_total{") && strings.Contains(name, "webhook="+hook.String()) {
				out[hook.String()] += n
			}
		}
	}
	return out
}
