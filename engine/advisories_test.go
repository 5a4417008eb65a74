package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Each test here is named for a published hole of a policy engine that Holdfast must not have.

// Variables that each hold the one before twice grow past any memory within a few dozen lines.
func TestGHSA_r2rj_wwm5_x6mq(t *testing.T) {
	doubling := func(first, next string) string {
		entries := []string{"{name: v0, variable: {value: " + first + "}}"}
		for i := 1; i < 40; i++ {
			entries = append(entries, fmt.Sprintf("{name: v%d, variable: {%s}}", i, strings.ReplaceAll(next, "V", fmt.Sprintf("v%d", i-1))))
		}
		return "{rules: [{name: r, " + onPods + "context: [" + strings.Join(entries, ", ") + "], validate: {deny: {conditions: {any: [{key: '{{ v39 }}', operator: Equals, value: x}]}}}}]}"
	}
	for name, c := range map[string]struct{ spec, want string }{
		"text":    {doubling("0123456789", "value: '{{ V }}{{ V }}'"), "context variable v18: the text with its variables is longer than 2097152 bytes"},
		"lists":   {doubling("[x, x]", "jmesPath: '[V, V]'"), "context variable v18: its value is longer than 2097152 bytes: too large"},
		"objects": {doubling("{a: x}", "value: {a: '{{ V }}', b: '{{ V }}'}"), "context variable v17: its value is longer than 2097152 bytes: too large"},
		"in spite of a default": {
			doubling("[x, x]", "jmesPath: '[V, V]', default: none"), "context variable v18: its value is longer than 2097152 bytes: too large",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := snapshot(t, withoutAutogen("p", c.spec))
			start := time.Now()
			same(t, "decisions", lines(s.Validate(t.Context(), asking(t, plainPod), world{}.inputs())), "r error: could not be evaluated: "+c.want)
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// Exceptions count from the namespaces that were configured: by default no namespace of a cluster is.
func TestGHSA_qjvc_p88j_j9rm(t *testing.T) {
	var none ExceptionNamespaces
	for _, namespace := range []string{"default", "kyverno", "holdfast", "team-a", "", "*"} {
		if none.Count(namespace) {
			t.Errorf("an exception of namespace %q counts", namespace)
		}
	}
	ours := ExceptionNamespaces{"holdfast"}
	for _, namespace := range []string{"default", "holdfast-2", "holdfas", "", "Holdfast"} {
		if ours.Count(namespace) {
			t.Errorf("with holdfast alone, an exception of namespace %q counts", namespace)
		}
	}
}

// Of two exceptions each excuses what it names, and their order never matters: neither does the narrower one
// take from the wider, nor does an error of one stand in the way of what the other excuses.
func TestGHSA_gg4x_fgg2_h9w9(t *testing.T) {
	const (
		wide    = "{" + named + ", " + allPods + "}"
		narrow  = "{" + named + ", match: {any: [{resources: {kinds: [Pod], names: [other]}}]}}"
		broken  = "{" + named + ", " + allPods + ", conditions: {any: [{key: '{{ nope }}', operator: Equals, value: a}]}}"
		byUser  = "{" + named + ", match: {any: [{resources: {kinds: [Pod]}, subjects: [{kind: User, name: joe}]}]}}"
		another = "{exceptions: [{policyName: p, ruleNames: [s]}], " + allPods + "}"
	)
	policy := withoutAutogen("p", refusesPods)
	for name, c := range map[string]struct {
		specs []string
		want  string
	}{
		"a wider and a narrower": {[]string{wide, narrow}, "r skip: excused by PolicyException team-a/x0"},
		"both excuse":            {[]string{wide, wide}, "r skip: excused by PolicyExceptions team-a/x0, team-a/x1"},
		"none excuses":           {[]string{narrow, byUser, another}, "r fail: rule r failed"},
		"one is broken":          {[]string{wide, broken, narrow}, "r skip: excused by PolicyException team-a/x0"},
		"none but a broken one":  {[]string{broken, narrow}, `r error: could not be evaluated: PolicyException team-a/x0: conditions: any[0]: key: nope: not found: unknown key "nope"`},
	} {
		t.Run(name, func(t *testing.T) {
			texts := make([]string, len(c.specs))
			for i, spec := range c.specs {
				texts[i] = exception(fmt.Sprintf("x%d", i), spec)
			}
			for range len(texts) {
				texts = append(texts[1:], texts[0])
				s := assemble(t, policy, texts...)
				same(t, "decisions", lines(s.Validate(t.Context(), asking(t, excusedPod), world{}.inputs())), c.want)
			}
		})
	}
}

// namespaced is looking in a Policy of the namespace shop.
func namespaced(entries string) string {
	return "{apiVersion: kyverno.io/v1, kind: Policy, metadata: {name: p, namespace: shop, annotations: {pod-policies.kyverno.io/autogen-controllers: none}}, spec: {rules: [{name: r, " + onPods +
		"context: [" + entries + "], validate: {deny: {conditions: {all: [{key: '{{ x }}', operator: Equals, value: y}]}}}}]}}"
}

// A namespaced policy asked the API server for any path, with the engine's own rights.
func TestGHSA_8p9x_46gm_qfx2(t *testing.T) {
	const out = "r error: could not be evaluated: context variable x: GET "
	for path, want := range map[string]string{
		"/api/v1/namespaces/shop/pods":                       "r pass",
		"/apis/apps/v1/namespaces/shop/deployments/web":      "r pass",
		"/api/v1/namespaces/bank/secrets":                    "namespace bank, for a policy of namespace shop",
		"/api/v1/secrets":                                    "is not one of namespace shop",
		"/api/v1/nodes":                                      "is not one of namespace shop",
		"/apis/rbac.authorization.k8s.io/v1/clusterroles":    "is not one of namespace shop",
		"/api/v1/namespaces/shop/../bank/secrets":            "has an empty, . or .. segment",
		"/api/v1/namespaces/shop/%2e%2e/bank/secrets":        "has an empty, . or .. segment",
		"/api/v1/namespaces/shop%2f..%2fbank/secrets":        "has an empty, . or .. segment",
		"/api/v1//namespaces/shop/pods":                      "has an empty, . or .. segment",
		"/api/v1/namespaces/shop/services/web/proxy/x":       "leads through a proxy",
		"/api/v1/namespaces/shop/pods/web/proxy":             "leads through a proxy",
		"/version":                                           "is not one of namespace shop",
		"/x/api/v1/namespaces/shop/pods":                     "is not one of namespace shop",
		"/api/v1/watch/namespaces/shop/pods":                 "is not one of namespace shop",
		"/apis/g/v1/namespaces":                              "is not one of namespace shop",
		"/api/v1/nodes?x=/api/v1/namespaces/shop/pods":       "is not one of namespace shop",
		"/api/v1/namespaces/bank/pods?x=/namespaces/shop/po": "namespace bank, for a policy of namespace shop",
	} {
		t.Run(path, func(t *testing.T) {
			a := &archive{answers: map[string]any{"GET " + path: "z"}}
			got := lines(snapshot(t, namespaced("{name: x, apiCall: {urlPath: '"+path+"', default: y}}")).Validate(t.Context(), asking(t, twoContainers), a.inputs()))
			if want == "r pass" {
				same(t, "decisions", got, want)
				return
			}
			if !strings.HasPrefix(got, out) || !strings.HasSuffix(got, want) {
				t.Errorf("got %s, want an error that ends with %s", got, want)
			}
			same(t, "asked", strings.Join(a.asked, "; "), "")
		})
	}
}

// A namespaced policy read ConfigMaps of other namespaces. There is one gate, and every look-up goes through it.
func TestGHSA_cvq5_hhx3_f99p(t *testing.T) {
	for name, c := range map[string]struct{ entry, want string }{
		"a ConfigMap":          {"{name: x, configMap: {name: c, namespace: bank}}", "context variable x: reading ConfigMap bank/c: out of the policy's reach: namespace bank, for a policy of namespace shop"},
		"named by a variable":  {"{name: ns, variable: {value: bank}}, {name: x, configMap: {name: c, namespace: '{{ ns }}'}}", "context variable x: reading ConfigMap bank/c: out of the policy's reach: namespace bank, for a policy of namespace shop"},
		"behind a default":     {"{name: c, configMap: {name: c, namespace: bank}}, {name: x, variable: {jmesPath: c.data.x, default: y}}", "context variable c: reading ConfigMap bank/c: out of the policy's reach: namespace bank, for a policy of namespace shop"},
		"a pull secret":        {"{name: x, imageRegistry: {reference: nginx, imageRegistryCredentials: {secrets: [bank/pull]}}}", "context variable x: asking the registry about nginx: pull secret bank/pull: out of the policy's reach: namespace bank, for a policy of namespace shop"},
		"without one: its own": {"{name: x, configMap: {name: c}}", "context variable x: reading ConfigMap shop/c: does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			got := lines(snapshot(t, namespaced(c.entry)).Validate(t.Context(), asking(t, twoContainers), (&archive{}).inputs()))
			same(t, "decisions", got, "r error: could not be evaluated: "+c.want)
		})
	}
	t.Run("a kind without namespaces", func(t *testing.T) {
		a := &archive{objects: map[string]map[string]any{"Node/shop/a": object(t, "{metadata: {name: a, uid: u}}")}}
		s := snapshot(t, "{apiVersion: kyverno.io/v1, kind: Policy, metadata: {name: p, namespace: shop}, spec: {rules: [{name: r, match: {any: [{resources: {kinds: [ConfigMap]}}]}, mutate: {targets: [{apiVersion: v1, kind: Node, name: a}], patchStrategicMerge: {metadata: {labels: {a: b}}}}}]}}")
		same(t, "decisions", lines(s.MutateExisting(t.Context(), asking(t, trigger), a.inputs())),
			"r error: could not be evaluated: targets[0]: out of the policy's reach: Node is not of namespace shop")
	})
	t.Run("the global context", func(t *testing.T) {
		_, err := tryCompile(t, namespaced("{name: x, globalReference: {name: teams}}"))
		if err == nil {
			t.Fatal("a namespaced policy reads the global context")
		}
		same(t, "error", err.Error(), "Policy/shop/p: spec.rules[0].context[0].globalReference: belongs to ClusterPolicies only")
	})
	t.Run("targets of a mutation", func(t *testing.T) {
		a := deployments(t)
		s := snapshot(t, "{apiVersion: kyverno.io/v1, kind: Policy, metadata: {name: p, namespace: shop}, spec: {rules: [{name: r, match: {any: [{resources: {kinds: [ConfigMap]}}]}, mutate: {targets: [{apiVersion: apps/v1, kind: Deployment, namespace: bank, name: c}], patchStrategicMerge: {metadata: {labels: {a: b}}}}}]}}")
		if got := s.MutateExisting(t.Context(), asking(t, trigger), a.inputs()); len(got) != 0 {
			t.Errorf("got %s", lines(got))
		}
		same(t, "asked", strings.Join(a.asked, "; "), "get Deployment/shop/c")
	})
}

// A policy of a namespace has no say over the policies, exceptions and reports there, whatever it matches, and writes none.
func TestKubewarden_CVE_2025_24376(t *testing.T) {
	for _, apiVersion := range []string{
		"wgpolicyk8s.io/v1alpha2", "openreports.io/v1alpha1", "reports.kyverno.io/v1", "kyverno.io/v2", "policies.kyverno.io/v1", "holdfast.dev/v1alpha1",
	} {
		of := func(kind, meta, do string) string {
			return "{apiVersion: kyverno.io/v1, kind: " + kind + ", metadata: {" + meta + "}, spec: {rules: [{name: r, match: {any: [{resources: {kinds: ['*']}}]}, " + do + "}]}}"
		}
		const deny = "validate: {message: refused, deny: {}}"
		req := asking(t, "{apiVersion: "+apiVersion+", kind: Thing, metadata: {name: a, namespace: team}}")
		same(t, apiVersion+", by a Policy", lines(snapshot(t, of("Policy", "name: p, namespace: team", deny)).Validate(t.Context(), req, world{}.inputs())), "")
		same(t, apiVersion+", by a ClusterPolicy", lines(snapshot(t, of("ClusterPolicy", "name: p", deny)).Validate(t.Context(), req, world{}.inputs())), "r fail: refused")

		make := "generate: {apiVersion: " + apiVersion + ", kind: Thing, name: b, namespace: team, data: {spec: {}}}"
		trigger := asking(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: team}}")
		same(t, apiVersion+", generated by a Policy", lines(snapshot(t, of("Policy", "name: p, namespace: team", make)).Generate(t.Context(), trigger, world{}.inputs())),
			"r error: could not be evaluated: generating: out of the policy's reach: Thing, for a policy of namespace team")
	}
}

// A tenant's policy enumerated what others may do. Here it asks what those who rule its namespace may ask themselves, with
// a LocalSubjectAccessReview: about the namespace, and nothing beside it (Kubewarden CVE-2026-42541).
func TestKubewarden_CVE_2026_42541(t *testing.T) {
	const out = "r error: could not be evaluated: authorizer.check "
	for question, want := range map[string]string{
		"authorizer.requestResource.check('update')":                                                            "r pass",
		"authorizer.group('').resource('secrets').namespace('shop').check('get')":                               "r pass",
		"authorizer.serviceAccount('bank', 'teller').group('').resource('pods').namespace('shop').check('get')": "r pass",
		"authorizer.group('').resource('secrets').namespace('bank').check('get')":                               out + "get secrets in bank: out of the policy's reach: namespace bank, for a policy of namespace shop",
		"authorizer.requestResource.namespace('bank').check('get')":                                             out + "get pods in bank: out of the policy's reach: namespace bank, for a policy of namespace shop",
		"authorizer.group('').resource('secrets').check('list')":                                                out + "list secrets: out of the policy's reach: a policy of namespace shop sees nothing outside of it",
		"authorizer.group('').resource('nodes').name('n').check('get')":                                         out + "get nodes: out of the policy's reach: a policy of namespace shop sees nothing outside of it",
		"authorizer.path('/metrics').check('get')":                                                              out + "get /metrics: out of the policy's reach: a policy of namespace shop sees nothing outside of it",
	} {
		t.Run(question, func(t *testing.T) {
			s := snapshot(t, "{apiVersion: kyverno.io/v1, kind: Policy, metadata: {name: p, namespace: shop, annotations: {pod-policies.kyverno.io/autogen-controllers: none}}, spec: {rules: [{name: r, "+onPods+
				"validate: {cel: {expressions: [{expression: \""+question+".allowed() || true\"}]}}}]}}")
			a := &archive{}
			same(t, "decisions", lines(s.Validate(t.Context(), asking(t, "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop}}"), a.inputs())), want)
			if want != "r pass" && len(a.asked) > 0 {
				t.Errorf("it was asked all the same: %s", a.asked)
			}
		})
	}
}
