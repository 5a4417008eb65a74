package chainsaw

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

// Types finds the resource of a kind: client-go's deferred REST mapper.
type Types interface {
	RESTMapping(kind schema.GroupKind, versions ...string) (*meta.RESTMapping, error)
	// Reset forgets what the server served.
	Reset()
}

// made is an object that the test made.
type made struct {
	client dynamic.ResourceInterface
	kind   string
	name   string
}

// client gives the way to an object, in the test's namespace if it names none.
func (r *run) client(u *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	kind := u.GroupVersionKind()
	mapping, err := r.Types.RESTMapping(kind.GroupKind(), kind.Version)
	if meta.IsNoMatchError(err) {
		r.Types.Reset()
		mapping, err = r.Types.RESTMapping(kind.GroupKind(), kind.Version)
	}
	if err != nil {
		return nil, err
	}
	if mapping.Scope.Name() == meta.RESTScopeNameRoot {
		return r.Client.Resource(mapping.Resource), nil
	}
	if u.GetNamespace() == "" {
		u.SetNamespace(r.namespace)
	}
	return r.Client.Resource(mapping.Resource).Namespace(u.GetNamespace()), nil
}

func (r *run) create(ctx context.Context, u *unstructured.Unstructured) error {
	client, err := r.client(u)
	if err != nil {
		return err
	}
	out, err := client.Create(ctx, u, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	r.made = append(r.made, made{client, u.GetKind(), out.GetName()})
	return nil
}

// apply merges an object into the one that is there, or creates it.
func (r *run) apply(ctx context.Context, u *unstructured.Unstructured) error {
	if u.GetName() != "" {
		client, err := r.client(u)
		if err != nil {
			return err
		}
		if _, err := client.Get(ctx, u.GetName(), metav1.GetOptions{}); err == nil {
			return r.patch(ctx, u)
		}
	}
	return r.create(ctx, u)
}

func (r *run) patch(ctx context.Context, u *unstructured.Unstructured) error {
	client, err := r.client(u)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(u.Object)
	if err != nil {
		return err
	}
	_, err = client.Patch(ctx, u.GetName(), types.MergePatchType, raw, metav1.PatchOptions{})
	return err
}

func (r *run) delete(ctx context.Context, d *Deletion) error {
	u := &unstructured.Unstructured{}
	u.SetAPIVersion(d.Ref.APIVersion)
	u.SetKind(d.Ref.Kind)
	u.SetNamespace(d.Ref.Namespace)
	client, err := r.client(u)
	if err != nil {
		return err
	}
	if err := client.Delete(ctx, d.Ref.Name, metav1.DeleteOptions{}); err != nil {
		return fmt.Errorf("delete %s %s: %w", d.Ref.Kind, d.Ref.Name, err)
	}
	return r.until(ctx, d.Timeout, r.Patience, func(ctx context.Context) error { return gone(ctx, client, d.Ref.Name) })
}

func gone(ctx context.Context, client dynamic.ResourceInterface, name string) error {
	_, err := client.Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return err
	default:
		return errors.New("it is still there")
	}
}

// missing says why no object is as wanted.
func (r *run) missing(ctx context.Context, wanted *unstructured.Unstructured) error {
	candidates, err := r.candidates(ctx, wanted)
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		if made, standInErr := r.standIn(ctx, wanted); made {
			return standInErr
		}
	}
	if err != nil {
		return err
	}
	said := "there is none"
	for i := range candidates {
		problem := differs(wanted.Object, candidates[i].Object, "")
		if problem == "" {
			problem = unseen(&candidates[i], wanted)
		}
		if problem == "" {
			return nil
		}
		// Of several, the one that is meant tells most.
		if meant := differs(wanted.Object["metadata"], candidates[i].Object["metadata"], "") == ""; meant || i == 0 {
			said = problem
		}
	}
	return errors.New(said)
}

// unseen says when a status that is asked for is that of an older version: a test that changes a policy and waits for it to
// be ready means the change.
func unseen(u, wanted *unstructured.Unstructured) string {
	if wanted.Object["status"] == nil {
		return ""
	}
	conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	ofCEL, _, _ := unstructured.NestedSlice(u.Object, "status", "conditionStatus", "conditions")
	for _, c := range append(conditions, ofCEL...) {
		condition, _ := c.(map[string]any)
		if seen, ok := condition["observedGeneration"].(int64); ok && seen != 0 && seen != u.GetGeneration() {
			return fmt.Sprintf("the condition %v is of generation %d, and it is %d", condition["type"], seen, u.GetGeneration())
		}
	}
	return ""
}

// present says that an object is as it should not be.
func (r *run) present(ctx context.Context, unwanted *unstructured.Unstructured) error {
	candidates, err := r.candidates(ctx, unwanted)
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for i := range candidates {
		if differs(unwanted.Object, candidates[i].Object, "") == "" {
			return fmt.Errorf("%s is there", candidates[i].GetName())
		}
	}
	return nil
}

// candidates are the object of that name, or without a name all that have the labels.
func (r *run) candidates(ctx context.Context, u *unstructured.Unstructured) ([]unstructured.Unstructured, error) {
	u = u.DeepCopy()
	client, err := r.client(u)
	if err != nil {
		return nil, err
	}
	if u.GetName() == "" {
		list, err := client.List(ctx, metav1.ListOptions{LabelSelector: labels.SelectorFromSet(u.GetLabels()).String()})
		if err != nil {
			return nil, err
		}
		return list.Items, nil
	}
	found, err := client.Get(ctx, u.GetName(), metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return []unstructured.Unstructured{*found}, nil
}

// cleanUp deletes what the test made, the last first, and waits for it to be gone: policies would judge the next test, and
// namespaces refuse its objects.
func (r *run) cleanUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	grace, background := int64(0), metav1.DeletePropagationBackground
	for _, m := range slices.Backward(r.made) {
		// What is gone already, or stays, is no verdict on the test.
		_ = m.client.Delete(ctx, m.name, metav1.DeleteOptions{GracePeriodSeconds: &grace, PropagationPolicy: &background})
		// The namespace of this test alone is nobody else's. Others have names that the next test may use again.
		if m.name != r.namespace {
			_ = r.until(ctx, "10s", 0, func(ctx context.Context) error { return gone(ctx, m.client, m.name) })
		}
	}
}
