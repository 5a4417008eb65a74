package engine

import (
	"slices"
	"strings"
	"testing"
)

func TestAMutatingPolicyOnPodsIsMadeForTheirControllers(t *testing.T) {
	const hardened = `Object{spec: Object.spec{containers: object.spec.containers.map(c, Object.spec.containers{name: c.name, securityContext: Object.spec.containers.securityContext{privileged: false}})}}`
	pods := onResources("", "pods")
	const template = "{metadata: {labels: {app: web}}, spec: {containers: [{name: web}]}}"
	deployment := "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {template: " + template + "}}"
	cronJob := "{apiVersion: batch/v1, kind: CronJob, metadata: {name: web}, spec: {jobTemplate: {spec: {template: " + template + "}}}}"
	for name, c := range map[string]struct{ spec, object, want string }{
		"a Deployment": {pods + applying(hardened), deployment,
			"a pass: mutated\n" + `[{"op":"add","path":"/spec/template/spec/containers/0/securityContext","value":{"privileged":false}}]`},
		"a CronJob": {pods + applying(hardened), cronJob,
			"a pass: mutated\n" + `[{"op":"add","path":"/spec/jobTemplate/spec/template/spec/containers/0/securityContext","value":{"privileged":false}}]`},
		"metadata is the template's": {pods + applying(`Object{metadata: Object.metadata{labels: {"x": object.metadata.labels.app, "of": object.metadata.name}}}`), deployment,
			"a pass: mutated\n" + `[{"op":"add","path":"/spec/template/metadata/labels/of","value":"web"},{"op":"add","path":"/spec/template/metadata/labels/x","value":"web"}]`},
		"variables and conditions too": {pods + "variables: [{name: all, expression: object.spec.containers}]\nmatchConditions: [{name: c, expression: object.metadata.labels.app == 'web'}]\n" +
			applying(`Object{spec: Object.spec{containers: variables.all.map(c, Object.spec.containers{name: c.name, image: "x"})}}`), deployment,
			"a pass: mutated\n" + `[{"op":"add","path":"/spec/template/spec/containers/0/image","value":"x"}]`},
		"not by a JSONPatch":                {pods + patching(`[JSONPatch{op: "add", path: "/spec/hostNetwork", value: false}]`), deployment, "null"},
		"not if it names others":            {pods + "autogen: {podControllers: {controllers: [jobs]}}\n" + applying(hardened), deployment, "null"},
		"not if it is about more than Pods": {onResources("", "pods, services") + applying(hardened), deployment, "null"},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := mutatingSnapshot(t, "", c.spec).Mutate(t.Context(), asking(t, c.object), world{}.inputs())
			if err != nil {
				t.Fatal(err)
			}
			same(t, "mutation", mutationText(t, m), c.want)
		})
	}
}

func TestAMutatingPolicySaysForWhichControllersItIsNotMade(t *testing.T) {
	pods, good := onResources("", "pods"), applying("Object{}")
	controllers := func(list string) string { return "autogen: {podControllers: {controllers: [" + list + "]}}\n" }
	for name, c := range map[string]struct{ spec, want string }{
		"nothing is asked":               {pods + good, ""},
		"none are wanted":                {pods + good + controllers(""), ""},
		"one of somebody's own":          {pods + good + controllers("jobs, jobsets.v1alpha2.jobset.x-k8s.io"), "spec.autogen.podControllers: there is no rule for jobsets: only pod templates of the built-in controllers are mutated"},
		"no controller":                  {pods + good + controllers("pods"), `spec.autogen.podControllers: "pods" is no pod controller`},
		"of a JSONPatch that is asked":   {pods + patching(`[JSONPatch{op: "remove", path: "/spec/nodeName"}]`) + controllers("jobs"), "spec.autogen.podControllers: there are no rules for controllers: the paths of a JSONPatch are those of a Pod"},
		"of a JSONPatch that is not":     {pods + patching(`[JSONPatch{op: "remove", path: "/spec/nodeName"}]`), ""},
		"targets without mutateExisting": {pods + good + "targetMatchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: ['*'], resources: [pods]}]}", "spec.targetMatchConstraints: has no effect without evaluation.mutateExisting.enabled: the policy changes nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := tryMutating(t, "", "p", c.spec)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "warnings", strings.Join(p.Warnings, "\n"), c.want)
		})
	}
}

func TestTheStatusOfAMutatingPolicyShowsWhatIsMade(t *testing.T) {
	made := MutatingAutogen(mutatingSource(t, "", "p", onResources("", "pods")+applying(`Object{spec: Object.spec{hostNetwork: false}}`)))
	var got []string
	for group, one := range made {
		line := group + ": " + one.Spec.Mutations[0].ApplyConfiguration.Expression
		for _, target := range one.Targets {
			line += " " + target.Resource
		}
		got = append(got, line)
	}
	slices.Sort(got)
	same(t, "made", strings.Join(got, "\n"),
		"cronjobs: Object{spec: Object.spec{jobTemplate: Object.spec.jobTemplate{spec: Object.spec.jobTemplate.spec{template: Object.spec.jobTemplate.spec.template{spec: Object.spec.jobTemplate.spec.template.spec{hostNetwork: false}}}}}} cronjobs\n"+
			"defaults: Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{hostNetwork: false}}}} daemonsets deployments replicasets statefulsets jobs")
	if made := MutatingAutogen(mutatingSource(t, "", "p", onResources("", "services")+applying("Object{}"))); made != nil {
		t.Errorf("a policy on Services is made for %v", made)
	}
}
