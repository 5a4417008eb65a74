package scenarios

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
)

var remediationResource = schema.GroupVersionResource{Group: "holdfast.dev", Version: "v1alpha1", Resource: "remediations"}

// byHand is a Remediation as somebody might write one.
func byHand(name string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "holdfast.dev/v1alpha1", "kind": "Remediation", "metadata": map[string]any{"name": name},
		"spec": map[string]any{
			"planDigest": strings.Repeat("0", 64),
			"plan": map[string]any{
				"policy": map[string]any{"kind": "ClusterPolicy", "name": "p", "rule": "r"},
				"risk":   map[string]any{"level": "low"},
				"strategy": map[string]any{
					"canary": int64(1), "wave": "25%", "maxFailures": int64(0), "pause": "30s", "healthTimeout": "5m",
				},
				"targets": []any{map[string]any{
					"apiVersion": "v1", "kind": "ConfigMap", "namespace": "default", "name": "c", "uid": "u", "action": "Patch",
					"patch": `[{"op":"remove","path":"/data/a"}]`, "proof": map[string]any{"dryRun": "Accepted"},
				}},
			},
		},
	}}
}

// A plan that somebody has read and approved is not another one by the time it is carried out: the API server itself keeps
// it as it is, whoever writes.
func (c *cluster) checkPlansCannotBeEdited(t *testing.T) {
	t.Helper()
	remediations := c.dynamic.Resource(remediationResource)
	if _, err := remediations.Create(t.Context(), byHand("by-hand"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ patch, want string }{
		"another patch":    {`[{"op":"replace","path":"/spec/plan/targets/0/patch","value":"[]"}]`, "spec.plan: Invalid value: a plan stays as it was proposed"},
		"a further target": {`[{"op":"copy","from":"/spec/plan/targets/0","path":"/spec/plan/targets/-"}]`, "spec.plan: Invalid value: a plan stays as it was proposed"},
		"another digest":   {`[{"op":"replace","path":"/spec/planDigest","value":"` + strings.Repeat("1", 64) + `"}]`, "spec.planDigest: Invalid value"},
		"no plan":          {`[{"op":"remove","path":"/spec/plan"}]`, "spec.plan: Required value"},
		"a pause":          {`[{"op":"add","path":"/spec/paused","value":true}]`, ""},
	} {
		_, err := remediations.Patch(t.Context(), "by-hand", types.JSONPatchType, []byte(test.patch), metav1.PatchOptions{})
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case test.want != "" && (!apierrors.IsInvalid(err) || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
	many := byHand("too-many")
	targets, _, _ := unstructured.NestedSlice(many.Object, "spec", "plan", "targets")
	for len(targets) <= 200 {
		targets = append(targets, targets[0])
	}
	if err := unstructured.SetNestedSlice(many.Object, targets, "spec", "plan", "targets"); err != nil {
		t.Fatal(err)
	}
	if _, err := remediations.Create(t.Context(), many, metav1.CreateOptions{}); !apierrors.IsInvalid(err) {
		t.Errorf("201 targets: got %v", err)
	}
	if err := remediations.Delete(t.Context(), "by-hand", metav1.DeleteOptions{}); err != nil {
		t.Error(err)
	}
}

// planning is a bundle whose findings are planned for in every way that there is.
const planning = `apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: no-privileged}
spec:
  rules:
    - name: containers
      match: {any: [{resources: {kinds: [Pod]}}]}
      validate:
        message: No privileged containers.
        pattern: {spec: {containers: [{=(securityContext): {=(privileged): "false"}}]}}
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: tier}
spec:
  rules:
    - name: gold
      match: {any: [{resources: {kinds: [ConfigMap], names: ["tier-*"]}}]}
      validate: {message: The tier is gold., pattern: {data: {tier: gold}}}
    - name: iron
      match: {any: [{resources: {kinds: [ConfigMap], names: ["tier-both"]}}]}
      validate: {message: The tier is iron., pattern: {data: {tier: iron}}}
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: cpu}
spec:
  rules:
    - name: quota
      match: {any: [{resources: {kinds: [ResourceQuota]}}]}
      mutate: {patchStrategicMerge: {spec: {hard: {cpu: 1000m}}}}
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: many}
spec:
  admission: false # they come past the webhook
  rules:
    - name: team
      match: {any: [{resources: {kinds: [ConfigMap], names: ["many-*"]}}]}
      mutate: {patchStrategicMerge: {metadata: {labels: {team: a}}}}
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: quiet, annotations: {holdfast.dev/reconcile: report}}
spec:
  rules:
    - name: team
      match: {any: [{resources: {kinds: [ConfigMap], names: ["tier-*"]}}]}
      mutate: {patchStrategicMerge: {metadata: {labels: {team: a}}}}
`

// plannedFor lists the targets of the Remediations that have not ended, as "POLICY/RULE KIND/NAME PHASE OBSTACLE DRYRUN PATCH".
func (c *cluster) plannedFor(ctx context.Context, policy string) ([]string, error) {
	list, err := c.dynamic.Resource(remediationResource).List(ctx, metav1.ListOptions{FieldSelector: "spec.plan.policy.name=" + policy})
	if err != nil {
		return nil, err
	}
	var out []string
	for i := range list.Items {
		var r struct {
			Spec struct {
				Plan struct {
					Policy  struct{ Name, Rule string }
					Targets []struct {
						Kind, Name, Patch string
						Obstacle          struct{ Reason string }
						Proof             struct{ DryRun string }
					}
				}
			}
			Status struct{ Phase string }
		}
		raw, err := list.Items[i].MarshalJSON()
		if err == nil {
			err = json.Unmarshal(raw, &r)
		}
		if err != nil {
			return nil, err
		}
		if r.Status.Phase == "Superseded" {
			continue
		}
		for _, t := range r.Spec.Plan.Targets {
			out = append(out, strings.Join(strings.Fields(fmt.Sprintf("%s/%s %s/%s %s %s %s %s", r.Spec.Plan.Policy.Name, r.Spec.Plan.Policy.Rule,
				t.Kind, t.Name, r.Status.Phase, t.Obstacle.Reason, t.Proof.DryRun, t.Patch)), " "))
		}
	}
	slices.Sort(out)
	return out, nil
}

// awaitPlans waits until exactly these are planned for a policy.
func (c *cluster) awaitPlans(t *testing.T, policy string, want ...string) {
	t.Helper()
	slices.Sort(want)
	eventually(t, "the plans of "+policy, func(ctx context.Context) string {
		got, err := c.plannedFor(ctx, policy)
		if err != nil {
			return err.Error()
		}
		if !slices.Equal(got, want) {
			return fmt.Sprintf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		return ""
	})
}

// TestRemediations runs serve over objects that came before it.
func TestRemediations(t *testing.T) {
	c := newCluster(t)
	core := c.kube.CoreV1()
	configMap := func(name string, data map[string]string, change ...func(*corev1.ConfigMap)) {
		t.Helper()
		m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: metav1.NamespaceDefault}, Data: data}
		for _, f := range change {
			f(m)
		}
		if _, err := core.ConfigMaps(metav1.NamespaceDefault).Create(t.Context(), m, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	lead := map[string]string{"tier": "lead"}
	configMap("tier-plain", lead)
	configMap("tier-both", lead)
	configMap("tier-fixed", lead, func(m *corev1.ConfigMap) { m.Immutable = new(true) })
	configMap("tier-helm", lead, func(m *corev1.ConfigMap) {
		m.Labels = map[string]string{"app.kubernetes.io/managed-by": "Helm"}
		m.Annotations = map[string]string{"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": "web"}
	})
	configMap("tier-long", map[string]string{"tier": strings.Repeat("x", 1000<<10)})
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "q"}, Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"cpu": resource.MustParse("1")}}}
	if _, err := core.ResourceQuotas(metav1.NamespaceDefault).Create(t.Context(), quota, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.ownedPod(t)

	bundle := c.writeBundle(t, "planning", planning)
	p := c.serve(t, c.options(t, "holdfast", bundle))
	const gold = `[{"op":"replace","path":"/data/tier","value":"gold"}]`
	t.Run("each finding is planned for in its way", func(t *testing.T) {
		c.awaitPlans(t, "tier",
			"tier/gold ConfigMap/tier-plain Proposed Accepted "+gold,
			"tier/gold ConfigMap/tier-both Proposed Conflict NotAsked "+gold,
			`tier/iron ConfigMap/tier-both Conflict Conflict NotAsked [{"op":"replace","path":"/data/tier","value":"iron"}]`,
			"tier/gold ConfigMap/tier-fixed Proposed NeedsRecreate Refused "+gold,
			"tier/gold ConfigMap/tier-helm Proposed ManagedElsewhere Accepted "+gold,
			"tier/gold ConfigMap/tier-long Proposed Accepted",
		)
		c.awaitPlans(t, "no-privileged", `no-privileged/containers Deployment/shop Proposed Accepted [{"op":"replace","path":"/spec/template/spec/containers/0/securityContext/privileged","value":false}]`)
		c.awaitPlans(t, "cpu", `cpu/quota ResourceQuota/q Blocked DefaultsOnly Accepted [{"op":"replace","path":"/spec/hard/cpu","value":"1000m"}]`)
		c.awaitPlans(t, "quiet")
	})
	t.Run("the command line shows it", func(t *testing.T) {
		explained := c.says(t, "explain", "deployment/shop", "--bundle", bundle)
		for _, want := range []string{"no-privileged/autogen-containers", "+ /spec/template/spec/containers/0/securityContext/privileged: false", "proposed as no-privileged-containers-"} {
			if !strings.Contains(explained, want) {
				t.Errorf("explain does not say %q:\n%s", want, explained)
			}
		}
		if pending := c.says(t, "plan", "--cluster"); !strings.Contains(pending, "4 remediations for 8 targets, 5 of them left alone") {
			t.Errorf("plan says\n%s", pending)
		}
	})
	t.Run("a changed world supersedes the plan", func(t *testing.T) {
		if err := core.ConfigMaps(metav1.NamespaceDefault).Delete(t.Context(), "tier-helm", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		patch := []byte(`{"data":{"tier":"tin"}}`)
		if _, err := core.ConfigMaps(metav1.NamespaceDefault).Patch(t.Context(), "tier-plain", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
		c.awaitPlans(t, "tier",
			"tier/gold ConfigMap/tier-plain Proposed Accepted "+gold,
			"tier/gold ConfigMap/tier-both Proposed Conflict NotAsked "+gold,
			`tier/iron ConfigMap/tier-both Conflict Conflict NotAsked [{"op":"replace","path":"/data/tier","value":"iron"}]`,
			"tier/gold ConfigMap/tier-fixed Proposed NeedsRecreate Refused "+gold,
			"tier/gold ConfigMap/tier-long Proposed Accepted",
		)
		list, err := c.dynamic.Resource(remediationResource).List(t.Context(), metav1.ListOptions{FieldSelector: "status.phase=Superseded"})
		if err != nil || len(list.Items) == 0 {
			t.Errorf("none is superseded: %v", err)
		}
	})
	t.Run("many findings at once are few remediations", func(t *testing.T) {
		n := crowd(t)
		var g errgroup.Group
		g.SetLimit(16)
		for i := range n {
			g.Go(func() error {
				m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("many-%d", i)}}
				_, err := core.ConfigMaps(metav1.NamespaceDefault).Create(t.Context(), m, metav1.CreateOptions{})
				return err
			})
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		// Each is read and tried at the API server: 5,000 take minutes on two cores.
		t.Log("waiting for the plans of many")
		last := ""
		err := wait.PollUntilContextTimeout(t.Context(), 2*time.Second, 8*patience, true, func(ctx context.Context) (bool, error) {
			got, err := c.plannedFor(ctx, "many")
			last = fmt.Sprintf("%d targets, %v", len(got), err)
			return err == nil && len(got) == n, nil
		})
		if err != nil {
			t.Fatalf("%v: %s", err, last)
		}
	})
	t.Run("a plan cannot be edited", c.checkPlansCannotBeEdited)
	stop(t, p)
}

// says runs holdfast on the cluster, which is to find something, and gives what it prints.
func (c *cluster) says(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.binary, append(args, "--kubeconfig", c.KubeconfigPath())...)
	cmd.Env = []string{"HOME=" + c.dir, "PATH=/usr/bin:/bin"}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Fatalf("holdfast %v: %v, want exit status 1\n%s", args, err, stderr.String())
	}
	return string(out)
}

// ownedPod makes a Deployment, its ReplicaSet and a Pod, as their controllers would, which do not run here.
func (c *cluster) ownedPod(t *testing.T) {
	t.Helper()
	labels := map[string]string{"app": "shop"}
	template := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: labels},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "registry.example/shop:v1", SecurityContext: &corev1.SecurityContext{Privileged: new(true)}}}},
	}
	owned := func(name, kind, owner string, uid types.UID) metav1.ObjectMeta {
		m := metav1.ObjectMeta{Name: name, Labels: labels}
		if owner != "" {
			m.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: kind, Name: owner, UID: uid, Controller: new(true)}}
		}
		return m
	}
	apps := c.kube.AppsV1()
	selector := &metav1.LabelSelector{MatchLabels: labels}
	d, err := apps.Deployments(metav1.NamespaceDefault).Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: owned("shop", "", "", ""), Spec: appsv1.DeploymentSpec{Selector: selector, Template: template},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := apps.ReplicaSets(metav1.NamespaceDefault).Create(t.Context(), &appsv1.ReplicaSet{
		ObjectMeta: owned("shop-abc", "Deployment", "shop", d.UID), Spec: appsv1.ReplicaSetSpec{Selector: selector, Template: template},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	if _, err := c.kube.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Create(t.Context(), account, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	pod := &corev1.Pod{ObjectMeta: owned("shop-abc-1", "ReplicaSet", "shop-abc", r.UID), Spec: template.Spec}
	if _, err := c.kube.CoreV1().Pods(metav1.NamespaceDefault).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}
