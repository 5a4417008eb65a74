package webhook

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/holdfast-io/holdfast/engine"
)

// Who changes what a policy says is told, and who is refused; not who labels one, nor a dry run, nor who breaks the glass.
func TestWritesOfPoliciesAreTold(t *testing.T) {
	const (
		good    = `{"metadata": {"name": "p", "generation": 1}, "spec": {}}`
		another = `{"metadata": {"name": "p", "generation": 2, "managedFields": [{"time": "2026-05-04T12:00:00Z"}]}, "spec": {"a": 1}}`
		labeled = `{"metadata": {"name": "p", "labels": {"a": "b"}}, "spec": {}}`
		broken  = `{"metadata": {"name": "p"}, "spec": {"problems": 2}}`
	)
	for name, test := range map[string]struct {
		operation, user, dryRun, old, object string
		want                                 string
	}{
		"a new one":               {"CREATE", "ana", "false", "null", good, "written by ana: 1, without managedFields"},
		"another text":            {"UPDATE", "ana", "false", good, another, "written by ana: 2, with managedFields"},
		"a label":                 {"UPDATE", "ana", "false", good, labeled, ""},
		"a dry run":               {"CREATE", "ana", "true", "null", good, ""},
		"a broken one":            {"CREATE", "ana", "false", "null", broken, "refused ana: spec.rules[0]: is wrong; spec.rules[1]: is wrong"},
		"a dry run of one":        {"CREATE", "ana", "true", "null", broken, ""},
		"one that goes":           {"DELETE", "ana", "false", good, "null", ""},
		"who may break the glass": {"CREATE", "root", "false", "null", broken, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var told []string
			h, err := NewPolicyHandler(PolicyOptions{
				Checker: checker{}, BreakGlass: BreakGlass{Users: []string{"root"}},
				Written: func(req *engine.Request) {
					meta := req.Object["metadata"].(map[string]any)
					fields := "without"
					if meta["managedFields"] != nil { // which the checker takes away
						fields = "with"
					}
					told = append(told, fmt.Sprintf("written by %s: %v, %s managedFields", req.User.Username, meta["generation"], fields))
					if req.Object["spec"] != nil {
						t.Error("the whole object is told")
					}
				},
				Refused: func(req *engine.Request, problems []engine.Problem) {
					var texts []string
					for _, p := range problems {
						texts = append(texts, p.String())
					}
					told = append(told, "refused "+req.User.Username+": "+strings.Join(texts, "; "))
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			d := policyDoor{PolicyHandler: h}
			w := d.send(http.MethodPost, "application/json", fmt.Sprintf(`{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "u", "operation": %q, "dryRun": %s,
				"userInfo": {"username": %q}, "kind": {"group": "kyverno.io", "version": "v1", "kind": "ClusterPolicy"}, "oldObject": %s, "object": %s}}`, test.operation, test.dryRun, test.user, test.old, test.object))
			if w.Code != http.StatusOK {
				t.Fatalf("HTTP status %d: %s", w.Code, w.Body)
			}
			if got := strings.Join(told, "; "); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
