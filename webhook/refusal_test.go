package webhook

import (
	"reflect"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine"
)

func TestRefusalsAreTold(t *testing.T) {
	apps := schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "ReplicaSet"}
	pods := schema.GroupVersionKind{Version: "v1", Kind: "Pod"}
	policy := &engine.Policy{Kind: "ClusterPolicy", Name: "p"}
	rule := &engine.Rule{Policy: policy, Name: "r"}
	denial := &engine.Decision{Policy: policy, Rule: rule, Status: engine.Fail, Action: engine.Enforce, Message: "it says s3cret"}
	controlled := map[string]any{"metadata": map[string]any{"name": "web-x1", "uid": "u", "ownerReferences": []any{
		map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "c"},
		map[string]any{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "o", "controller": true},
	}}}
	tests := map[string]struct {
		req     engine.Request
		private bool
		want    *Refusal
	}{
		"of a new object": {
			engine.Request{Operation: engine.Create, Kind: pods, Namespace: "n", Object: map[string]any{"metadata": map[string]any{"name": "a", "uid": "u"}}}, false,
			&Refusal{Object: ObjectName{pods, "n", "a", ""}, Operation: engine.Create, Messages: []string{"policy p, rule r: it says s3cret"}},
		},
		"of one whose name is to be made": {
			engine.Request{Operation: engine.Create, Kind: pods, Namespace: "n", Object: map[string]any{"metadata": map[string]any{"generateName": "a-"}}}, false,
			&Refusal{Object: ObjectName{pods, "n", "a", ""}, Operation: engine.Create, Messages: []string{"policy p, rule r: it says s3cret"}},
		},
		"of one that a controller makes": {
			engine.Request{Operation: engine.Create, Kind: pods, Namespace: "n", Name: "web-x1", Object: controlled}, false,
			&Refusal{Object: ObjectName{pods, "n", "web-x1", ""}, Owner: &ObjectName{apps, "n", "web", "o"}, Operation: engine.Create, Messages: []string{"policy p, rule r: it says s3cret"}},
		},
		"of one that is deleted": {
			engine.Request{Operation: engine.Delete, Kind: pods, Namespace: "n", Name: "a", OldObject: map[string]any{"metadata": map[string]any{"name": "a", "uid": "u"}}}, false,
			&Refusal{Object: ObjectName{pods, "n", "a", "u"}, Operation: engine.Delete, Messages: []string{"policy p, rule r: it says s3cret"}},
		},
		"of a Secret": {
			engine.Request{Operation: engine.Update, Kind: schema.GroupVersionKind{Version: "v1", Kind: "Secret"}, Namespace: "n", Name: "a", Object: map[string]any{}}, true,
			&Refusal{Object: ObjectName{schema.GroupVersionKind{Version: "v1", Kind: "Secret"}, "n", "a", ""}, Operation: engine.Update, Messages: []string{"policy p, rule r"}},
		},
		"of a dry run": {engine.Request{Operation: engine.Create, Kind: pods, DryRun: true}, false, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got *Refusal
			h := &Handler{opts: Options{Refused: func(r *Refusal) { got = r }}}
			h.tell(&engine.Snapshot{}, &test.req, &findings{denials: []*engine.Decision{denial}, private: test.private})
			if got != nil {
				if len(got.Decisions) != 1 || got.Decisions[0] != denial || got.Request != &test.req {
					t.Errorf("told with the decisions %v on %v", got.Decisions, got.Request)
				}
				got.Decisions, got.Request = nil, nil
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("told %+v, want %+v", got, test.want)
			}
		})
	}
}
