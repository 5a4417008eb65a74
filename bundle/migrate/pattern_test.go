package migrate

import (
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

func migrator(t *testing.T) *Migrator {
	t.Helper()
	m, err := New(Options{Now: time.Unix(0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	var out map[string]any
	if err := yaml.UnmarshalStrict([]byte(text), &out); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	return out
}

// policyOf is a ClusterPolicy with one rule: its match, and what else stands in it.
func policyOf(kind, rule string) string {
	return "{apiVersion: kyverno.io/v1, kind: ClusterPolicy, metadata: {name: p, annotations: {pod-policies.kyverno.io/autogen-controllers: none}}, " +
		"spec: {rules: [{name: r, match: {any: [{resources: {kinds: [" + kind + "]}}]}, " + rule + "}]}}"
}

func translate(t *testing.T, policy string) *Rule {
	t.Helper()
	result, err := migrator(t).Translate(t.Context(), parse(t, policy))
	if err != nil {
		t.Fatal(err)
	}
	return &result.Rules[0]
}

// texts lists the expressions of a part of the policy's spec.
func expressionsOf(r *Rule, part string) string {
	var out []string
	for i := range r.Policies {
		spec := r.Policies[i].Document["spec"].(map[string]any)
		list, _ := spec[part].([]any)
		for _, item := range list {
			out = append(out, item.(map[string]any)["expression"].(string))
		}
	}
	return strings.Join(out, "\n")
}

// Every translation here is proved too: Translate gives none otherwise.
func TestPatternsBecomeExpressions(t *testing.T) {
	for name, c := range map[string]struct{ kind, pattern, want, conditions string }{
		"a boolean that must be true":          {"Pod", "{spec: {securityContext: {runAsNonRoot: true}}}", `object.spec.?securityContext.?runAsNonRoot.orValue(false) == true`, ""},
		"a boolean that may be absent":         {"Pod", "{spec: {=(hostNetwork): 'false'}}", `object.spec.?hostNetwork.orValue(false) == false`, ""},
		"a label with any text":                {"Pod", "{metadata: {labels: {app.kubernetes.io/name: '?*'}}}", `object.metadata.?labels[?"app.kubernetes.io/name"].orValue("") != ""`, ""},
		"a text that must be another":          {"Pod", "{metadata: {namespace: '!default'}}", `object.metadata.?namespace.orValue("default") != "default"`, ""},
		"one of two texts":                     {"Service", "{spec: {type: 'ClusterIP | NodePort'}}", `object.spec.?type.orValue("") in ["ClusterIP", "NodePort"]`, ""},
		"none of two texts":                    {"Service", "{spec: {type: '!NodePort & !LoadBalancer'}}", `!(object.spec.?type.orValue("NodePort") in ["NodePort", "LoadBalancer"])`, ""},
		"a number within a range":              {"Deployment", "{spec: {replicas: '2-5'}}", `object.spec.?replicas.orValue(0) >= 2 && object.spec.?replicas.orValue(0) <= 5`, ""},
		"a number above a bound":               {"Deployment", "{spec: {replicas: '>1'}}", `object.spec.?replicas.orValue(0) > 1`, ""},
		"a key that must not be there":         {"Pod", "{spec: {X(hostPath): 'null', =(volumes): [{X(hostPath): 'null'}]}}", `object.spec.?volumes.orValue([]).all(volume, !has(volume.hostPath)) && !has(object.spec.hostPath)`, ""},
		"a prefix of each element":             {"Pod", "{spec: {containers: [{image: 'registry.example/*'}]}}", `has(object.spec.containers) && object.spec.containers.all(container, container.?image.orValue("").startsWith("registry.example/"))`, ""},
		"a list of texts":                      {"Pod", "{spec: {containers: [{securityContext: {capabilities: {drop: [ALL]}}}]}}", `has(object.spec.containers) && object.spec.containers.all(container, container.?securityContext.?capabilities.?drop.hasValue() && container.securityContext.capabilities.drop.all(element, element == "ALL"))`, ""},
		"a quantity below a bound":             {"Pod", "{spec: {containers: [{resources: {limits: {memory: '<=4Gi'}}}]}}", `has(object.spec.containers) && object.spec.containers.all(container, container.?resources.?limits.hasValue() && quantity(string(container.resources.limits.?memory.orValue("0"))).compareTo(quantity("4Gi")) <= 0)`, ""},
		"a condition becomes a matchCondition": {"Pod", "{metadata: {labels: {(app): web, tier: '?*'}}}", `has(object.metadata.labels) && (object.metadata.labels.?app.orValue("") != "web" || object.metadata.labels.?tier.orValue("") != "")`, `!(has(object.metadata.labels) && object.metadata.labels.?app.orValue("") != "web")`},
		"conditions leave elements out":        {"Pod", "{spec: {containers: [{(name): proxy, image: 'proxy:*'}]}}", `has(object.spec.containers) && object.spec.containers.all(container, container.?name.orValue("") != "proxy" || container.?image.orValue("").startsWith("proxy:"))`, `!(has(object.spec.containers) && object.spec.containers != [] && object.spec.containers.all(container, container.?name.orValue("") != "proxy"))`},
		"some element must match":              {"Ingress", "{spec: {^(tls): [{secretName: wildcard}]}}", `!has(object.spec.tls) || object.spec.tls.exists(element, element.?secretName.orValue("") == "wildcard")`, ""},
		"a field of unknown type":              {"example.com/v1/Widget", "{spec: {size: small}}", `type(object.?spec.orValue(null)) == map && (object.spec.?size.orValue(null) == "small" || type(object.spec.?size.orValue(null)) == list && dyn(object.spec.?size.orValue(null)).all(element, element == "small"))`, ""},
		"a number or a text":                   {"PodDisruptionBudget", "{spec: {minAvailable: '?*'}}", `string(object.spec.?minAvailable.orValue("")) != ""`, ""},
		"wildcards in the middle":              {"Pod", "{spec: {schedulerName: 'a*b?'}}", `object.spec.?schedulerName.orValue("").matches("(?s)^a.*b.$")`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := translate(t, policyOf(c.kind, "validate: {message: refused, pattern: "+c.pattern+"}"))
			if !r.Translated() {
				t.Fatalf("stays: %s: %s %v", r.Path, r.Reason, r.Counterexample)
			}
			oneLine := func(s string) string { return strings.ReplaceAll(s, "\n", " ") }
			if got := oneLine(expressionsOf(r, "validations")); got != c.want {
				t.Errorf("validations\n got %s\nwant %s", got, c.want)
			}
			if got := oneLine(expressionsOf(r, "matchConditions")); got != c.conditions {
				t.Errorf("matchConditions\n got %s\nwant %s", got, c.conditions)
			}
			if r.Compared == 0 {
				t.Error("nothing was compared")
			}
		})
	}
}

func TestWhatStays(t *testing.T) {
	const always = "validate: {pattern: {spec: {hostIPC: false}}}"
	for name, c := range map[string]struct{ policy, path, reason string }{
		"a mutate rule":          {policyOf("Pod", "mutate: {patchStrategicMerge: {metadata: {labels: {a: b}}}}"), "spec.rules[0].mutate", "mutate rules are not translated yet"},
		"a variable in a leaf":   {policyOf("Pod", "validate: {pattern: {metadata: {labels: {a: '{{ request.namespace }}'}}}}"), "spec.rules[0].validate.pattern.metadata.labels.a", "a variable in the pattern brings its operators and wildcards with it"},
		"a wildcard in a key":    {policyOf("Pod", "validate: {pattern: {metadata: {labels: {'team/*': x}}}}"), "spec.rules[0].validate.pattern.metadata.labels.team/*", "the key is a wildcard, which stands for the first label in order"},
		"a list of lists":        {policyOf("example.com/v1/Widget", "validate: {pattern: {spec: {a: [[x]]}}}"), "spec.rules[0].validate.pattern.spec.a[0]", "lists of lists are matched element by element"},
		"an error for a failure": {policyOf("Pod", "validate: {pattern: {metadata: {labels: {a: b}}, spec: {^(volumes): [{name: x}]}}}"), "spec.rules[0].validate.pattern", "where an object fails and has ^(volumes) nowhere, the rule answers with an error and not with a failure"},
		"a wildcard kind":        {policyOf("'*'", always), "spec.rules[0].match.any[0]", `the kind "*" has a wildcard, and a CEL policy selects by the names of resources`},
		"a subresource":          {policyOf("Pod/exec", always), "spec.rules[0].match.any[0]", `the kind "Pod/exec" is a subresource, which other kinds may share`},
		"roles of the user": {
			"{apiVersion: kyverno.io/v1, kind: ClusterPolicy, metadata: {name: p}, spec: {rules: [{name: r, match: {any: [{resources: {kinds: [Secret]}, clusterRoles: [admin]}]}, " + always + "}]}}",
			"spec.rules[0].match.any[0]", "roles and clusterRoles of the user: CEL knows names and groups alone",
		},
		"a variable of the context": {policyOf("Pod", "context: [{name: a, variable: {value: 1}}], "+always), "spec.rules[0].context", "variables of the context"},
	} {
		t.Run(name, func(t *testing.T) {
			r := translate(t, c.policy)
			if r.Translated() {
				t.Fatalf("translated:\n%s", expressionsOf(r, "validations"))
			}
			if r.Path != c.path || r.Reason != c.reason {
				t.Errorf("got  %s: %s\nwant %s: %s", r.Path, r.Reason, c.path, c.reason)
			}
		})
	}
}
