package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

const (
	aConfigMap = "apiVersion: v1, kind: ConfigMap"
	aSecret    = "apiVersion: v1, kind: Secret"
	// pullSecret is a Secret as a cluster has it.
	pullSecret = `{apiVersion: v1, kind: Secret, metadata: {name: regcred, namespace: default, uid: s1, resourceVersion: "7", generation: 1, creationTimestamp: "2026-01-01T00:00:00Z",
		labels: {team: a}, annotations: {note: b}, ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: o, uid: o1}], finalizers: [x], managedFields: []}, data: {k: dg==}}`
)

func TestGeneratingPoliciesInAnAudit(t *testing.T) {
	copying := generatingPolicy(synchronized, "object.metadata.name, [resource.Get('v1', 'secrets', 'default', 'regcred')]")
	sourced := func(text string) string {
		return strings.Replace(text, "labels: {", `labels: {team: a, generate.kyverno.io/source-group: "", generate.kyverno.io/source-version: v1,
			generate.kyverno.io/source-kind: Secret, generate.kyverno.io/source-namespace: default, generate.kyverno.io/source-uid: s1, `, 1)
	}
	regcred := strings.Replace(sourced(generatedBy("u1", "shop", "regcred", aSecret, "data: {k: dg==}")), "metadata: {", "metadata: {annotations: {note: b}, ", 1)
	settings := generatingPolicy(synchronized, "object.metadata.name, ["+settingsOfShop+"]")
	once := generatingPolicy("variables: []", "object.metadata.name, ["+settingsOfShop+"]")
	for sentence, c := range map[string]struct {
		policy, trigger string
		world           []string
		broken          map[string]error
		want, changes   string
	}{
		"it is missing": {policy: settings, want: " fail: ConfigMap shop/settings is missing", changes: "create ConfigMap shop/settings"},
		"it is as the policy wants it": {
			policy: settings, world: []string{generatedBy("u1", "shop", "settings", aConfigMap, "data: {log: info}")}, want: " pass",
		},
		"it has been changed": {
			policy: settings, world: []string{generatedBy("u1", "shop", "settings", aConfigMap, "data: {log: debug, more: x}")},
			want:    " fail: ConfigMap shop/settings differs from what the rule wants at /data/log, /data/more",
			changes: "update ConfigMap shop/settings",
		},
		"it has been changed, and the policy does not synchronize": {
			policy: once, world: []string{generatedBy("u1", "shop", "settings", aConfigMap, "data: {log: debug}")}, want: " pass",
		},
		"it is missing, and the object is older than the policy": {
			policy:  strings.Replace(settings, "{name: p}", `{name: p, creationTimestamp: "2026-02-01T00:00:00Z"}`, 1),
			trigger: `{apiVersion: v1, kind: Namespace, metadata: {name: shop, uid: u1, creationTimestamp: "2026-01-01T00:00:00Z"}}`,
			want:    " skip: ConfigMap shop/settings is missing: the object is older than the policy, which leaves existing ones alone (generateExisting)",
		},
		"it is missing, and the policy generates for existing objects": {
			policy:  strings.Replace(strings.Replace(settings, "{name: p}", `{name: p, creationTimestamp: "2026-02-01T00:00:00Z"}`, 1), "evaluation: {", "evaluation: {generateExisting: {enabled: true}, ", 1),
			trigger: `{apiVersion: v1, kind: Namespace, metadata: {name: shop, uid: u1, creationTimestamp: "2026-01-01T00:00:00Z"}}`,
			want:    " fail: ConfigMap shop/settings is missing", changes: "create ConfigMap shop/settings",
		},
		"a copy is missing":       {policy: copying, world: []string{pullSecret}, want: " fail: Secret shop/regcred is missing", changes: "create Secret shop/regcred"},
		"a copy is as its source": {policy: copying, world: []string{pullSecret, regcred}, want: " pass"},
		"the source of a copy has been changed": {
			policy: copying, world: []string{strings.Replace(pullSecret, "dg==", "dw==", 1), regcred},
			want: " fail: Secret shop/regcred differs from what the rule wants at /data/k", changes: "update Secret shop/regcred",
		},
		"a field of the source has been taken out": {
			policy: copying, world: []string{strings.Replace(pullSecret, ", data: {k: dg==}", "", 1), regcred},
			want: " fail: Secret shop/regcred differs from what the rule wants at /data", changes: "update Secret shop/regcred",
		},
		"the source is not there": {
			policy: copying,
			want:   " error: could not be evaluated: generate[0]: expression 'generator.Apply(object.metadata.name, [resource.Get('v1', 'secrets', 'default', 'regcred')])': generator.Apply: element 0 is null: there is no such object",
		},
		"the source cannot be read": {
			policy: copying, broken: map[string]error{"Secret": errors.New("forbidden")},
			want: " error: could not be evaluated: generate[0]: resource.Get v1 secrets default/regcred: forbidden",
		},
		"it would be its own source": {
			policy: copying, trigger: `{apiVersion: v1, kind: Namespace, metadata: {name: default, uid: u1}}`, world: []string{pullSecret},
			want: " skip: Secret default/regcred is its own source",
		},
		"all of a list": {
			policy: generatingPolicy(synchronized, "object.metadata.name, [resource.List('v1', 'secrets', 'default')]"),
			world:  []string{pullSecret, strings.Replace(pullSecret, "name: regcred", "name: other", 1)},
			want:   " fail: Secret shop/other is missing; Secret shop/regcred is missing", changes: "create Secret shop/other\ncreate Secret shop/regcred",
		},
		"an object without a namespace, whatever namespace is named": {
			policy: generatingPolicy(synchronized, "object.metadata.name, [{'apiVersion': dyn('rbac.authorization.k8s.io/v1'), 'kind': dyn('ClusterRole'), 'metadata': dyn({'name': 'r'})}]"),
			want:   " fail: ClusterRole r is missing", changes: "create ClusterRole r",
		},
		"one in a namespace, and none is named": {
			policy: generatingPolicy(synchronized, "'', ["+settingsOfShop+"]"),
			want:   " error: could not be evaluated: generating ConfigMap settings: the namespace is empty: objects of this kind are in one",
		},
		"the namespace of the call counts, and not the object's own": {
			policy: generatingPolicy(synchronized, "object.metadata.name, ["+strings.Replace(settingsOfShop, "'settings'", "'settings', 'namespace': 'other'", 1)+"]"),
			want:   " fail: ConfigMap shop/settings is missing", changes: "create ConfigMap shop/settings",
		},
		"the object has no kind and no name": {
			policy: generatingPolicy(synchronized, "'a', [{'apiVersion': dyn('v1'), 'metadata': dyn({'name': 'x'})}, {'apiVersion': dyn('v1'), 'kind': dyn('ConfigMap')}, "+settingsOfShop+"]"),
			want:   " error: could not be evaluated: generating x: kind is missing; generating ConfigMap: metadata.name is missing; ConfigMap a/settings is missing", changes: "create ConfigMap a/settings",
		},
		"its apiVersion is none": {
			policy: generatingPolicy(synchronized, "'a', [{'apiVersion': dyn('a/b/c'), 'kind': dyn('X'), 'metadata': dyn({'name': 'x'})}]"),
			want:   " error: could not be evaluated: generating X x: apiVersion: unexpected GroupVersion string: a/b/c",
		},
		"its kind is not served": {
			policy: generatingPolicy(synchronized, "'a', [{'apiVersion': dyn('v1'), 'kind': dyn('ConfigMap'), 'metadata': dyn({'name': 'x', 'labels': [1]})}]"),
			want:   " error: could not be evaluated: generating ConfigMap a/x: metadata.labels: is a list: expected an object",
		},
		"what is applied is no list of objects": {
			policy: generatingPolicy(synchronized, "'a', ['b']"),
			want:   " error: could not be evaluated: generate[0]: expression 'generator.Apply('a', ['b'])': generator.Apply: element 0 is no object",
		},
		"a field is not there": {
			policy: generatingPolicy(synchronized, "object.metadata.labels.team, ["+settingsOfShop+"]"),
			want:   " error: could not be evaluated: generate[0]: expression 'generator.Apply(object.metadata.labels.team, [" + settingsOfShop + "])': no such key: labels",
		},
		"the same object twice": {
			policy: generatingPolicy(synchronized, "'a', ["+settingsOfShop+", "+settingsOfShop+"]"),
			want:   " fail: ConfigMap a/settings is missing", changes: "create ConfigMap a/settings",
		},
		"the same object twice, with different content": {
			policy: generatingPolicy(synchronized, "'a', ["+settingsOfShop+", "+strings.Replace(settingsOfShop, "info", "debug", 1)+"]"),
			want:   " error: could not be evaluated: ConfigMap a/settings is generated twice, with different content; ConfigMap a/settings is missing", changes: "create ConfigMap a/settings",
		},
		"a call for each element": {
			policy: strings.Replace(generatingPolicy(synchronized, "ns, ["+settingsOfShop+"]"), "generator.Apply(", "['a', 'b'].all(ns, generator.Apply(", 1) + "      )\n",
			want:   " fail: ConfigMap a/settings is missing; ConfigMap b/settings is missing", changes: "create ConfigMap a/settings\ncreate ConfigMap b/settings",
		},
		"too many objects": {
			policy: strings.Replace(generatingPolicy(synchronized, "string(ns), ["+settingsOfShop+"]"), "generator.Apply(", "lists.range(1001).all(ns, generator.Apply(", 1) + "      )\n",
			want:   " error: could not be evaluated: generate[0]: generator.Apply: the rule generates more than 1000 objects for one trigger; " + missing(5, 1000), changes: creations(1000),
		},
		"its own trigger": {
			policy: generatingPolicy(synchronized, "'', [{'apiVersion': dyn('v1'), 'kind': dyn('Namespace'), 'metadata': dyn({'name': object.metadata.name})}]"),
			want:   " error: could not be evaluated: Namespace shop is the object that triggers the rule: it would trigger itself",
		},
		"a template": {
			policy: strings.Replace(generatingPolicy(synchronized, ""), "  - expression: >-\n      generator.Apply()\n",
				"  - template:\n      interpolate: cel\n      value: |\n        apiVersion: v1\n        kind: ConfigMap\n        metadata:\n          name: (( object.metadata.name ))-settings\n          namespace: (( object.metadata.name ))\n", 1),
			want: " fail: ConfigMap shop/shop-settings is missing", changes: "create ConfigMap shop/shop-settings",
		},
		"its conditions are not met": {
			policy: generatingPolicy("matchConditions: [{name: team, expression: 'has(object.metadata.labels)'}]", "'a', ["+settingsOfShop+"]"),
		},
		"its conditions have no result": {
			policy: generatingPolicy(`matchConditions: [{name: team, expression: "object.metadata.labels.a == 'b'"}]`, "'a', ["+settingsOfShop+"]"),
			want:   " error: could not be evaluated: matchConditions: team: expression 'object.metadata.labels.a == 'b'': no such key: labels",
		},
		"it reads who asks": {
			policy: generatingPolicy(synchronized, "request.userInfo.username, ["+settingsOfShop+"]"),
			want:   " skip: not auditable: needs request.userInfo",
		},
		"a name by chance": {
			policy: generatingPolicy(synchronized, "'a', [{'apiVersion': dyn('v1'), 'kind': dyn('ConfigMap'), 'metadata': dyn({'name': 'x-' + random('[a-z]{3}')})}]"),
			world:  []string{generatedBy("u1", "a", "x-abc", aConfigMap, "data: {}")},
			want:   " pass",
		},
		"content that depends on the time": {
			policy: generatingPolicy(synchronized, "'a', [{'apiVersion': dyn('v1'), 'kind': dyn('ConfigMap'), 'metadata': dyn({'name': 'x'}), 'data': dyn({'at': string(time.now())})}]"),
			world:  []string{generatedBy("u1", "a", "x", aConfigMap, "data: {at: then}")},
			want:   " pass: ConfigMap a/x is there; its content is not compared, because it depends on the time or on chance",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			if c.trigger == "" {
				c.trigger = namespaceShop
			}
			w := newAPIServer(t, append([]string{c.trigger}, c.world...)...)
			w.broken = c.broken
			m, err := generatingSnapshot(t, c.policy).Audit(t.Context(), resting(t, c.trigger), w.inputs())
			if err != nil {
				t.Fatal(err)
			}
			same(t, "decisions", lines(m.Decisions), c.want)
			var changes []Change
			for i := range m.Decisions {
				changes = append(changes, m.Decisions[i].Changes...)
			}
			same(t, "changes", changeLines(changes), c.changes)
			if c.changes == "" || len(changes) > 10 {
				return
			}
			// what is made stays made
			w.apply(t, changes)
			again, err := generatingSnapshot(t, c.policy).Audit(t.Context(), resting(t, c.trigger), w.inputs())
			if err != nil {
				t.Fatal(err)
			}
			for i := range again.Decisions {
				if d := &again.Decisions[i]; len(d.Changes) > 0 || d.Status == Fail {
					t.Errorf("after that: %s", line(d))
				}
			}
		})
	}
}

func missing(listed, all int) string {
	out := make([]string, listed)
	for i := range out {
		out[i] = fmt.Sprintf("ConfigMap %d/settings is missing", i)
	}
	return strings.Join(out, "; ") + fmt.Sprintf("; and %d more", all-listed)
}

func creations(n int) string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("create ConfigMap %d/settings", i)
	}
	return strings.Join(out, "\n")
}

// What belongs to the server and to the one object stays with the source.
func TestWhatACopyTakesFromItsSource(t *testing.T) {
	policy := generatingPolicy(synchronized, "object.metadata.name, [resource.Get('v1', 'secrets', 'default', 'regcred')]")
	w := newAPIServer(t, pullSecret)
	m, err := generatingSnapshot(t, policy).Audit(t.Context(), resting(t, namespaceShop), w.inputs())
	if err != nil || len(m.Decisions) != 1 || len(m.Decisions[0].Changes) != 1 {
		t.Fatal(err, lines(m.Decisions))
	}
	same(t, "copy", text(t, m.Decisions[0].Changes[0].Object), text(t, object(t, `{apiVersion: v1, kind: Secret, data: {k: dg==}, metadata: {name: regcred, namespace: shop, annotations: {note: b}, labels: {
		app.kubernetes.io/managed-by: kyverno, team: a, generate.kyverno.io/policy-name: p, generate.kyverno.io/trigger-group: "", generate.kyverno.io/trigger-version: v1,
		generate.kyverno.io/trigger-kind: Namespace, generate.kyverno.io/trigger-namespace: "", generate.kyverno.io/trigger-uid: u1, generate.kyverno.io/source-group: "", generate.kyverno.io/source-version: v1,
		generate.kyverno.io/source-kind: Secret, generate.kyverno.io/source-namespace: default, generate.kyverno.io/source-uid: s1}}}`)))
	rests := fmt.Sprint(m.Dependencies)
	for _, want := range []string{"{/v1, Kind=Secret default regcred}", "{/v1, Kind=Secret shop regcred}"} {
		if !strings.Contains(rests, want) {
			t.Errorf("the audit rests on %s, and not on %s", rests, want)
		}
	}
	if text(t, w.objects[0]) != text(t, object(t, pullSecret)) {
		t.Error("the source has been changed")
	}
}

// A tenant's policy writes within its namespace, whatever its expressions say: it is refused, and nothing is moved.
func TestGHSA_79gf_7frw_68m9_generator_apply(t *testing.T) {
	const trigger = `{apiVersion: v1, kind: ConfigMap, metadata: {name: t, namespace: team, uid: u1}, data: {ns: other}}`
	aMap := func(metadata string) string {
		return "  - expression: \"generator.Apply([{'apiVersion': dyn('v1'), 'kind': dyn('ConfigMap'), 'metadata': dyn({" + metadata + "})}])\""
	}
	const template = "  - template:\n      interpolate: cel\n      value: |\n        apiVersion: v1\n        kind: ConfigMap\n        metadata: {name: a, namespace: (( object.data.ns ))}"
	for sentence, c := range map[string]struct{ generate, want, changes string }{
		"its own namespace, not named": {aMap("'name': 'a'"), " fail: ConfigMap team/a is missing", "create ConfigMap team/a"},
		"its own namespace, named":     {aMap("'name': 'a', 'namespace': 'team'"), " fail: ConfigMap team/a is missing", "create ConfigMap team/a"},
		"another in the metadata": {
			aMap("'name': 'a', 'namespace': object.data.ns"),
			" error: could not be evaluated: generating ConfigMap team/a: metadata.namespace: out of the policy's reach: namespace other, for a policy of namespace team", "",
		},
		"another by a template": {template, " error: could not be evaluated: generating ConfigMap other/a: out of the policy's reach: namespace other, for a policy of namespace team", ""},
		"its own by a template": {strings.Replace(template, "object.data.ns", "object.metadata.namespace", 1), " fail: ConfigMap team/a is missing", "create ConfigMap team/a"},
		"none by a template":    {strings.Replace(template, ", namespace: (( object.data.ns ))", "", 1), " fail: ConfigMap team/a is missing", "create ConfigMap team/a"},
		"what is in no namespace": {
			"  - expression: \"generator.Apply([{'apiVersion': dyn('rbac.authorization.k8s.io/v1'), 'kind': dyn('ClusterRole'), 'metadata': dyn({'name': 'a'})}])\"",
			" error: could not be evaluated: generating ClusterRole team/a: out of the policy's reach: a policy of namespace team sees nothing outside of it", "",
		},
		"a list with one elsewhere": {
			"  - expression: \"generator.Apply([{'kind': dyn('List'), 'items': dyn([{'apiVersion': dyn('v1'), 'kind': dyn('ConfigMap'), 'metadata': dyn({'name': 'a', 'namespace': 'other'})}])}])\"",
			" error: could not be evaluated: generating ConfigMap team/a: metadata.namespace: out of the policy's reach: namespace other, for a policy of namespace team", "",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			m, err := generatingSnapshot(t, tenantPolicy(c.generate)).Audit(t.Context(), resting(t, trigger), newAPIServer(t).inputs())
			if err != nil {
				t.Fatal(err)
			}
			same(t, "decisions", lines(m.Decisions), c.want)
			same(t, "changes", changeLines(m.Decisions[0].Changes), c.changes)
			if strings.Contains(c.want, "reach") && !errors.Is(m.Decisions[0].Err, ErrOutOfReach) {
				t.Errorf("%v is no ErrOutOfReach", m.Decisions[0].Err)
			}
		})
	}
	t.Run("with a namespace in the call", func(t *testing.T) {
		_, err := tryCompileGenerating(t, tenantPolicy("  - expression: \"generator.Apply('other', [])\""))
		if err == nil || !strings.Contains(err.Error(), "found no matching overload for 'Apply'") {
			t.Errorf("got %v", err)
		}
	})
}

func TestGeneratingPoliciesFollowRequests(t *testing.T) {
	byUser := generatingPolicy(synchronized, "'a', [{'apiVersion': dyn('v1'), 'kind': dyn('ConfigMap'), 'metadata': dyn({'name': string(request.userInfo.username)})}]")
	byDeletion := strings.Replace(generatingPolicy(synchronized, "'a', [{'apiVersion': dyn('v1'), 'kind': dyn('ConfigMap'), 'metadata': dyn({'name': 'farewell-' + oldObject.metadata.name})}]"), "operations: [CREATE, UPDATE]", "operations: [DELETE]", 1)
	either := strings.Replace(generatingPolicy(synchronized, "'a', [{'apiVersion': dyn('v1'), 'kind': dyn('ConfigMap'), 'metadata': dyn({'name': (request.operation == 'DELETE' ? 'farewell-' + oldObject.metadata.name : object.metadata.name)})}]"), "operations: [CREATE, UPDATE]", "operations: [CREATE, DELETE]", 1)
	deletion := func(r *Request) { r.Operation, r.OldObject, r.Object = Delete, r.Object, nil }
	for sentence, c := range map[string]struct {
		policy  string
		change  func(*Request)
		follows bool
		want    string
	}{
		"who asks":                           {byUser, func(*Request) {}, true, " pass: create ConfigMap a/jane"},
		"a request of a rule's own":          {byUser, func(r *Request) { r.Own = true }, true, ""},
		"a deletion":                         {byDeletion, deletion, true, " pass: create ConfigMap a/farewell-shop"},
		"a creation, to which it is nothing": {byDeletion, func(*Request) {}, false, ""},
		"a deletion, among others":           {either, deletion, true, " pass: create ConfigMap a/farewell-shop"},
		"a creation, which the audit finds":  {either, func(*Request) {}, false, ""},
		"what the audit finds":               {generatingPolicy(synchronized, "'a', ["+settingsOfShop+"]"), func(*Request) {}, false, ""},
		"* is no deletion": {
			strings.Replace(byUser, "operations: [CREATE, UPDATE]", "operations: ['*']", 1), deletion, false, "",
		},
		"off at admission": {strings.Replace(byUser, "evaluation: {", "evaluation: {admission: {enabled: false}, ", 1), func(*Request) {}, true, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := generatingSnapshot(t, c.policy)
			req := asking(t, namespaceShop)
			c.change(req)
			resource := req.Target()
			if got := s.HasConsequences(&resource, req.Operation); got != c.follows {
				t.Errorf("it follows: %v", got)
			}
			same(t, "decisions", lines(s.Consequences(t.Context(), req, newAPIServer(t).inputs())), c.want)
		})
	}
	t.Run("the audit finds what is for creations too", func(t *testing.T) {
		m, err := generatingSnapshot(t, either).Audit(t.Context(), resting(t, namespaceShop), newAPIServer(t).inputs())
		if err != nil {
			t.Fatal(err)
		}
		same(t, "decisions", lines(m.Decisions), " fail: ConfigMap a/shop is missing")
	})
}

func TestGeneratingPoliciesAddTheirAnnotationsToResults(t *testing.T) {
	policy := generatingPolicy("auditAnnotations: [{key: who, valueExpression: \"'for ' + object.metadata.name\"}, {key: none, valueExpression: 'null'}]", "object.metadata.name, ["+settingsOfShop+"]")
	m, err := generatingSnapshot(t, policy).Audit(t.Context(), resting(t, namespaceShop), newAPIServer(t).inputs())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "properties", fmt.Sprint(m.Decisions[0].Properties), "map[who:for shop]")
	policy = strings.Replace(policy, "'for ' + object.metadata.name", "object.nope", 1)
	if m, err = generatingSnapshot(t, policy).Audit(t.Context(), resting(t, namespaceShop), newAPIServer(t).inputs()); err != nil {
		t.Fatal(err)
	}
	same(t, "decision", lines(m.Decisions), " error: could not be evaluated: audit annotation who: expression 'object.nope': no such key: nope")
}

func TestADecisionTellsWhenWhatIsKeptIsAnother(t *testing.T) {
	keeps := func(policy string) string {
		t.Helper()
		m, err := generatingSnapshot(t, policy).Audit(t.Context(), resting(t, namespaceShop), newAPIServer(t, pullSecret).inputs())
		if err != nil || len(m.Decisions) != 1 {
			t.Fatal(err, lines(m.Decisions))
		}
		return m.Decisions[0].Keeps
	}
	settings := generatingPolicy(synchronized, "object.metadata.name, ["+settingsOfShop+"]")
	first := keeps(settings)
	same(t, "with other content", keeps(strings.Replace(settings, "info", "debug", 1)), first)
	same(t, "without synchronize", keeps(strings.Replace(settings, "enabled: true", "enabled: false", 1)), "")
	for sentence, policy := range map[string]string{
		"under another name":         strings.Replace(settings, "'settings'", "'other'", 1),
		"in another namespace":       strings.Replace(settings, "object.metadata.name, [", "'other', [", 1),
		"of another kind":            strings.Replace(settings, "'ConfigMap'", "'Secret'", 1),
		"with another":               generatingPolicy(synchronized, "object.metadata.name, ["+settingsOfShop+", resource.Get('v1', 'secrets', 'default', 'regcred')]"),
		"with one that is not there": generatingPolicy(synchronized, "object.metadata.name, ["+settingsOfShop+", {'apiVersion': dyn('v1')}]"),
	} {
		if keeps(policy) == first {
			t.Errorf("%s: it keeps the same", sentence)
		}
	}
	random := generatingPolicy(synchronized, "'a', [{'apiVersion': dyn('v1'), 'kind': dyn('ConfigMap'), 'metadata': dyn({'name': 'x' + random('[a-z]{3}')})}]")
	same(t, "under a name by chance", keeps(random), keeps(strings.Replace(random, "'x' +", "'y' +", 1)))
}

func TestWithoutAClusterItCannotBeToldWhatIsGenerated(t *testing.T) {
	for _, policy := range []string{
		generatingPolicy(synchronized, "object.metadata.name, ["+settingsOfShop+"]"),
		generatingPolicy(synchronized, "object.metadata.name, [resource.Get('v1', 'secrets', 'default', 'regcred')]"),
	} {
		m, err := generatingSnapshot(t, policy).Audit(t.Context(), resting(t, namespaceShop), world{}.inputs())
		if err != nil {
			t.Fatal(err)
		}
		same(t, "decisions", lines(m.Decisions), " skip: not auditable: what the rule generates cannot be looked up here")
	}
}

func TestGeneratingPoliciesThatAreRefusedAtLoad(t *testing.T) {
	spec := func(fields string) string {
		return "{apiVersion: policies.kyverno.io/v1, kind: GeneratingPolicy, metadata: {name: p}, spec: {" + fields + "}}"
	}
	for sentence, c := range map[string]struct{ policy, want string }{
		"nothing to match":    {spec("generate: [{expression: 'true'}]"), "spec.matchConstraints: selects nothing: expected resourceRules"},
		"nothing to generate": {spec(forNamespaces + ", generate: []"), "spec.generate: is empty: expected at least one expression or template"},
		"neither form":        {spec(forNamespaces + ", generate: [{}]"), "spec.generate[0]: has neither an expression nor a template: expected one of the two"},
		"both forms":          {spec(forNamespaces + ", generate: [{expression: 'true', template: {value: a}}]"), "spec.generate[0]: has an expression and a template: expected one of the two"},
		"no boolean":          {spec(forNamespaces + ", generate: [{expression: '1'}]"), "spec.generate[0].expression: gives int: expected bool"},
		"a mode":              {spec(forNamespaces + ", generate: [{template: {value: '{apiVersion: v1, kind: A, metadata: {name: b}}', interpolate: jinja}}]"), `spec.generate[0].template.interpolate: unknown value "jinja": expected none or cel`},
		"broken YAML":         {spec(forNamespaces + ", generate: [{template: {value: \"a: [\\nb\"}}]"), "spec.generate[0].template.value: is no YAML: line 2: did not find expected ',' or ']'"},
		"a name too long":     {strings.Replace(spec(forNamespaces+", generate: [{expression: 'true'}]"), "name: p", "name: "+strings.Repeat("p", 64), 1), "metadata.name: is longer than 63 characters: what the policy generates is labelled with it"},
		"a timeout":           {spec(forNamespaces + ", generate: [{expression: 'true'}], webhookConfiguration: {timeoutSeconds: 31}"), "spec.webhookConfiguration.timeoutSeconds: is 31: expected 1 to 30 seconds"},
		"an unknown variable": {spec(forNamespaces + ", generate: [{expression: 'variables.a'}]"), "spec.generate[0].expression: CEL at 1:10: undefined field 'a'"},
		"a variable in a condition": {
			spec(forNamespaces + ", variables: [{name: a, expression: 'true'}], matchConditions: [{name: c, expression: variables.a}], generate: [{expression: 'true'}]"),
			"spec.matchConditions[0].expression: CEL at 1:10: undefined field 'a'",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			_, err := tryCompileGenerating(t, c.policy)
			if err == nil {
				t.Fatal("it loads")
			}
			_, got, _ := strings.Cut(err.Error(), ": ")
			same(t, "error", got, c.want)
		})
	}
}

func TestTheKindsThatAGeneratingPolicyMakes(t *testing.T) {
	for sentence, c := range map[string]struct{ policy, want string }{
		"spelled out": {generatingPolicy(synchronized, "'a', ["+settingsOfShop+"]"), "[/v1, Kind=ConfigMap] false"},
		"copied":      {generatingPolicy(synchronized, "'a', [resource.Get('v1', 'secrets', 'b', 'c'), resource.List('networking.k8s.io/v1', 'networkpolicies', 'b')]"), "[/v1, Kind=Secret networking.k8s.io/v1, Kind=NetworkPolicy] false"},
		"of others":   {generatingPolicy(synchronized, "'a', [resource.Get('example.com/v1', 'mice', 'b', 'c')]"), "[] true"},
		"whatever":    {generatingPolicy(synchronized, "'a', [object]"), "[] true"},
	} {
		t.Run(sentence, func(t *testing.T) {
			rule := generatingSnapshot(t, c.policy).Policies()[0].Rules[0]
			kinds, open := rule.Generates()
			slices.SortFunc(kinds, func(a, b schema.GroupVersionKind) int { return strings.Compare(a.String(), b.String()) })
			same(t, "kinds", fmt.Sprint(kinds, open), c.want)
			if !rule.Synchronizes() {
				t.Error("it does not synchronize")
			}
			same(t, "selector", fmt.Sprint(rule.GeneratedBy("u1")), "map[generate.kyverno.io/policy-name:p generate.kyverno.io/trigger-uid:u1]")
		})
	}
}
