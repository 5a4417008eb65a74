package report

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/engine/mutate"
)

func TestChangesOfOtherObjectsAreReportedWithoutTheValuesOfSecrets(t *testing.T) {
	core := func(kind string) schema.GroupVersionKind { return schema.GroupVersionKind{Version: "v1", Kind: kind} }
	namespace := Subject{Resource: Resource{APIVersion: "v1", Kind: "Namespace", Name: "shop"}}
	made := func(kind string, data map[string]any) map[string]any {
		return map[string]any{"apiVersion": "v1", "kind": kind, "metadata": map[string]any{"name": "x", "labels": map[string]any{"of": "hunter2"}}, "data": data}
	}
	old := made("Secret", map[string]any{"password": "b2xkLXBhc3N3b3Jk"})
	for sentence, c := range map[string]struct {
		subject Subject
		change  engine.Change
		want    string
	}{
		"an object that is to be created is shown": {
			namespace, engine.Change{Action: engine.CreateObject, Kind: core("ConfigMap"), Namespace: "shop", Name: "x", Object: made("ConfigMap", map[string]any{"a": "b"})},
			`[{"action":"create","apiVersion":"v1","kind":"ConfigMap","namespace":"shop","name":"x","object":{"apiVersion":"v1","data":{"a":"b"},"kind":"ConfigMap","metadata":{"labels":{"of":"hunter2"},"name":"x"}}}]`,
		},
		"of an update only the patch is": {
			namespace, engine.Change{
				Action: engine.UpdateObject, Kind: schema.GroupVersionKind{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRole"}, Name: "x",
				Object: map[string]any{"rules": []any{}}, Current: map[string]any{}, Patch: []mutate.Operation{{Op: "add", Path: "/rules", Value: []any{}}},
			},
			`[{"action":"update","apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRole","name":"x","patch":[{"op":"add","path":"/rules","value":[]}]}]`,
		},
		"of a Secret that is to be created no value is": {
			namespace, engine.Change{Action: engine.CreateObject, Kind: core("Secret"), Namespace: "shop", Name: "x", Object: made("Secret", map[string]any{"password": "aHVudGVyMg=="})},
			`[{"action":"create","apiVersion":"v1","kind":"Secret","namespace":"shop","name":"x","object":{"apiVersion":"v1","data":{"password":"[redacted]"},"kind":"Secret","metadata":{"labels":{"of":"[redacted]"},"name":"x"}}}]`,
		},
		"of a Secret that is to be updated neither the new nor the old value is": {
			namespace, engine.Change{
				Action: engine.UpdateObject, Kind: core("Secret"), Namespace: "shop", Name: "x", Object: made("Secret", map[string]any{"password": "aHVudGVyMg=="}), Current: old,
				Patch: []mutate.Operation{{Op: "replace", Path: "/data/password", Value: "aHVudGVyMg=="}, {Op: "add", Path: "/metadata/annotations", Value: map[string]any{"was": "old-password"}}},
			},
			`[{"action":"update","apiVersion":"v1","kind":"Secret","namespace":"shop","name":"x","patch":[{"op":"replace","path":"/data/password","value":"[redacted]"},{"op":"add","path":"/metadata/annotations","value":{"was":"[redacted]"}}]}]`,
		},
		"what is made from a Secret shows none of its values": {
			secret(), engine.Change{Action: engine.CreateObject, Kind: core("ConfigMap"), Namespace: "n", Name: "x", Object: map[string]any{"kind": "ConfigMap", "spec": map[string]any{"of": "hunter2"}, "data": map[string]any{"a": "b"}}},
			`[{"action":"create","apiVersion":"v1","kind":"ConfigMap","namespace":"n","name":"x","object":{"data":{"a":"[redacted]"},"kind":"ConfigMap","spec":{"of":"[redacted]"}}}]`,
		},
		"an object that is to be deleted is named": {
			namespace, engine.Change{Action: engine.DeleteObject, Kind: core("ConfigMap"), Namespace: "shop", Name: "x", Current: made("ConfigMap", nil)},
			`[{"action":"delete","apiVersion":"v1","kind":"ConfigMap","namespace":"shop","name":"x"}]`,
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			p := &engine.Policy{Name: "p", Scored: true}
			d := &engine.Decision{Policy: p, Rule: &engine.Rule{Policy: p, Name: "r", Kind: engine.Generate}, Status: engine.Fail, Changes: []engine.Change{c.change}}
			if got := FromDecision(d, c.subject).Properties[PropertyChanges]; got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
			if got, want := SecretChange(c.subject, &c.change), strings.Contains(c.want, "[redacted]"); got != want {
				t.Errorf("it holds values of a Secret: %t, want %t", got, want)
			}
		})
	}
}

func TestChangesThatAreTooLongAreLeftOut(t *testing.T) {
	p := &engine.Policy{Name: "p"}
	d := &engine.Decision{Policy: p, Rule: &engine.Rule{Policy: p, Name: "r", Kind: engine.Generate}, Status: engine.Fail, Changes: []engine.Change{
		{Action: engine.CreateObject, Kind: schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, Name: "x", Object: map[string]any{"a": strings.Repeat("x", maxPatch)}},
	}}
	got := FromDecision(d, Subject{}).Properties
	if got[PropertyChanges] != "" || got[PropertyChangesOmitted] != "it has 131159 bytes, a report takes 131072" {
		t.Errorf("the property is %d bytes long, omitted: %s", len(got[PropertyChanges]), got[PropertyChangesOmitted])
	}
}
