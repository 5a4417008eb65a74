package engine

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestOrphans(t *testing.T) {
	configMap := func(rest string) string {
		return made("apiVersion: v1, kind: ConfigMap", "shop", "made", "u1", rest)
	}
	const rule = `{apiVersion: v1, kind: ConfigMap, name: made, namespace: shop, synchronize: true, data: {}}`
	matching := func(match, generate string) string {
		return clusterPolicy("p", "{rules: [{name: r, "+match+", generate: "+generate+"}]}")
	}
	ofSource := func(text string) string {
		return strings.Replace(text, "labels: {", `labels: {generate.kyverno.io/source-group: "", generate.kyverno.io/source-version: v1,
			generate.kyverno.io/source-kind: Secret, generate.kyverno.io/source-namespace: default, generate.kyverno.io/source-uid: s1, `, 1)
	}
	copied := ofSource(made("apiVersion: v1, kind: Secret", "shop", "regcred", "u1", "data: {}"))
	down := errors.New("the API server is down")
	for sentence, c := range map[string]struct {
		policy, before string // empty: no policy, nothing before
		object         string
		world          []string
		broken         map[string]error
		want, err      string
	}{
		"its trigger is there": {
			policy: generate(rule), object: configMap("data: {}"), world: []string{namespaceShop},
		},
		"its trigger is gone": {
			policy: generate(rule), object: configMap("data: {}"),
			want: "delete ConfigMap shop/made: the Namespace that it was generated for is gone",
		},
		"its trigger is gone, and another took its name": {
			policy: generate(rule), object: configMap("data: {}"), world: []string{`{apiVersion: v1, kind: Namespace, metadata: {name: shop, uid: u2}}`},
			want: "delete ConfigMap shop/made: the Namespace that it was generated for is gone",
		},
		"its trigger is gone, and the rule does not synchronize": {
			policy: generate(strings.Replace(rule, "synchronize: true, ", "", 1)), object: configMap("data: {}"),
		},
		"its trigger is gone, for which the rule generated it": {
			policy: matching(`match: {any: [{resources: {kinds: [Namespace], operations: [DELETE]}}]}`, rule), object: configMap("data: {}"),
		},
		"its trigger no longer matches": {
			policy: matching(`match: {any: [{resources: {kinds: [Namespace], selector: {matchLabels: {a: b}}}}]}`, rule), object: configMap("data: {}"), world: []string{namespaceShop},
			want: "delete ConfigMap shop/made: Namespace shop no longer matches the rule",
		},
		"its trigger is excluded by now": {
			policy: matching(`match: {any: [{resources: {kinds: [Namespace]}}]}, exclude: {any: [{resources: {names: [shop]}}]}`, rule), object: configMap("data: {}"), world: []string{namespaceShop},
			want: "delete ConfigMap shop/made: Namespace shop no longer matches the rule",
		},
		"its trigger no longer meets the preconditions": {
			policy: matching(`match: {any: [{resources: {kinds: [Namespace]}}]}, preconditions: {all: [{key: "{{request.object.metadata.name}}", operator: Equals, value: x}]}`, rule),
			object: configMap("data: {}"), world: []string{namespaceShop},
			want: "delete ConfigMap shop/made: Namespace shop no longer meets the preconditions of the rule",
		},
		"whether its trigger matches takes a request to tell": {
			policy: matching(`match: {any: [{resources: {kinds: [Namespace]}, subjects: [{kind: User, name: jane}]}]}`, rule), object: configMap("data: {}"), world: []string{namespaceShop},
		},
		"the rule has become one about other kinds": {
			policy: matching(`match: {any: [{resources: {kinds: [Service]}}]}`, rule), object: configMap("data: {}"),
		},
		"the rule generates something else by now": {
			policy: generate(strings.Replace(rule, "name: made", "name: other", 1)), object: configMap("data: {}"), world: []string{namespaceShop},
		},
		"its trigger is gone, and its labels name a rule that does not make such objects": {
			policy: generate(rule), object: made("apiVersion: v1, kind: Secret", "shop", "made", "u1", "data: {}"),
		},
		"its trigger is gone, and its labels name a rule that makes objects of another name": {
			policy: generate(rule), object: made("apiVersion: v1, kind: ConfigMap", "shop", "precious", "u1", "data: {}"),
		},
		"its trigger is gone, and its labels name a rule that makes objects in another namespace": {
			policy: generate(rule), object: made("apiVersion: v1, kind: ConfigMap", "kube-system", "made", "u1", "data: {}"),
		},
		"its trigger is gone, and its labels name a rule that copies other kinds": {
			policy: generate(`{namespace: shop, synchronize: true, cloneList: {namespace: default, kinds: [v1/Secret]}}`), object: configMap("data: {}"),
		},
		"the rule is gone, which did not make such objects": {
			before: generate(rule), object: made("apiVersion: v1, kind: Secret", "shop", "made", "u1", "data: {}"),
		},
		"somebody cut its labels": {
			policy: generate(rule), object: strings.Replace(configMap("data: {}"), "generate.kyverno.io/trigger-uid: u1", "a: b", 1),
		},
		"it was not generated": {
			policy: generate(rule), object: `{apiVersion: v1, kind: ConfigMap, metadata: {name: made, namespace: shop}}`,
		},
		"an earlier version labelled it, and its trigger is there": {
			policy: generate(rule), object: strings.Replace(configMap("data: {}"), "trigger-uid: u1", "trigger-name: shop", 1), world: []string{namespaceShop},
		},
		"an earlier version labelled it, and its trigger is gone": {
			policy: generate(rule), object: strings.Replace(configMap("data: {}"), "trigger-uid: u1", "trigger-name: shop", 1),
			want: "delete ConfigMap shop/made: the Namespace that it was generated for is gone",
		},
		"the rule is gone, and nothing is known of it": {object: configMap("data: {}")},
		"the rule is gone, which synchronized": {
			before: generate(rule), object: configMap("data: {}"), want: "delete ConfigMap shop/made: rule r of policy p is gone",
		},
		"the rule is gone, which did not synchronize": {
			before: generate(strings.Replace(rule, "synchronize: true, ", "", 1)), object: configMap("data: {}"),
		},
		"the rule is gone, which leaves what it generated": {
			before: generate(strings.Replace(rule, "{", "{orphanDownstreamOnPolicyDelete: true, ", 1)), object: configMap("data: {}"),
		},
		"the rule was not there before either": {
			before: generate(strings.Replace(rule, "{", "{", 1)), object: strings.Replace(configMap("data: {}"), "rule-name: r", "rule-name: x", 1),
		},
		"its source is there": {
			policy: generate(cloneRegcred), object: copied, world: []string{namespaceShop, secretRegcred},
		},
		"its source is gone": {
			policy: generate(cloneRegcred), object: copied, world: []string{namespaceShop},
			want: "delete Secret shop/regcred: the Secret that it is a copy of is gone",
		},
		"another has taken the place of its source": {
			policy: generate(cloneRegcred), object: copied, world: []string{namespaceShop, strings.Replace(secretRegcred, "s1", "s2", 1)},
		},
		"the source of a list is gone": {
			policy: generate(`{namespace: shop, synchronize: true, cloneList: {namespace: default, kinds: [v1/Secret]}}`), object: copied, world: []string{namespaceShop},
			want: "delete Secret shop/regcred: the Secret that it is a copy of is gone",
		},
		"its source is there, which the list no longer selects": {
			policy: generate(`{namespace: shop, synchronize: true, cloneList: {namespace: default, kinds: [v1/Secret], selector: {matchLabels: {a: b}}}}`), object: copied,
			world: []string{namespaceShop, secretRegcred},
		},
		"its trigger cannot be looked for": {
			policy: generate(rule), object: configMap("data: {}"), broken: map[string]error{"Namespace": down},
			err: "finding out whether ConfigMap shop/made is still wanted: looking for its trigger: the API server is down",
		},
		"its source cannot be looked for": {
			policy: generate(cloneRegcred), object: copied, world: []string{namespaceShop}, broken: map[string]error{"Secret": down},
			err: "finding out whether Secret shop/regcred is still wanted: looking for its source: the API server is down",
		},
		"its preconditions cannot be evaluated": {
			policy: matching(`match: {any: [{resources: {kinds: [Namespace]}}]}, preconditions: {all: [{key: "{{request.object.nope}}", operator: Equals, value: x}]}`, rule),
			object: configMap("data: {}"), world: []string{namespaceShop},
			err: `finding out whether ConfigMap shop/made is still wanted: preconditions: all[0]: key: request.object.nope: not found: unknown key "nope"`,
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			policies := func(text string) *Snapshot {
				if text == "" {
					return snapshot(t)
				}
				return snapshot(t, text)
			}
			q := OrphanQuery{Objects: []map[string]any{object(t, c.object)}}
			if c.before != "" {
				q.Before = policies(c.before)
			}
			w := newShelf(t, c.world...)
			w.broken = c.broken
			orphans, err := policies(c.policy).Orphans(t.Context(), w.inputs(), q)
			if err == nil {
				err = errors.New("")
			}
			same(t, "error", err.Error(), c.err)
			got := ""
			for _, o := range orphans {
				got += string(o.Change.Action) + " " + o.Change.String() + ": " + o.Reason
				if o.Rule.Name != "r" || o.Change.Current == nil || o.Change.Object != nil {
					t.Errorf("the orphan is %+v", o)
				}
			}
			same(t, "orphans", got, c.want)
		})
	}
}

func TestOrphansOfManyObjectsCostOneLookUp(t *testing.T) {
	s := snapshot(t, generate(`{apiVersion: v1, kind: ConfigMap, name: "m{{request.name}}", namespace: shop, synchronize: true, data: {}}`))
	var q OrphanQuery
	for i := range 50 {
		q.Objects = append(q.Objects, object(t, made("apiVersion: v1, kind: ConfigMap", "shop", fmt.Sprintf("m%d", i), "u1", "data: {}")))
	}
	w := newShelf(t, namespaceShop)
	orphans, err := s.Orphans(t.Context(), w.inputs(), q)
	if err != nil || len(orphans) > 0 || len(w.asked) != 1 {
		t.Errorf("%v, %d orphans, asked %v", err, len(orphans), w.asked)
	}
}

// The labels of an object, which its owner can write, do not lead a namespaced policy out of its namespace.
func TestGHSA_79gf_7frw_68m9_orphans(t *testing.T) {
	s := snapshot(t, "{apiVersion: kyverno.io/v1, kind: Policy, metadata: {name: p, namespace: team}, spec: {rules: [{name: r, match: {any: [{resources: {kinds: [Service]}}]}, "+
		"generate: {apiVersion: v1, kind: ConfigMap, name: made, namespace: '{{request.object.metadata.namespace}}', synchronize: true, data: {}}}]}}")
	forged := object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: made, namespace: other, labels: {generate.kyverno.io/policy-name: p, generate.kyverno.io/policy-namespace: team,
		generate.kyverno.io/rule-name: r, generate.kyverno.io/trigger-version: v1, generate.kyverno.io/trigger-kind: Service, generate.kyverno.io/trigger-namespace: team, generate.kyverno.io/trigger-uid: gone}}}`)
	w := newShelf(t)
	orphans, err := s.Orphans(t.Context(), w.inputs(), OrphanQuery{Objects: []map[string]any{forged}})
	if len(orphans) > 0 || len(w.asked) > 0 {
		t.Errorf("orphans %v, asked %v", orphans, w.asked)
	}
	same(t, "error", fmt.Sprint(err), "finding out whether ConfigMap other/made is still wanted: out of the policy's reach: namespace other, for a policy of namespace team")
}
