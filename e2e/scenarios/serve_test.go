package scenarios

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-io/holdfast/e2e/serving"
)

// noPrivileged is a bundle of one policy. It ignores failures, so that a dead replica keeps nothing from being written.
const noPrivileged = `apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata:
  name: no-privileged
spec:
  webhookConfiguration:
    failurePolicy: Ignore
  rules:
    - name: privileged
      match:
        any:
          - resources:
              kinds: [Pod]
      validate:
        failureAction: Enforce
        message: Privileged containers are root on their node.
        pattern:
          spec:
            containers:
              - =(securityContext):
                  =(privileged): false
`

// drifted is the verdict on the Pod that was there before the policy.
var drifted = verdicts{verdictKey("Pod", "default", "drifted", "no-privileged", "privileged"): "fail"}

// addDrift creates that Pod.
func (c *cluster) addDrift(t *testing.T) {
	t.Helper()
	if _, err := c.create(t.Context(), pod("drifted", true)); err != nil {
		t.Fatal(err)
	}
}

// reports gives an empty string when the reports hold all of want.
func (c *cluster) reports(want verdicts) func(context.Context) string {
	return func(ctx context.Context) string {
		have, err := c.reported(ctx)
		if err != nil {
			return err.Error()
		}
		return strings.Join(want.missing(have), "\n")
	}
}

func TestServeRecoversFromWhatIsDoneToItsCluster(t *testing.T) {
	c := newCluster(t)
	c.addDrift(t)
	bundle := c.writeBundle(t, "bundle", noPrivileged)
	p := c.serve(t, c.options(t, "holdfast", bundle))
	eventually(t, "a refusal", c.refuses)
	eventually(t, "the report on what was there before", c.reports(drifted))

	// The live sweep by hand says what the reports say.
	swept := c.audited(t, "--cluster", "--kubeconfig", c.KubeconfigPath(), "--bundle", bundle)
	have, err := c.reported(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(swept) == 0 || len(swept) != len(have) || len(swept.missing(have)) > 0 {
		t.Errorf("audit --cluster says %v, the reports say %v", swept, have)
	}

	// Somebody deletes the webhook configuration.
	configurations := c.kube.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	// No rule mutates: the other one is for approvals, and there as soon as Remediations are served.
	eventually(t, "both webhook configurations", func(context.Context) string {
		if got := strings.Join(c.configurations(t), ", "); got != "validating holdfast, mutating holdfast" {
			return got
		}
		return ""
	})
	if err := configurations.Delete(t.Context(), "holdfast", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the webhook configuration to come back", c.refuses)

	// The API server dies and comes back.
	c.StopAPIServer()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := c.StartAPIServer(ctx); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a refusal by the new API server", c.refuses)
	if missing := c.reports(drifted)(t.Context()); missing != "" {
		t.Errorf("after the API server's end: %s", missing)
	}
	if _, err := c.create(t.Context(), pod("later", false)); err != nil {
		t.Fatal(err)
	}
	later := verdicts{verdictKey("Pod", "default", "later", "no-privileged", "privileged"): "pass"}
	eventually(t, "the report on a Pod made after the API server's end", c.reports(later))

	// A clean end takes the webhook with it and leaves the reports.
	stop(t, p)
	if left := c.configurations(t); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if missing := c.reports(drifted)(t.Context()) + c.reports(later)(t.Context()); missing != "" {
		t.Errorf("after the end: %s", missing)
	}
}

// configurations lists the webhook configurations of the cluster.
func (c *cluster) configurations(t *testing.T) []string {
	t.Helper()
	var out []string
	validating, err := c.kube.AdmissionregistrationV1().ValidatingWebhookConfigurations().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range validating.Items {
		out = append(out, "validating "+validating.Items[i].Name)
	}
	mutating, err := c.kube.AdmissionregistrationV1().MutatingWebhookConfigurations().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range mutating.Items {
		out = append(out, "mutating "+mutating.Items[i].Name)
	}
	return out
}

func TestAnEmptyBundleAdmitsAndSaysSo(t *testing.T) {
	c := newCluster(t)
	p := c.serve(t, c.options(t, "holdfast", c.emptyBundle(t)))
	if _, err := c.create(t.Context(), pod("privileged", true)); err != nil {
		t.Error(err)
	}
	const warning = "the bundle is empty: every write is admitted and nothing is audited"
	if !strings.Contains(p.Log(), warning) {
		t.Errorf("the log does not say %q", warning)
	}
	// What people decide about Remediations is stamped, whatever the bundle holds.
	if found := c.configurations(t); !slices.Equal(found, []string{"mutating holdfast"}) {
		t.Errorf("the API server was told to ask by %v", found)
	}
	asked, err := c.kube.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(t.Context(), "holdfast", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range asked.Webhooks {
		for _, r := range w.Rules {
			if !slices.Equal(r.APIGroups, []string{"holdfast.dev"}) || !slices.Equal(r.Resources, []string{"remediations"}) {
				t.Errorf("%s asks about %v of %v", w.Name, r.Resources, r.APIGroups)
			}
		}
	}
	stop(t, p)
}

func TestOfTwoServesBothAdmitAndOneAudits(t *testing.T) {
	c := newCluster(t)
	c.addDrift(t)
	bundle := c.writeBundle(t, "bundle", noPrivileged)
	var options [2]serving.Options
	var replicas [2]*serving.Process
	for i := range options {
		name := fmt.Sprintf("holdfast-%d", i)
		options[i] = c.options(t, name, bundle)
		options[i].WebhookName = name
		replicas[i] = c.serve(t, options[i])
	}
	const leading = "holdfast_audit_leader 1"
	eventually(t, "the first to lead", shows(&options[0], leading))
	eventually(t, "the report on what was there before", c.reports(drifted))

	// Each write is shown to both.
	const denied = `holdfast_admission_requests_total{decision="denied",kind="Pod",operation="CREATE",webhook="validate"}`
	for i := range options {
		eventually(t, fmt.Sprintf("a refusal by replica %d", i), func(ctx context.Context) string {
			if problem := c.refuses(ctx); problem != "" {
				return problem
			}
			return shows(&options[i], denied)(ctx)
		})
	}
	if shows(&options[1], leading)(t.Context()) == "" {
		t.Error("both audit")
	}

	// The leader is killed. The other one goes on refusing at once, and audits when the lease has run out.
	replicas[0].Kill()
	if problem := c.refuses(t.Context()); problem != "" {
		t.Errorf("with one replica left: %s", problem)
	}
	if _, err := c.create(t.Context(), pod("later", false)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the second to lead", shows(&options[1], leading))
	eventually(t, "its report on a Pod made in between", c.reports(verdicts{
		verdictKey("Pod", "default", "later", "no-privileged", "privileged"): "pass",
	}))
	if missing := c.reports(drifted)(t.Context()); missing != "" {
		t.Errorf("the first replica's report: %s", missing)
	}
	stop(t, replicas[1])
}

// shows gives an empty string when /metrics has a line that begins so.
func shows(o *serving.Options, line string) func(context.Context) string {
	return func(ctx context.Context) string {
		body, _, err := fetch(ctx, fmt.Sprintf("http://127.0.0.1:%d/metrics", o.MetricsPort))
		if err != nil {
			return err.Error()
		}
		if !strings.Contains("\n"+string(body), "\n"+line) {
			return "/metrics has no " + line
		}
		return ""
	}
}
