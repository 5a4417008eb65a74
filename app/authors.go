package app

import (
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/audit"
	"github.com/holdfast-io/holdfast/bundle/live"
	"github.com/holdfast-io/holdfast/reconcile/approval"
	"github.com/holdfast-io/holdfast/webhook"
)

// authors find out who edited a policy last: by what admission remembers, and beyond that, such as after a restart, by the ledger.
// What neither knows is not known: a write from while the webhook was away, or a policy that comes from a file. The names in
// managedFields are those of programs, and whoever writes chooses them, so that they prove nothing.
type authors struct {
	client dynamic.Interface
	served interface{ Resources() []webhook.Resource }
	writes audit.Writes
	record interface {
		// editor gives who wrote a policy as it stands now; empty if it is not on record.
		editor(ctx context.Context, policy *unstructured.Unstructured) (string, error)
	}
}

// LastEditor reads the policy and asks whose write left it so. It lists, which is the right that whoever takes policies up has.
func (a authors) LastEditor(ctx context.Context, policy *v1alpha1.PolicyReference) (string, error) {
	resource, ok := a.resource(policy)
	if !ok {
		return "", fmt.Errorf("%w: the cluster has no policies of kind %s", approval.ErrUnknownAuthor, policy.Kind)
	}
	only := fields.OneTermEqualSelector(metav1.ObjectNameField, policy.Name).String()
	list, err := a.client.Resource(resource).Namespace(policy.Namespace).List(ctx, metav1.ListOptions{FieldSelector: only})
	if err != nil {
		return "", fmt.Errorf("reading it: %w", err)
	}
	at := slices.IndexFunc(list.Items, func(u unstructured.Unstructured) bool { return u.GetName() == policy.Name })
	if at < 0 {
		return "", fmt.Errorf("%w: the policy comes from a file", approval.ErrUnknownAuthor)
	}
	object := &list.Items[at]
	write, _ := a.writes.Of(ctx, audit.Trace{UID: string(object.GetUID()), Generation: object.GetGeneration(), Newest: newestWrite(object)})
	if write != nil && write.User != "" {
		return write.User, nil
	}
	editor, err := a.record.editor(ctx, object)
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: nobody remembers its last write, and the ledger cannot be asked: %w", approval.ErrUnknownAuthor, err)
	case editor == "":
		return "", fmt.Errorf("%w: nobody remembers its last write, and it is not in the ledger; to write it again makes it known", approval.ErrUnknownAuthor)
	}
	return editor, nil
}

// resource finds the policies of a kind among those that are taken up.
func (a authors) resource(policy *v1alpha1.PolicyReference) (schema.GroupVersionResource, bool) {
	types, served := live.Types(), a.served.Resources()
	at := slices.IndexFunc(served, func(r webhook.Resource) bool {
		return r.Kind == policy.Kind && r.SubResource == "" && slices.Contains(types, schema.GroupVersionResource{Group: r.Group, Version: r.Version, Resource: r.Name})
	})
	if at < 0 {
		return schema.GroupVersionResource{}, false
	}
	return schema.GroupVersionResource{Group: served[at].Group, Version: served[at].Version, Resource: served[at].Name}, true
}

// newestWrite is the newest time in managedFields, apart from those of status, as they write it.
func newestWrite(object *unstructured.Unstructured) string {
	newest := ""
	for _, f := range object.GetManagedFields() {
		if f.Subresource == "status" || f.Time == nil {
			continue
		}
		newest = max(newest, f.Time.UTC().Format("2006-01-02T15:04:05Z"))
	}
	return newest
}
