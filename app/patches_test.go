package app

import (
	"strings"
	"testing"

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
