package engine

import (
	"strings"
	"testing"
)

func TestPodSecurity(t *testing.T) {
	const rule = "{rules: [{name: r, " + onPods + "validate: {message: Not here., podSecurity: {level: baseline, exclude: [{controlName: Host Namespaces, restrictedField: spec.hostPID, values: ['true']}]}}}]}"
	s := snapshot(t, clusterPolicy("p", rule))
	for name, c := range map[string]struct {
		object string
		op     Operation
		want   string
	}{
		"a Pod that is allowed":       {"{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {hostPID: true}}", Create, "r pass"},
		"a Pod that is not":           {"{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {hostIPC: true}}", Create, "r fail: Not here. Failed Pod Security Standard baseline:latest: Host Namespaces (spec.hostIPC is true)"},
		"a Pod that is being deleted": {"{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {hostIPC: true}}", Delete, ""},
		"a Pod that cannot be read":   {"{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: []}", Create, "r error: could not be evaluated: reading the Pod: spec is no object"},
		"a template of Pods": {
			"{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {template: {spec: {hostPID: true, hostNetwork: true}}}}", Create,
			"autogen-r fail: Not here. Failed Pod Security Standard baseline:latest: Host Namespaces (spec.template.spec.hostNetwork is true)",
		},
		"a CronJob": {
			"{apiVersion: batch/v1, kind: CronJob, metadata: {name: a}, spec: {jobTemplate: {spec: {template: {spec: {hostNetwork: true}}}}}}", Create,
			"autogen-cronjob-r fail: Not here. Failed Pod Security Standard baseline:latest: Host Namespaces (spec.jobTemplate.spec.template.spec.hostNetwork is true)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			req := asking(t, c.object)
			if req.Operation = c.op; c.op == Delete {
				req.Object, req.OldObject = nil, req.Object
			}
			same(t, "decisions", lines(s.Validate(t.Context(), req, world{}.inputs())), c.want)
		})
	}
}

func TestPodSecurityErrorsHaveTheirPlace(t *testing.T) {
	_, err := tryCompile(t, clusterPolicy("p", "{rules: [{name: r, "+onPods+"validate: {podSecurity: {level: baseline, exclude: [{controlName: Seccomp}, {controlName: Host Ports}]}}}]}"))
	const want = "ClusterPolicy/p: spec.rules[0].validate.podSecurity.exclude[1].images: Host Ports is a control of containers: an exclusion must say of which images"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
