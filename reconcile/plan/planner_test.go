package plan

import (
	"fmt"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/holdfast-io/holdfast/api/v1alpha1"
	"github.com/holdfast-io/holdfast/engine/enginetest"
)

const (
	shop = `{apiVersion: v1, kind: ConfigMap, metadata: {name: shop, namespace: web, uid: u1, generation: 3, resourceVersion: "7", labels: {app: shop}}, data: {tier: gold, size: "3"}}`
	pod  = `{apiVersion: v1, kind: Pod, metadata: {name: shop-1, namespace: web, uid: p1, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: shop-abc, uid: r1, controller: true}]},
		spec: {containers: [{name: main, image: a, securityContext: {privileged: true}}]}}`
	replicaSet = `{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: shop-abc, namespace: web, uid: r1, ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: shop, uid: d1, controller: true}]},
		spec: {template: {spec: {containers: [{name: main, image: a, securityContext: {privileged: true}}]}}}}`
	deployment = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: shop, namespace: web, uid: d1}, spec: {template: {spec: {containers: [{name: main, image: a, securityContext: {privileged: %t}}]}}}}`
)

func TestWhatIsPlanned(t *testing.T) {
	gold := policy("gold", "", "ConfigMap", validating("{data: {tier: gold | silver}}"))
	tests := map[string]struct {
		policies []string
		subject  string
		others   Others
		mode     v1alpha1.Mode
		want     string
	}{
		"nothing where nothing is wrong": {policies: []string{gold}, subject: shop},
		"what a mutate rule wants": {
			policies: []string{policy("team", "", "ConfigMap", mutating("{metadata: {labels: {team: a}}}"))}, subject: shop,
			want: `team/r ConfigMap/shop: [{"op":"add","path":"/metadata/labels/team","value":"a"}]`,
		},
		"a constant of a pattern": {
			policies: []string{policy("size", "", "ConfigMap", validating(`{data: {size: "<=2"}}`))}, subject: shop,
			want: `size/r ConfigMap/shop: [{"op":"replace","path":"/data/size","value":"2"}]`,
		},
		"the alternative that breaks nothing": {
			policies: []string{policy("tiers", "", "ConfigMap", validating("{data: {tier: bronze | silver}}")), gold}, subject: shop,
			want: `tiers/r ConfigMap/shop: [{"op":"replace","path":"/data/tier","value":"silver"}]`,
		},
		"no fix where the pattern has no constant": {
			policies: []string{policy("owner", "", "ConfigMap", validating(`{data: {owner: "?*"}}`))}, subject: shop,
			want: `owner/r ConfigMap/shop [NoFix: nothing is known that repairs it: the rule's pattern has no constant for what is wrong, and no policy is named by holdfast.dev/remediate-with]`,
		},
		"no fix for conditions": {
			policies: []string{policy("deny", "", "ConfigMap", "validate: {message: no, deny: {}}")}, subject: shop,
			want: `deny/r ConfigMap/shop [NoFix: nothing is known that repairs it: the rule's pattern has no constant for what is wrong, and no policy is named by holdfast.dev/remediate-with]`,
		},
		"a policy that is named as the remedy, though it is off": {
			policies: []string{
				policy("owner", "holdfast.dev/remediate-with: set-owner", "ConfigMap", validating(`{data: {owner: "?*"}}`)),
				`{apiVersion: kyverno.io/v1, kind: ClusterPolicy, metadata: {name: set-owner}, spec: {admission: false, background: false, rules: [{name: set, match: {any: [{resources: {kinds: [ConfigMap]}}]}, ` + mutating("{data: {owner: ops}}") + `}]}}`,
			}, subject: shop,
			want: `owner/r ConfigMap/shop: [{"op":"add","path":"/data/owner","value":"ops"}]`,
		},
		"a remedy that is not there": {
			policies: []string{policy("owner", "holdfast.dev/remediate-with: nobody/set", "ConfigMap", validating(`{data: {owner: "?*"}}`))}, subject: shop,
			want: `owner/r ConfigMap/shop [NoFix: no mutate rule "nobody/set" is in force, which holdfast.dev/remediate-with names]`,
		},
		"what a mutate rule clears of a validate rule's findings, once": {
			policies: []string{
				policy("owner", "", "ConfigMap", validating(`{data: {owner: "?*"}}`)), policy("set-owner", "", "ConfigMap", mutating("{data: {owner: ops}}")),
			}, subject: shop,
			want: `set-owner/r ConfigMap/shop: [{"op":"add","path":"/data/owner","value":"ops"}]`,
		},
		"a change that makes another rule fail": {
			policies: []string{gold, policy("lead", "", "ConfigMap", mutating("{data: {tier: lead}}"))}, subject: shop,
			want: `lead/r ConfigMap/shop: [{"op":"replace","path":"/data/tier","value":"lead"}] [Conflict: what lead/r wants makes gold/r fail: they pull in opposite ways]`,
		},
		"two policies that pull a field both ways": {
			policies: []string{policy("iron", "", "ConfigMap", validating("{data: {tier: iron}}")), policy("lead", "", "ConfigMap", validating("{data: {tier: lead}}"))}, subject: shop,
			want: `iron/r ConfigMap/shop: [{"op":"replace","path":"/data/tier","value":"iron"}] [Conflict: iron/r and lead/r want the opposite of the same field: mend one of the policies]` + "\n" +
				`lead/r ConfigMap/shop: [{"op":"replace","path":"/data/tier","value":"lead"}] [Conflict: lead/r and iron/r want the opposite of the same field: mend one of the policies]`,
		},
		"two policies that agree about a field's parent": {
			policies: []string{policy("a", "", "ConfigMap", validating("{metadata: {annotations: {a: x}}}")), policy("b", "", "ConfigMap", validating("{metadata: {annotations: {b: z}}}"))}, subject: shop,
			want: `a/r ConfigMap/shop: [{"op":"add","path":"/metadata/annotations","value":{"a":"x"}}]` + "\n" +
				`b/r ConfigMap/shop: [{"op":"add","path":"/metadata/annotations","value":{"b":"z"}}]`,
		},
		"nothing of a policy that only reports": {
			policies: []string{policy("team", "holdfast.dev/reconcile: report", "ConfigMap", mutating("{metadata: {labels: {team: a}}}"))}, subject: shop,
		},
		"nothing where all only reports": {
			policies: []string{policy("team", "holdfast.dev/reconcile: enforce", "ConfigMap", mutating("{metadata: {labels: {team: a}}}"))}, subject: shop, mode: v1alpha1.Report,
		},
		"what is generated, where it is planned": {
			policies: []string{policy("twin", "", "ConfigMap", "generate: {apiVersion: v1, kind: Secret, name: twin, namespace: web, synchronize: true, data: {stringData: {a: b}}}")}, subject: shop,
			others: PlanOthers, want: `twin/r Secret/twin`,
		},
		"nothing that is generated, where somebody else makes it": {
			policies: []string{policy("twin", "", "ConfigMap", "generate: {apiVersion: v1, kind: Secret, name: twin, namespace: web, synchronize: true, data: {stringData: {a: b}}}")}, subject: shop,
		},
		"what is generated, to be read where nobody makes it": {
			policies: []string{policy("twin", "", "ConfigMap", "generate: {apiVersion: v1, kind: Secret, name: twin, namespace: web, synchronize: true, data: {stringData: {a: b}}}")}, subject: shop,
			others: ReadOthers, want: `twin/r Secret/twin [NotCarriedOut: what a rule wants of another object no Remediation makes: serve --reconcile does, where the mode of the policy is enforce or is not said]`,
		},
		"what is generated, to be read where the policy says less": {
			policies: []string{policy("twin", "holdfast.dev/reconcile: approve", "ConfigMap", "generate: {apiVersion: v1, kind: Secret, name: twin, namespace: web, synchronize: true, data: {stringData: {a: b}}}")}, subject: shop,
			want: `twin/r Secret/twin [NotCarriedOut: what a rule wants of another object no Remediation makes: serve --reconcile does, where the mode of the policy is enforce or is not said]`,
		},
		"nothing that is generated, where the policy enforces": {
			policies: []string{policy("twin", "holdfast.dev/reconcile: enforce", "ConfigMap", "generate: {apiVersion: v1, kind: Secret, name: twin, namespace: web, synchronize: true, data: {stringData: {a: b}}}")}, subject: shop,
		},
		"what Helm keeps": {
			policies: []string{policy("team", "", "ConfigMap", mutating("{data: {team: a}}"))},
			subject:  `{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: web, labels: {app.kubernetes.io/managed-by: Helm}, annotations: {meta.helm.sh/release-name: shop, meta.helm.sh/release-namespace: web}}, data: {}}`,
			want:     `team/r ConfigMap/c: [{"op":"add","path":"/data/team","value":"a"}] [ManagedElsewhere: Helm release web/shop keeps this object: make the change there, or annotate the object with holdfast.dev/managed-objects: patch]`,
		},
		"what Helm keeps, and is to be patched": {
			policies: []string{policy("team", "holdfast.dev/managed-objects: patch", "ConfigMap", mutating("{data: {team: a}}"))},
			subject:  `{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: web, labels: {app.kubernetes.io/managed-by: Helm}, annotations: {meta.helm.sh/release-name: shop, meta.helm.sh/release-namespace: web}}, data: {}}`,
			want:     `team/r ConfigMap/c: [{"op":"add","path":"/data/team","value":"a"}]`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			opts := Options{Snapshot: enginetest.Snapshot(t, test.policies...), Others: test.others, Mode: test.mode}
			if got := lines(planned(t, opts, subject(t, test.subject))); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func TestAnOwnedObjectIsMendedAtItsOwner(t *testing.T) {
	opts := Options{Snapshot: enginetest.Snapshot(t, policy("no-root", "", "Pod", validating(`{spec: {containers: [{=(securityContext): {=(privileged): "false"}}]}}`)))}
	const fixed = `no-root/r Deployment/shop: [{"op":"replace","path":"/spec/template/spec/containers/0/securityContext/privileged","value":false}]`
	ofPod := `no-root/r Pod/shop-1: [{"op":"replace","path":"/spec/containers/0/securityContext/privileged","value":false}]`
	tests := map[string]struct {
		server Server
		want   string
	}{
		"at the top": {&server{objects: map[string]map[string]any{
			"ReplicaSet/shop-abc": object(t, replicaSet), "Deployment/shop": object(t, fmt.Sprintf(deployment, true)),
		}}, fixed},
		"not where the owner is mended already": {&server{objects: map[string]map[string]any{
			"ReplicaSet/shop-abc": object(t, replicaSet), "Deployment/shop": object(t, fmt.Sprintf(deployment, false)),
		}}, ofPod + " [Owned: Deployment/web/shop makes this object, and the rule finds nothing wrong there: it goes when its owner replaces it]"},
		"itself, where the owner is gone": {&server{}, ofPod},
		"nowhere, where nobody can look":  {nil, ofPod + " [Owned: ReplicaSet/web/shop-abc makes this object: the change belongs there]"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			opts := opts
			opts.Server = test.server
			if got := lines(planned(t, opts, subject(t, pod))); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func TestWhatTheServerSaysOfAPlan(t *testing.T) {
	gk := schema.GroupKind{Kind: "ConfigMap"}
	immutable := apierrors.NewInvalid(gk, "shop", field.ErrorList{field.Invalid(field.NewPath("data"), "x", "field is immutable when `immutable` is set")})
	invalid := apierrors.NewInvalid(gk, "shop", field.ErrorList{field.Invalid(field.NewPath("data"), "x", "must be better")})
	tests := map[string]struct {
		server *server
		proof  v1alpha1.DryRun
		want   string
		err    string
	}{
		"it takes it":         {&server{}, v1alpha1.DryRunAccepted, "", ""},
		"it refuses it":       {&server{err: invalid}, v1alpha1.DryRunRefused, `Refused: the API server refuses the change: ConfigMap "shop" is invalid: data: Invalid value: "x": must be better`, ""},
		"a field is set":      {&server{err: immutable}, v1alpha1.DryRunRefused, "NeedsRecreate: needs recreate: data cannot be changed once the object is there", ""},
		"nobody may ask":      {&server{err: fmt.Errorf("%w: holdfast may not patch configmaps", ErrForbidden)}, v1alpha1.DryRunForbidden, "NotProved: not proved by the server: forbidden (no right to do so: holdfast may not patch configmaps)", ""},
		"it stores it as was": {&server{edit: func(map[string]any) map[string]any { return object(t, shop) }}, v1alpha1.DryRunAccepted, "DefaultsOnly: the API server stores the changed object as it is now: what the rule wants is there already, written in another way or filled in by the server", ""},
		"a webhook undoes it": {&server{edit: func(map[string]any) map[string]any {
			o := object(t, shop)
			o["data"] = map[string]any{"tier": "tin"}
			return o
		}}, v1alpha1.DryRunAccepted, "Undone: the API server takes the change, and what it stores fails the rule again: the server, or a webhook, undoes it", ""},
		"it has no time": {&server{err: apierrors.NewTooManyRequests("later", 1)}, "", "", "planning for ConfigMap/web/shop: trying the change: later"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			opts := Options{Snapshot: enginetest.Snapshot(t, policy("tin", "", "ConfigMap", validating("{data: {tier: lead}}"))), Server: test.server}
			items, err := planner(t, opts).Object(t.Context(), subject(t, shop))
			if (err == nil && test.err != "") || (err != nil && err.Error() != test.err) {
				t.Fatalf("got error %v, want %s", err, test.err)
			}
			if err != nil {
				return
			}
			got := ""
			if o := items[0].Target.Obstacle; o != nil {
				got = string(o.Reason) + ": " + o.Message
			}
			if got != test.want || items[0].Target.Proof.DryRun != test.proof || !items[0].Target.Proof.Evaluated {
				t.Errorf("got %s with proof %+v\nwant %s with %s", got, items[0].Target.Proof, test.want, test.proof)
			}
		})
	}
}

func TestATargetSaysWhatItWasMadeOn(t *testing.T) {
	s := subject(t, shop)
	snap := enginetest.Snapshot(t, policy("team", "", "ConfigMap", mutating("{metadata: {labels: {team: a}}}")))
	s.Origins = map[string]v1alpha1.Origin{RuleKey(snap.Policies()[0].Rules[0]): {User: "jane", Manager: "kubectl"}}
	got := planned(t, Options{Snapshot: snap}, s)[0].Target
	if got.UID != "u1" || got.ResourceVersion != "7" || got.Generation != 3 || got.DriftedBy == nil || got.DriftedBy.User != "jane" ||
		got.Action != v1alpha1.ActionPatch || got.Inverse != `[{"op":"remove","path":"/metadata/labels/team"}]` || got.Diff != "+ /metadata/labels/team: \"a\"\n" {
		t.Errorf("got %+v", got)
	}
}

func TestValuesOfSecretsStandNowhere(t *testing.T) {
	const secret = `{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: web, resourceVersion: "1"}, data: {password: aHVudGVyMg==}}`
	for name, test := range map[string]struct{ rule, patch, diff string }{
		"a value is replaced": {mutating("{data: {password: bmV3}}"), "", "- /data/password: \"[redacted]\"\n+ /data/password: \"[redacted]\"\n"},
		"a value is added":    {mutating("{stringData: {token: secret}}"), "", "+ /stringData: {\"token\":\"[redacted]\"}\n"},
		"a label is added":    {mutating("{metadata: {labels: {a: b}}}"), `[{"op":"add","path":"/metadata/labels","value":{"a":"b"}}]`, "+ /metadata/labels: {\"a\":\"b\"}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got := planned(t, Options{Snapshot: enginetest.Snapshot(t, policy("p", "", "Secret", test.rule))}, subject(t, secret))[0].Target
			if got.Patch != test.patch || got.Diff != test.diff || (got.Withheld == v1alpha1.WithheldSecret) != (test.patch == "") {
				t.Errorf("got patch %s, withheld %q, diff\n%s", got.Patch, got.Withheld, got.Diff)
			}
		})
	}
}

func TestALongPatchIsWithheld(t *testing.T) {
	s := subject(t, shop)
	long := make([]byte, 1<<20)
	for i := range long {
		long[i] = 'x'
	}
	s.Object["data"].(map[string]any)["tier"] = string(long)
	got := planned(t, Options{Snapshot: enginetest.Snapshot(t, policy("p", "", "ConfigMap", validating("{data: {tier: iron}}")))}, s)[0].Target
	if got.Withheld != v1alpha1.WithheldTooLong || got.Patch != "" || got.Inverse != "" || len(got.Diff) > v1alpha1.MaxDiffBytes {
		t.Errorf("got withheld %q, patch of %d, inverse of %d, diff of %d bytes", got.Withheld, len(got.Patch), len(got.Inverse), len(got.Diff))
	}
}

func TestPlannerOptionsAreChecked(t *testing.T) {
	if _, err := New(Options{}); err == nil || err.Error() != "planner options: Snapshot is missing" {
		t.Errorf("got %v", err)
	}
	if _, err := New(Options{Snapshot: enginetest.Snapshot(t)}); err == nil || err.Error() != "planner options: Inputs is missing" {
		t.Errorf("got %v", err)
	}
}
