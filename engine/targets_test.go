package engine

import (
	"strings"
	"testing"
)

func targeting(target, mutate string) string {
	return withoutAutogen("p", "{rules: [{name: r, match: {any: [{resources: {kinds: [ConfigMap]}}]}, mutate: {targets: ["+target+"], "+mutate+"}}]}")
}

const trigger = "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: shop, resourceVersion: '7'}, data: {team: blue}}"

func deployments(t *testing.T) *archive {
	t.Helper()
	a := &archive{objects: map[string]map[string]any{}}
	for _, name := range []string{"shop/a", "shop/b", "bank/c"} {
		ns, n, _ := strings.Cut(name, "/")
		a.objects["Deployment/"+name] = object(t, "{apiVersion: apps/v1, kind: Deployment, metadata: {name: "+n+", namespace: "+ns+", labels: {app: "+n+"}}}")
	}
	return a
}

func TestMutateExisting(t *testing.T) {
	const label = "patchStrategicMerge: {metadata: {labels: {team: '{{ request.object.data.team }}'}}}"
	const wanted = `[{"op":"add","path":"/metadata/labels/team","value":"blue"}]`
	for name, c := range map[string]struct{ policy, want, asked string }{
		"one by its name":           {targeting("{apiVersion: apps/v1, kind: Deployment, namespace: shop, name: a}", label), "Deployment shop/a pass: mutated " + wanted, "get Deployment/shop/a"},
		"one that is not there":     {targeting("{apiVersion: apps/v1, kind: Deployment, namespace: shop, name: z}", label), "", "get Deployment/shop/z"},
		"all of a namespace":        {targeting("{apiVersion: apps/v1, kind: Deployment, namespace: '{{ request.namespace }}'}", label), "Deployment shop/a pass: mutated " + wanted + "\nDeployment shop/b pass: mutated " + wanted, "list Deployment/shop"},
		"by wildcards":              {targeting("{apiVersion: apps/v1, kind: Deployment, namespace: 'b*', name: '?'}", label), "Deployment bank/c pass: mutated " + wanted, "list Deployment/"},
		"by labels":                 {targeting("{apiVersion: apps/v1, kind: Deployment, selector: {matchLabels: {app: b}}}", label), "Deployment shop/b pass: mutated " + wanted, "list Deployment/"},
		"by preconditions on each":  {targeting("{apiVersion: apps/v1, kind: Deployment, preconditions: {all: [{key: '{{ target.metadata.name }}', operator: Equals, value: c}]}}", label), "Deployment shop/a skip: preconditions of the target not met null\nDeployment shop/b skip: preconditions of the target not met null\nDeployment bank/c pass: mutated " + wanted, "list Deployment/"},
		"with a context of its own": {targeting("{apiVersion: apps/v1, kind: Deployment, name: c, context: [{name: x, variable: {jmesPath: target.metadata.labels.app}}]}", "patchStrategicMerge: {metadata: {labels: {team: '{{ x }}-{{ request.object.data.team }}'}}}"), `Deployment bank/c pass: mutated [{"op":"add","path":"/metadata/labels/team","value":"c-blue"}]`, "list Deployment/"},
		"one that is as wanted":     {targeting("{apiVersion: apps/v1, kind: Deployment, name: c}", "patchStrategicMerge: {metadata: {labels: {app: c}}}"), "Deployment bank/c skip: the target is as the rule wants it null", "list Deployment/"},
		"its own value":             {targeting("{apiVersion: apps/v1, kind: Deployment, name: c}", "patchStrategicMerge: {metadata: {labels: {app: '{{ @ }}x'}}}"), `Deployment bank/c pass: mutated [{"op":"replace","path":"/metadata/labels/app","value":"cx"}]`, "list Deployment/"},
		"a foreach":                 {targeting("{apiVersion: apps/v1, kind: Deployment, name: c}", "foreach: [{list: 'keys(target.metadata.labels)', patchStrategicMerge: {metadata: {annotations: {'{{ element }}': seen}}}}]"), `Deployment bank/c pass: mutated [{"op":"add","path":"/metadata/annotations","value":{"app":"seen"}}]`, "list Deployment/"},
	} {
		t.Run(name, func(t *testing.T) {
			a := deployments(t)
			var got []string
			decisions := snapshot(t, c.policy).MutateExisting(t.Context(), asking(t, trigger), a.inputs())
			for i := range decisions {
				d := &decisions[i]
				got = append(got, d.Changes[0].String()+strings.TrimPrefix(line(d), "r")+" "+patchText(t, d.Changes[0].Patch))
			}
			same(t, "decisions", strings.Join(got, "\n"), c.want)
			same(t, "asked", strings.Join(a.asked, "; "), c.asked)
		})
	}
}

// The object that a rule with targets matches is not the one that it changes.
func TestARuleWithTargetsLeavesItsTriggerAlone(t *testing.T) {
	s := snapshot(t, targeting("{apiVersion: apps/v1, kind: Deployment}", "patchStrategicMerge: {metadata: {labels: {a: b}}}"))
	m, err := s.Mutate(t.Context(), asking(t, trigger), deployments(t).inputs())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "decisions", lines(m.Decisions), "")
	same(t, "patch", patchText(t, m.Patch), "null")
}

func TestAuditOfTargets(t *testing.T) {
	for name, c := range map[string]struct{ policy, want string }{
		"some differ":        {targeting("{apiVersion: apps/v1, kind: Deployment}", "patchStrategicMerge: {metadata: {labels: {app: a}}}"), "r fail: targets differ from what the rule wants: Deployment shop/b, Deployment bank/c"},
		"none differs":       {targeting("{apiVersion: apps/v1, kind: Deployment, name: a}", "patchStrategicMerge: {metadata: {labels: {app: a}}}"), "r pass"},
		"there is none":      {targeting("{apiVersion: apps/v1, kind: Deployment, name: z}", "patchStrategicMerge: {metadata: {labels: {app: a}}}"), "r pass"},
		"one cannot be told": {targeting("{apiVersion: apps/v1, kind: Deployment}", "patchStrategicMerge: {metadata: {labels: {app: '{{ target.nothing }}'}}}"), `r error: could not be evaluated: applying the patch: the variables at metadata.labels.app: target.nothing: not found: unknown key "nothing"`},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := snapshot(t, c.policy).Audit(t.Context(), resting(t, trigger), deployments(t).inputs())
			if err != nil {
				t.Fatal(err)
			}
			same(t, "decisions", lines(m.Decisions), c.want)
		})
	}
}

func TestAnAuditSaysWhatItRestsOn(t *testing.T) {
	s := snapshot(t, targeting("{apiVersion: apps/v1, kind: Deployment, namespace: shop, name: a}, {apiVersion: apps/v1, kind: Deployment, namespace: bank}", "patchStrategicMerge: {metadata: {labels: {app: a}}}"),
		clusterPolicy("q", "{rules: [{name: q, match: {any: [{resources: {kinds: [ConfigMap], namespaceSelector: {matchLabels: {a: b}}}}]}, context: [{name: x, globalReference: {name: teams}}], validate: {deny: {conditions: {all: [{key: '{{ x }}', operator: Equals, value: y}]}}}}]}"))
	a := deployments(t)
	a.labels = map[string]map[string]string{"shop": {"a": "b"}}
	m, err := s.Audit(t.Context(), resting(t, trigger), a.inputs())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range m.Dependencies {
		got = append(got, d.Kind.Kind+" "+d.Namespace+"/"+d.Name)
	}
	same(t, "dependencies", strings.Join(got, ", "), "Namespace /shop, Deployment bank/, Deployment shop/a")
	if !m.Unwatched {
		t.Error("the global context is not said to be unwatched")
	}
}
