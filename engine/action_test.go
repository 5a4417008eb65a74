package engine

import (
	"errors"
	"testing"
)

func TestFailureAction(t *testing.T) {
	for name, c := range map[string]struct {
		spec   string // of the policy, without its rules
		rule   string // of the validate part
		meta   string
		world  world
		want   string // action and status
		denies bool
	}{
		"nothing said is Audit":          {want: "Audit fail"},
		"the policy's, in either case":   {spec: "validationFailureAction: enforce", want: "Enforce fail", denies: true},
		"the policy's":                   {spec: "validationFailureAction: Enforce", want: "Enforce fail", denies: true},
		"the rule's before the policy's": {spec: "validationFailureAction: Enforce", rule: "failureAction: Audit", want: "Audit fail"},
		"the rule's":                     {rule: "failureAction: Enforce", want: "Enforce fail", denies: true},
		"the rule's override by namespace": {
			rule: "failureAction: Audit, failureActionOverrides: [{action: Enforce, namespaces: ['team-*']}]", want: "Enforce fail", denies: true,
		},
		"an override of another namespace": {
			rule: "failureAction: Audit, failureActionOverrides: [{action: Enforce, namespaces: [other]}]", want: "Audit fail",
		},
		"the policy's override": {
			spec: "validationFailureAction: Audit, validationFailureActionOverrides: [{action: enforce, namespaces: [team-a]}]", want: "Enforce fail", denies: true,
		},
		"the first override that fits": {
			rule: "failureAction: Audit, failureActionOverrides: [{action: Audit, namespaces: [team-a]}, {action: Enforce, namespaces: ['*']}]", want: "Audit fail",
		},
		"an override by the namespace's labels": {
			rule:  "failureAction: Audit, failureActionOverrides: [{action: Enforce, namespaceSelector: {matchLabels: {env: prod}}}]",
			world: labelled, want: "Enforce fail", denies: true,
		},
		"an override by other labels": {
			rule:  "failureAction: Enforce, failureActionOverrides: [{action: Audit, namespaceSelector: {matchLabels: {env: dev}}}]",
			world: labelled, want: "Enforce fail", denies: true,
		},
		"GHSA-jrr2-x33p-6hvc: an override by labels that cannot be read": {
			rule:  "failureAction: Enforce, failureActionOverrides: [{action: Audit, namespaceSelector: {matchLabels: {env: prod}}}]",
			world: world{labelsErr: errors.New("gone")}, want: "Audit error",
		},
		"a policy that is not scored warns and still enforces": {
			meta: ", annotations: {policies.kyverno.io/scored: 'false'}", rule: "failureAction: Enforce", want: "Enforce warn", denies: true,
		},
		"a policy that is not scored warns": {
			meta: ", annotations: {policies.kyverno.io/scored: 'false'}", want: "Audit warn",
		},
	} {
		t.Run(name, func(t *testing.T) {
			spec, rule := c.spec, c.rule
			if spec != "" {
				spec += ", "
			}
			if rule != "" {
				rule += ", "
			}
			s := snapshot(t, "{apiVersion: kyverno.io/v1, kind: ClusterPolicy, metadata: {name: p"+c.meta+"}, spec: {"+spec+"rules: [{name: r, match: {any: [{resources: {kinds: [Pod], namespaces: ['*']}}]}, validate: {"+rule+"deny: {}}}]}}")
			list := s.Validate(t.Context(), asking(t, plainPod), c.world.inputs())
			if len(list) != 1 {
				t.Fatalf("got %d decisions:\n%s", len(list), lines(list))
			}
			same(t, "decision", list[0].Action.String()+" "+list[0].Status.String(), c.want)
			if list[0].Denies() != c.denies {
				t.Errorf("denies: got %v, want %v", list[0].Denies(), c.denies)
			}
		})
	}
}

func TestAllowExistingViolations(t *testing.T) {
	const (
		bad   = "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: team-a, labels: {app: web}}}"
		worse = "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: team-a, labels: {app: web, more: x}}}"
		good  = "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: team-a, labels: {owner: jane}}}"

		failed  = "r fail: failed at /metadata/labels/owner/"
		allowed = "r skip: the object violated this rule before the update: existing violations are allowed"
	)
	for name, c := range map[string]struct{ rule, before, after, want string }{
		"an update of an object that violated it":      {"failureAction: Enforce", bad, worse, allowed},
		"Enforce comes from an override":               {"failureAction: Audit, failureActionOverrides: [{action: Enforce, namespaces: [team-a]}]", bad, worse, allowed},
		"Audit comes from an override":                 {"failureAction: Enforce, failureActionOverrides: [{action: Audit, namespaces: [team-a]}]", bad, worse, failed},
		"an update that makes it violate":              {"failureAction: Enforce", good, bad, failed},
		"existing violations are not allowed":          {"failureAction: Enforce, allowExistingViolations: false", bad, worse, failed},
		"a policy that only audits":                    {"failureAction: Audit", bad, worse, failed},
		"an update that mends it":                      {"failureAction: Enforce", bad, good, "r pass"},
		"the old object was of no concern to the rule": {"failureAction: Enforce", "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: team-a, labels: {app: free}}}", bad, failed},
	} {
		t.Run(name, func(t *testing.T) {
			s := snapshot(t, withoutAutogen("p", "{rules: [{name: r, "+onPods+"exclude: {any: [{resources: {selector: {matchLabels: {app: free}}}}]}, validate: {"+c.rule+", pattern: {metadata: {labels: {owner: '?*'}}}}}]}"))
			req := asking(t, c.after)
			req.Operation, req.OldObject = Update, object(t, c.before)
			same(t, "decisions", lines(s.Validate(t.Context(), req, world{}.inputs())), c.want)
		})
	}
}
