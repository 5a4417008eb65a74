package engine

import (
	"strings"
	"testing"
)

// existing is the part of a spec that selects ConfigMaps as triggers and has a policy change others.
func existing(more string) string {
	return onResources("", "configmaps") + "evaluation: {mutateExisting: {enabled: true}}\n" + more + "\n"
}

func TestAMutatingPolicyChangesItsTargets(t *testing.T) {
	const (
		deploys = "targetMatchConstraints: {resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [CREATE], resources: [deployments]}]"
		wanted  = `[{"op":"add","path":"/metadata/labels/team","value":"blue"}]`
	)
	label := applying(`Object{metadata: Object.metadata{labels: {"team": "blue"}}}`)
	get := func(name string) string {
		return `targetMatchConstraints: {expression: 'resource.Get("apps/v1", "deployments", object.metadata.namespace, "` + name + `")'}`
	}
	for name, c := range map[string]struct{ namespace, spec, want string }{
		"all of a resource": {"", existing(deploys+"}") + label,
			"Deployment shop/a pass: mutated " + wanted + "\nDeployment bank/a pass: mutated " + wanted + "\nDeployment shop/b pass: mutated " + wanted},
		"those of a namespaced policy's namespace": {"shop", existing(deploys+"}") + label,
			"Deployment shop/a pass: mutated " + wanted + "\nDeployment shop/b pass: mutated " + wanted},
		"by their labels": {"", existing(deploys+", objectSelector: {matchLabels: {app: b}}}") + label,
			"Deployment shop/b pass: mutated " + wanted},
		"by the labels of their namespaces": {"", existing(deploys+", namespaceSelector: {matchLabels: {tier: gold}}}") + label,
			"Deployment bank/a pass: mutated " + wanted},
		"by their names": {"", existing(strings.Replace(deploys, "[deployments]", "[deployments], resourceNames: [b]", 1)+"}") + label,
			"Deployment shop/b pass: mutated " + wanted},
		"without some": {"", existing(deploys+", excludeResourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [UPDATE], resources: [deployments], resourceNames: [a]}]}") + label,
			"Deployment shop/b pass: mutated " + wanted},
		"where conditions on them are met": {"", existing(deploys+"}\ntargetMatchConditions: [{name: is-b, expression: object.metadata.labels.app == 'b'}]") + label,
			"Deployment shop/a skip: conditions not met: is-b null\nDeployment bank/a skip: conditions not met: is-b null\nDeployment shop/b pass: mutated " + wanted},
		"not where the trigger does not meet its own": {"", existing(deploys+"}\nmatchConditions: [{name: c, expression: object.data.team == 'red'}]") + label,
			"- skip: matchConditions not met: c"},
		"one that an expression gives": {"", existing(get("b")) + label, "Deployment shop/b pass: mutated " + wanted},
		"none if it gives null":        {"", existing(get("z")) + label, ""},
		"several that an expression gives": {"", existing(`targetMatchConstraints: {expression: 'resource.List("apps/v1", "deployments", "shop")'}`) + label,
			"Deployment shop/a pass: mutated " + wanted + "\nDeployment shop/b pass: mutated " + wanted},
		"what is there, and not what an expression makes up": {"", existing(`targetMatchConstraints: {expression: '{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "b", "namespace": "shop", "labels": {"app": "forged"}}}'}`) + applying(`Object{metadata: Object.metadata{labels: {"was": object.metadata.labels.app}}}`),
			`Deployment shop/b pass: mutated [{"op":"add","path":"/metadata/labels/was","value":"b"}]`},
		"not out of a namespaced policy's reach": {"shop", existing(`targetMatchConstraints: {expression: '{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "namespace": "bank"}}'}`) + label,
			"- error: could not be evaluated: target Deployment bank/a: out of the policy's reach: namespace bank, for a policy of namespace shop"},
		"nothing without a name": {"", existing(`targetMatchConstraints: {expression: '{"kind": "Deployment"}'}`) + label,
			"- error: could not be evaluated: targetMatchConstraints.expression: it gives an object without apiVersion, kind or name"},
		"nothing if the expression has no result": {"", existing(`targetMatchConstraints: {expression: object.data.gone}`) + label,
			"- error: could not be evaluated: targetMatchConstraints.expression: expression 'object.data.gone': no such key: gone"},
		"with variables of the target": {"", existing(get("b")+"\nvariables: [{name: own, expression: object.metadata.name}]") + applying(`Object{metadata: Object.metadata{labels: {"team": variables.own + "-" + request.name}}}`),
			`Deployment shop/b pass: mutated [{"op":"add","path":"/metadata/labels/team","value":"b-settings"}]`},
		"one that is as it is wanted":  {"", existing(get("b")) + applying(`Object{metadata: Object.metadata{labels: {"app": "b"}}}`), "Deployment shop/b skip: the target is as the rule wants it null"},
		"an error in one":              {"", existing(get("b")) + applying(`Object{spec: Object.spec{replicas: object.spec.gone}}`), "Deployment shop/b error: could not be evaluated: mutations[0]: expression 'Object{spec: Object.spec{replicas: object.spec.gone}}': no such key: spec null"},
		"nothing unless it is enabled": {"", onResources("", "configmaps") + deploys + "}\n" + label, ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := deployments(t)
			a.objects["Deployment/bank/a"] = object(t, "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, namespace: bank, labels: {app: a}}}")
			delete(a.objects, "Deployment/bank/c")
			a.labels = map[string]map[string]string{"bank": {"tier": "gold"}}
			for plain, plural := range map[string]string{"Deployment/shop/a": "deployments/shop/a", "Deployment/shop/b": "deployments/shop/b"} {
				a.objects[plural] = a.objects[plain] // asked for by the plural name where nobody maps it
			}
			var got []string
			decisions := mutatingSnapshot(t, c.namespace, c.spec).MutateExisting(t.Context(), asking(t, trigger), a.inputs())
			for i := range decisions {
				d := &decisions[i]
				if d.Changes == nil {
					got = append(got, "-"+line(d))
					continue
				}
				got = append(got, d.Changes[0].String()+line(d)+" "+patchText(t, d.Changes[0].Patch))
			}
			same(t, "decisions", strings.Join(got, "\n"), c.want)
		})
	}
}

func TestAMutatingPolicyWithTargetsLeavesItsTriggerAlone(t *testing.T) {
	spec := existing("targetMatchConstraints: {resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: ['*'], resources: [deployments]}]}") +
		applying(`Object{metadata: Object.metadata{labels: {"team": "blue"}}}`)
	m, err := mutatingSnapshot(t, "", spec).Mutate(t.Context(), asking(t, trigger), deployments(t).inputs())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "mutation", mutationText(t, m), "null")
}

func TestAnAuditFindsTargetsThatDrift(t *testing.T) {
	spec := existing("targetMatchConstraints: {resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: ['*'], resources: [deployments]}]}") +
		applying(`Object{metadata: Object.metadata{labels: {"app": "b"}}}`)
	m, err := mutatingSnapshot(t, "", spec).Audit(t.Context(), resting(t, trigger), deployments(t).inputs())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "audit", mutationText(t, m), "a fail: targets differ from what the rule wants: Deployment shop/a, Deployment bank/c\nnull")
}

// What is deleted can be a trigger: its targets see what it was.
func TestADeletionIsATrigger(t *testing.T) {
	spec := existing(`targetMatchConstraints: {expression: '{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "b", "namespace": object.metadata.namespace}}'}`) +
		applying(`Object{metadata: Object.metadata{labels: {"team": "none"}}}`)
	req := asking(t, trigger)
	req.Operation, req.OldObject, req.Object = Delete, req.Object, nil
	decisions := mutatingSnapshot(t, "", spec).MutateExisting(t.Context(), req, deployments(t).inputs())
	same(t, "decisions", lines(decisions), " pass: mutated")
}
