package engine

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestFixesOfARule(t *testing.T) {
	const object = "{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: web}, data: {tier: lead}}"
	on := "match: {any: [{resources: {kinds: [ConfigMap]}}]}, "
	tests := map[string]struct{ rule, want string }{
		"a pattern":                        {"validate: {pattern: {data: {tier: gold}}}", `{"tier":"gold"}`},
		"any pattern":                      {"validate: {anyPattern: [{data: {tier: gold}}, {data: {tier: iron}}]}", `{"tier":"gold"} {"tier":"iron"}`},
		"a pattern with a variable":        {`validate: {pattern: {data: {tier: "{{ request.object.metadata.name }}"}}}`, `{"tier":"c"}`},
		"a pattern without a constant":     {`validate: {pattern: {data: {owner: "?*"}}}`, ""},
		"conditions":                       {"validate: {deny: {}}", ""},
		"a mutation":                       {"mutate: {patchStrategicMerge: {data: {tier: gold}}}", ""},
		"preconditions that are not met":   {"preconditions: {all: [{key: a, operator: Equals, value: b}]}, validate: {pattern: {data: {tier: gold}}}", ""},
		"elements of a list that is there": {"validate: {foreach: [{list: request.object.data.list, pattern: {a: b}}]}", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := snapshot(t, clusterPolicy("p", "{rules: [{name: r, "+on+test.rule+"}]}"))
			var got []string
			for _, fixed := range s.Fixes(t.Context(), resting(t, object), world{}.inputs(), s.Policies()[0].Rules[0]) {
				raw, err := json.Marshal(fixed["data"])
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, string(raw))
			}
			same(t, "fixes", strings.Join(got, " "), test.want)
		})
	}
}

// A remedy is applied though its policy is off everywhere.
func TestARemedyIsAppliedThoughItIsOff(t *testing.T) {
	s := snapshot(t, withoutAutogen("p", "{admission: false, background: false, rules: [{name: r, "+onPods+"mutate: {patchStrategicMerge: {metadata: {labels: {team: a}}}}}]}"))
	req := resting(t, plainPod)
	m, err := s.Remedy(t.Context(), req, world{}.inputs(), s.Policies()[0].Rules)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "patch", patchText(t, m.Patch), `[{"op":"add","path":"/metadata/labels/team","value":"a"}]`)
	if audited, err := s.Audit(t.Context(), req, world{}.inputs()); err != nil || len(audited.Decisions) != 0 {
		t.Errorf("the audit has %s, %v", lines(audited.Decisions), err)
	}
}
