package webhook

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the golden files anew")

// cluster is what a small cluster serves.
func cluster() []Resource {
	all := []string{"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}
	return []Resource{
		{Version: "v1", Name: "configmaps", Kind: "ConfigMap", Namespaced: true, Verbs: all},
		{Version: "v1", Name: "namespaces", Kind: "Namespace", Verbs: all},
		{Version: "v1", Name: "pods", Kind: "Pod", Namespaced: true, Verbs: all},
		{Version: "v1", Name: "pods", SubResource: "ephemeralcontainers", Kind: "Pod", Namespaced: true, Verbs: []string{"get", "patch", "update"}},
		{Version: "v1", Name: "pods", SubResource: "exec", Kind: "Pod", Namespaced: true, Verbs: []string{"create", "get"}},
		{Version: "v1", Name: "pods", SubResource: "status", Kind: "Pod", Namespaced: true, Verbs: []string{"get", "patch", "update"}},
		{Version: "v1", Name: "services", Kind: "Service", Namespaced: true, Verbs: all},
		{Group: "apps", Version: "v1", Name: "deployments", Kind: "Deployment", Namespaced: true, Verbs: all},
		{Group: "apps", Version: "v1", Name: "deployments", SubResource: "scale", Kind: "Deployment", Namespaced: true, Verbs: []string{"get", "patch", "update"}},
		{Group: "apps", Version: "v1", Name: "statefulsets", Kind: "StatefulSet", Namespaced: true, Verbs: all},
		{Group: "apps", Version: "v1", Name: "statefulsets", SubResource: "scale", Kind: "StatefulSet", Namespaced: true, Verbs: []string{"get", "patch", "update"}},
		{Group: "authentication.k8s.io", Version: "v1", Name: "tokenreviews", Kind: "TokenReview", Verbs: []string{"create"}},
		{Group: "autoscaling", Version: "v1", Name: "horizontalpodautoscalers", Kind: "HorizontalPodAutoscaler", Namespaced: true, Verbs: all},
		{Group: "autoscaling", Version: "v2", Name: "horizontalpodautoscalers", Kind: "HorizontalPodAutoscaler", Namespaced: true, Verbs: all},
		{Group: "storage.k8s.io", Version: "v1", Name: "storageclasses", Kind: "StorageClass", Verbs: all},
	}
}

// rule writes a policy of one rule: its match block and what it does.
func rule(name, match, does string) string {
	return fmt.Sprintf(`
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: %s, annotations: {pod-policies.kyverno.io/autogen-controllers: none}}
spec:
  rules:
  - name: r
    match: %s
    %s
`, name, match, does)
}

const (
	checks  = `validate: {message: m, pattern: {metadata: {labels: {a: b}}}}`
	denies  = `validate: {message: m, deny: {}}`
	mutates = `mutate: {patchStrategicMerge: {metadata: {labels: {a: b}}}}`
)

func kindsOf(kinds string) string { return "{any: [{resources: {kinds: [" + kinds + "]}}]}" }

func wanted(t testing.TB, policies string) Wanted {
	return Wanted{
		Name: "holdfast", Snapshot: compile(t, policies), Resources: cluster(),
		Endpoint: Endpoint{URL: "https://127.0.0.1:9443"}, CABundle: []byte("CA"), Spared: Spared{Namespaces: []string{"holdfast"}},
	}
}

// rulesOf writes webhook rules one a line: OPERATIONS GROUPS VERSIONS RESOURCES SCOPE.
func rulesOf(rules []admissionregistrationv1.RuleWithOperations) string {
	var lines []string
	for _, r := range rules {
		var ops []string
		for _, op := range r.Operations {
			ops = append(ops, string(op))
		}
		lines = append(lines, fmt.Sprintf("%s %q %s %s %s", strings.Join(ops, ","), r.APIGroups, strings.Join(r.APIVersions, ","), strings.Join(r.Resources, ","), *r.Scope))
	}
	return strings.Join(lines, "\n")
}

func TestExactlyWhatTheBundleNeedsIsAskedFor(t *testing.T) {
	for name, c := range map[string]struct {
		policies string
		// validating and mutating rules of the only group
		validating, mutating string
		unserved             string
	}{
		"a pattern: what is created and updated": {
			policies:   rule("p", kindsOf("ConfigMap"), checks),
			validating: `CREATE,UPDATE [""] v1 configmaps Namespaced`,
		},
		"deny: what is deleted too": {
			policies:   rule("p", kindsOf("ConfigMap"), denies),
			validating: `CREATE,UPDATE,DELETE [""] v1 configmaps Namespaced`,
		},
		"Pods: with their ephemeral containers, which are only ever updated": {
			policies: rule("p", kindsOf("Pod"), checks),
			validating: `CREATE,UPDATE [""] v1 pods Namespaced` + "\n" +
				`UPDATE [""] v1 pods/ephemeralcontainers Namespaced`,
		},
		"operations that the rule names": {
			policies:   rule("p", "{any: [{resources: {kinds: [ConfigMap], operations: [CREATE]}}]}", checks),
			validating: `CREATE [""] v1 configmaps Namespaced`,
		},
		"operations of each kind": {
			policies: rule("p", "{any: [{resources: {kinds: [ConfigMap], operations: [CREATE]}}, {resources: {kinds: [Service], operations: [DELETE]}}]}", denies),
			validating: `CREATE [""] v1 configmaps Namespaced` + "\n" +
				`DELETE [""] v1 services Namespaced`,
		},
		"all: the operations that every filter takes": {
			policies:   rule("p", "{all: [{resources: {kinds: [ConfigMap], operations: [CREATE, DELETE]}}, {resources: {operations: [DELETE, UPDATE]}}]}", denies),
			validating: `DELETE [""] v1 configmaps Namespaced`,
		},
		"a subresource alone": {
			policies:   rule("p", kindsOf("Pod/exec"), denies),
			validating: `CONNECT [""] v1 pods/exec Namespaced`,
		},
		"a subresource of several": {
			policies:   rule("p", kindsOf("'*/scale'"), checks),
			validating: `CREATE,UPDATE ["*"] * */scale *`,
		},
		"all subresources of a kind": {
			policies: rule("p", kindsOf("Deployment/*"), checks),
			validating: `CREATE,UPDATE ["apps"] v1 deployments Namespaced` + "\n" +
				`UPDATE ["apps"] v1 deployments/scale Namespaced`,
		},
		"kinds of one group and version share a rule": {
			policies:   rule("p", kindsOf("Deployment, StatefulSet"), checks),
			validating: `CREATE,UPDATE ["apps"] v1 deployments,statefulsets Namespaced`,
		},
		"versions share a rule": {
			policies:   rule("p", kindsOf("HorizontalPodAutoscaler"), checks),
			validating: `CREATE,UPDATE ["autoscaling"] v1,v2 horizontalpodautoscalers Namespaced`,
		},
		"one version of two": {
			policies:   rule("p", kindsOf("autoscaling/v2/HorizontalPodAutoscaler"), checks),
			validating: `CREATE,UPDATE ["autoscaling"] v2 horizontalpodautoscalers Namespaced`,
		},
		"cluster-scoped kinds": {
			policies: rule("p", kindsOf("Namespace, StorageClass"), checks),
			validating: `CREATE,UPDATE [""] v1 namespaces Cluster` + "\n" +
				`CREATE,UPDATE ["storage.k8s.io"] v1 storageclasses Cluster`,
		},
		"what can only be created": {
			policies:   rule("p", kindsOf("TokenReview"), denies),
			validating: `CREATE ["authentication.k8s.io"] v1 tokenreviews Cluster`,
		},
		"kinds by wildcard are those that are served": {
			policies:   rule("p", kindsOf("'*Set', 'Config?ap'"), checks),
			validating: `CREATE,UPDATE [""] v1 configmaps Namespaced` + "\n" + `CREATE,UPDATE ["apps"] v1 statefulsets Namespaced`,
		},
		"all kinds: also of types to come": {
			policies: rule("p", kindsOf("'*'"), checks),
			validating: `UPDATE [""] v1 pods/ephemeralcontainers Namespaced` + "\n" +
				`CREATE,UPDATE ["*"] * * *`,
		},
		"all kinds and subresources": {
			policies:   rule("p", kindsOf("'*/*'"), denies),
			validating: `CREATE,UPDATE,DELETE,CONNECT ["*"] * */* *`,
		},
		"what all kinds cover is not repeated": {
			policies: rule("p", kindsOf("'*'"), checks) + and + rule("q", kindsOf("ConfigMap"), denies),
			validating: `DELETE [""] v1 configmaps Namespaced` + "\n" +
				`UPDATE [""] v1 pods/ephemeralcontainers Namespaced` + "\n" +
				`CREATE,UPDATE ["*"] * * *`,
		},
		"policies are joined": {
			policies:   rule("p", kindsOf("ConfigMap"), checks) + and + rule("q", kindsOf("ConfigMap, Service"), denies),
			validating: `CREATE,UPDATE,DELETE [""] v1 configmaps,services Namespaced`,
		},
		"validation and mutation apart": {
			policies:   rule("p", kindsOf("ConfigMap"), checks) + and + rule("q", kindsOf("Service"), mutates),
			validating: `CREATE,UPDATE [""] v1 configmaps Namespaced`,
			mutating:   `CREATE,UPDATE [""] v1 services Namespaced`,
		},
		"what is deleted is not mutated": {
			policies: rule("p", "{any: [{resources: {kinds: [ConfigMap], operations: [DELETE, CREATE]}}]}", mutates),
			mutating: `CREATE [""] v1 configmaps Namespaced`,
		},
		"other objects may be mutated when one is deleted": {
			policies:   rule("p", "{any: [{resources: {kinds: [ConfigMap], operations: [DELETE]}}]}", "mutate: {targets: [{apiVersion: v1, kind: Secret, name: x, namespace: other}], patchStrategicMerge: {metadata: {labels: {a: b}}}}"),
			validating: `DELETE [""] v1 configmaps Namespaced`,
		},
		"a policy of a namespace sees nothing outside": {
			policies:   strings.Replace(strings.Replace(rule("p", kindsOf("ConfigMap, Namespace"), checks), "ClusterPolicy", "Policy", 1), "name: p,", "name: p, namespace: team,", 1),
			validating: `CREATE,UPDATE [""] v1 configmaps Namespaced`,
		},
		"all kinds for a policy of a namespace": {
			policies: strings.Replace(strings.Replace(rule("p", kindsOf("'*'"), checks), "ClusterPolicy", "Policy", 1), "name: p,", "name: p, namespace: team,", 1),
			validating: `UPDATE [""] v1 pods/ephemeralcontainers Namespaced` + "\n" +
				`CREATE,UPDATE ["*"] * * Namespaced`,
		},
		"a kind that is not served is left out and told of": {
			policies:   rule("p", kindsOf("ConfigMap, Squid"), checks) + and + rule("q", kindsOf("Squid, example.com/v1/Whale"), checks),
			validating: `CREATE,UPDATE [""] v1 configmaps Namespaced`,
			unserved:   "*/*/Squid: p q; example.com/v1/Whale: q",
		},
		"nothing that is served": {
			policies: rule("p", kindsOf("Squid"), checks),
			unserved: "*/*/Squid: p",
		},
		"resources by their plural": {
			policies:   selecting("p", "{apiGroups: ['', apps], apiVersions: [v1], resources: [deployments, configmaps], operations: [CREATE]}"),
			validating: `CREATE [""] v1 configmaps Namespaced` + "\n" + `CREATE ["apps"] v1 deployments Namespaced`,
		},
		"resources that are not served": {
			policies:   selecting("p", "{apiGroups: ['', example.com], apiVersions: [v1], resources: [configmaps, squids], operations: [CREATE]}"),
			validating: `CREATE [""] v1 configmaps Namespaced`,
			unserved:   "example.com/v1/squids: ValidatingPolicy/p; v1/squids: ValidatingPolicy/p",
		},
		"a resource alone, without its subresources": {
			policies:   selecting("p", "{apiGroups: [''], apiVersions: ['*'], resources: [pods], operations: ['*']}"),
			validating: `CREATE,UPDATE,DELETE [""] v1 pods Namespaced`,
		},
		"subresources by their names": {
			policies: selecting("p", "{apiGroups: ['', apps], apiVersions: ['*'], resources: [pods/exec, pods/status, deployments/scale], operations: ['*']}"),
			validating: `CONNECT [""] v1 pods/exec Namespaced` + "\n" +
				`UPDATE [""] v1 pods/status Namespaced` + "\n" +
				`UPDATE,CONNECT ["apps"] v1 deployments/scale Namespaced`,
		},
		"a resource and its subresources, as the API server reads it": {
			policies: selecting("p", "{apiGroups: [''], apiVersions: [v1], resources: ['pods/*'], operations: [UPDATE, CONNECT]}"),
			validating: `UPDATE [""] v1 pods,pods/ephemeralcontainers,pods/status Namespaced` + "\n" +
				`CONNECT [""] v1 pods/exec Namespaced`,
		},
		"all resources of a group: also those to come": {
			policies:   selecting("p", "{apiGroups: [apps], apiVersions: [v1], resources: ['*'], operations: [CREATE]}"),
			validating: `CREATE ["apps"] v1 * *`,
		},
		"all resources of a group that is not served is asked for, and told of": {
			policies:   selecting("p", "{apiGroups: [example.com], apiVersions: ['*'], resources: ['*'], operations: [CREATE]}"),
			validating: `CREATE ["example.com"] * * *`,
			unserved:   "example.com/*/*: ValidatingPolicy/p",
		},
		"all resources": {
			policies:   selecting("p", "{apiGroups: ['*'], apiVersions: ['*'], resources: ['*'], operations: [CREATE, CONNECT]}"),
			validating: `CREATE,CONNECT ["*"] * * *`,
		},
		"all resources and subresources": {
			policies:   selecting("p", "{apiGroups: ['*'], apiVersions: ['*'], resources: ['*/*'], operations: ['*']}"),
			validating: `CREATE,UPDATE,DELETE,CONNECT ["*"] * */* *`,
		},
		"one subresource of all": {
			policies:   selecting("p", "{apiGroups: ['*'], apiVersions: ['*'], resources: ['*/scale'], operations: [UPDATE]}"),
			validating: `UPDATE ["*"] * */scale *`,
		},
		"resources in namespaces": {
			policies:   selecting("p", "{apiGroups: ['*'], apiVersions: ['*'], resources: ['*'], scope: Namespaced, operations: [CREATE]}"),
			validating: `CREATE ["*"] * * Namespaced`,
		},
		"resources in no namespace": {
			policies:   selecting("p", "{apiGroups: [''], apiVersions: [v1], resources: [namespaces, pods], scope: Cluster, operations: [CREATE]}"),
			validating: `CREATE [""] v1 namespaces Cluster`,
		},
		"each resourceRule by itself": {
			policies:   selecting("p", "{apiGroups: [''], apiVersions: [v1], resources: [configmaps], operations: [CREATE]}, {apiGroups: [''], apiVersions: [v1], resources: [services], operations: [DELETE]}"),
			validating: `CREATE [""] v1 configmaps Namespaced` + "\n" + `DELETE [""] v1 services Namespaced`,
		},
		"a namespaced policy in CEL sees nothing outside": {
			policies:   ofNamespace(selecting("p", "{apiGroups: [''], apiVersions: [v1], resources: [configmaps, namespaces], operations: [CREATE]}")),
			validating: `CREATE [""] v1 configmaps Namespaced`,
		},
		"a namespaced policy in CEL that asks for cluster-scoped resources": {
			policies: ofNamespace(selecting("p", "{apiGroups: ['*'], apiVersions: ['*'], resources: ['*'], scope: Cluster, operations: [CREATE]}")),
		},
		"a policy that is not for admission": {
			policies: strings.Replace(rule("p", kindsOf("ConfigMap"), checks), "spec:", "spec:\n  admission: false", 1),
		},
		"no policies": {},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Configure(wanted(t, c.policies))
			if err != nil {
				t.Fatal(err)
			}
			validating, mutating := "", ""
			if got.Validating != nil {
				validating = rulesOf(got.Validating.Webhooks[0].Rules)
			}
			if got.Mutating != nil {
				mutating = rulesOf(got.Mutating.Webhooks[0].Rules)
			}
			if validating != c.validating || mutating != c.mutating {
				t.Errorf("validating:\n%s\nmutating:\n%s\nexpected validating:\n%s\nmutating:\n%s", validating, mutating, c.validating, c.mutating)
			}
			var unserved []string
			for _, u := range got.Unserved {
				unserved = append(unserved, u.Kind+": "+strings.Join(u.Policies, " "))
			}
			if s := strings.Join(unserved, "; "); s != c.unserved {
				t.Errorf("not served: %s, expected %s", s, c.unserved)
			}
		})
	}
}

// allPolicies has each failurePolicy, three timeouts, and both kinds of rules.
func allPolicies() string {
	with := func(policy, spec string) string { return strings.Replace(policy, "spec:", "spec:\n  "+spec, 1) }
	return strings.Join([]string{
		rule("a", kindsOf("Pod, Deployment"), checks),
		with(rule("b", kindsOf("Service"), denies), "failurePolicy: Ignore"),
		with(rule("c", kindsOf("Namespace"), checks), "failurePolicy: Ignore\n  webhookTimeoutSeconds: 3"),
		with(rule("d", kindsOf("ConfigMap"), checks), "webhookTimeoutSeconds: 10"),
		rule("e", kindsOf("Pod, StatefulSet"), mutates),
		with(rule("f", kindsOf("Deployment"), mutates), "failurePolicy: Ignore\n  webhookTimeoutSeconds: 25"),
	}, and)
}

func TestConfigurations(t *testing.T) {
	port := int32(8443)
	for name, change := range map[string]func(*Wanted){
		"url": func(*Wanted) {},
		"service": func(w *Wanted) {
			w.Endpoint = Endpoint{Service: &admissionregistrationv1.ServiceReference{Namespace: "holdfast", Name: "holdfast-webhook", Port: &port}}
			w.Spared = Spared{BreakGlass: BreakGlass{Users: []string{"ana"}, Groups: []string{"oncall"}}}
			w.Forgiving = true
			configMaps := schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
			w.Guards = []Guard{
				{Name: "settings", Path: "/settings", Resource: configMaps, Condition: "has(object.data)"},
				{Name: "unserved", Path: "/unserved", Resource: configMaps.GroupResource().WithVersion("v2")},
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := wanted(t, allPolicies())
			change(&w)
			got, err := Configure(w)
			if err != nil {
				t.Fatal(err)
			}
			var text []byte
			for _, o := range []any{got.Validating, got.Mutating} {
				one, err := yaml.Marshal(o)
				if err != nil {
					t.Fatal(err)
				}
				text = append(append(text, "---\n"...), one...)
			}
			golden(t, "configuration-"+name+".yaml", text)
		})
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s differs (go test -update writes it anew): got\n%s", path, got)
	}
}

func TestTheOrderOfWhatIsServedDoesNotMatter(t *testing.T) {
	w := wanted(t, allPolicies()+and+rule("g", kindsOf("'*Set', Pod/*, '*/scale'"), denies))
	first, err := Configure(w)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		w.Resources = slices.Clone(w.Resources)
		random.Shuffle(len(w.Resources), func(i, j int) { w.Resources[i], w.Resources[j] = w.Resources[j], w.Resources[i] })
		again, err := Configure(w)
		if err != nil {
			t.Fatal(err)
		}
		same(t, again, first)
	}
}

func TestEndpointsThatCannotBeUsed(t *testing.T) {
	for want, e := range map[string]Endpoint{
		"an endpoint has either a URL or a Service":                                                                   {},
		"the Service of an endpoint has a name and a namespace":                                                       {Service: &admissionregistrationv1.ServiceReference{Name: "x"}},
		`"http://a" is not the URL of an endpoint: expected https://HOST:PORT, without user, query and fragment`:      {URL: "http://a"},
		`"https://a?b=c" is not the URL of an endpoint: expected https://HOST:PORT, without user, query and fragment`: {URL: "https://a?b=c"},
		`"https://u@a" is not the URL of an endpoint: expected https://HOST:PORT, without user, query and fragment`:   {URL: "https://u@a"},
		`reading the URL of an endpoint: parse "https://a b": invalid character " " in host name`:                     {URL: "https://a b"},
	} {
		if err := e.Validate(); err == nil || err.Error() != want {
			t.Errorf("got %v, expected %s", err, want)
		}
	}
}

func TestAnEndpointKnowsItsEntries(t *testing.T) {
	url := Endpoint{URL: "https://10.0.0.1:9443"}
	service := Endpoint{Service: &admissionregistrationv1.ServiceReference{Namespace: "a", Name: "b"}}
	for _, e := range []Endpoint{url, {URL: "https://10.0.0.1:9443/below"}, service} {
		for _, other := range []Endpoint{url, {URL: "https://10.0.0.1:94430"}, {URL: "https://10.0.0.2:9443"}, service,
			{Service: &admissionregistrationv1.ServiceReference{Namespace: "a", Name: "c"}}} {
			c, err := other.client("/validate/fail-10s", nil)
			if err != nil {
				t.Fatal(err)
			}
			same := e.URL == other.URL && (e.Service == nil) == (other.Service == nil) && (e.Service == nil || *e.Service == *other.Service)
			if e.is(&c) != same {
				t.Errorf("%+v takes %+v for its own: %t", e, c, !same)
			}
		}
	}
}

func TestGroups(t *testing.T) {
	for text, want := range map[string]Group{
		"fail-10s": {"Fail", 10}, "ignore-1s": {"Ignore", 1}, "ignore-30s": {"Ignore", 30},
	} {
		if got, err := ParseGroup(text); err != nil || got != want || got.String() != text {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "fail", "fail-", "fail-s", "fail-10", "fail-0s", "fail-31s", "fail-+1s", "Fail-10s", "open-10s", "fail-99999999999s"} {
		if _, err := ParseGroup(text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

// The configurations name exactly the groups that the handler serves: what is registered is answered.
func TestEveryEntryIsServed(t *testing.T) {
	got, err := Configure(wanted(t, allPolicies()))
	if err != nil {
		t.Fatal(err)
	}
	v := newView(compile(t, allPolicies()))
	entries := map[string]metav1.LabelSelector{}
	for _, w := range got.Validating.Webhooks {
		entries[*w.ClientConfig.URL] = *w.NamespaceSelector
	}
	for _, w := range got.Mutating.Webhooks {
		entries[*w.ClientConfig.URL] = *w.NamespaceSelector
	}
	if len(entries) != 5 {
		t.Errorf("%d entries, expected 5", len(entries))
	}
	for url := range entries {
		target, err := parsePath(strings.TrimPrefix(url, "https://127.0.0.1:9443"))
		if err != nil {
			t.Fatal(err)
		}
		if v.of(target) == nil {
			t.Errorf("%s has no policies", url)
		}
	}
}
