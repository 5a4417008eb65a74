package engine

import (
	"fmt"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

func TestValidatingAutogenTargets(t *testing.T) {
	const (
		pods        = "{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}"
		validations = ", validations: [{expression: object.spec.a}]"
		all         = "cronjobs: batch/v1/cronjobs; defaults: apps/v1/daemonsets apps/v1/deployments apps/v1/replicasets apps/v1/statefulsets batch/v1/jobs"
	)
	on := func(rules string) string { return "matchConstraints: {resourceRules: [" + rules + "]}" + validations }
	naming := func(list string) string {
		return on(pods) + ", autogen: {podControllers: {controllers: [" + list + "]}}"
	}
	for name, c := range map[string]struct{ spec, want string }{
		"a policy on Pods":                  {on(pods), all},
		"autogen that names no controllers": {on(pods) + ", autogen: {podControllers: {}}", all},
		"an empty list":                     {naming(""), ""},
		"some of them":                      {naming("deployments, cronjobs"), "cronjobs: batch/v1/cronjobs; defaults: apps/v1/deployments"},
		"one that stands twice":             {naming("jobs, jobs"), "defaults: batch/v1/jobs"},
		"a kind of somebody's own":          {naming("deployments, jobsets.v1alpha2.jobset.x-k8s.io"), "defaults: apps/v1/deployments; extract: jobset.x-k8s.io/v1alpha2/jobsets"},
		"one of any group":                  {naming("jobsets"), "extract: */*/jobsets"},
		"Pods are no controller":            {naming("pods"), ""},
		"a name of two parts":               {naming("jobsets.v1"), ""},
		"a name with a part missing":        {naming("jobsets.v1."), ""},
		"a name of one letter":              {naming("s"), "extract: */*/s"},
		"several rules":                     {on(pods + "," + pods), ""},
		"Pods among others":                 {on("{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods, services]}"), ""},
		"Pods of any version":               {on("{apiGroups: [''], apiVersions: ['*'], operations: [CREATE], resources: [pods]}"), ""},
		"Pods by a wildcard":                {on("{apiGroups: ['*'], apiVersions: [v1], operations: [CREATE], resources: [pods]}"), ""},
		"a subresource":                     {on("{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods/exec]}"), ""},
		"Pods by their names":               {on("{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods], resourceNames: [a]}"), ""},
		"no operations":                     {on("{apiGroups: [''], apiVersions: [v1], resources: [pods]}"), ""},
		"Pods by their labels":              {"matchConstraints: {objectSelector: {matchLabels: {a: b}}, resourceRules: [" + pods + "]}" + validations, ""},
		"an empty objectSelector":           {"matchConstraints: {objectSelector: {}, resourceRules: [" + pods + "]}" + validations, all},
		"something excluded":                {"matchConstraints: {excludeResourceRules: [" + pods + "], resourceRules: [" + pods + "]}" + validations, ""},
		"no constraints":                    {"failurePolicy: Fail" + validations, ""},
	} {
		t.Run(name, func(t *testing.T) {
			made, err := ValidatingAutogen(validatingSource(t, "", c.spec))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, group := range []string{groupCronJobs, groupDefaults, groupExtract} {
				line := group + ":"
				for _, target := range made[group].Targets {
					line += " " + target.Group + "/" + target.Version + "/" + target.Resource
				}
				if made[group].Targets != nil {
					got = append(got, line)
				}
			}
			same(t, "targets", strings.Join(got, "; "), c.want)
		})
	}
}

// The whole text is rewritten; operations and the namespaceSelector are kept, what is said of Pods alone is not.
func TestValidatingAutogenSpec(t *testing.T) {
	made, err := ValidatingAutogen(validatingSource(t, "", `
		matchConstraints: {matchPolicy: Exact, namespaceSelector: {matchLabels: {team: blue}}, objectSelector: {}, resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [UPDATE], resources: [pods], scope: Namespaced}]},
		matchConditions: [{name: c, expression: object.metadata.namespace != 'x' && has(object.metadata.labels)}],
		variables: [{name: v, expression: oldObject.spec.a}],
		validations: [{expression: variables.v == object.spec.a, message: object.spec.a differs, messageExpression: object.metadata.name}],
		auditAnnotations: [{key: k, valueExpression: object.spec.b}],
		autogen: {podControllers: {controllers: [jobs, deployments, jobsets.v1.example.com]}}`))
	if err != nil {
		t.Fatal(err)
	}
	for group, want := range map[string]string{
		groupDefaults: `auditAnnotations:
- key: k
  valueExpression: object.spec.template.spec.b
autogen:
  podControllers:
    controllers:
    - jobs
    - deployments
    - jobsets.v1.example.com
matchConditions:
- expression: object.metadata.namespace != 'x' && has(object.spec.template.metadata.labels)
  name: c
matchConstraints:
  namespaceSelector:
    matchLabels:
      team: blue
  resourceRules:
  - apiGroups:
    - apps
    apiVersions:
    - v1
    operations:
    - UPDATE
    resources:
    - deployments
  - apiGroups:
    - batch
    apiVersions:
    - v1
    operations:
    - UPDATE
    resources:
    - jobs
validations:
- expression: variables.v == object.spec.template.spec.a
  message: object.spec.template.spec.a differs
  messageExpression: object.spec.template.metadata.name
variables:
- expression: oldObject.spec.template.spec.a
  name: v
`,
		groupExtract: `auditAnnotations:
- key: k
  valueExpression: object.spec.b
autogen:
  podControllers:
    controllers:
    - jobs
    - deployments
    - jobsets.v1.example.com
matchConditions:
- expression: object.metadata.namespace != 'x' && has(object.metadata.labels)
  name: c
matchConstraints:
  namespaceSelector:
    matchLabels:
      team: blue
  resourceRules:
  - apiGroups:
    - example.com
    apiVersions:
    - v1
    operations:
    - UPDATE
    resources:
    - jobsets
validations:
- expression: variables.v == object.spec.a
  message: object.spec.a differs
  messageExpression: object.metadata.name
variables:
- expression: oldObject.spec.a
  name: v
`,
	} {
		text, err := yaml.Marshal(made[group].Spec)
		if err != nil {
			t.Fatal(err)
		}
		same(t, group, string(text), want)
	}
}

func TestValidatingAutogenVerdicts(t *testing.T) {
	const (
		noHost = "validations: [{expression: '!object.spec.?hostNetwork.orValue(false)', message: no host network}]"
		host   = "spec: {hostNetwork: true, containers: [{name: c, image: i}]}"
		plain  = "spec: {containers: [{name: c, image: i}]}"
	)
	for name, c := range map[string]struct{ spec, object, want string }{
		"a Pod":             {noHost, "{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop}, " + host + "}", " fail: no host network"},
		"a Deployment":      {noHost, "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, namespace: shop}, spec: {template: {" + host + "}}}", " fail: no host network"},
		"one that is right": {noHost, "{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: a, namespace: shop}, spec: {template: {" + plain + "}}}", " pass"},
		"a CronJob":         {noHost, "{apiVersion: batch/v1, kind: CronJob, metadata: {name: a, namespace: shop}, spec: {jobTemplate: {spec: {template: {" + host + "}}}}}", " fail: no host network"},
		"an older version":  {noHost, "{apiVersion: batch/v1beta1, kind: CronJob, metadata: {name: a, namespace: shop}, spec: {jobTemplate: {spec: {template: {" + host + "}}}}}", ""},
		"a kind of somebody's own, whose second template is wrong": {noHost, "{apiVersion: example.com/v1, kind: JobSet, metadata: {name: a, namespace: shop}, spec: {jobs: [{template: {" + plain + "}}, {template: {" + host + "}}]}, status: {template: {" + host + "}}}",
			" fail: no host network (pod template at spec.jobs[1].template)"},
		"one whose templates are right": {noHost, "{apiVersion: example.com/v1, kind: JobSet, metadata: {name: a, namespace: shop}, spec: {template: {" + plain + "}}}", " pass"},
		"one without a template": {noHost, "{apiVersion: example.com/v1, kind: JobSet, metadata: {name: a, namespace: shop}, spec: {template: {spec: {containers: [{name: c}]}}}}",
			" error: could not be evaluated: there is no pod template in the spec of the JobSet"},
		"what an expression sees of a template": {"validations: [{expression: \"object.kind == 'Pod' && object.metadata.name == 'a' && object.metadata.namespace == 'shop' && request.kind.kind == 'Pod' && request.resource.resource == 'pods' && request.name == 'a'\"}]",
			"{apiVersion: example.com/v1, kind: JobSet, metadata: {name: a, namespace: shop}, spec: {template: {" + plain + "}}}", " pass"},
		"conditions are about the Pods": {"matchConditions: [{name: c, expression: \"object.metadata.?labels.app.orValue('') == 'web'\"}], " + noHost,
			"{apiVersion: example.com/v1, kind: JobSet, metadata: {name: a, namespace: shop}, spec: {one: {metadata: {labels: {app: db}}, " + host + "}}}", " skip: matchConditions not met: c"},
		"and one that meets them": {"matchConditions: [{name: c, expression: \"object.metadata.?labels.app.orValue('') == 'web'\"}], " + noHost,
			"{apiVersion: example.com/v1, kind: JobSet, metadata: {name: a, namespace: shop}, spec: {one: {metadata: {labels: {app: db}}, " + host + "}, two: {metadata: {labels: {app: web}}, " + host + "}}}",
			" fail: no host network (pod template at spec.two)"},
		"a condition without a result": {"matchConditions: [{name: c, expression: object.metadata.none == 1}], " + noHost,
			"{apiVersion: example.com/v1, kind: JobSet, metadata: {name: a, namespace: shop}, spec: {one: {" + plain + "}}}",
			" error: could not be evaluated: matchConditions: c: expression 'object.metadata.none == 1': no such key: none (pod template at spec.one)"},
	} {
		t.Run(name, func(t *testing.T) {
			s := validatingSnapshot(t, "", onPodResources+c.spec+", autogen: {podControllers: {controllers: [deployments, statefulsets, cronjobs, jobsets.v1.example.com]}}")
			same(t, "at admission", lines(s.Validate(t.Context(), asking(t, c.object), world{}.inputs())), c.want)
			same(t, "at rest", lines(s.Validate(t.Context(), resting(t, c.object), world{}.inputs())), c.want)
		})
	}
}

// The templates of an update are compared with those at the same places before it; what goes is judged as it was.
func TestValidatingAutogenOldTemplates(t *testing.T) {
	text := func(image string) string {
		return "{apiVersion: example.com/v1, kind: JobSet, metadata: {name: a}, spec: {one: {spec: {containers: [{name: c, image: " + image + "}]}}}}"
	}
	s := validatingSnapshot(t, "", "matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: ['*'], resources: [pods]}]}, "+
		"autogen: {podControllers: {controllers: [jobsets.v1.example.com]}}, "+
		"validations: [{expression: \"request.operation == 'DELETE' ? oldObject.spec.containers[0].image != 'kept' : oldObject.spec.containers[0].image == object.spec.containers[0].image\"}]")
	req := asking(t, text("b"))
	req.Operation, req.OldObject = Update, object(t, text("b"))
	same(t, "no change", lines(s.Validate(t.Context(), req, world{}.inputs())), " pass")
	req.OldObject = object(t, text("c"))
	if got := lines(s.Validate(t.Context(), req, world{}.inputs())); !strings.HasPrefix(got, " fail: ") {
		t.Errorf("a change: got %q, want a failure", got)
	}
	req = asking(t, text("kept"))
	req.Operation, req.Object, req.OldObject = Delete, nil, req.Object
	if got := lines(s.Validate(t.Context(), req, world{}.inputs())); !strings.HasPrefix(got, " fail: ") {
		t.Errorf("a deletion: got %q, want a failure", got)
	}
}

func TestValidatingAutogenWarnings(t *testing.T) {
	s := validatingSnapshot(t, "", onPodResources+"validations: [{expression: 'true'}], autogen: {podControllers: {controllers: [deployments, Deployment.v1]}}")
	same(t, "warnings", strings.Join(s.Policies()[0].Warnings, "\n"),
		`spec.autogen.podControllers.controllers: "Deployment.v1" stands for no controller: expected a plural name, or resource.version.group`)
}

// An exception is asked about each Pod that comes of an object of somebody's own kind.
func TestValidatingAutogenExceptions(t *testing.T) {
	const (
		host = "spec: {hostNetwork: true, containers: [{name: c, image: i}]}"
		jobs = "{apiVersion: example.com/v1, kind: JobSet, metadata: {name: a, namespace: shop}, spec: {one: {metadata: {labels: {excused: 'yes'}}, " + host + "}%s}}"
	)
	policy := validatingSnapshot(t, "", onPodResources+"validations: [{expression: '!object.spec.?hostNetwork.orValue(false)', message: no host network}], autogen: {podControllers: {controllers: [jobsets.v1.example.com]}}").Policies()
	s, err := Assemble(Contents{Policies: policy, Exceptions: []*Exception{
		mustCompileCELException(t, exceptionInCEL("x", conditionInCEL("object.kind == 'Pod' && object.metadata.?labels.excused.orValue('') == 'yes'"))),
	}})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ rest, want string }{
		"all excused":       {"", " skip: excused by PolicyException team-a/x"},
		"one that is not":   {", two: {" + host + "}", " fail: no host network (pod template at spec.two)"},
		"one that is right": {", two: {spec: {containers: [{name: c, image: i}]}}", " pass"},
	} {
		t.Run(name, func(t *testing.T) {
			same(t, "decision", lines(s.Validate(t.Context(), asking(t, fmt.Sprintf(jobs, c.rest)), world{}.inputs())), c.want)
		})
	}
}
