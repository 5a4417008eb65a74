package engine

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"pgregory.net/rapid"

	"github.com/holdfast-io/holdfast/engine/mutate"
)

// made writes an object with the labels of rule r of policy p, for the trigger with the uid.
func made(kind, namespace, name, trigger, rest string) string {
	return fmt.Sprintf(`{%s, metadata: {name: %s, namespace: %s, labels: {app.kubernetes.io/managed-by: kyverno,
		generate.kyverno.io/policy-name: p, generate.kyverno.io/policy-namespace: "", generate.kyverno.io/rule-name: r,
		generate.kyverno.io/trigger-group: "", generate.kyverno.io/trigger-version: v1, generate.kyverno.io/trigger-kind: Namespace,
		generate.kyverno.io/trigger-namespace: "", generate.kyverno.io/trigger-uid: %s}}, %s}`, kind, name, namespace, trigger, rest)
}

const (
	networkPolicy = "apiVersion: networking.k8s.io/v1, kind: NetworkPolicy"
	denyAll       = "spec: {podSelector: {}, policyTypes: [Ingress, Egress]}"
)

func TestAuditOfWhatIsGenerated(t *testing.T) {
	notSynchronized := strings.Replace(defaultDeny, "synchronize: true", "synchronize: false", 1)
	since := func(created, fields string) string {
		return strings.Replace(generate(fields), "metadata: {name: p}", `metadata: {name: p, creationTimestamp: "`+created+`"}`, 1)
	}
	old := `{apiVersion: v1, kind: Namespace, metadata: {name: shop, uid: u1, creationTimestamp: "2026-01-01T00:00:00Z"}}`
	random := `{apiVersion: v1, kind: ConfigMap, name: "c-{{ random('[a-z]{8}') }}", namespace: shop, data: {}}`
	stamped := `{apiVersion: v1, kind: ConfigMap, name: c, namespace: shop, synchronize: true, data: {data: {at: "{{ time_now() }}"}}}`
	for sentence, c := range map[string]struct {
		policy, trigger string
		world           []string
		broken          map[string]error
		want, changes   string
	}{
		"it is missing": {
			policy: generate(defaultDeny), want: "r fail: NetworkPolicy shop/deny is missing", changes: "create NetworkPolicy shop/deny",
		},
		"it is as the rule wants it": {
			policy: generate(defaultDeny), world: []string{made(networkPolicy, "shop", "deny", "u1", denyAll)}, want: "r pass",
		},
		"it has been changed": {
			policy: generate(defaultDeny), world: []string{made(networkPolicy, "shop", "deny", "u1", "spec: {podSelector: {matchLabels: {a: b}}, policyTypes: [Ingress]}")},
			want:    "r fail: NetworkPolicy shop/deny differs from what the rule wants at /spec/policyTypes/1",
			changes: "update NetworkPolicy shop/deny",
		},
		"it has been changed, and the rule does not synchronize": {
			policy: generate(notSynchronized), world: []string{made(networkPolicy, "shop", "deny", "u1", "spec: {podSelector: {}, policyTypes: [Ingress]}")}, want: "r pass",
		},
		"it is missing, and the rule does not synchronize": {
			policy: generate(notSynchronized), want: "r fail: NetworkPolicy shop/deny is missing", changes: "create NetworkPolicy shop/deny",
		},
		"it is missing, and the object is older than the policy": {
			policy: since("2026-02-01T00:00:00Z", defaultDeny), trigger: old,
			want: "r skip: NetworkPolicy shop/deny is missing: the object is older than the policy, which leaves existing ones alone (generateExisting)",
		},
		"it is missing, and the object was written before the policy in the same second": {
			policy: strings.Replace(since("2026-01-01T00:00:00Z", defaultDeny), "metadata: {", `metadata: {resourceVersion: "12", `, 1), trigger: strings.Replace(old, "uid: u1", `uid: u1, resourceVersion: "9"`, 1),
			want: "r skip: NetworkPolicy shop/deny is missing: the object is older than the policy, which leaves existing ones alone (generateExisting)",
		},
		"it is missing, and the object was written after the policy in the same second": {
			policy: strings.Replace(since("2026-01-01T00:00:00Z", defaultDeny), "metadata: {", `metadata: {resourceVersion: "12", `, 1), trigger: strings.Replace(old, "uid: u1", `uid: u1, resourceVersion: "13"`, 1),
			want: "r fail: NetworkPolicy shop/deny is missing", changes: "create NetworkPolicy shop/deny",
		},
		"it is missing, and the object is younger than the policy": {
			policy: since("2025-02-01T00:00:00Z", defaultDeny), trigger: old,
			want: "r fail: NetworkPolicy shop/deny is missing", changes: "create NetworkPolicy shop/deny",
		},
		"it is missing, and the policy generates for existing objects": {
			policy: since("2026-02-01T00:00:00Z", strings.Replace(defaultDeny, "{", "{generateExisting: true, ", 1)), trigger: old,
			want: "r fail: NetworkPolicy shop/deny is missing", changes: "create NetworkPolicy shop/deny",
		},
		"it is older than the policy, and was changed since": {
			policy: since("2026-02-01T00:00:00Z", defaultDeny), trigger: old, world: []string{made(networkPolicy, "shop", "deny", "u1", "spec: {podSelector: {}}")},
			want: "r fail: NetworkPolicy shop/deny differs from what the rule wants at /spec/policyTypes", changes: "update NetworkPolicy shop/deny",
		},
		"it cannot be looked up": {
			policy: generate(defaultDeny), broken: map[string]error{"NetworkPolicy": errors.New("forbidden")},
			want: "r error: could not be evaluated: looking for NetworkPolicy shop/deny: forbidden",
		},
		"there is nothing to look it up in": {
			policy: generate(defaultDeny), broken: map[string]error{"NetworkPolicy": ErrNoLookup},
			want: "r skip: not auditable: what the rule generates cannot be looked up here",
		},
		"its name is made by chance, and it is there under another": {
			policy: generate(random), world: []string{made("apiVersion: v1, kind: ConfigMap", "shop", "c-abcdefgh", "u1", "data: {}")}, want: "r pass",
		},
		"its name is made by chance, and it is not there": {
			policy: generate(random), world: []string{made("apiVersion: v1, kind: ConfigMap", "shop", "c-abcdefgh", "u2", "data: {}")},
			want: "r fail: ConfigMap shop/c-dhxpxpqw is missing", changes: "create ConfigMap shop/c-dhxpxpqw",
		},
		"its name is made by chance, and there is nothing to tell it by": {
			policy: generate(random), trigger: `{apiVersion: v1, kind: Namespace, metadata: {name: shop}}`,
			want: "r skip: ConfigMap is generated under a name that depends on the time or on chance, and the object has no uid to find it by",
		},
		"its content depends on the time": {
			policy: generate(stamped), world: []string{made("apiVersion: v1, kind: ConfigMap", "shop", "c", "u1", "data: {at: before}")},
			want: "r pass: ConfigMap shop/c is there; its content is not compared, because it depends on the time or on chance",
		},
		"it needs facts of a request": {
			policy: generate(`{apiVersion: v1, kind: ConfigMap, name: "{{request.userInfo.username}}", namespace: shop, data: {}}`),
			want:   "r skip: not auditable: needs request.userInfo",
		},
		"somebody made it by hand": {
			policy: generate(defaultDeny), world: []string{"{" + networkPolicy + ", metadata: {name: deny, namespace: shop, labels: {own: a}}, " + denyAll + "}"},
			want: "r fail: NetworkPolicy shop/deny differs from what the rule wants at /metadata/labels/app.kubernetes.io~1managed-by, " +
				"/metadata/labels/generate.kyverno.io~1policy-name, /metadata/labels/generate.kyverno.io~1policy-namespace, " +
				"/metadata/labels/generate.kyverno.io~1rule-name, /metadata/labels/generate.kyverno.io~1trigger-group and 4 more",
			changes: "update NetworkPolicy shop/deny",
		},
		"a rule that is no more made it": {
			policy: generate(defaultDeny), world: []string{strings.Replace(made(networkPolicy, "shop", "deny", "u1", denyAll), "rule-name: r", "rule-name: gone", 1)},
			want:    "r fail: NetworkPolicy shop/deny differs from what the rule wants at /metadata/labels/generate.kyverno.io~1rule-name",
			changes: "update NetworkPolicy shop/deny",
		},
		"an earlier version of the peer labelled it": {
			policy: generate(defaultDeny), world: []string{strings.Replace(made(networkPolicy, "shop", "deny", "u1", denyAll), "trigger-uid: u1", "trigger-name: shop", 1)}, want: "r pass",
		},
		"it was made for another object, as this one wants it": {
			policy: generate(defaultDeny), world: []string{made(networkPolicy, "shop", "deny", "u9", denyAll)}, want: "r pass",
		},
		"it was made for another object, in another way": {
			policy: generate(defaultDeny), world: []string{made(networkPolicy, "shop", "deny", "u9", "spec: {podSelector: {}, policyTypes: [Ingress]}")},
			want: "r fail: NetworkPolicy shop/deny differs from what the rule wants at /spec/policyTypes/1, and was generated for another Namespace (uid u9): they want different things",
		},
		"the object's uid is not known": {
			policy: generate(defaultDeny), trigger: `{apiVersion: v1, kind: Namespace, metadata: {name: shop}}`,
			world: []string{made(networkPolicy, "shop", "deny", "u9", denyAll)}, want: "r pass",
		},
		"the source of the copy has changed": {
			policy: generate(cloneRegcred),
			world: []string{secretRegcred, strings.Replace(made("apiVersion: v1, kind: Secret", "shop", "regcred", "u1", "type: Opaque, data: {password: b2xk}"), "labels: {",
				`labels: {generate.kyverno.io/source-group: "", generate.kyverno.io/source-version: v1, generate.kyverno.io/source-kind: Secret, generate.kyverno.io/source-namespace: default, generate.kyverno.io/source-uid: s1, `, 1)},
			want: "r fail: Secret shop/regcred differs from what the rule wants at /data/password", changes: "update Secret shop/regcred",
		},
		"several are not as they should be": {
			policy: generate(`{namespace: shop, synchronize: true, cloneList: {namespace: default, kinds: [v1/Secret]}}`),
			world: []string{
				`{apiVersion: v1, kind: Secret, metadata: {name: a, namespace: default}}`, `{apiVersion: v1, kind: Secret, metadata: {name: b, namespace: default}}`,
				`{apiVersion: v1, kind: Secret, metadata: {name: c, namespace: default}}`, `{apiVersion: v1, kind: Secret, metadata: {name: d, namespace: default}}`,
				`{apiVersion: v1, kind: Secret, metadata: {name: e, namespace: default}}`, `{apiVersion: v1, kind: Secret, metadata: {name: f, namespace: default}}`,
			},
			want:    "r fail: Secret shop/a is missing; Secret shop/b is missing; Secret shop/c is missing; Secret shop/d is missing; Secret shop/e is missing; and 1 more",
			changes: "create Secret shop/a\ncreate Secret shop/b\ncreate Secret shop/c\ncreate Secret shop/d\ncreate Secret shop/e\ncreate Secret shop/f",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			if c.trigger == "" {
				c.trigger = namespaceShop
			}
			w := newShelf(t, c.world...)
			w.broken = c.broken
			m, err := snapshot(t, c.policy).Audit(t.Context(), resting(t, c.trigger), w.inputs())
			if err != nil || len(m.Decisions) != 1 {
				t.Fatalf("%v: %s", err, lines(m.Decisions))
			}
			same(t, "decision", lines(m.Decisions), c.want)
			same(t, "changes", changeLines(m.Decisions[0].Changes), c.changes)
		})
	}
}

func TestTwoRulesThatWantDifferentThingsOfOneObjectAreBothNamed(t *testing.T) {
	other := strings.NewReplacer("name: p}", "name: q}", "name: r,", "name: other,", "Ingress, Egress", "Egress").Replace(generate(defaultDeny))
	s := snapshot(t, generate(defaultDeny), other)
	req, w := resting(t, namespaceShop), newShelf(t)
	first := s.Generate(t.Context(), req, w.inputs())
	w.apply(t, first[0].Changes)
	m, err := s.Audit(t.Context(), req, w.inputs())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "decisions", lines(m.Decisions), "r pass\nother fail: NetworkPolicy shop/deny differs from what the rule wants at /spec/policyTypes/0, and was generated by rule r of policy p: they want different things")
	same(t, "at admission", lines(s.Generate(t.Context(), req, w.inputs())), lines(m.Decisions))
}

func TestTheAuditRestsOnWhatIsGenerated(t *testing.T) {
	m, err := snapshot(t, generate(cloneRegcred)).Audit(t.Context(), resting(t, namespaceShop), newShelf(t, secretRegcred).inputs())
	if err != nil {
		t.Fatal(err)
	}
	secret := schema.GroupVersionKind{Version: "v1", Kind: "Secret"}
	want := []Dependency{{secret, "default", "regcred"}, {secret, "shop", "regcred"}}
	same(t, "dependencies", fmt.Sprint(m.Dependencies), fmt.Sprint(want))
}

func TestMergeOfWhatIsWanted(t *testing.T) {
	schema, err := mutate.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	for sentence, c := range map[string]struct {
		current, wanted string
		copied          bool
		want            string // the paths of the patch
	}{
		"what the server fills in is left alone": {
			current: `{apiVersion: v1, kind: Service, spec: {clusterIP: 10.0.0.1, ports: [{port: 80, protocol: TCP, targetPort: 80}], selector: {a: b}}, status: {}}`,
			wanted:  `{apiVersion: v1, kind: Service, spec: {ports: [{port: 80}], selector: {a: b}}}`,
		},
		"what others write into the metadata is left alone": {
			current: `{apiVersion: v1, kind: ConfigMap, metadata: {uid: x, labels: {own: a, other: b}, annotations: {c: d}}}`,
			wanted:  `{apiVersion: v1, kind: ConfigMap, metadata: {labels: {own: a}}}`,
		},
		"what others write into the metadata of a copy is left alone": {
			current: `{apiVersion: v1, kind: ConfigMap, metadata: {uid: x, labels: {own: a, other: b}, annotations: {c: d}}, data: {a: b}, status: {}}`,
			wanted:  `{apiVersion: v1, kind: ConfigMap, metadata: {labels: {own: a}}, data: {a: b}}`, copied: true,
		},
		"quantities are the same in every spelling": {
			current: `{apiVersion: v1, kind: ResourceQuota, spec: {hard: {cpu: 500m, pods: "4", memory: 1Gi}}}`,
			wanted:  `{apiVersion: v1, kind: ResourceQuota, spec: {hard: {cpu: "0.5", pods: 4, memory: 1024Mi}}}`,
		},
		"zero values that the server leaves out are not missed": {
			current: `{apiVersion: v1, kind: Pod, spec: {containers: [{name: a, image: b}]}}`,
			wanted:  `{apiVersion: v1, kind: Pod, spec: {hostNetwork: false, nodeSelector: {}, containers: [{name: a, image: b, env: [], stdin: false}]}}`,
		},
		"a false that the server keeps is missed": {
			current: `{apiVersion: v1, kind: ServiceAccount}`,
			wanted:  `{apiVersion: v1, kind: ServiceAccount, automountServiceAccountToken: false}`, want: "/automountServiceAccountToken",
		},
		"a null says nothing": {
			current: `{apiVersion: x/v1, kind: X, spec: {a: b}}`,
			wanted:  `{apiVersion: x/v1, kind: X, spec: {a: null, c: null}}`,
		},
		"stringData is data": {
			current: `{apiVersion: v1, kind: Secret, data: {a: YQ==}}`,
			wanted:  `{apiVersion: v1, kind: Secret, stringData: {a: a}}`,
		},
		"stringData that differs is a change of data": {
			current: `{apiVersion: v1, kind: Secret, data: {a: YQ==}}`,
			wanted:  `{apiVersion: v1, kind: Secret, stringData: {a: b}}`, want: "/data/a",
		},
		"an entry that somebody adds to a ConfigMap is taken out": {
			current: `{apiVersion: v1, kind: ConfigMap, data: {a: b, c: d}}`,
			wanted:  `{apiVersion: v1, kind: ConfigMap, data: {a: b}}`, want: "/data/c",
		},
		"a label that somebody adds to a selector is taken out": {
			current: `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, spec: {podSelector: {matchLabels: {a: b, c: d}}}}`,
			wanted:  `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, spec: {podSelector: {matchLabels: {a: b}}}}`, want: "/spec/podSelector/matchLabels/c",
		},
		"a label that somebody adds to the selector of a Service is taken out": {
			current: `{apiVersion: v1, kind: Service, spec: {selector: {a: b, c: d}}}`,
			wanted:  `{apiVersion: v1, kind: Service, spec: {selector: {a: b}}}`, want: "/spec/selector/c",
		},
		"a list that has one more is put back": {
			current: `{apiVersion: x/v1, kind: X, spec: {list: [a, b]}}`,
			wanted:  `{apiVersion: x/v1, kind: X, spec: {list: [a]}}`, want: "/spec/list/1",
		},
		"an element that has changed into something else is put back as a whole": {
			current: `{apiVersion: x/v1, kind: X, spec: {list: [{b: 1}]}}`,
			wanted:  `{apiVersion: x/v1, kind: X, spec: {list: [{a: 1}]}}`, want: "/spec/list/0",
		},
		"an entry and a label that are empty are missed": {
			current: `{apiVersion: v1, kind: ConfigMap, metadata: {labels: {a: b}}, data: {a: b}}`,
			wanted:  `{apiVersion: v1, kind: ConfigMap, metadata: {labels: {empty: ""}}, data: {a: b, empty: ""}}`, want: "/data/empty, /metadata/labels/empty",
		},
		"a field that was taken out of the source goes": {
			current: `{apiVersion: v1, kind: Secret, type: Opaque, immutable: true, data: {a: YQ==, b: YQ==}}`,
			wanted:  `{apiVersion: v1, kind: Secret, type: Opaque, data: {a: YQ==}}`, copied: true, want: "/data/b, /immutable",
		},
		"a copy has fields that we do not know": {
			current: `{apiVersion: v1, kind: ServiceAccount, brandNew: {a: b}}`,
			wanted:  `{apiVersion: v1, kind: ServiceAccount, brandNew: {a: b}}`, copied: true,
		},
		"an object of another type in the place of a field is replaced": {
			current: `{apiVersion: x/v1, kind: X, spec: text}`,
			wanted:  `{apiVersion: x/v1, kind: X, spec: {a: b}}`, want: "/spec",
		},
		"a value that the type does not take is compared as it is": {
			current: `{apiVersion: v1, kind: ConfigMap, data: {a: b}}`,
			wanted:  `{apiVersion: v1, kind: ConfigMap, data: {a: 5}}`, want: "/data/a",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			current, wanted := object(t, c.current), object(t, c.wanted)
			before := text(t, current)
			d := &downstream{kind: resting(t, c.wanted).Kind, copied: c.copied}
			merged := d.merge(current, wanted, schema)
			ops, err := mutate.Diff(current, merged)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "paths", listPaths(ops), c.want)
			same(t, "the current object", text(t, current), before)
			again, err := mutate.Diff(merged, d.merge(merged, wanted, schema))
			if err != nil || len(again) > 0 {
				t.Errorf("merged once more it changes at %s (%v)", listPaths(again), err)
			}
		})
	}
}

// What is generated, changed by somebody, and put back, is as the rule wants it: nothing is spun.
func TestWhatIsPutBackStaysPutBack(t *testing.T) {
	s := snapshot(t,
		strings.Replace(generate(`{apiVersion: x/v1, kind: X, name: a, namespace: shop, synchronize: true, data: {spec: {list: [{name: a, n: 1}, {name: b}], matchLabels: {a: b}, deep: {er: {s: text, z: 0, e: "", o: {}}}}}}`), "name: p}", "name: p1}", 1),
		strings.Replace(generate(defaultDeny), "name: p}", "name: p2}", 1),
		strings.Replace(generate(cloneRegcred), "name: p}", "name: p3}", 1),
	)
	req := resting(t, namespaceShop)
	rapid.Check(t, func(rt *rapid.T) {
		w := newShelf(t, secretRegcred)
		for round := range 3 {
			decisions := s.Generate(t.Context(), req, w.inputs())
			for i := range decisions {
				if decisions[i].Status != Pass {
					rt.Fatalf("round %d: %s", round, line(&decisions[i]))
				}
				w.apply(t, decisions[i].Changes)
			}
			m, err := s.Audit(t.Context(), req, w.inputs())
			if err != nil {
				rt.Fatal(err)
			}
			for i := range m.Decisions {
				if d := &m.Decisions[i]; d.Status != Pass || len(d.Changes) > 0 {
					rt.Fatalf("round %d: %s\n%s", round, line(d), changeLines(d.Changes))
				}
			}
			at := rapid.IntRange(1, len(w.objects)-1).Draw(rt, "object")
			if rapid.Bool().Draw(rt, "deleted") {
				w.objects = append(w.objects[:at:at], w.objects[at+1:]...)
				continue
			}
			changed := maps.Clone(w.objects[at])
			for _, key := range sortedNames(changed) {
				if key != "apiVersion" && key != "kind" && key != "metadata" {
					changed[key] = disturbed(rt, changed[key])
				}
			}
			w.objects[at] = changed
		}
	})
}

// disturbed gives the value with something in it changed, taken out or put in.
func disturbed(t *rapid.T, v any) any {
	odd := rapid.SampledFrom([]any{nil, "", "other", 0.0, 7.0, true, []any{}, []any{"other"}, map[string]any{}, map[string]any{"other": "x"}})
	if rapid.IntRange(0, 3).Draw(t, "here") == 0 {
		return odd.Draw(t, "value")
	}
	switch v := v.(type) {
	case map[string]any:
		out := maps.Clone(v)
		key := rapid.SampledFrom(append(sortedNames(v), "new")).Draw(t, "key")
		if rapid.Bool().Draw(t, "taken out") {
			delete(out, key)
		} else {
			out[key] = disturbed(t, out[key])
		}
		return out
	case []any:
		out := slices.Clone(v)
		if len(out) == 0 || rapid.Bool().Draw(t, "one more") {
			return append(out, odd.Draw(t, "element"))
		}
		at := rapid.IntRange(0, len(out)-1).Draw(t, "index")
		out[at] = disturbed(t, out[at])
		return out
	default:
		return odd.Draw(t, "value")
	}
}
