package engine

import (
	"strings"
	"testing"
)

func TestConsequences(t *testing.T) {
	generating := func(spec, match, data string) string {
		return clusterPolicy("p", "{"+spec+"rules: [{name: r, match: {any: [{resources: {kinds: [ConfigMap]}"+match+"}]}, generate: {apiVersion: v1, kind: ConfigMap, name: twin, namespace: shop, data: {data: {a: '"+data+"'}}}}]}")
	}
	const made = "create ConfigMap shop/twin"
	for name, c := range map[string]struct{ policy, want string }{
		"a rule that the audit carries out":  {generating("", "", "b"), ""},
		"one whose policy is off at rest":    {generating("background: false, ", "", "b"), "r pass: " + made},
		"one that reads who asks":            {generating("", "", "{{ request.userInfo.username }}"), "r pass: " + made},
		"one that matches by who asks":       {generating("", ", subjects: [{kind: User, name: jane}]", "b"), "r pass: " + made},
		"one that does not match who asks":   {generating("", ", subjects: [{kind: User, name: joe}]", "b"), ""},
		"one whose policy is off for writes": {generating("admission: false, background: false, ", "", "b"), ""},
		"targets of a policy off at rest": {
			strings.Replace(targeting("{apiVersion: apps/v1, kind: Deployment, name: c}", "patchStrategicMerge: {metadata: {labels: {a: b}}}"), "spec: {", "spec: {background: false, ", 1), "r pass: mutated",
		},
		"one that cannot be told": {generating("background: false, ", "", "{{ request.object.nothing }}"), `r error: could not be evaluated: `},
	} {
		t.Run(name, func(t *testing.T) {
			s := snapshot(t, c.policy)
			req := asking(t, trigger)
			got := lines(s.Consequences(t.Context(), req, deployments(t).inputs()))
			if strings.HasSuffix(c.want, ": ") && strings.HasPrefix(got, c.want) {
				return
			}
			same(t, "decisions", got, c.want)
			if has := s.HasConsequences(&Resource{Kind: req.Kind}, Create); has != (c.want != "") && !strings.Contains(name, "does not match") && !strings.Contains(name, "off for writes") {
				t.Errorf("has consequences: %t", has)
			}
			if s.HasConsequences(&Resource{Kind: req.Kind, SubResource: "status"}, Create) {
				t.Error("a write of the status has consequences")
			}
		})
	}
}

// Rules that follow what rules have written would follow one another for ever.
func TestOwnWritesHaveNoConsequences(t *testing.T) {
	policy := strings.Replace(targeting("{apiVersion: apps/v1, kind: Deployment, name: c}", "patchStrategicMerge: {metadata: {labels: {a: b}}}"), "spec: {", "spec: {background: false, ", 1)
	req := asking(t, trigger)
	req.Own = true
	same(t, "decisions", lines(snapshot(t, policy).Consequences(t.Context(), req, deployments(t).inputs())), "")
	policy = strings.Replace(policy, "name: r,", "name: r, skipBackgroundRequests: false,", 1)
	same(t, "decisions where it is asked for", lines(snapshot(t, policy).Consequences(t.Context(), req, deployments(t).inputs())), "r pass: mutated")
}

func TestARuleOnASubresourceFollowsRequests(t *testing.T) {
	s := snapshot(t, clusterPolicy("p", "{rules: [{name: r, match: {any: [{resources: {kinds: [v1/Pod.status]}}]}, generate: {apiVersion: v1, kind: ConfigMap, name: twin, namespace: shop, data: {data: {a: b}}}}]}"))
	req := asking(t, twoContainers)
	req.SubResource, req.Operation = "status", Update
	if !s.HasConsequences(&Resource{Kind: req.Kind, SubResource: "status"}, Update) || s.HasConsequences(&Resource{Kind: req.Kind}, Update) {
		t.Error("the rule does not follow writes of the status, or follows others")
	}
	same(t, "decisions", lines(s.Consequences(t.Context(), req, deployments(t).inputs())), "r pass: create ConfigMap shop/twin")
}
