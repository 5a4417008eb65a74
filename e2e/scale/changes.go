package scale

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"golang.org/x/sync/errgroup"
)

// driftImage comes from a registry that hardly anybody allows, with a tag that moves. A Pod takes another image; of the
// rest it takes little.
const driftImage = "docker.io/somebody/else:latest"

// write sends writes at an even rate, each at its time whatever became of those before.
func write(ctx context.Context, rate int, objects []object, send func(context.Context, int, object) error) error {
	group, ctx := errgroup.WithContext(ctx)
	ticker := time.NewTicker(time.Second / time.Duration(rate))
	defer ticker.Stop()
	for i, o := range objects {
		select {
		case <-ctx.Done():
			return group.Wait()
		case <-ticker.C:
		}
		group.Go(func() error { return send(ctx, i, o) })
	}
	return group.Wait()
}

// drift gives the workload an image that it should not have.
func drift(ctx context.Context, client rest.Interface, o object) error {
	at := "/spec/containers/0/image"
	if o.resource.Resource != "pods" {
		at = "/spec/template" + at
	}
	return patch(ctx, client, o, types.JSONPatchType, []any{map[string]any{"op": "replace", "path": at, "value": driftImage}})
}

// heartbeat writes the status of an object, as controllers and kubelets do all the time.
func heartbeat(ctx context.Context, client rest.Interface, n int, o object) error {
	status := map[string]any{"observedGeneration": n + 1} // none is the first already
	if o.resource.Resource == "pods" {
		status = map[string]any{"message": fmt.Sprintf("heartbeat %d", n)}
	}
	return patch(ctx, client, o, types.MergePatchType, map[string]any{"status": status}, "status")
}

func patch(ctx context.Context, client rest.Interface, o object, how types.PatchType, what any, subresource ...string) error {
	body, err := json.Marshal(what)
	if err == nil {
		at := path(o.resource, o.namespace, append([]string{o.name}, subresource...)...)
		err = client.Patch(how).AbsPath(at).Body(body).Do(ctx).Error()
	}
	if err != nil {
		return fmt.Errorf("change %s %s/%s: %w", o.resource.Resource, o.namespace, o.name, err)
	}
	return nil
}

var clusterPolicies = schema.GroupVersionResource{Group: "kyverno.io", Version: "v1", Resource: "clusterpolicies"}

// The policies that are applied while holdfast runs. Nobody complies with them, so that each object of their kinds gets
// another report.
const (
	policyOnServices   = "scale-services"
	policyOnEverything = "scale-everything"
)

// applyPolicy applies a policy on some kinds.
func applyPolicy(ctx context.Context, client rest.Interface, name string, kinds ...string) error {
	body, err := json.Marshal(map[string]any{
		"apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy", "metadata": map[string]any{"name": name},
		"spec": map[string]any{"background": true, "validationFailureAction": "Audit", "rules": []any{map[string]any{
			"name": "label", "match": map[string]any{"any": []any{map[string]any{"resources": map[string]any{"kinds": kinds}}}},
			"validate": map[string]any{"message": "the label is missing", "pattern": map[string]any{
				"metadata": map[string]any{"labels": map[string]any{"example.com/" + name: "?*"}},
			}},
		}}},
	})
	if err == nil {
		err = client.Post().AbsPath(path(clusterPolicies, "")).SetHeader("Content-Type", "application/json").Body(body).Do(ctx).Error()
	}
	if err != nil {
		return fmt.Errorf("apply policy %s: %w", name, err)
	}
	return nil
}
