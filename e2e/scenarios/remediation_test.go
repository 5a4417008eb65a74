package scenarios

import (
	"context"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
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
	remediations := c.dynamic.Resource(remediationResource)
	if _, err := remediations.Create(t.Context(), byHand("by-hand"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ patch, want string }{
		"another patch":           {`[{"op":"replace","path":"/spec/plan/targets/0/patch","value":"[]"}]`, "spec.plan: Invalid value: a plan stays as it was proposed"},
		"a further target":        {`[{"op":"copy","from":"/spec/plan/targets/0","path":"/spec/plan/targets/-"}]`, "spec.plan: Invalid value: a plan stays as it was proposed"},
		"another digest":          {`[{"op":"replace","path":"/spec/planDigest","value":"` + strings.Repeat("1", 64) + `"}]`, "spec.planDigest: Invalid value"},
		"no plan":                 {`[{"op":"remove","path":"/spec/plan"}]`, "spec.plan: Required value"},
		"a decision that is none": {`[{"op":"add","path":"/spec/approval","value":{"planDigest":"","decision":"Maybe"}}]`, `spec.approval.decision: Unsupported value: "Maybe"`},
		"a pause":                 {`[{"op":"add","path":"/spec/paused","value":true}]`, ""},
		"an approval":             {`[{"op":"add","path":"/spec/approval","value":{"planDigest":"","decision":"Approve"}}]`, ""},
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

func TestRemediations(t *testing.T) {
	c := newCluster(t)
	p := c.serve(t, c.options(t, "holdfast", c.emptyBundle(t)))
	eventually(t, "the definition of Remediations", func(ctx context.Context) string {
		if _, err := c.dynamic.Resource(remediationResource).List(ctx, metav1.ListOptions{}); err != nil {
			return err.Error()
		}
		return ""
	})
	c.checkPlansCannotBeEdited(t)
	stop(t, p)
}
