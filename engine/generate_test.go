package engine

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

const (
	secretRegcred  = `{apiVersion: v1, kind: Secret, metadata: {name: regcred, namespace: default, uid: s1}, type: Opaque, data: {password: cGFzcw==}}`
	cloneRegcred   = `{apiVersion: v1, kind: Secret, name: regcred, namespace: "{{request.object.metadata.name}}", synchronize: true, clone: {namespace: default, name: regcred}}`
	triggerShop    = `{apiVersion: v1, kind: ConfigMap, metadata: {name: trigger, namespace: shop, uid: u2}, data: {namespaces: "a,b"}}`
	forEachElement = `list: "request.object.data.namespaces | split(@, ',')", apiVersion: v1, kind: ConfigMap, name: made, namespace: "{{element}}"`
)

// forConfigMaps is generate for the ConfigMap named trigger.
func forConfigMaps(more, fields string) string {
	return clusterPolicy("p", "{rules: [{name: r, "+more+"match: {any: [{resources: {kinds: [ConfigMap], names: [trigger]}}]}, generate: "+fields+"}]}")
}

func TestARuleGenerates(t *testing.T) {
	for sentence, c := range map[string]struct {
		policy, trigger string
		world           []string
		want, changes   string
	}{
		"an object from data": {
			policy: generate(defaultDeny), trigger: namespaceShop,
			want: "r pass: create NetworkPolicy shop/deny", changes: "create NetworkPolicy shop/deny",
		},
		"an object with default data only, when it has neither data nor clone": {
			policy: generate(`{apiVersion: v1, kind: ServiceAccount, name: robot, namespace: shop}`), trigger: namespaceShop,
			want: "r pass: create ServiceAccount shop/robot", changes: "create ServiceAccount shop/robot",
		},
		"an object of the cluster": {
			policy: generate(`{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, name: "ns-{{request.object.metadata.name}}", data: {rules: []}}`), trigger: namespaceShop,
			want: "r pass: create ClusterRole ns-shop", changes: "create ClusterRole ns-shop",
		},
		"a copy of a source": {
			policy: generate(cloneRegcred), trigger: namespaceShop, world: []string{secretRegcred},
			want: "r pass: create Secret shop/regcred", changes: "create Secret shop/regcred",
		},
		"no copy of a source over itself": {
			policy: generate(cloneRegcred), trigger: `{apiVersion: v1, kind: Namespace, metadata: {name: default}}`, world: []string{secretRegcred},
			want: "r skip: Secret default/regcred is its own source",
		},
		"copies of all objects that a list selects, kind by kind and by name": {
			policy:  generate(`{namespace: "{{request.object.metadata.name}}", cloneList: {namespace: default, kinds: [v1/Secret, v1/ConfigMap], selector: {matchLabels: {copy: "yes"}}}}`),
			trigger: namespaceShop,
			world: []string{
				`{apiVersion: v1, kind: Secret, metadata: {name: b, namespace: default, labels: {copy: "yes"}}}`,
				`{apiVersion: v1, kind: Secret, metadata: {name: a, namespace: default, labels: {copy: "yes"}}}`,
				`{apiVersion: v1, kind: Secret, metadata: {name: c, namespace: default}}`,
				`{apiVersion: v1, kind: Secret, metadata: {name: d, namespace: other, labels: {copy: "yes"}}}`,
				`{apiVersion: v1, kind: ConfigMap, metadata: {name: z, namespace: default, labels: {copy: "yes"}}}`,
			},
			want:    "r pass: create Secret shop/a; create Secret shop/b; create ConfigMap shop/z",
			changes: "create Secret shop/a\ncreate Secret shop/b\ncreate ConfigMap shop/z",
		},
		"no copies of a list into the namespace that it is of": {
			policy:  generate(`{namespace: "{{request.object.metadata.name}}", cloneList: {namespace: shop, kinds: [v1/Secret]}}`),
			trigger: namespaceShop, want: "r skip: each Secret of shop is its own source",
		},
		"an object for each element that meets the preconditions": {
			policy:  forConfigMaps("", `{foreach: [{`+forEachElement+`, context: [{name: ns, variable: {jmesPath: element}}], preconditions: {any: [{key: "{{ns}}", operator: NotEquals, value: b}]}, data: {data: {at: "{{elementIndex}}"}}}]}`),
			trigger: triggerShop, want: "r pass: create ConfigMap a/made", changes: "create ConfigMap a/made",
		},
		"copies for each element": {
			policy:  forConfigMaps("", `{foreach: [{list: "request.object.data.namespaces | split(@, ',')", apiVersion: v1, kind: Secret, name: regcred, namespace: "{{element}}", clone: {namespace: default, name: regcred}}]}`),
			trigger: triggerShop, world: []string{secretRegcred},
			want:    "r pass: create Secret a/regcred; create Secret b/regcred",
			changes: "create Secret a/regcred\ncreate Secret b/regcred",
		},
		"nothing for an empty list": {
			policy:  forConfigMaps("", `{foreach: [{list: request.object.data.none, apiVersion: v1, kind: ConfigMap, name: made, namespace: x, data: {}}]}`),
			trigger: triggerShop, want: "r pass: there is nothing to generate",
		},
		"nothing when its preconditions are not met": {
			policy:  forConfigMaps("preconditions: {all: [{key: a, operator: Equals, value: b}]}, ", `{apiVersion: v1, kind: ConfigMap, name: made, namespace: x, data: {}}`),
			trigger: triggerShop, want: "r skip: preconditions not met",
		},
		"nothing for an object that is being deleted": {
			policy: generate(defaultDeny), trigger: `{apiVersion: v1, kind: Namespace, metadata: {name: shop, deletionTimestamp: "2026-01-01T00:00:00Z"}}`,
			want: "r skip: the object is being deleted",
		},
		"nothing for an object that was generated": {
			policy: generate(defaultDeny), trigger: `{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {generate.kyverno.io/policy-name: other}}}`,
			want: "r skip: the object was generated itself: the rule leaves such objects alone (skipBackgroundRequests)",
		},
		"for an object that was generated, when it is told to": {
			policy:  forConfigMaps("skipBackgroundRequests: false, ", `{apiVersion: v1, kind: ConfigMap, name: made, namespace: x, data: {}}`),
			trigger: `{apiVersion: v1, kind: ConfigMap, metadata: {name: trigger, namespace: shop, labels: {generate.kyverno.io/policy-name: other}}}`,
			want:    "r pass: create ConfigMap x/made", changes: "create ConfigMap x/made",
		},
		"an object once, when two elements ask for the same": {
			policy:  forConfigMaps("", `{foreach: [{list: "['a', 'a']", apiVersion: v1, kind: ConfigMap, name: made, namespace: "{{element}}", data: {}}]}`),
			trigger: triggerShop, want: "r pass: create ConfigMap a/made", changes: "create ConfigMap a/made",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := snapshot(t, c.policy)
			d := s.Generate(t.Context(), resting(t, c.trigger), newShelf(t, c.world...).inputs())
			same(t, "decisions", lines(d), c.want)
			same(t, "changes", changeLines(d[0].Changes), c.changes)
		})
	}
}

func TestWhatIsGenerated(t *testing.T) {
	managed := `app.kubernetes.io/managed-by: kyverno, generate.kyverno.io/policy-name: p, generate.kyverno.io/policy-namespace: "", generate.kyverno.io/rule-name: r, `
	ofShop := `generate.kyverno.io/trigger-group: "", generate.kyverno.io/trigger-version: v1, generate.kyverno.io/trigger-kind: Namespace, generate.kyverno.io/trigger-namespace: "", generate.kyverno.io/trigger-uid: u1`
	ofSource := `, generate.kyverno.io/source-group: "", generate.kyverno.io/source-version: v1, generate.kyverno.io/source-kind: Secret, generate.kyverno.io/source-namespace: default, generate.kyverno.io/source-uid: s1`
	for sentence, c := range map[string]struct{ fields, source, want string }{
		"data is named and labelled as the rule says, whatever it says itself": {
			fields: `{apiVersion: v1, kind: ConfigMap, name: made, namespace: shop, data: {apiVersion: v9, kind: Secret,
				metadata: {name: other, namespace: other, uid: x, resourceVersion: "1", labels: {own: "1", number: 5, truth: true, app.kubernetes.io/managed-by: me}, annotations: {note: "{{request.object.metadata.name}}"}},
				data: {ns: "{{request.object.metadata.name}}"}}}`,
			want: `{apiVersion: v1, kind: ConfigMap, metadata: {name: made, namespace: shop, annotations: {note: shop}, labels: {own: "1", number: "5", truth: "true", ` + managed + ofShop + `}}, data: {ns: shop}}`,
		},
		"a copy has what the source has, but its status, its identity, and what is between it and others": {
			fields: `{apiVersion: v1, kind: Secret, name: copy, namespace: shop, clone: {namespace: default, name: regcred}}`,
			source: `{apiVersion: v1, kind: Secret, type: Opaque, data: {password: cGFzcw==}, status: {x: y}, metadata: {name: regcred, namespace: default, uid: s1, resourceVersion: "7",
				creationTimestamp: "2026-01-01T00:00:00Z", managedFields: [], finalizers: [x/y], ownerReferences: [{name: o}],
				labels: {own: "1", app.kubernetes.io/managed-by: Helm, generate.kyverno.io/clone-source: "", generate.kyverno.io/policy-name: other},
				annotations: {note: x, kubectl.kubernetes.io/last-applied-configuration: "{}"}}}`,
			want: `{apiVersion: v1, kind: Secret, type: Opaque, data: {password: cGFzcw==}, metadata: {name: copy, namespace: shop, annotations: {note: x}, labels: {own: "1", ` + managed + ofShop + ofSource + `}}}`,
		},
		"a copy in the namespace of the source keeps its owners": {
			fields: `{apiVersion: v1, kind: Secret, name: copy, namespace: default, clone: {namespace: default, name: regcred}}`,
			source: `{apiVersion: v1, kind: Secret, metadata: {name: regcred, namespace: default, uid: s1, ownerReferences: [{name: o}]}}`,
			want:   `{apiVersion: v1, kind: Secret, metadata: {name: copy, namespace: default, ownerReferences: [{name: o}], labels: {` + managed + ofShop + ofSource + `}}}`,
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			var world []string
			if c.source != "" {
				world = append(world, c.source)
			}
			s, shelf := snapshot(t, generate(c.fields)), newShelf(t, world...)
			before, _ := json.Marshal(shelf.objects)
			d := s.Generate(t.Context(), resting(t, namespaceShop), shelf.inputs())
			if len(d) != 1 || len(d[0].Changes) != 1 {
				t.Fatalf("%s", lines(d))
			}
			same(t, "the object", text(t, d[0].Changes[0].Object), text(t, object(t, c.want)))
			after, _ := json.Marshal(shelf.objects)
			same(t, "the world", string(after), string(before))
		})
	}
}

func text(t testing.TB, v any) string {
	t.Helper()
	raw, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestWhatIsGeneratedIsManagedByWhomTheInputsName(t *testing.T) {
	in := newShelf(t).inputs()
	in.ManagedBy = "holdfast"
	d := snapshot(t, generate(defaultDeny)).Generate(t.Context(), resting(t, namespaceShop), in)
	same(t, "label", labelsOf(d[0].Changes[0].Object).Get("app.kubernetes.io/managed-by"), "holdfast")
}

func TestANamespaceIsATriggerWithoutANamespaceEvenIfTheRequestNamesOne(t *testing.T) {
	req := asking(t, namespaceShop)
	req.Namespace = "shop"
	s := snapshot(t, generate(defaultDeny))
	d := s.Generate(t.Context(), req, newShelf(t).inputs())
	atRest := s.Generate(t.Context(), resting(t, namespaceShop), newShelf(t).inputs())
	same(t, "the object", text(t, d[0].Changes[0].Object), text(t, atRest[0].Changes[0].Object))
}

func TestRulesOfAPolicyThatIsOffAtAdmissionGenerateNothing(t *testing.T) {
	p := strings.Replace(generate(defaultDeny), "spec: {", "spec: {admission: false, ", 1)
	if d := snapshot(t, p).Generate(t.Context(), resting(t, namespaceShop), newShelf(t).inputs()); len(d) > 0 {
		t.Error(lines(d))
	}
}

func TestServerSideApplyCarriesOnlyWhatTheRuleSets(t *testing.T) {
	p := strings.Replace(generate(defaultDeny), "spec: {", "spec: {useServerSideApply: true, ", 1)
	s, req := snapshot(t, p), resting(t, namespaceShop)
	w := newShelf(t, `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: deny, namespace: shop}, spec: {podSelector: {}, policyTypes: [Ingress], ingress: [{}]}}`)
	c := s.Generate(t.Context(), req, w.inputs())[0].Changes[0]
	if !c.ServerSideApply || !c.Synchronize || c.Action != UpdateObject {
		t.Errorf("the change is %+v", c)
	}
	same(t, "spec", text(t, c.Object["spec"]), text(t, map[string]any{"podSelector": map[string]any{}, "policyTypes": []any{"Ingress", "Egress"}}))
}

func TestGenerateOnDeletionSeesTheObjectThatGoes(t *testing.T) {
	p := clusterPolicy("p", `{rules: [{name: r, match: {any: [{resources: {kinds: [Namespace], operations: [DELETE]}}]}, generate: {apiVersion: v1, kind: ConfigMap, name: "gone-{{request.object.metadata.name}}", namespace: default, data: {}}}]}`)
	s := snapshot(t, p)
	req := asking(t, namespaceShop)
	req.Operation, req.OldObject, req.Object = Delete, req.Object, nil
	same(t, "decisions", lines(s.Generate(t.Context(), req, newShelf(t).inputs())), "r pass: create ConfigMap default/gone-shop")
	m, err := s.Audit(t.Context(), resting(t, namespaceShop), newShelf(t).inputs())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "at rest", lines(m.Decisions), "r skip: not auditable: matches only DELETE")
}

func TestGenerateBadInput(t *testing.T) {
	unreachable := errors.New("the API server is down")
	for sentence, c := range map[string]struct {
		policy, trigger string
		world           []string
		broken          map[string]error
		want            string
	}{
		"a variable that is not there": {
			policy: generate(`{apiVersion: v1, kind: ConfigMap, name: "{{request.object.metadata.labels.team}}", namespace: x, data: {}}`),
			want:   `generating: name: request.object.metadata.labels: not found: unknown key "labels"`,
		},
		"a name that is a number": {
			policy:  forConfigMaps("", `{apiVersion: v1, kind: ConfigMap, name: "{{request.object.data.v}}", namespace: x, data: {}}`),
			trigger: `{apiVersion: v1, kind: ConfigMap, metadata: {name: trigger, namespace: shop}, data: {v: 5}}`,
			want:    "generating: name is a number: expected text",
		},
		"a name that is empty": {
			policy:  forConfigMaps("", `{apiVersion: v1, kind: ConfigMap, name: "{{request.object.data.v}}", namespace: x, data: {}}`),
			trigger: `{apiVersion: v1, kind: ConfigMap, metadata: {name: trigger, namespace: shop}, data: {v: ""}}`,
			want:    "generating: name is empty",
		},
		"an apiVersion with too many parts": {
			policy:  forConfigMaps("", `{apiVersion: "{{request.object.data.v}}", kind: ConfigMap, name: x, namespace: x, data: {}}`),
			trigger: `{apiVersion: v1, kind: ConfigMap, metadata: {name: trigger, namespace: shop}, data: {v: a/b/c}}`,
			want:    "generating: apiVersion: unexpected GroupVersion string: a/b/c",
		},
		"data that is a text": {
			policy: generate(`{apiVersion: v1, kind: ConfigMap, name: x, namespace: x, data: "{{request.object.metadata.name}}"}`),
			want:   "generating ConfigMap x/x: data is text: expected an object",
		},
		"metadata that is a list": {
			policy: generate(`{apiVersion: v1, kind: ConfigMap, name: x, namespace: x, data: {metadata: []}}`),
			want:   "generating ConfigMap x/x: data.metadata is a list: expected an object",
		},
		"a label that is an object": {
			policy: generate(`{apiVersion: v1, kind: ConfigMap, name: x, namespace: x, data: {metadata: {labels: {a: {}}}}}`),
			want:   "generating ConfigMap x/x: data.metadata.labels: a: its value is an object: expected text",
		},
		"a source that does not exist": {
			policy: generate(cloneRegcred), want: "the source Secret default/regcred: Secret default/regcred does not exist",
		},
		"a look-up that fails": {
			policy: generate(defaultDeny), broken: map[string]error{"NetworkPolicy": unreachable},
			want: "looking for NetworkPolicy shop/deny: the API server is down",
		},
		"a list of sources that fails": {
			policy: generate(`{namespace: x, cloneList: {namespace: default, kinds: [v1/Secret]}}`), broken: map[string]error{"Secret": unreachable},
			want: "listing the sources of kind Secret: the API server is down",
		},
		"a foreach over a number": {
			policy:  forConfigMaps("", `{foreach: [{list: request.object.data.v, apiVersion: v1, kind: ConfigMap, name: x, namespace: x, data: {}}]}`),
			trigger: `{apiVersion: v1, kind: ConfigMap, metadata: {name: trigger, namespace: shop}, data: {v: 5}}`,
			want:    "foreach[0]: the list is 5: expected a list",
		},
		"two elements that want different things of one object": {
			policy: forConfigMaps("", `{foreach: [{list: "['1', '2']", apiVersion: v1, kind: ConfigMap, name: x, namespace: x, data: {data: {n: "{{element}}"}}}]}`), trigger: triggerShop,
			want: "ConfigMap x/x is generated twice, with different content",
		},
		"an object that would trigger itself": {
			policy: forConfigMaps("", `{apiVersion: v1, kind: ConfigMap, name: "{{request.name}}", namespace: shop, data: {}}`), trigger: triggerShop,
			want: "ConfigMap shop/trigger is the object that triggers the rule: it would trigger itself",
		},
		"a Namespace that would trigger itself": {
			policy: generate(`{apiVersion: v1, kind: Namespace, name: "{{request.object.metadata.name}}", data: {}}`),
			want:   "Namespace shop is the object that triggers the rule: it would trigger itself",
		},
		"a rule that what it generated triggers again": {
			policy:  clusterPolicy("p", `{rules: [{name: r, skipBackgroundRequests: false, match: {any: [{resources: {kinds: [ConfigMap]}}]}, generate: {apiVersion: v1, kind: ConfigMap, name: "{{request.name}}-x", namespace: shop, data: {}}}]}`),
			trigger: `{apiVersion: v1, kind: ConfigMap, metadata: {name: a-x, namespace: shop, labels: {generate.kyverno.io/policy-name: p, generate.kyverno.io/policy-namespace: "", generate.kyverno.io/rule-name: r}}}`,
			want:    "the object was generated by this very rule, which would go on for ever: exclude it, or leave skipBackgroundRequests on",
		},
		"a kind of a cloneList without a version": {
			policy:  forConfigMaps("", `{namespace: x, cloneList: {namespace: default, kinds: ["{{request.object.data.kind}}"]}}`),
			trigger: `{apiVersion: v1, kind: ConfigMap, metadata: {name: trigger, namespace: shop}, data: {kind: Secret}}`,
			want:    `generating: cloneList.kinds[0]: "Secret" is not one kind: expected version/Kind or group/version/Kind, without wildcards`,
		},
		"a selector with a wildcard": {
			policy:  forConfigMaps("", `{namespace: x, cloneList: {namespace: default, kinds: [v1/Secret], selector: {matchLabels: {a: "{{request.object.data.v}}"}}}}`),
			trigger: `{apiVersion: v1, kind: ConfigMap, metadata: {name: trigger, namespace: shop}, data: {v: "*"}}`,
			want:    "generating: cloneList.selector: a selector of cloneList takes no wildcards",
		},
		"more objects than anybody wants": {
			policy:  forConfigMaps("", `{foreach: [{list: "request.object.data.list | split(@, ',')", apiVersion: v1, kind: ConfigMap, name: "n{{elementIndex}}", namespace: x, data: {}}]}`),
			trigger: `{apiVersion: v1, kind: ConfigMap, metadata: {name: trigger, namespace: shop}, data: {list: "` + strings.Repeat(",", 1000) + `"}}`,
			want:    "the rule generates more than 1000 objects for one trigger",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			if c.trigger == "" {
				c.trigger = namespaceShop
			}
			w := newShelf(t, c.world...)
			w.broken = c.broken
			d := snapshot(t, c.policy).Generate(t.Context(), resting(t, c.trigger), w.inputs())
			if len(d) != 1 || d[0].Status != Error || d[0].Err == nil {
				t.Fatalf("the decision is %s", lines(d))
			}
			got, _, _ := strings.Cut(strings.TrimPrefix(d[0].Message, "could not be evaluated: "), "; ")
			same(t, "error", got, c.want)
		})
	}
}

func TestAnErrorWithOneObjectDoesNotKeepTheOthersFromBeingMade(t *testing.T) {
	p := forConfigMaps("", `{foreach: [{list: "['regcred', 'none']", apiVersion: v1, kind: Secret, name: "{{element}}", namespace: x, clone: {namespace: default, name: "{{element}}"}}]}`)
	d := snapshot(t, p).Generate(t.Context(), resting(t, triggerShop), newShelf(t, secretRegcred).inputs())
	same(t, "decision", lines(d), "r error: could not be evaluated: the source Secret default/none: Secret default/none does not exist; create Secret x/regcred")
	same(t, "changes", changeLines(d[0].Changes), "create Secret x/regcred")
	var cause *GenerateError
	if !errors.Is(d[0].Err, ErrNotFound) || !errors.As(d[0].Err, &cause) {
		t.Errorf("the error is no GenerateError that wraps ErrNotFound: %v", d[0].Err)
	}
}
