package engine

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestOrphansOfGeneratingPolicies(t *testing.T) {
	settings := generatingPolicy(synchronized, "object.metadata.name, ["+settingsOfShop+"]")
	copying := generatingPolicy(synchronized, "object.metadata.name, [resource.Get('v1', 'secrets', 'default', 'regcred')]")
	made := generatedBy("u1", "shop", "settings", aConfigMap, "data: {log: info}")
	copied := strings.Replace(generatedBy("u1", "shop", "regcred", aSecret, "data: {k: dg==}"), "labels: {", `labels: {generate.kyverno.io/source-group: "", generate.kyverno.io/source-version: v1,
		generate.kyverno.io/source-kind: Secret, generate.kyverno.io/source-namespace: default, generate.kyverno.io/source-uid: s1, `, 1)
	gone := ": the Namespace that it was generated for is gone"
	for sentence, c := range map[string]struct {
		policy, before string // empty: no policy, nothing before
		object         string
		world          []string
		broken         map[string]error
		want, err      string
	}{
		"its trigger is there":          {policy: settings, object: made, world: []string{namespaceShop}},
		"its trigger is gone":           {policy: settings, object: made, want: "delete ConfigMap shop/settings" + gone},
		"its trigger no longer matches": {policy: strings.Replace(settings, "resourceRules", "objectSelector: {matchLabels: {a: b}}, resourceRules", 1), object: made, world: []string{namespaceShop}, want: "delete ConfigMap shop/settings: Namespace shop no longer matches the rule"},
		"its trigger no longer meets the conditions": {
			policy: strings.Replace(settings, "evaluation:", "matchConditions: [{name: team, expression: 'has(object.metadata.labels)'}]\n  evaluation:", 1), object: made, world: []string{namespaceShop},
			want: "delete ConfigMap shop/settings: Namespace shop no longer matches the rule",
		},
		"whether its trigger matches cannot be told": {
			policy: strings.Replace(settings, "evaluation:", "matchConditions: [{name: team, expression: \"object.metadata.labels.a == 'b'\"}]\n  evaluation:", 1), object: made, world: []string{namespaceShop},
			err: "finding out whether ConfigMap shop/settings is still wanted: matchConditions: team: expression 'object.metadata.labels.a == 'b'': no such key: labels",
		},
		"the policy does not synchronize": {policy: strings.Replace(settings, "enabled: true", "enabled: false", 1), object: made},
		"the policy generates when its trigger is deleted": {
			policy: strings.Replace(settings, "[CREATE, UPDATE]", "[CREATE, DELETE]", 1), object: made,
		},
		"the policy reads who asks": {
			policy: generatingPolicy(synchronized, "request.userInfo.username, ["+settingsOfShop+"]"), object: made, world: []string{namespaceShop},
		},
		"the policy generates something else by now": {
			policy: strings.Replace(settings, "'settings'", "'other'", 1), object: made, world: []string{namespaceShop},
			want: "delete ConfigMap shop/settings: policy p generates it no longer for Namespace shop",
		},
		"what the policy generates cannot be told": {
			policy: generatingPolicy(synchronized, "object.metadata.labels.team, ["+settingsOfShop+"]"), object: made, world: []string{namespaceShop},
		},
		"what the policy generates has another name each time": {
			policy: generatingPolicy(synchronized, "object.metadata.name, [{'apiVersion': dyn('v1'), 'kind': dyn('ConfigMap'), 'metadata': dyn({'name': 'x' + random('[a-z]{3}')})}]"), object: made, world: []string{namespaceShop},
		},
		"the policy makes no objects of this kind, whatever the labels say": {
			policy: settings, object: generatedBy("u1", "shop", "settings", aSecret, "data: {}"),
		},
		"its source is there": {policy: copying, object: copied, world: []string{namespaceShop, pullSecret}},
		"its source is gone":  {policy: copying, object: copied, world: []string{namespaceShop}, want: "delete Secret shop/regcred: the Secret that it is a copy of is gone"},
		"its source cannot be read": {
			policy: copying, object: copied, world: []string{namespaceShop}, broken: map[string]error{"Secret": errors.New("down")},
			err: "finding out whether Secret shop/regcred is still wanted: looking for its source: down",
		},
		"its source is no longer in the list": {
			policy: generatingPolicy(synchronized, "object.metadata.name, [resource.List('v1', 'secrets', 'default')]"), object: copied, world: []string{namespaceShop},
			want: "delete Secret shop/regcred: policy p generates it no longer for Namespace shop",
		},
		"the policy makes another kind by now": {
			policy: strings.Replace(settings, "dyn('ConfigMap')", "dyn('Secret')", 1), before: settings, object: made, world: []string{namespaceShop},
			want: "delete ConfigMap shop/settings: policy p generates it no longer for Namespace shop",
		},
		"the policy makes another kind by now, and leaves what it made": {
			policy: strings.Replace(settings, "dyn('ConfigMap')", "dyn('Secret')", 1), before: strings.Replace(settings, "enabled: true", "enabled: false", 1), object: made, world: []string{namespaceShop},
		},
		"the policy is gone, and the object is a copy": {before: copying, object: copied},
		"the policy is gone":                           {before: settings, object: made, want: "delete ConfigMap shop/settings: policy p is gone"},
		"the policy is gone, and leaves what it made":  {before: strings.Replace(settings, "evaluation: {", "evaluation: {orphanDownstreamOnPolicyDelete: {enabled: true}, ", 1), object: made},
	} {
		t.Run(sentence, func(t *testing.T) {
			var policies []string
			if c.policy != "" {
				policies = append(policies, c.policy)
			}
			q := OrphanQuery{Objects: []map[string]any{object(t, c.object)}}
			if c.before != "" {
				q.Before = generatingSnapshot(t, c.before)
			}
			w := newAPIServer(t, c.world...)
			w.broken = c.broken
			orphans, err := generatingSnapshot(t, policies...).Orphans(t.Context(), w.inputs(), q)
			if got := ""; err != nil || c.err != "" {
				if err != nil {
					got = err.Error()
				}
				same(t, "error", got, c.err)
			}
			got := ""
			for _, o := range orphans {
				got += string(o.Change.Action) + " " + o.Change.String() + ": " + o.Reason
			}
			same(t, "orphans", got, c.want)
		})
	}
}

// The labels of an object, which its owner can write, do not lead a tenant's policy out of its namespace.
func TestGHSA_79gf_7frw_68m9_orphans_of_generator_apply(t *testing.T) {
	s := generatingSnapshot(t, tenantPolicy("  - template: {value: '{apiVersion: v1, kind: ConfigMap, metadata: {name: made}}'}"))
	forged := object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: made, namespace: other, labels: {generate.kyverno.io/policy-name: p, generate.kyverno.io/policy-namespace: team,
		generate.kyverno.io/trigger-version: v1, generate.kyverno.io/trigger-kind: ConfigMap, generate.kyverno.io/trigger-namespace: team, generate.kyverno.io/trigger-uid: gone}}}`)
	w := newAPIServer(t)
	orphans, err := s.Orphans(t.Context(), w.inputs(), OrphanQuery{Objects: []map[string]any{forged}})
	if len(orphans) > 0 || len(w.asked) > 0 {
		t.Errorf("orphans %v, asked %v", orphans, w.asked)
	}
	same(t, "error", fmt.Sprint(err), "finding out whether ConfigMap other/made is still wanted: out of the policy's reach: namespace other, for a policy of namespace team")
}
