package plan

import (
	"testing"
	"time"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine"
)

func TestAHoldIsRead(t *testing.T) {
	at := func(s string) time.Time {
		u, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	now := at("2026-12-24T12:00:00Z")
	for value, test := range map[string]struct {
		want  Hold
		holds bool
		err   string
	}{
		"2026-12-24T18:00:00Z freeze for the holidays": {Hold{at("2026-12-24T18:00:00Z"), "freeze for the holidays"}, true, ""},
		"2026-12-24T10:00:00+01:00":                    {Hold{at("2026-12-24T10:00:00+01:00"), ""}, false, ""},
		"2026-12-24 until the end of the day":          {Hold{at("2026-12-25T00:00:00Z"), "until the end of the day"}, true, ""},
		"always it is a pet":                           {Hold{time.Time{}, "it is a pet"}, true, ""},
		"tomorrow maybe":                               {Hold{time.Time{}, "tomorrow maybe"}, true, `holdfast.dev/hold: "tomorrow maybe": expected the time until when (2026-12-24T18:00:00Z, or 2026-12-24 for the end of that day in UTC) or "always", and behind a blank the reason`},
	} {
		got, ok, err := HoldOf(map[string]string{v1alpha1.AnnotationHold: value})
		if !ok || !got.Until.Equal(test.want.Until) || got.Reason != test.want.Reason || got.Holds(now) != test.holds {
			t.Errorf("%s: got %+v", value, got)
		}
		if (err == nil) != (test.err == "") || err != nil && err.Error() != test.err {
			t.Errorf("%s: got error %v", value, err)
		}
	}
	if _, ok, err := HoldOf(nil); ok || err != nil {
		t.Errorf("no hold: got %t, %v", ok, err)
	}
}

func TestAnObjectsManagerIsKnown(t *testing.T) {
	for meta, want := range map[string]string{
		"{labels: {helm.toolkit.fluxcd.io/name: shop, helm.toolkit.fluxcd.io/namespace: web, app.kubernetes.io/managed-by: Helm}, annotations: {meta.helm.sh/release-name: shop}}": "Flux HelmRelease web/shop",
		"{labels: {kustomize.toolkit.fluxcd.io/name: apps, kustomize.toolkit.fluxcd.io/namespace: flux-system}}":                                                                   "Flux Kustomization flux-system/apps",
		"{annotations: {argocd.argoproj.io/tracking-id: 'shop:apps/Deployment:web/shop'}}":                                                                                         "ArgoCD Application shop",
		"{labels: {argocd.argoproj.io/instance: shop}}":                                                                                                                            "ArgoCD Application shop",
		"{managedFields: [{manager: kubectl}, {manager: argocd-controller}]}":                                                                                                      "ArgoCD ",
		"{managedFields: [{manager: kustomize-controller}]}":                                                                                                                       "Flux ",
		"{managedFields: [{manager: kustomize-controller, subresource: status}]}":                                                                                                  "",
		"{labels: {app.kubernetes.io/managed-by: Helm}}":                                                                                                                           "",
		"{labels: {app.kubernetes.io/instance: shop, app.kubernetes.io/managed-by: kyle}}":                                                                                         "",
	} {
		got := ""
		if m := ManagerOf(object(t, "{metadata: "+meta+"}")); m != nil {
			got = m.Tool + " " + m.Source
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", meta, got, want)
		}
	}
}

func TestModesOfPoliciesAndNamespaces(t *testing.T) {
	for value, want := range map[string][2]v1alpha1.Mode{
		"": {v1alpha1.Propose, v1alpha1.Enforce}, "approve": {v1alpha1.Approve, v1alpha1.Approve}, "nonsense": {v1alpha1.Report, v1alpha1.Report},
	} {
		annotations := map[string]string{v1alpha1.AnnotationReconcile: value}
		if value == "" {
			annotations = nil
		}
		if got := PolicyMode(&engine.Policy{Annotations: annotations}); got != want[0] {
			t.Errorf("policy with %q: got %s", value, got)
		}
		if got := NamespaceMode(annotations); got != want[1] {
			t.Errorf("namespace with %q: got %s", value, got)
		}
	}
}
