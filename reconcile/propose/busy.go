package propose

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/reconcile/plan"
)

// acting reports whether a Remediation is being carried out.
func acting(u *unstructured.Unstructured) bool {
	phase, _, _ := unstructured.NestedString(u.Object, "status", "phase")
	return v1alpha1.Phase(phase).Acting()
}

// busy are the targets of the Remediations that are being carried out, whosoever they are: until these have ended nothing else
// is planned for the same rule and object, which may be between two states.
func (b *book) busy() map[string]bool {
	out := map[string]bool{}
	for _, u := range b.opts.Remediations.List() {
		if !acting(u) {
			continue
		}
		targets, _, _ := unstructured.NestedSlice(u.Object, "spec", "plan", "targets")
		for _, t := range targets {
			if t, ok := t.(map[string]any); ok {
				out[targetKey(u.GetLabels()[v1alpha1.LabelGroup], t)] = true
			}
		}
	}
	return out
}

func targetKey(group string, t map[string]any) string {
	return fmt.Sprint(group, t["apiVersion"], " ", t["kind"], " ", t["namespace"], " ", t["name"], " ", t["uid"])
}

// idle leaves out the items that are busy.
func idle(items []plan.Item, busy map[string]bool) []plan.Item {
	if len(busy) == 0 {
		return items
	}
	return slices.DeleteFunc(items, func(it plan.Item) bool {
		t := &it.Target
		group := plan.GroupLabel(&v1alpha1.PolicyReference{Kind: it.Policy.Kind, Namespace: it.Policy.Namespace, Name: it.Policy.Name, Rule: it.Rule})
		key := map[string]any{"apiVersion": t.APIVersion, "kind": t.Kind, "name": t.Name, "namespace": nil, "uid": nil}
		if t.Namespace != "" {
			key["namespace"] = t.Namespace
		}
		if t.UID != "" {
			key["uid"] = t.UID
		}
		return busy[targetKey(group, key)]
	})
}
