package app

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-io/holdfast/audit"
	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/report"
	"github.com/holdfast-io/holdfast/webhook"
)

func TestWhereARefusalIsTold(t *testing.T) {
	pod := webhook.ObjectName{Kind: schema.GroupVersionKind{Version: "v1", Kind: "Pod"}, Namespace: "n", Name: "web-x1"}
	owner := &webhook.ObjectName{Kind: schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "ReplicaSet"}, Namespace: "n", Name: "web", UID: "o"}
	for name, test := range map[string]struct {
		refusal webhook.Refusal
		on      string
		message string
	}{
		"a new object": {
			webhook.Refusal{Object: pod, Operation: engine.Create, Messages: []string{"policy p: no"}},
			"v1 Pod n/web-x1", "create refused: policy p: no",
		},
		"several rules": {
			webhook.Refusal{Object: pod, Operation: engine.Update, Messages: []string{"policy p: no", "policy q: neither"}},
			"v1 Pod n/web-x1", "update refused: 2 rules: policy p: no; policy q: neither",
		},
		"of a controller, with the same words each time": {
			webhook.Refusal{Object: pod, Owner: owner, Operation: engine.Create, Messages: []string{"policy p: no"}},
			"apps/v1 ReplicaSet n/web", "create of Pod refused: policy p: no",
		},
		"of a controller, of one that exists": {
			webhook.Refusal{Object: pod, Owner: owner, Operation: engine.Update, Messages: []string{"policy p: no"}},
			"apps/v1 ReplicaSet n/web", "update of Pod web-x1 refused: policy p: no",
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := refusal(&test.refusal)
			on := e.Object.APIVersion + " " + e.Object.Kind + " " + e.Object.Namespace + "/" + e.Object.Name
			if on != test.on || e.Message != test.message || e.Reason != "PolicyDenied" {
				t.Errorf("told on %s, %s: %q; want on %s: %q", on, e.Reason, e.Message, test.on, test.message)
			}
		})
	}
}

func TestWhatIsNewIsTold(t *testing.T) {
	finding := func(kind string, news ...bool) *audit.Finding {
		f := &audit.Finding{Object: audit.Object{Kind: schema.GroupVersionKind{Version: "v1", Kind: kind}, Namespace: "n", Name: "a"}}
		for _, n := range news {
			f.Origins = append(f.Origins, audit.Origin{Slip: audit.SlipUnknown, JustSettled: n})
		}
		return f
	}
	results := []report.Result{{Policy: "p", Rule: "r", Message: "no"}, {Policy: "q", Message: "neither"}}
	for name, test := range map[string]struct {
		finding *audit.Finding
		want    string
	}{
		"nothing":     {finding("Pod", false, false), ""},
		"no finding":  {finding("Pod"), ""},
		"one":         {finding("Pod", false, true), "policy q: neither"},
		"two":         {finding("Pod", true, true), "2 rules: policy p, rule r: no; policy q: neither"},
		"of a Secret": {finding("Secret", true, false), "policy p, rule r"},
	} {
		t.Run(name, func(t *testing.T) {
			e, ok := violation(test.finding, results)
			if ok != (test.want != "") || e.Message != test.want {
				t.Errorf("told %q (%v), want %q", e.Message, ok, test.want)
			}
		})
	}
}
