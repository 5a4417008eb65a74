package scenarios

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"github.com/holdfast-io/holdfast/e2e/controlplane"
)

// unusedRights are rights that the chart gives and that nothing here uses, by VERB GROUP/RESOURCE; a * at the
// end is anything. Each says what it is for.
var unusedRights = []struct{ pattern, why string }{
	{"get core/*", "an object that is audited is read once more when what its verdict rests on has changed, or its time has come"},
	{"get apps/*", "the same"},
	{"get batch/*", "the same"},
	{"get networking.k8s.io/*", "the same"},
	{"get rbac.authorization.k8s.io/*", "the same"},
	{"update kyverno.io/policies/status", "of the kinds of policies there are two here; the status of the others is written alike"},
	{"update policies.kyverno.io/*", "the same"},
	{"delete holdfast.dev/remediations", "those that have ended are deleted after a time"},
	{"patch core/events", "what happens again is counted on the Event that is there"},
	{"create wgpolicyk8s.io/*", "the API server asks for it when an apply makes what was not there, and writes no line about that"},
	{"get wgpolicyk8s.io/*", "a report is read when somebody else has changed it, or it has become too long"},
	{"delete wgpolicyk8s.io/clusterpolicyreports", "nothing is deleted here that is in no namespace"},
	{"delete openreports.io/*", "what was written before reports.api became another"},
	{"update admissionregistration.k8s.io/mutatingwebhookconfigurations", "the bundle here has no mutation with failurePolicy Fail to be switched on"},
	{"delete admissionregistration.k8s.io/*", "a configuration that no policy needs any more"},
	{"update core/secrets", "certificates are renewed after two months"},
}

// grant is one verb on one resource, which its rule may narrow to names.
type grant struct {
	verb, group, resource string
	names                 []string
}

func (g grant) String() string {
	group := g.group
	if group == "" {
		group = "core"
	}
	return g.verb + " " + group + "/" + g.resource
}

// covers reports whether the request was allowed by this grant.
func (g grant) covers(e *auditv1.Event) bool {
	o := e.ObjectRef
	resource := o.Resource
	if o.Subresource != "" {
		resource += "/" + o.Subresource
	}
	named := len(g.names) == 0 || slices.Contains(g.names, o.Name) ||
		slices.ContainsFunc(g.names, func(n string) bool { return strings.Contains(e.RequestURI, "metadata.name%3D"+n) })
	// A reflector lists by a watch that begins with all that is there, unless the API server cannot do that.
	listed := g.verb == "list" && e.Verb == "watch" && strings.Contains(e.RequestURI, "sendInitialEvents=true")
	return (e.Verb == g.verb || listed) && o.APIGroup == g.group && resource == g.resource && named
}

// checkRights reads the API server's audit log: nothing that the account of serve asked for was forbidden, and it has no
// right that it did not use, but for unusedRights.
func checkRights(t *testing.T, cp *controlplane.ControlPlane, rendered string) {
	t.Helper()
	events, err := cp.AuditEvents()
	if err != nil {
		t.Fatal(err)
	}
	var ours []*auditv1.Event
	for i := range events {
		e := &events[i]
		if e.User.Username != "system:serviceaccount:holdfast:holdfast" || e.ObjectRef == nil {
			continue
		}
		ours = append(ours, e)
		if e.ResponseStatus != nil && e.ResponseStatus.Code == http.StatusForbidden {
			t.Errorf("forbidden: %s %s: %s", e.Verb, e.RequestURI, e.ResponseStatus.Message)
		}
	}
	const few = 100
	if len(ours) < few {
		t.Fatalf("only %d requests of the account are in the audit log", len(ours))
	}
	excused := make([]bool, len(unusedRights))
	rules := slices.Concat(must[rbacv1.ClusterRole](t, rendered, "ClusterRole", "holdfast:holdfast").Rules, must[rbacv1.Role](t, rendered, "Role", "holdfast").Rules)
	for _, g := range grants(rules) {
		if slices.ContainsFunc(ours, g.covers) {
			continue
		}
		at := slices.IndexFunc(unusedRights, func(u struct{ pattern, why string }) bool {
			beginning, anything := strings.CutSuffix(u.pattern, "*")
			return g.String() == u.pattern || anything && strings.HasPrefix(g.String(), beginning)
		})
		if at < 0 {
			t.Errorf("nobody used the right to %s %v", g, g.names)
			continue
		}
		excused[at] = true
	}
	for i, used := range excused {
		if !used {
			t.Errorf("the right to %s need not be excused: it is used, or not given", unusedRights[i].pattern)
		}
	}
}

// grants spells rules out.
func grants(rules []rbacv1.PolicyRule) (all []grant) {
	seen := map[string]bool{}
	for _, r := range rules {
		for _, group := range r.APIGroups {
			for _, resource := range r.Resources {
				for _, verb := range r.Verbs {
					g := grant{verb, group, resource, r.ResourceNames}
					if key := fmt.Sprint(g, g.names); !seen[key] {
						seen[key] = true
						all = append(all, g)
					}
				}
			}
		}
	}
	return all
}
