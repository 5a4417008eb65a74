package audit

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// inCEL is a policy in CEL that wants the label team on what its resourceRules select. A namespace makes it one of that.
func inCEL(name, namespace, resourceRules string) string {
	kind := "ValidatingPolicy"
	if namespace != "" {
		kind = "Namespaced" + kind
	}
	return fmt.Sprintf(`
apiVersion: policies.kyverno.io/v1
kind: %s
metadata: {name: %s, namespace: %q}
spec:
  autogen: {podControllers: {controllers: []}}
  matchConstraints: {resourceRules: [%s]}
  validations: [{expression: "has(object.metadata.labels) && 'team' in object.metadata.labels"}]
`, kind, name, namespace, resourceRules)
}

// resources is a resourceRule for creations.
func resources(group, version, resource string, more ...string) string {
	return fmt.Sprintf("{apiGroups: ['%s'], apiVersions: ['%s'], resources: ['%s'], operations: [CREATE]%s}", group, version, resource, strings.Join(append([]string{""}, more...), ", "))
}

var namespaceType = Type{Kind: schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}, Resource: schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}, Preferred: true}

func TestTypesByTheirPlurals(t *testing.T) {
	all := []Type{podType, secret, namespaceType, deployV1, deployB1}
	for name, c := range map[string]struct {
		policies  []string
		want      string
		notListed string
	}{
		"one":                              {[]string{inCEL("p", "", resources("", "v1", "pods"))}, "pods.v1", ""},
		"a version that is not preferred":  {[]string{inCEL("p", "", resources("apps", "v1beta1", "deployments"))}, "deployments.v1beta1.apps", ""},
		"any version":                      {[]string{inCEL("p", "", resources("apps", "*", "deployments"))}, "deployments.v1.apps", ""},
		"all":                              {[]string{inCEL("p", "", resources("*", "*", "*"))}, "namespaces.v1 pods.v1 secrets.v1 deployments.v1.apps", ""},
		"all and their subresources":       {[]string{inCEL("p", "", resources("*", "*", "*/*"))}, "namespaces.v1 pods.v1 secrets.v1 deployments.v1.apps", ""},
		"all in namespaces":                {[]string{inCEL("p", "", resources("*", "*", "*", "scope: Namespaced"))}, "pods.v1 secrets.v1 deployments.v1.apps", ""},
		"all in none":                      {[]string{inCEL("p", "", resources("*", "*", "*", "scope: Cluster"))}, "namespaces.v1", ""},
		"all of a namespace's policy":      {[]string{inCEL("p", "n", resources("*", "*", "*"))}, "pods.v1 secrets.v1 deployments.v1.apps", ""},
		"subresources alone":               {[]string{inCEL("p", "", resources("", "v1", "pods/exec"))}, "", ""},
		"a resource with its subresources": {[]string{inCEL("p", "", resources("", "v1", "pods/*"))}, "pods.v1", ""},
		"what is not served": {
			[]string{inCEL("p", "", resources("example.com", "v1", "squids")), inCEL("q", "n", resources("example.com", "v1", "squids")), policyFor("r", "Whale")},
			"", "*/*/Whale: r; example.com/v1/squids: NamespacedValidatingPolicy/n/q, ValidatingPolicy/p",
		},
		"what is served in another version": {[]string{inCEL("p", "", resources("apps", "v2", "deployments"))}, "", "apps/v2/deployments: ValidatingPolicy/p"},
		"groups and resources in one rule": {
			[]string{inCEL("p", "", "{apiGroups: ['', apps], apiVersions: [v1], resources: [pods, deployments, squids], operations: [CREATE]}")},
			"pods.v1 deployments.v1.apps", "/v1/squids: ValidatingPolicy/p; apps/v1/squids: ValidatingPolicy/p",
		},
		"what a wildcard selects is not named": {[]string{inCEL("p", "", resources("example.com", "*", "*"))}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := compile(t, c.policies...)
			var got, missing []string
			for _, typ := range wanted(all, s) {
				got = append(got, typ.label())
			}
			if text := strings.Join(got, " "); text != c.want {
				t.Errorf("audited: %s, want %s", text, c.want)
			}
			for _, u := range unserved(all, s) {
				k := u.Type.Kind
				_, policies, _ := strings.Cut(u.Skipped, ": ")
				missing = append(missing, k.Group+"/"+k.Version+"/"+k.Kind+": "+policies)
			}
			if text := strings.Join(missing, "; "); text != c.notListed {
				t.Errorf("not served: %s, want %s", text, c.notListed)
			}
		})
	}
}

func TestAPolicyOfANamespaceJudgesItsNamespaceOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, inCEL("p", "n", resources("", "v1", "pods")))
		c.create(t, podType, "n", "a", nil)
		c.create(t, podType, "other", "b", nil)
		c.run(t)
		c.expect(t, "the first list", "a fail, b , pods.v1: 2")
		c.stop()
	})
}

// A type that comes after the policy that names it is audited when it comes.
func TestATypeThatComesAfterItsPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, inCEL("p", "", resources("apps", "v1", "deployments")))
		c.create(t, deployV1, "n", "d", nil)
		c.run(t)
		const why = "the cluster has no such type that can be listed; policies that select it: ValidatingPolicy/p"
		if coverage := c.Coverage(); len(coverage) != 1 || coverage[0].Skipped != why {
			t.Errorf("coverage: %+v", coverage)
		}
		c.discovery.set(nil, deployV1)
		c.TypesChanged() // which is told at once
		c.expect(t, "a type that appears", "d fail, deployments.v1.apps: 1")
		if coverage := c.Coverage(); len(coverage) != 1 || coverage[0].Skipped != "" || coverage[0].Objects != 1 {
			t.Errorf("coverage: %+v", coverage)
		}
		c.stop()
	})
}

// An object that is served in another version is seen there: nothing is stale.
func TestAVersionThatVanishes(t *testing.T) {
	for name, c := range map[string]struct{ version, want string }{
		"of any that a policy takes": {"*", "d fail, deployments.v1.apps: 0, deployments.v1beta1.apps: 1"},
		"that a policy names":        {"v1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newCluster(t, inCEL("p", "", resources("apps", c.version, "deployments")))
				s.create(t, deployV1, "n", "d", nil)
				s.create(t, deployB1, "n", "d", nil)
				s.discovery.set(nil, deployV1, deployB1)
				s.run(t)
				s.told()
				s.discovery.set(nil, deployB1)
				time.Sleep(31 * time.Second)
				s.expect(t, "the version that is left", c.want)
				s.stop()
			})
		})
	}
}
