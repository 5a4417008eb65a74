package scenarios

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

// golden is a policy for the ConfigMaps whose names begin with its own, in a mode. Admission does not know it, so that nothing
// waits for one that is away or stands still.
func golden(name, mode string) string {
	return fmt.Sprintf(`
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: %[1]s, annotations: {holdfast.dev/reconcile: %[2]s}}
spec:
  admission: false
  rules:
    - name: gold
      match: {any: [{resources: {kinds: [ConfigMap], names: ["%[1]s-*"]}}]}
      validate: {message: The tier is gold., pattern: {data: {tier: gold}}}
`, name, mode)
}

// onlyTried is an admission policy of the cluster that lets be tried what it does not let be done.
const onlyTried = `{"spec": {
	"failurePolicy": "Fail",
	"matchConstraints": {"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["configmaps"]}]},
	"matchConditions": [{"name": "named", "expression": "object.metadata.name.startsWith('refused-')"}],
	"validations": [{"expression": "request.dryRun", "message": "this may only be tried"}]
}}`

func (c *cluster) installOnlyTried(t *testing.T) {
	t.Helper()
	policy := &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: "only-tried"}}
	if err := json.Unmarshal([]byte(onlyTried), policy); err != nil {
		t.Fatal(err)
	}
	policy.Name = "only-tried"
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: "only-tried"}, Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
		PolicyName: "only-tried", ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
	}}
	admission := c.kube.AdmissionregistrationV1()
	if _, err := admission.ValidatingAdmissionPolicies().Create(t.Context(), policy, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := admission.ValidatingAdmissionPolicyBindings().Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the cluster's own policy to be in force", func(ctx context.Context) string {
		_, err := c.kube.CoreV1().ConfigMaps(metav1.NamespaceDefault).Patch(ctx, "refused-a", types.MergePatchType, []byte(`{"data":{"other":"y"}}`), metav1.PatchOptions{})
		if err == nil {
			return "a write is let pass"
		}
		return ""
	})
}

// only gives the one Remediation of a policy that has not ended.
func (c *cluster) only(t *testing.T, policy string) remediation {
	t.Helper()
	return c.awaitRemediation(t, policy, "AwaitingApproval approval/ApprovalMissing: ")
}

// TestNothingIsDoneByWhatIsWrittenByHand has people and others write what only Holdfast may, with the webhook there and while
// it is away, and the cluster refuse what it let be tried. What is not proved moves no object, and the status says why.
func TestNothingIsDoneByWhatIsWrittenByHand(t *testing.T) {
	c := newCluster(t)
	c.installPolicyTypes(t)
	c.dutiful(t, map[string]string{"jane": "approver", "max": "approver", "tom": "writer"})
	asked := []string{"authored", "invented", "copied", "genuine", "stretched", "lapsed", "begun", "named", "finished"}
	for _, name := range asked {
		c.tiers(t, metav1.NamespaceDefault, name+"-a")
	}
	c.tiers(t, metav1.NamespaceDefault, "refused-a", "refused-b")
	c.installOnlyTried(t)
	o := c.options(t, "holdfast", c.emptyBundle(t))
	o.Args = append(o.Args, "--reconcile-mode", "enforce", "--settle", "0s", "--reconcile-strategy", "canary=1, wave=50%, pause=1s, health-timeout=1m")
	strict := o
	strict.Args = append(strict.Args, "--approval-not-by-author")
	p := c.serve(t, strict)
	c.awaitGuards(t)
	jane, _ := c.by(t, "jane")
	max, _ := c.by(t, "max")
	tom, _ := c.by(t, "tom")
	for _, name := range asked {
		if _, err := max.Resource(clusterPolicies).Create(t.Context(), parsed(t, golden(name, "approve")), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := max.Resource(clusterPolicies).Create(t.Context(), parsed(t, golden("refused", "enforce")), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	found := map[string]remediation{}
	for _, name := range asked {
		found[name] = c.only(t, name)
	}
	write := func(as dynamic.Interface, name, patch string, sub ...string) error {
		_, err := as.Resource(remediationResource).Patch(t.Context(), found[name].Metadata.Name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}, sub...)
		return err
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	t.Run("the author of a policy does not approve what comes of it", func(t *testing.T) {
		if err := write(max, "authored", `{"spec":{"approval":{"decision":"Approve","stamp":null}}}`); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "max edited policy authored last") {
			t.Errorf("the author: %v", err)
		}
		c.have(t, "lead", "authored-a")
		must(write(jane, "authored", `{"spec":{"approval":{"decision":"Approve","stamp":null}}}`))
		c.awaitRemediation(t, "authored", "Succeeded: authored-a Succeeded")
		c.have(t, "gold", "authored-a")
	})
	t.Run("what the cluster refuses, though it let it be tried, has failed", func(t *testing.T) {
		r := c.awaitRemediation(t, "refused", "Failed: refused-a Failed")
		if m := r.Status.Results[0].Message; !strings.Contains(m, "the API server refuses the change") || !strings.Contains(m, "this may only be tried") {
			t.Errorf("it says %q", m)
		}
		c.have(t, "lead", "refused-a", "refused-b")
	})
	t.Run("an approval that was not used in time", func(t *testing.T) {
		soon := time.Now().Add(5 * time.Second).UTC()
		for _, name := range []string{"genuine", "lapsed", "stretched"} {
			expires := soon
			if name == "genuine" {
				expires = soon.Add(time.Hour)
			}
			must(write(jane, name, `{"spec":{"paused":true}}`))
			must(write(jane, name, fmt.Sprintf(`{"spec":{"approval":{"decision":"Approve","expires":%q,"stamp":null}}}`, expires.Format(time.RFC3339))))
		}
		time.Sleep(time.Until(soon)) // that is what it is about
		must(write(jane, "lapsed", `{"spec":{"paused":false}}`))
		r := c.awaitRemediation(t, "lapsed", "AwaitingApproval approval/ApprovalExpired: ")
		if want := "the approval of jane has expired: approve it again"; r.Status.Message != want {
			t.Errorf("it says %q, want %q", r.Status.Message, want)
		}
		c.have(t, "lead", "lapsed-a", "genuine-a", "stretched-a")
	})

	// Its end takes the webhook away: whoever may write Remediations writes what he likes.
	stop(t, p)
	genuine, err := jane.Resource(remediationResource).Get(t.Context(), found["genuine"].Metadata.Name, metav1.GetOptions{})
	must(err)
	approval, err := json.Marshal(genuine.Object["spec"].(map[string]any)["approval"])
	must(err)
	tomorrow := time.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339)
	must(write(tom, "invented", fmt.Sprintf(`{"spec":{"approval":{"decision":"Approve","planDigest":%q,"approver":"jane","groups":["people"],"time":%q,"expires":%q,"stamp":%q}}}`,
		found["invented"].Spec.PlanDigest, time.Now().UTC().Format(time.RFC3339), tomorrow, strings.Repeat("0a", 32))))
	must(write(tom, "copied", `{"spec":{"approval":`+string(approval)+`}}`))
	must(write(tom, "stretched", fmt.Sprintf(`{"spec":{"paused":false,"approval":{"expires":%q}}}`, tomorrow)))
	must(write(tom, "authored", fmt.Sprintf(`{"spec":{"rollback":{"reason":"so","askedBy":{"user":"jane","time":%q,"stamp":%q}}}}`, time.Now().UTC().Format(time.RFC3339), strings.Repeat("0a", 32))))
	if err := write(tom, "named", `{"spec":{"plan":{"rationale":"another"}}}`); !apierrors.IsInvalid(err) {
		t.Errorf("a plan is written anew: %v", err)
	}
	if err := write(tom, "named", `{"status":{"phase":"Approved"}}`, "status"); !apierrors.IsForbidden(err) {
		t.Errorf("somebody writes the status: %v", err)
	}
	// An administrator may.
	must(write(c.dynamic, "begun", fmt.Sprintf(`{"status":{"phase":"Running","started":%[1]q,"results":[{"index":0,"state":"Applying","resourceVersionBefore":"1","after":"a","attempts":1,"intents":1,"time":%[1]q}]}}`, time.Now().UTC().Format(time.RFC3339)), "status"))
	must(write(c.dynamic, "named", `{"status":{"phase":"Applied","mode":"enforce","gates":null,"targets":{"total":1,"blocked":0,"done":1,"failed":0}}}`, "status"))
	must(write(c.dynamic, "finished", fmt.Sprintf(`{"status":{"phase":"Succeeded","ended":%[1]q,"results":[{"index":0,"state":"Succeeded","resourceVersionAfter":"2","applied":%[1]q,"time":%[1]q}]}}`, time.Now().UTC().Format(time.RFC3339)), "status"))

	p = c.serve(t, o)
	t.Run("approvals that were not written by way of the webhook", func(t *testing.T) {
		for _, name := range []string{"invented", "copied", "stretched"} {
			r := c.awaitRemediation(t, name, "AwaitingApproval approval/ApprovalForged: ")
			if want := "spec.approval was not written by way of Holdfast's webhook, or the key is another by now: decide again"; r.Status.Message != want {
				t.Errorf("it says %q, want %q", r.Status.Message, want)
			}
		}
		c.awaitRemediation(t, "lapsed", "AwaitingApproval approval/ApprovalExpired: ")
		c.have(t, "lead", "invented-a", "copied-a", "stretched-a", "lapsed-a")
	})
	t.Run("a rollback that nobody with the right to has asked for", func(t *testing.T) {
		eventually(t, "it to be told", func(ctx context.Context) string {
			list, err := c.remediations(ctx, "authored")
			if err != nil || len(list) != 1 || !strings.Contains(list[0].Status.Message, "spec.rollback was not written by way of Holdfast's webhook") {
				return fmt.Sprintf("%+v, %v", list, err)
			}
			return ""
		})
		c.have(t, "gold", "authored-a")
	})
	t.Run("a status that was written by hand", func(t *testing.T) {
		c.awaitRemediation(t, "begun", "Paused approval/ApprovalMissing: begun-a Waiting")
		c.awaitRemediation(t, "named", "AwaitingApproval approval/ApprovalMissing: ")
		c.awaitRemediation(t, "finished", "AwaitingApproval approval/ApprovalMissing: ") // another: what was found is still there
		c.have(t, "lead", "begun-a", "named-a", "finished-a")
	})
	t.Run("a genuine decision counts", func(t *testing.T) {
		c.awaitGuards(t)
		must(write(jane, "genuine", `{"spec":{"paused":false}}`))
		must(write(jane, "invented", `{"spec":{"approval":{"decision":"Approve","stamp":null}}}`))
		must(write(jane, "begun", `{"spec":{"approval":{"decision":"Approve"}}}`))
		for _, name := range []string{"genuine", "invented", "begun"} {
			c.awaitRemediation(t, name, fmt.Sprintf("Succeeded: %[1]s-a Succeeded", name))
			c.have(t, "gold", name+"-a")
		}
		c.have(t, "lead", "copied-a", "stretched-a", "lapsed-a", "named-a", "finished-a", "refused-a", "refused-b")
	})
	stop(t, p)
	var written []string
	for _, e := range c.chronicle(t, o.StateDir, "--kind", "applied") {
		if e.Object.Name != "refused-a" && e.Object.Name != "refused-b" {
			written = append(written, e.Object.Name)
		}
	}
	if len(written) != 4 {
		t.Errorf("the ledger has writes of %v", written)
	}
}
