package engine

import (
	"maps"
	"testing"

	policiesv1beta1 "github.com/kyverno/api/api/policies.kyverno.io/v1beta1"
	"sigs.k8s.io/yaml"
)

// deletingPolicy writes a DeletingPolicy for what the rule selects, with more of its spec behind.
func deletingPolicy(rule, more string) string {
	return "{apiVersion: policies.kyverno.io/v1, kind: DeletingPolicy, metadata: {name: old}, spec: {schedule: '30 2 * * *', " +
		"matchConstraints: {resourceRules: [" + rule + "]}" + more + "}}"
}

const podsAtRest = "{apiGroups: [''], apiVersions: [v1], resources: [pods]}"

func tryCompileDeleting(t testing.TB, text string) (*Policy, error) {
	t.Helper()
	var src policiesv1beta1.DeletingPolicyLike = &policiesv1beta1.DeletingPolicy{}
	if object(t, text)["kind"] == "NamespacedDeletingPolicy" {
		src = &policiesv1beta1.NamespacedDeletingPolicy{}
	}
	if err := yaml.UnmarshalStrict([]byte(text), src); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	compiler, err := NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	return compiler.CompileDeleting(src)
}

func deletingSnapshot(t testing.TB, text string) *Snapshot {
	t.Helper()
	p, err := tryCompileDeleting(t, text)
	if err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	s, err := NewSnapshot([]*Policy{p})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The clock of these tests stands at 2027-01-15T08:00:00Z.
func TestDeletingPolicies(t *testing.T) {
	const (
		found = ` warn: would be deleted at the next run of the schedule "30 2 * * *", at 2027-01-16T02:30:00Z`
		left  = " pass"
		pod   = "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: team-a, labels: {app: web}}, spec: {containers: [{name: c, image: nginx}]}}"
		space = "{apiVersion: v1, kind: Namespace, metadata: {name: team-a, labels: {tier: dev}}}"
	)
	namespaced := func(namespace string) string {
		return "{apiVersion: policies.kyverno.io/v1, kind: NamespacedDeletingPolicy, metadata: {name: old, namespace: " + namespace + "}, spec: {schedule: '30 2 * * *', " +
			"matchConstraints: {resourceRules: [" + podsAtRest + "]}}}"
	}
	for name, c := range map[string]struct{ policy, object, want string }{
		"what is matched is found, without operations": {deletingPolicy(podsAtRest, ""), pod, found},
		"whatever operations are named":                {deletingPolicy("{apiGroups: [''], apiVersions: [v1], operations: [DELETE], resources: [pods]}", ""), pod, found},
		"another kind is not":                          {deletingPolicy("{apiGroups: [batch], apiVersions: [v1], resources: [jobs]}", ""), pod, ""},
		"by the name":                                  {deletingPolicy("{apiGroups: [''], apiVersions: [v1], resources: [pods], resourceNames: [q]}", ""), pod, ""},
		"by labels of the object": {
			"{apiVersion: policies.kyverno.io/v1, kind: DeletingPolicy, metadata: {name: old}, spec: {schedule: '30 2 * * *', matchConstraints: {objectSelector: {matchLabels: {app: db}}, resourceRules: [" + podsAtRest + "]}}}",
			pod, "",
		},
		"by labels of the namespace": {
			"{apiVersion: policies.kyverno.io/v1, kind: DeletingPolicy, metadata: {name: old}, spec: {schedule: '30 2 * * *', matchConstraints: {namespaceSelector: {matchLabels: {tier: dev}}, resourceRules: [" + podsAtRest + "]}}}",
			pod, found,
		},
		"what is excluded is not, without operations too": {
			"{apiVersion: policies.kyverno.io/v1, kind: DeletingPolicy, metadata: {name: old}, spec: {schedule: '30 2 * * *', matchConstraints: {resourceRules: [" + podsAtRest +
				"], excludeResourceRules: [{apiGroups: [''], apiVersions: [v1], resources: [pods], resourceNames: [p]}]}}}",
			pod, "",
		},
		"a condition that holds":        {deletingPolicy(podsAtRest, `, conditions: [{name: web, expression: "object.metadata.labels.app == 'web'"}]`), pod, found},
		"one of two that does not hold": {deletingPolicy(podsAtRest, `, conditions: [{name: web, expression: "object.metadata.labels.app == 'web'"}, {name: no, expression: 'false'}]`), pod, left},
		"conditions read variables": {
			deletingPolicy(podsAtRest, `, variables: [{name: app, expression: object.metadata.labels.app}], conditions: [{name: web, expression: "variables.app == 'web'"}]`), pod, found,
		},
		"a condition without a result is an error": {
			deletingPolicy(podsAtRest, `, conditions: [{name: owner, expression: "object.metadata.labels.owner == 'me'"}]`), pod,
			` error: could not be evaluated: conditions: owner: expression 'object.metadata.labels.owner == 'me'': no such key: owner`,
		},
		"a condition that is false outweighs one without a result": {
			deletingPolicy(podsAtRest, `, conditions: [{name: owner, expression: "object.metadata.labels.owner == 'me'"}, {name: no, expression: 'false'}]`), pod, left,
		},
		"the namespace of a Namespace is itself": {
			deletingPolicy("{apiGroups: [''], apiVersions: [v1], resources: [namespaces]}", `, conditions: [{name: dev, expression: "namespaceObject.metadata.labels.tier == 'dev'"}]`), space, found,
		},
		"a namespaced policy in its namespace": {namespaced("team-a"), pod, found},
		"a namespaced policy in another":       {namespaced("team-b"), pod, ""},
		"a namespaced policy has no business with its Namespace": {
			"{apiVersion: policies.kyverno.io/v1, kind: NamespacedDeletingPolicy, metadata: {name: old, namespace: team-a}, spec: {schedule: '30 2 * * *', " +
				"matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], resources: [namespaces]}]}}}",
			space, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			same(t, "decisions", lines(audited(t, deletingSnapshot(t, c.policy), c.object)), c.want)
		})
	}
}

func TestADeletingPolicySaysWhenAndHow(t *testing.T) {
	s := deletingSnapshot(t, deletingPolicy(podsAtRest, ", deletionPropagationPolicy: Foreground"))
	d := audited(t, s, excusedPod)
	want := map[string]string{"schedule": "30 2 * * *", "next": "2027-01-16T02:30:00Z", "deletionPropagationPolicy": "Foreground"}
	if len(d) != 1 || !maps.Equal(d[0].Properties, want) || d[0].Denies() {
		t.Errorf("got %+v, want one with %v", d, want)
	}
	schedule, ok := s.Policies()[0].Rules[0].Schedule()
	if !ok || schedule.String() != "30 2 * * *" {
		t.Errorf("the rule has the schedule %q, %v", schedule, ok)
	}
	if found := s.Validate(t.Context(), asking(t, excusedPod), world{}.inputs()); len(found) != 0 {
		t.Errorf("at admission it says %s", lines(found))
	}
}

func TestDeletingPoliciesThatAreRefusedAtLoad(t *testing.T) {
	spec := func(fields string) string {
		return "{apiVersion: policies.kyverno.io/v1, kind: DeletingPolicy, metadata: {name: old}, spec: {" + fields + "}}"
	}
	for name, c := range map[string]struct{ policy, want string }{
		"no schedule":             {spec("schedule: '', matchConstraints: {resourceRules: [" + podsAtRest + "]}"), "spec.schedule: is empty: expected a cron expression of five fields"},
		"a schedule of four":      {spec("schedule: '* * * *', matchConstraints: {resourceRules: [" + podsAtRest + "]}"), `spec.schedule: "* * * *" has 4 of five fields: minute, hour, day of month, month and day of week`},
		"no rules":                {spec("schedule: '@daily', matchConstraints: {resourceRules: []}"), "spec.matchConstraints: selects nothing: expected resourceRules"},
		"how":                     {deletingPolicy(podsAtRest, ", deletionPropagationPolicy: Now"), `spec.deletionPropagationPolicy: unknown value "Now": expected Foreground, Background or Orphan`},
		"a condition on the user": {deletingPolicy(podsAtRest, `, conditions: [{name: me, expression: "request.userInfo.username == 'me'"}]`), "spec.conditions: reads request.userInfo: a deletion is no request"},
		"one on what was before":  {deletingPolicy(podsAtRest, `, conditions: [{name: old, expression: oldObject == null}]`), "spec.conditions: reads oldObject: a deletion is no request"},
		"one through a variable":  {deletingPolicy(podsAtRest, `, variables: [{name: op, expression: request.operation}], conditions: [{name: op, expression: "variables.op == 'CREATE'"}]`), "spec.conditions: reads request.operation: a deletion is no request"},
		"a broken condition":      {deletingPolicy(podsAtRest, `, conditions: [{name: a, expression: "object."}]`), "spec.conditions[0].expression: CEL at 1:8: Syntax error: no viable alternative at input '.'"},
		"one that gives text":     {deletingPolicy(podsAtRest, `, conditions: [{name: a, expression: "'a'"}]`), "spec.conditions[0].expression: gives string: expected bool"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tryCompileDeleting(t, c.policy)
			if err == nil || err.Error() != "DeletingPolicy/old: "+c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}
