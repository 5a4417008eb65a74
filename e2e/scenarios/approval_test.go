package scenarios

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// duties are the roles of those who decide, with the chart's words for approvers; tom may write Remediations, and no more.
var duties = map[string][]string{
	"approver": {"get", "list", "patch", "update", "approve"},
	"writer":   {"get", "list", "patch", "update"},
}

// dutiful gives each user a role. max writes policies too.
func (c *cluster) dutiful(t *testing.T, users map[string]string) {
	t.Helper()
	roles := c.kube.RbacV1()
	for name, verbs := range duties {
		role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{"holdfast.dev"}, Resources: []string{"remediations"}, Verbs: verbs},
			{APIGroups: []string{"kyverno.io"}, Resources: []string{"clusterpolicies"}, Verbs: []string{"get", "create", "patch"}},
		}}
		if _, err := roles.ClusterRoles().Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for user, role := range users {
		binding := &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: user}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
		}
		if _, err := roles.ClusterRoleBindings().Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// warned collects what the API server warns of.
type warned struct{ texts []string }

func (w *warned) HandleWarningHeader(_ int, _, text string) { w.texts = append(w.texts, text) }

// by is a client of a user who is a member of no group that may everything.
func (c *cluster) by(t *testing.T, user string) (dynamic.Interface, *warned) {
	t.Helper()
	config, w := c.RESTConfig(), &warned{}
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{"people"}}
	config.WarningHandler = w
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client, w
}

// decided is spec of a Remediation, as far as people ask for something.
type decided struct {
	PlanDigest string
	Approval   *struct {
		Approver, PlanDigest, Stamp string
		Groups                      []string
		Time, Expires               time.Time
	}
	PausedBy *struct{ User, Stamp string }
}

func decidedIn(t *testing.T, u *unstructured.Unstructured) decided {
	t.Helper()
	var out struct{ Spec decided }
	raw, err := u.MarshalJSON()
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Spec
}

// awaitGuards waits until the webhook is asked about approvals, and about policies, so that it remembers who writes them.
func (c *cluster) awaitGuards(t *testing.T) {
	t.Helper()
	eventually(t, "the webhook to be asked about approvals", func(ctx context.Context) string {
		config, err := c.kube.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(ctx, "holdfast", metav1.GetOptions{})
		if err != nil {
			return err.Error()
		}
		for i := range config.Webhooks {
			if config.Webhooks[i].Name == "approvals.guard.holdfast.dev" {
				return ""
			}
		}
		return "there is no such entry"
	})
	eventually(t, "the webhook to be asked about policies", func(ctx context.Context) string {
		_, err := c.dynamic.Resource(clusterPolicies).Create(ctx, misspelled(needsLabel("ClusterPolicy", "broken", "a")), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err == nil {
			return "a broken policy is let pass"
		}
		return ""
	})
}

// Who approves is who asked the API server to write it, whatever is written: no other name, no other time, no right that
// somebody does not have, and nobody who wrote the policy.
func TestApprovalsSayWhoDecided(t *testing.T) {
	c := newCluster(t)
	c.installPolicyTypes(t)
	c.dutiful(t, map[string]string{"jane": "approver", "max": "approver", "tom": "writer"})
	m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "m", Namespace: metav1.NamespaceDefault}, Data: map[string]string{"tier": "lead"}}
	if _, err := c.kube.CoreV1().ConfigMaps(m.Namespace).Create(t.Context(), m, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "holdfast"}}, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	o := c.options(t, "holdfast", c.emptyBundle(t))
	o.Args = append(o.Args, "--approval-not-by-author", "--settle", "0s")
	p := c.serve(t, o)
	c.awaitGuards(t)
	max, _ := c.by(t, "max")
	policy := parsed(t, `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: tier, annotations: {holdfast.dev/reconcile: propose}}
spec:
  rules:
    - name: gold
      match: {any: [{resources: {kinds: [ConfigMap], names: [m]}}]}
      validate: {message: The tier is gold., pattern: {data: {tier: gold}}}
`)
	if _, err := max.Resource(clusterPolicies).Create(t.Context(), policy, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.awaitPlans(t, "tier", `tier/gold ConfigMap/m Proposed Accepted [{"op":"replace","path":"/data/tier","value":"gold"}]`)
	list, err := c.dynamic.Resource(remediationResource).List(t.Context(), metav1.ListOptions{FieldSelector: "spec.plan.policy.name=tier,status.phase=Proposed"})
	if err != nil || len(list.Items) != 1 {
		t.Fatal(len(list.Items), err)
	}
	name := list.Items[0].GetName()
	patch := func(user, text string) (*unstructured.Unstructured, []string, error) {
		client, w := c.by(t, user)
		u, err := client.Resource(remediationResource).Patch(t.Context(), name, types.MergePatchType, []byte(text), metav1.PatchOptions{})
		return u, w.texts, err
	}
	for what, test := range map[string]struct{ user, patch, want string }{
		"without the verb":       {"tom", `{"spec":{"approval":{"decision":"Approve"}}}`, `tom may not decide about Remediation ` + name + `: the verb "approve" on remediations.holdfast.dev is missing`},
		"in the name of another": {"tom", `{"spec":{"approval":{"decision":"Approve","approver":"jane"}}}`, `tom may not decide about`},
		"by the author":          {"max", `{"spec":{"approval":{"decision":"Approve"}}}`, "max edited policy tier last: somebody else must approve what comes of it"},
		"of another plan":        {"jane", `{"spec":{"approval":{"decision":"Approve","planDigest":"` + strings.Repeat("a", 64) + `"}}}`, "the decision is about plan aaaaaaaaaaaa"},
		"with a slip":            {"jane", `{"spec":{"approval":{"decision":"Maybe"}}}`, `spec.approval.decision "Maybe": expected Approve or Reject`},
		"a rollback of nothing":  {"jane", `{"spec":{"rollback":{}}}`, "nothing was done that could be undone: the Remediation is Proposed"},
	} {
		if _, _, err := patch(test.user, test.patch); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", what, err, test.want)
		}
	}

	before := time.Now().Add(-time.Minute)
	u, warnings, err := patch("jane", `{"spec":{"approval":{"decision":"Approve","reason":"fits","approver":"root","time":"2001-01-01T00:00:00Z","expires":"2101-01-01T00:00:00Z","stamp":"s"}}}`)
	if err != nil {
		t.Fatal(err)
	}
	got := decidedIn(t, u)
	if a := got.Approval; a.Approver != "jane" || a.PlanDigest != got.PlanDigest || a.Time.Before(before) || a.Expires.Sub(a.Time) != 24*time.Hour || len(a.Stamp) != 64 || !strings.Contains(strings.Join(a.Groups, " "), "people") {
		t.Errorf("got %+v", a)
	}
	if want := `its mode is "propose"`; !strings.Contains(strings.Join(warnings, " "), want) {
		t.Errorf("no warning that %s: %q", want, warnings)
	}
	if _, _, err := patch("tom", `{"spec":{"approval":{"approver":"tom"}}}`); !apierrors.IsForbidden(err) {
		t.Errorf("somebody edits the approval by hand: %v", err)
	}
	if u, _, err = patch("tom", `{"spec":{"paused":true,"pausedBy":{"user":"jane"}}}`); err != nil || decidedIn(t, u).PausedBy.User != "tom" {
		t.Errorf("paused by %+v, %v", decidedIn(t, u).PausedBy, err)
	}
	if _, _, err := patch("tom", `{"spec":{"paused":false}}`); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "tom may not resume") {
		t.Errorf("who may not resumes: %v", err)
	}
	if _, _, err = patch("jane", `{"spec":{"paused":false}}`); err != nil {
		t.Error(err)
	}

	// The command line does what kubectl does, here as a user who may everything.
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"pause", name}, ": paused"},
		{[]string{"resume", name}, ": goes on"},
		{[]string{"approve", name, "--for", "2h", "--reason", "fits"}, "approved by "},
		{[]string{"pause", "--everything", "--reason", "an outage"}, "everything is stopped: "},
	} {
		if said := c.runs(t, test.args...); !strings.Contains(said, test.want) {
			t.Errorf("holdfast %s says %s, want %q", strings.Join(test.args, " "), said, test.want)
		}
	}
	eventually(t, "the kill switch to be told", func(ctx context.Context) string {
		status, err := c.statusText(ctx, o.MetricsPort)
		if err != nil || !strings.Contains(status, "an outage") {
			return fmt.Sprintf("%s, %v", status, err)
		}
		return ""
	})
	if said := c.runs(t, "resume", "--everything"); said != "everything goes on\n" {
		t.Errorf("resume says %s", said)
	}
	again := c.runs(t, "__complete", "reject", "")
	if !strings.Contains(again, name+"\n") {
		t.Errorf("a shell completes %s", again)
	}

	// Who edited the policy is known after a restart, too, by the ledger.
	stop(t, p)
	p = c.serve(t, o)
	eventually(t, "the author to be refused after a restart", func(context.Context) string {
		if _, _, err := patch("max", `{"spec":{"approval":{"decision":"Approve","stamp":null}}}`); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "max edited policy tier last") {
			return fmt.Sprint(err)
		}
		return ""
	})
	// A rejection ends it, whatever its mode.
	if _, _, err := patch("jane", `{"spec":{"approval":{"decision":"Reject","reason":"not now","stamp":null}}}`); err != nil {
		t.Fatal(err)
	}
	c.awaitPlans(t, "tier", `tier/gold ConfigMap/m Rejected Accepted [{"op":"replace","path":"/data/tier","value":"gold"}]`)
	for kind, want := range map[string]string{
		"policy-written": "max admitted: ", "planned": "Proposed: rule gold of ClusterPolicy tier", "approved": "jane: fits", "rejected": "jane: not now",
		"switch-changed": "stopped: an outage",
	} {
		eventually(t, "an entry "+kind, func(context.Context) string {
			var said []string
			for _, e := range c.chronicle(t, o.StateDir, "--kind", kind) {
				said = append(said, strings.TrimSpace(e.Actor.User+" "+e.Outcome)+": "+e.Message)
			}
			if got := strings.Join(said, "\n"); !strings.Contains(got, want) {
				return got
			}
			return ""
		})
	}

	// With the program killed its registration is still there: an approval that nobody could stamp is refused, and the cluster
	// goes on.
	p.Kill()
	if _, _, err := patch("jane", `{"spec":{"approval":{"decision":"Reject"}}}`); err == nil || !strings.Contains(err.Error(), "approvals.guard.holdfast.dev") {
		t.Errorf("with the webhook away: %v", err)
	}
	if _, _, err := patch("jane", `{"metadata":{"labels":{"a":"b"}},"spec":{"approval":null}}`); err == nil {
		t.Error("an approval is withdrawn, and nobody was asked")
	}
	other := byHand("another")
	if _, err := c.dynamic.Resource(remediationResource).Create(t.Context(), other, metav1.CreateOptions{}); err != nil {
		t.Errorf("what nobody decides about is not let through: %v", err)
	}
	if err := c.dynamic.Resource(remediationResource).Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
		t.Errorf("it cannot be deleted: %v", err)
	}
}

// runs runs holdfast on the cluster, and gives what it prints.
func (c *cluster) runs(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.binary, args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.KubeconfigPath())
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("holdfast %s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}

// statusText is what /status says.
func (c *cluster) statusText(ctx context.Context, port int) (string, error) {
	raw, _, err := fetch(ctx, fmt.Sprintf("http://127.0.0.1:%d/status", port))
	return string(raw), err
}
