package scenarios

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/holdfast-io/holdfast/e2e/controlplane"
	"github.com/holdfast-io/holdfast/e2e/serving"
)

// remedying is a bundle of rules that are enforced, each on objects of its own.
const remedying = `apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: tier, annotations: {holdfast.dev/reconcile: enforce}}
spec:
  rules:
    - name: gold
      match: {any: [{resources: {kinds: [ConfigMap], names: ["tier-*"]}}]}
      validate: {failureAction: Enforce, message: The tier is gold., pattern: {data: {tier: gold}}}
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: grace, annotations: {holdfast.dev/reconcile: enforce}}
spec:
  rules:
    - name: seconds
      match: {any: [{resources: {kinds: [Deployment], names: ["shop-*"]}}]}
      validate: {message: Ten seconds of grace., pattern: {spec: {template: {spec: {terminationGracePeriodSeconds: 10}}}}}
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: crash, annotations: {holdfast.dev/reconcile: enforce}}
spec:
  admission: false
  rules:
    - name: pods
      match: {any: [{resources: {kinds: [Deployment], names: ["frail-*"]}}]}
      mutate: {patchStrategicMerge: {spec: {template: {metadata: {annotations: {e2e.holdfast.dev/fail: "true"}}}}}}
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: asked, annotations: {holdfast.dev/reconcile: approve}}
spec:
  rules:
    - name: gold
      match: {any: [{resources: {kinds: [ConfigMap], names: ["asked-*"]}}]}
      validate: {message: The tier is gold., pattern: {data: {tier: gold}}}
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: most, annotations: {holdfast.dev/reconcile: enforce}}
spec:
  rules:
    - name: gold
      match: {any: [{resources: {kinds: [ConfigMap], names: ["most-*"]}}]}
      validate: {message: The tier is gold., pattern: {data: {tier: gold}}}
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: slow, annotations: {holdfast.dev/reconcile: enforce, holdfast.dev/strategy: "pause=6s"}}
spec:
  rules:
    - name: gold
      match: {any: [{resources: {kinds: [ConfigMap], names: ["slow-*"]}}]}
      validate: {message: The tier is gold., pattern: {data: {tier: gold}}}
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: fought, annotations: {holdfast.dev/reconcile: enforce}}
spec:
  rules:
    - name: gold
      match: {any: [{resources: {kinds: [ConfigMap], names: ["fought-*"]}}]}
      validate: {message: The tier is gold., pattern: {data: {tier: gold}}}
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: both, annotations: {holdfast.dev/reconcile: enforce}}
spec:
  rules:
    - name: gold
      match: {any: [{resources: {kinds: [ConfigMap], names: ["both"]}}]}
      validate: {message: The tier is gold., pattern: {data: {tier: gold}}}
    - name: iron
      match: {any: [{resources: {kinds: [ConfigMap], names: ["both"]}}]}
      validate: {message: The tier is iron., pattern: {data: {tier: iron}}}
`

// remediation is one as the API server has it, as far as it counts here.
type remediation struct {
	Metadata metav1.ObjectMeta
	Spec     struct {
		Plan struct {
			Policy  struct{ Name, Rule string }
			Targets []struct{ Kind, Name, UID string }
		}
		PlanDigest string
	}
	Status struct {
		Phase, Message string
		Gates          []struct{ Gate, Reason string }
		Results        []struct {
			Index          int
			State, Message string
			Time           *metav1.Time
		}
	}
}

// remediations lists those of a policy, the oldest first.
func (c *cluster) remediations(ctx context.Context, policy string) ([]remediation, error) {
	list, err := c.dynamic.Resource(remediationResource).List(ctx, metav1.ListOptions{FieldSelector: "spec.plan.policy.name=" + policy})
	if err != nil {
		return nil, err
	}
	out := make([]remediation, len(list.Items))
	for i := range list.Items {
		raw, err := list.Items[i].MarshalJSON()
		if err == nil {
			err = json.Unmarshal(raw, &out[i])
		}
		if err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(out, func(a, b remediation) int {
		return a.Metadata.CreationTimestamp.Compare(b.Metadata.CreationTimestamp.Time)
	})
	return out, nil
}

// says writes a Remediation as "PHASE GATE/REASON: NAME STATE, ...".
func (r *remediation) says() string {
	out := r.Status.Phase
	for _, g := range r.Status.Gates {
		out += " " + g.Gate + "/" + g.Reason
	}
	var states []string
	for _, res := range r.Status.Results {
		states = append(states, r.Spec.Plan.Targets[res.Index].Name+" "+res.State)
	}
	return out + ": " + strings.Join(states, ", ")
}

// awaitRemediation waits until one of a policy's says something.
func (c *cluster) awaitRemediation(t *testing.T, policy, want string) (found remediation) {
	t.Helper()
	eventually(t, fmt.Sprintf("a remediation of %s that says %q", policy, want), func(ctx context.Context) string {
		list, err := c.remediations(ctx, policy)
		if err != nil {
			return err.Error()
		}
		var all []string
		for i := range list {
			if list[i].says() == want {
				found = list[i]
				return ""
			}
			all = append(all, list[i].Metadata.Name+" "+list[i].says()+" ("+list[i].Status.Message+")")
		}
		return fmt.Sprintf("%d remediations\n%s", len(list), strings.Join(all, "\n"))
	})
	return found
}

func (c *cluster) tier(ctx context.Context, namespace, name string) string {
	m, err := c.kube.CoreV1().ConfigMaps(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err.Error()
	}
	return m.Data["tier"]
}

// tiers makes ConfigMaps of tier lead.
func (c *cluster) tiers(t *testing.T, namespace string, names ...string) {
	t.Helper()
	for _, name := range names {
		m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"tier": "lead", "other": "x"}}
		if _, err := c.kube.CoreV1().ConfigMaps(namespace).Create(t.Context(), m, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// have fails the test unless the ConfigMaps of namespace default have the tier.
func (c *cluster) have(t *testing.T, tier string, names ...string) {
	t.Helper()
	for _, name := range names {
		if got := c.tier(t.Context(), metav1.NamespaceDefault, name); got != tier {
			t.Errorf("%s has tier %s, want %s", name, got, tier)
		}
	}
}

// ask changes what people ask of a Remediation.
func (c *cluster) ask(t *testing.T, r *remediation, patch string) {
	t.Helper()
	_, err := c.dynamic.Resource(remediationResource).Patch(t.Context(), r.Metadata.Name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// deployments makes Deployments of one Pod.
func (c *cluster) deployments(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		labels := map[string]string{"app": name}
		d := &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: appsv1.DeploymentSpec{
				Selector: &metav1.LabelSelector{MatchLabels: labels}, ProgressDeadlineSeconds: new(int32(5)),
				Template: corev1.PodTemplateSpec{
					ObjectMeta: metav1.ObjectMeta{Labels: labels},
					Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "registry.example/shop:v1"}}},
				},
			},
		}
		if _, err := c.kube.AppsV1().Deployments(metav1.NamespaceDefault).Create(t.Context(), d, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// executing are the options of a serve that carries out, in quick steps.
func (c *cluster) executing(t *testing.T, name string) serving.Options {
	t.Helper()
	o := c.options(t, name, c.writeBundle(t, name, remedying))
	o.Args = append(o.Args, "--reconcile-mode", "enforce", "--settle", "0s", "--reconcile-strategy", "canary=1, wave=50%, pause=1s, health-timeout=1m")
	return o
}

// TestRemediationsAreCarriedOut runs serve in the mode enforce on a cluster that rolls Deployments out.
func TestRemediationsAreCarriedOut(t *testing.T) {
	c := newClusterOf(t, controlplane.Options{Progress: t.Output(), Components: controlplane.Everything()})
	if _, err := c.AddNodes(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	c.tiers(t, metav1.NamespaceDefault, "tier-a", "tier-b", "tier-c", "asked-a", "both", "most-1", "most-2", "most-3", "most-4", "most-5", "most-6", "fought-a")
	c.deployments(t, "shop-a", "shop-b", "shop-c", "frail-a", "frail-b")
	spans := newCollector(t)
	o := c.executing(t, "holdfast")
	o.Args = append(o.Args, "--otlp-endpoint", spans.URL, "--trace-ratio", "0")
	p := c.serve(t, o)

	t.Run("the canary comes first, and waves follow", func(t *testing.T) {
		r := c.awaitRemediation(t, "tier", "Succeeded: tier-a Succeeded, tier-b Succeeded, tier-c Succeeded")
		c.have(t, "gold", "tier-a", "tier-b", "tier-c")
		if first, last := r.Status.Results[0].Time, r.Status.Results[2].Time; !first.Before(last) {
			t.Errorf("the canary was through at %s, and the last at %s", first, last)
		}
	})
	t.Run("Deployments roll out", func(t *testing.T) {
		c.awaitRemediation(t, "grace", "Succeeded: shop-a Succeeded, shop-b Succeeded, shop-c Succeeded")
	})
	t.Run("a canary that fails is changed back", func(t *testing.T) {
		c.awaitRemediation(t, "crash", "RolledBack: frail-a RolledBack")
	})
	t.Run("nothing is done without an approval, and not with one of another object", func(t *testing.T) {
		old := c.awaitRemediation(t, "asked", "AwaitingApproval approval/ApprovalMissing: ")
		c.have(t, "lead", "asked-a")
		if err := c.kube.CoreV1().ConfigMaps(metav1.NamespaceDefault).Delete(t.Context(), "asked-a", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		c.tiers(t, metav1.NamespaceDefault, "asked-a")
		c.awaitRemediation(t, "asked", "Superseded approval/ApprovalMissing: ")
		next := c.awaitRemediation(t, "asked", "AwaitingApproval approval/ApprovalMissing: ")
		if next.Metadata.Name == old.Metadata.Name || next.Spec.Plan.Targets[0].UID == old.Spec.Plan.Targets[0].UID {
			t.Errorf("%s is for the object that is gone", next.Metadata.Name)
		}
		c.have(t, "lead", "asked-a")
		c.ask(t, &next, `{"spec":{"approval":{"decision":"Approve","planDigest":"`+next.Spec.PlanDigest+`"}}}`)
		done := c.awaitRemediation(t, "asked", "Succeeded: asked-a Succeeded")
		c.have(t, "gold", "asked-a")
		id := strings.Split(done.Metadata.Annotations["holdfast.dev/traceparent"]+"--", "-")[1]
		spans.trace(t, id, " > remediation", "remediation > apply", "remediation > approval", "remediation > finding",
			"remediation > outcome", "remediation > plan", "remediation > propose", "remediation > verify")
	})
	t.Run("a review is in the trace of its request", func(t *testing.T) { c.reviewIsTraced(t, spans) })
	t.Run("most of what a rule matches is left alone", func(t *testing.T) {
		c.awaitRemediation(t, "most", "Approved share/ShareTooLarge: ")
		c.have(t, "lead", "most-1", "most-6")
	})
	t.Run("two policies that want the opposite", func(t *testing.T) {
		c.awaitRemediation(t, "both", "Conflict: ")
		c.have(t, "lead", "both")
	})
	t.Run("the kill switch stops in mid-wave", func(t *testing.T) {
		c.tiers(t, metav1.NamespaceDefault, "slow-a", "slow-b")
		c.awaitRemediation(t, "slow", "Running: slow-a Succeeded")
		halt := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "holdfast-stop"}}
		if _, err := c.kube.CoreV1().ConfigMaps("holdfast").Create(t.Context(), halt, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		c.awaitRemediation(t, "slow", "Paused: slow-a Succeeded")
		c.have(t, "lead", "slow-b")
		if err := c.kube.CoreV1().ConfigMaps("holdfast").Delete(t.Context(), "holdfast-stop", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		c.awaitRemediation(t, "slow", "Succeeded: slow-a Succeeded, slow-b Succeeded")
	})
	t.Run("an object of a megabyte, and one that Helm keeps", func(t *testing.T) {
		maps := c.kube.CoreV1().ConfigMaps(metav1.NamespaceDefault)
		helm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
			Name: "slow-helm", Labels: map[string]string{"app.kubernetes.io/managed-by": "Helm"},
			Annotations: map[string]string{"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": "web"},
		}, Data: map[string]string{"tier": "lead"}}
		long := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "slow-long"}, Data: map[string]string{"tier": "lead", "long": strings.Repeat("x", 1000<<10)}}
		for _, m := range []*corev1.ConfigMap{helm, long} {
			if _, err := maps.Create(t.Context(), m, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		eventually(t, "the long one to be mended", func(ctx context.Context) string {
			if tier := c.tier(ctx, metav1.NamespaceDefault, "slow-long"); tier != "gold" {
				return "it has tier " + tier
			}
			return ""
		})
		c.have(t, "lead", "slow-helm")
	})
	t.Run("what was changed is changed back by hand", func(t *testing.T) {
		r := c.awaitRemediation(t, "tier", "Succeeded: tier-a Succeeded, tier-b Succeeded, tier-c Succeeded")
		// The rule refuses such a write to everybody else.
		c.ask(t, &r, `{"spec":{"rollback":{"reason":"too early"}}}`)
		c.awaitRemediation(t, "tier", "RolledBack: tier-a RolledBack, tier-b RolledBack, tier-c RolledBack")
		c.have(t, "lead", "tier-a", "tier-b", "tier-c")
		c.awaitRemediation(t, "tier", "Approved attempts/UndoneByHand: ")
	})
	t.Run("two writers fight", func(t *testing.T) {
		for range 3 { // as often as is let pass in a day
			eventually(t, "it to be mended", func(ctx context.Context) string {
				list, err := c.remediations(ctx, "fought")
				if err != nil {
					return err.Error()
				}
				if tier := c.tier(ctx, metav1.NamespaceDefault, "fought-a"); tier != "gold" || list[len(list)-1].Status.Phase != "Succeeded" {
					return fmt.Sprintf("it has tier %s, and the last says %s", tier, list[len(list)-1].says())
				}
				return ""
			})
			_, err := c.kube.CoreV1().ConfigMaps(metav1.NamespaceDefault).Patch(t.Context(), "fought-a", types.MergePatchType, []byte(`{"data":{"tier":"lead"}}`), metav1.PatchOptions{FieldManager: "bot"})
			if err != nil {
				t.Fatal(err)
			}
		}
		r := c.awaitRemediation(t, "fought", "Approved fight/Fight: ")
		// Whether the user is known too depends on which write the audit saw first.
		if !strings.Contains(r.Status.Message, "bot") || !strings.Contains(r.Status.Message, "wants it otherwise") {
			t.Errorf("it says %q", r.Status.Message)
		}
	})
	stop(t, p)
}
