package engine

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	kyvernov2 "github.com/kyverno/kyverno/api/kyverno/v2"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

func tryCompileGlobal(t testing.TB, spec string) (*GlobalContext, error) {
	t.Helper()
	src := &kyvernov2.GlobalContextEntry{}
	if err := yaml.UnmarshalStrict([]byte("{apiVersion: kyverno.io/v2, kind: GlobalContextEntry, metadata: {name: apps}, spec: "+spec+"}"), src); err != nil {
		t.Fatalf("%v in:\n%s", err, spec)
	}
	compiler, err := NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	return compiler.CompileGlobalContext(src)
}

func TestGlobalContext(t *testing.T) {
	for name, c := range map[string]struct {
		spec     string
		resource *WatchedResource
		call     *RepeatedCall
	}{
		"a resource": {
			"{kubernetesResource: {group: apps, version: v1, resource: deployments, namespace: team-a}}",
			&WatchedResource{schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}, "team-a"}, nil,
		},
		"one of the core group": {
			"{kubernetesResource: {version: v1, resource: namespaces}}",
			&WatchedResource{schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}, ""}, nil,
		},
		"a call of the API server": {
			"{apiCall: {urlPath: /api/v1/namespaces}}", nil,
			&RepeatedCall{Call{Path: "/api/v1/namespaces", Method: "GET"}, 10 * time.Minute, 3},
		},
		"a call of a service": {
			"{apiCall: {method: POST, data: [{key: a, value: [1]}], refreshInterval: 90s, retryLimit: 5, service: {url: 'https://s.ns:8443/x', caBundle: PEM, headers: [{key: X-A, value: b}]}}}", nil,
			&RepeatedCall{Call{URL: "https://s.ns:8443/x", Method: "POST", Body: map[string]any{"a": []any{1.0}}, Headers: []Header{{"X-A", "b"}}, CABundle: "PEM"}, 90 * time.Second, 5},
		},
	} {
		t.Run(name, func(t *testing.T) {
			g, err := tryCompileGlobal(t, c.spec)
			if err != nil {
				t.Fatal(err)
			}
			if g.Name != "apps" || !reflect.DeepEqual(g.Resource, c.resource) || !reflect.DeepEqual(g.Call, c.call) {
				t.Errorf("got %+v, %+v, %+v", g, g.Resource, g.Call)
			}
		})
	}
}

func TestGlobalContextProjections(t *testing.T) {
	g, err := tryCompileGlobal(t, "{kubernetesResource: {version: v1, resource: pods}, projections: [{name: names, jmesPath: '[].metadata.name'}, {name: count, jmesPath: length(@)}]}")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range g.Projections {
		got = append(got, p.Name+": "+p.Query.String())
	}
	if want := []string{"names: [].metadata.name", "count: length(@)"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestGlobalContextProblems(t *testing.T) {
	const pods = "kubernetesResource: {version: v1, resource: pods}"
	for spec, want := range map[string]string{
		"{}":                                     "spec: has no source: expected kubernetesResource or apiCall",
		"{" + pods + ", apiCall: {urlPath: /a}}": "spec: has both kubernetesResource and apiCall: expected one of them",
		"{kubernetesResource: {}}":               "spec.kubernetesResource.version: is missing; spec.kubernetesResource.resource: is missing",
		"{kubernetesResource: {version: v2, resource: Pods}}":     "spec.kubernetesResource.group: is missing: only the version v1 has no group; spec.kubernetesResource.resource: \"Pods\" is not a resource: expected a plural in lower case, such as deployments",
		"{kubernetesResource: {version: v1, resource: pods/log}}": `spec.kubernetesResource.resource: "pods/log" is a subresource: it cannot be watched`,
		"{apiCall: {}}": "spec.apiCall: has no address: expected urlPath or service",
		"{apiCall: {urlPath: /a, service: {url: 'https://a'}}}":                               "spec.apiCall: has both urlPath and service: expected one of them",
		"{apiCall: {urlPath: '/a/{{ b }}'}}":                                                  "spec.apiCall.urlPath: holds a variable: an entry belongs to no request",
		"{apiCall: {urlPath: /a/../b}}":                                                       `spec.apiCall.urlPath: out of the policy's reach: path "/a/../b" has an empty, . or .. segment`,
		"{apiCall: {service: {url: 'https://{{ b }}/c'}}}":                                    "spec.apiCall.service.url: holds a variable: an entry belongs to no request",
		"{apiCall: {service: {url: 'file:///etc/passwd'}}}":                                   `spec.apiCall.service.url: "file:///etc/passwd" is not an address: expected https://HOST/PATH`,
		"{apiCall: {urlPath: /a, method: PUT}}":                                               `spec.apiCall.method: unknown method "PUT": expected GET or POST`,
		"{apiCall: {urlPath: /a, data: [{key: a, value: b}]}}":                                "spec.apiCall.data: belongs to method POST only",
		"{apiCall: {urlPath: /a, method: POST, data: [{key: a, value: '{{ b }}'}]}}":          "spec.apiCall.data[0].value: holds a variable: an entry belongs to no request",
		"{apiCall: {urlPath: /a, refreshInterval: 0s, retryLimit: -1}}":                       "spec.apiCall.refreshInterval: is 0s: expected more than nothing; spec.apiCall.retryLimit: is -1: expected at least 1",
		"{" + pods + ", projections: [{jmesPath: a}, {name: apps, jmesPath: a}]}":             `spec.projections[0].name: is missing; spec.projections[1].name: "apps" is the name of the entry: expected another`,
		"{" + pods + ", projections: [{name: a, jmesPath: a}, {name: a, jmesPath: 'nope('}]}": `spec.projections[1].name: "a" stands twice; spec.projections[1].jmesPath: expression "nope(": at character 6: Incomplete expression`,
	} {
		t.Run(spec, func(t *testing.T) {
			_, err := tryCompileGlobal(t, spec)
			if err == nil || !strings.HasPrefix(err.Error(), "GlobalContextEntry/apps: "+want) {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

func TestSnapshotHoldsGlobalContexts(t *testing.T) {
	g, err := tryCompileGlobal(t, "{kubernetesResource: {version: v1, resource: pods}}")
	if err != nil {
		t.Fatal(err)
	}
	s, err := Assemble(Contents{GlobalContexts: []*GlobalContext{g}})
	if err != nil || len(s.GlobalContexts()) != 1 || s.Digest() == snapshot(t).Digest() {
		t.Errorf("got %v, %v, digest %s", s.GlobalContexts(), err, s.Digest())
	}
	if _, err := Assemble(Contents{GlobalContexts: []*GlobalContext{g, g}}); err == nil || err.Error() != "GlobalContextEntry apps stands twice in the bundle" {
		t.Errorf("the same twice: %v", err)
	}
}
