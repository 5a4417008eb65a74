package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/engine/mutate"
	"github.com/holdfast-io/holdfast/report"
)

func TestPatchName(t *testing.T) {
	for want, r := range map[string]report.Resource{
		"pod_n_a":                   {APIVersion: "v1", Kind: "Pod", Namespace: "n", Name: "a"},
		"deployment.apps_n_a.b":     {APIVersion: "apps/v1", Kind: "Deployment", Namespace: "n", Name: "a.b"},
		"namespace_a":               {APIVersion: "v1", Kind: "Namespace", Name: "a"},
		"patch-pod_n_..-a-48b1afc8": {APIVersion: "v1", Kind: "Pod", Namespace: "n", Name: "../a"},
		"patch-pod_n_a-b-4d2d4037":  {APIVersion: "v1", Kind: "Pod", Namespace: "n", Name: "A:b"},
		"patch-..-x_n_a-72a8a813":   {APIVersion: "v1", Kind: "../x", Namespace: "n", Name: "a"},
		"patch-pod_n_" + strings.Repeat("x", 174) + "-7c0ec64a": {APIVersion: "v1", Kind: "Pod", Namespace: "n", Name: strings.Repeat("x", 300)},
	} {
		if got := patchName(r); got != want {
			t.Errorf("%v:\n got %s\nwant %s", r, got, want)
		}
	}
}

func TestKubectl(t *testing.T) {
	for want, r := range map[string]report.Resource{
		"kubectl patch pod/a --namespace=n --type=json --patch-file=f.json":                {APIVersion: "v1", Kind: "Pod", Namespace: "n", Name: "a"},
		"kubectl patch deployment.v1.apps/a --namespace=n --type=json --patch-file=f.json": {APIVersion: "apps/v1", Kind: "Deployment", Namespace: "n", Name: "a"},
		"kubectl patch node/a --type=json --patch-file=f.json":                             {APIVersion: "v1", Kind: "Node", Name: "a"},
		"kubectl patch 'pod/a; rm x' '--namespace=$(id)' --type=json --patch-file=f.json":  {APIVersion: "v1", Kind: "Pod", Namespace: "$(id)", Name: "a; rm x"},
		`kubectl patch 'pod/'\''a' --type=json --patch-file=f.json`:                        {APIVersion: "v1", Kind: "Pod", Name: "'a"},
	} {
		if got := kubectl(r, "f.json"); got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
	}
}

func TestPatchesOfWhatRulesWantOfOtherObjects(t *testing.T) {
	core := func(kind string) schema.GroupVersionKind { return schema.GroupVersionKind{Version: "v1", Kind: kind} }
	create := engine.Change{Action: engine.CreateObject, Kind: core("ConfigMap"), Namespace: "shop", Name: "a", Object: map[string]any{"kind": "ConfigMap"}}
	drifted := func(subject string, changes ...engine.Change) Judged {
		return Judged{
			Subject:  report.Subject{Resource: report.Resource{APIVersion: "v1", Kind: "Namespace", Name: subject}},
			Mutation: engine.Mutation{Decisions: []engine.Decision{{Status: engine.Fail, Changes: changes}}},
		}
	}
	folder := filepath.Join(t.TempDir(), "p")
	var notes strings.Builder
	err := writePatches(folder, []Judged{
		drifted("z", create), // as the next one wants it
		drifted("shop", create,
			engine.Change{Action: engine.UpdateObject, Kind: core("ConfigMap"), Namespace: "shop", Name: "b", Patch: []mutate.Operation{{Op: "remove", Path: "/data/c"}}},
			engine.Change{Action: engine.CreateObject, Kind: core("Secret"), Namespace: "shop", Name: "c", Object: map[string]any{"data": map[string]any{"a": "b"}}},
			engine.Change{Action: engine.UpdateObject, Kind: core("ConfigMap"), Namespace: "shop", Name: "as-it-should-be"},
		),
	}, &notes)
	if err != nil {
		t.Fatal(err)
	}
	want := "kubectl create --filename=DIR/configmap_shop_a.json\n" +
		"kubectl patch configmap/b --namespace=shop --type=json --patch-file=DIR/configmap_shop_b.json\n" +
		"no patch file for Secret shop/c: it would hold values of a Secret\n"
	if got := strings.ReplaceAll(notes.String(), folder, "DIR"); got != want {
		t.Errorf("notes:\n got %s\nwant %s", got, want)
	}
	files, err := os.ReadDir(folder)
	if err != nil || len(files) != 2 {
		t.Errorf("%v, files %v", err, files)
	}
	for name, want := range map[string]string{
		"configmap_shop_a.json": "{\n  \"kind\": \"ConfigMap\"\n}\n",
		"configmap_shop_b.json": "[\n  {\n    \"op\": \"remove\",\n    \"path\": \"/data/c\"\n  }\n]\n",
	} {
		if got, err := os.ReadFile(filepath.Join(folder, name)); err != nil || string(got) != want {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}
