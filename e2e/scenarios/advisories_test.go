package scenarios

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// tenantPolicy is a Policy of the namespace default that refuses the ConfigMap tried-NAME if it can evaluate {{ x }}, and
// by its failurePolicy if it cannot.
func tenantPolicy(t *testing.T, name, entry string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	text := `{apiVersion: kyverno.io/v1, kind: Policy, metadata: {name: ` + name + `, namespace: default}, spec: {rules: [{name: r,
		match: {any: [{resources: {kinds: [ConfigMap], names: [tried-` + name + `]}}]}, context: [` + entry + `],
		validate: {failureAction: Enforce, message: "x is {{ x }}", deny: {conditions: {any: [{key: "{{ x }}", operator: NotEquals, value: no-such-value}]}}}}]}}`
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

// Published holes of policy engines, acted out on a live serve. Those of the same names in packages engine and lookup
// are about single cases.
func TestAdvisories(t *testing.T) {
	c := newCluster(t)
	c.installPolicyTypes(t)
	ctx := t.Context()
	if _, err := c.kube.CoreV1().ConfigMaps("kube-system").Create(ctx, c.configMap("kube-system", "private", nil, map[string]string{"word": "swordfish"}), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	p := c.serve(t, c.options(t, "advisories", c.emptyBundle(t)))
	refusedAs := func(t *testing.T, name, want string) {
		t.Helper()
		eventually(t, "the refusal of tried-"+name, func(ctx context.Context) string {
			_, err := c.kube.CoreV1().ConfigMaps("default").Create(ctx, c.configMap("default", "tried-"+name, nil, nil), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			switch {
			case err == nil:
				return "it is admitted"
			case strings.Contains(err.Error(), "swordfish"):
				t.Fatalf("the refusal tells what is private: %v", err)
			case !strings.Contains(err.Error(), want):
				return err.Error()
			}
			return ""
		})
	}

	// A namespaced policy reads what only we may: by a call, by name, at the end of a default.
	for name, look := range map[string]string{
		"ghsa-8p9x-46gm-qfx2": `{name: x, apiCall: {urlPath: /api/v1/namespaces/kube-system/configmaps/private, jmesPath: data.word}}`,
		"ghsa-8p9x-dots":      `{name: x, apiCall: {urlPath: /api/v1/namespaces/default/../kube-system/configmaps/private, default: none}}`,
		"ghsa-cvq5-hhx3-f99p": `{name: c, configMap: {name: private, namespace: kube-system}}, {name: x, variable: {jmesPath: c.data.word, default: none}}`,
	} {
		t.Run(name, func(t *testing.T) {
			c.mustApply(t, tenantPolicy(t, name, look))
			refusedAs(t, name, "out of the policy's reach")
		})
	}

	// Calls to services that nobody allowed, metadata among them.
	for name, address := range map[string]string{
		"ghsa-rggm-jjmc-3394": "http://169.254.169.254/latest/meta-data/", "ghsa-459x-q9hg-4gpq": "https://example.com/x",
	} {
		t.Run(name, func(t *testing.T) {
			c.mustApply(t, tenantPolicy(t, name, `{name: x, apiCall: {service: {url: "`+address+`", caBundle: ""}}}`))
			refusedAs(t, name, "--allowed-service-url")
		})
	}

	// What is wrong for every request is refused when it is applied.
	for name, look := range map[string]struct{ entry, want string }{
		"ghsa-qr4g-8hrp-c4rw": {`{name: x, apiCall: {service: {url: "https://{{ request.object.metadata.name }}/x", caBundle: ""}}}`, "the host of a service is constant"},
		"ghsa-fmqp-4wfc-w3v7": {`{name: x, apiCall: {service: {url: "https://good.example.com:{{ request.name }}/x", caBundle: ""}}}`, "the host of a service is constant"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.apply(ctx, tenantPolicy(t, name, look.entry)); err == nil || !strings.Contains(err.Error(), look.want) {
				t.Errorf("applied with %v, want a refusal because %s", err, look.want)
			}
		})
	}

	t.Run("ghsa-r2rj-wwm5-x6mq", func(t *testing.T) {
		entries := `{name: v0, variable: {value: "0123456789"}}`
		for i := 1; i < 40; i++ {
			entries += fmt.Sprintf(`, {name: v%d, variable: {value: "{{ v%d }}{{ v%d }}"}}`, i, i-1, i-1)
		}
		c.mustApply(t, tenantPolicy(t, "ghsa-r2rj-wwm5-x6mq", entries+`, {name: x, variable: {jmesPath: "length(v39)"}}`))
		began := time.Now()
		refusedAs(t, "ghsa-r2rj-wwm5-x6mq", "longer than 2097152 bytes")
		t.Logf("refused after %s", time.Since(began).Round(time.Millisecond))
	})

	// A namespaced policy generates into another namespace.
	t.Run("ghsa-79gf-7frw-68m9", func(t *testing.T) {
		u := &unstructured.Unstructured{}
		text := `{apiVersion: kyverno.io/v1, kind: Policy, metadata: {name: reaches-out, namespace: default}, spec: {rules: [{name: r,
			match: {any: [{resources: {kinds: [ConfigMap], names: [seed]}}]},
			generate: {apiVersion: v1, kind: ConfigMap, name: planted, namespace: "{{ request.object.data.where }}", data: {data: {a: b}}}}]}}`
		if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
			t.Fatal(err)
		}
		c.mustApply(t, u)
		c.awaitReady(t, u)
		if _, err := c.kube.CoreV1().ConfigMaps("default").Create(ctx, c.configMap("default", "seed", nil, map[string]string{"where": "kube-system"}), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		wants := verdicts{verdictKey("ConfigMap", "default", "seed", "default/reaches-out", "r"): "error"}
		eventually(t, "the report to tell that it is out of reach", c.reports(wants))
		if _, err := c.kube.CoreV1().ConfigMaps("kube-system").Get(ctx, "planted", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			t.Errorf("it was generated: %v", err)
		}
	})
	stop(t, p)
}
