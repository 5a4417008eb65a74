package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/engine"
)

// assembled makes a snapshot of documents of any kind that a bundle may hold.
func assembled(t testing.TB, documents ...string) *engine.Snapshot {
	t.Helper()
	compiler, err := engine.NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	var contents engine.Contents
	for _, text := range documents {
		var object map[string]any
		if err := yaml.Unmarshal([]byte(text), &object); err != nil {
			t.Fatal(err)
		}
		o, problems := bundle.CompileObject(compiler, object)
		if len(problems) > 0 {
			t.Fatalf("%v\n%s", problems, text)
		}
		switch {
		case o.Policy != nil:
			contents.Policies = append(contents.Policies, o.Policy)
		case o.Exception != nil:
			contents.Exceptions = append(contents.Exceptions, o.Exception)
		case o.Binding != nil:
			contents.Bindings = append(contents.Bindings, o.Binding)
		case o.GlobalContext != nil:
			contents.GlobalContexts = append(contents.GlobalContexts, o.GlobalContext)
		}
	}
	s, err := engine.Assemble(contents)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var (
	pods       = &engine.Resource{Kind: schema.GroupVersionKind{Version: "v1", Kind: "Pod"}, Plural: "pods"}
	services   = &engine.Resource{Kind: schema.GroupVersionKind{Version: "v1", Kind: "Service"}, Plural: "services"}
	namespaces = &engine.Resource{Kind: schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}, Plural: "namespaces"}
	cronJobs   = &engine.Resource{Kind: schema.GroupVersionKind{Group: "batch", Version: "v1", Kind: "CronJob"}, Plural: "cronjobs"}
)

// ruleOf is a ClusterPolicy with one rule on Pods; match is more of its filter.
func ruleOf(body string) string { return ruleOn("Pod", "", body) }

func ruleOn(kind, match, body string) string {
	return fmt.Sprintf(`{apiVersion: kyverno.io/v1, kind: ClusterPolicy, metadata: {name: p}, spec: {rules: [{name: r, match: {any: [{resources: {kinds: [%s]%s}}]}, %s}]}}`, kind, match, body)
}

const inPodsCEL = `{apiVersion: policies.kyverno.io/v1, kind: %s, metadata: {name: p}, spec: {matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], resources: [pods], operations: [CREATE]}]}, %s}}`

func TestReads(t *testing.T) {
	const never = `validate: {deny: {}}`
	for name, c := range map[string]struct {
		documents []string
		of        *engine.Resource
		want      string // beside what is always read
	}{
		"nothing, of an object that no rule matches":     {[]string{ruleOf(never)}, services, ""},
		"nothing, where a rule denies all":               {[]string{ruleOf(never)}, pods, ""},
		"the keys of a pattern, without anchors":         {[]string{ruleOf(`validate: {pattern: {spec: {=(hostNetwork): false, "=(containers)": [{image: "?*"}]}}}`)}, pods, "spec.containers spec.hostNetwork"},
		"three keys of a pattern":                        {[]string{ruleOf(`validate: {pattern: {spec: {a: {b: {c: {d: 1}}}}}}`)}, pods, "spec.a.b"},
		"all labels, for a wildcard":                     {[]string{ruleOf(`validate: {pattern: {metadata: {labels: {"app*": "?*"}}}}`)}, pods, "metadata.labels"},
		"one label":                                      {[]string{ruleOf(`validate: {pattern: {metadata: {labels: {app.kubernetes.io/name: "?*"}}}}`)}, pods, "metadata.labels.app.kubernetes.io/name"},
		"what any of several patterns looks at":          {[]string{ruleOf(`validate: {anyPattern: [{spec: {a: 1}}, {spec: {b: 1}}]}`)}, pods, "spec.a spec.b"},
		"what conditions read":                           {[]string{ruleOf(`preconditions: {all: [{key: "{{ request.object.spec.a || '' }}", operator: Equals, value: x}]}, validate: {deny: {conditions: {any: [{key: "{{ request.object.status.b[0].c }}", operator: Equals, value: "{{ request.object.metadata.annotations.d }}"}]}}}`)}, pods, "metadata.annotations.d spec.a status.b"},
		"what messages read":                             {[]string{ruleOf(`validate: {message: "{{ request.object.spec.a }}", deny: {conditions: {any: [{key: a, operator: Equals, value: b, message: "{{ request.object.spec.b }}"}]}}}`)}, pods, "spec.a spec.b"},
		"what variables of the context read":             {[]string{ruleOf(`context: [{name: v, variable: {jmesPath: "request.object.spec.a.{x: b}"}}], validate: {deny: {conditions: {any: [{key: "{{ v.x }}", operator: Equals, value: b}]}}}`)}, pods, "spec.a"},
		"everything, for the object in one piece":        {[]string{ruleOf(`validate: {message: "{{ to_string(request.object) }}", deny: {}}`)}, pods, "everything"},
		"everything, for the document in one piece":      {[]string{ruleOf(`validate: {message: "{{ length(@) }}", deny: {}}`)}, pods, "everything"},
		"everything, for a variable inside a variable":   {[]string{ruleOf(`validate: {message: "{{ request.object.metadata.labels.{{ request.object.spec.a }} }}", deny: {}}`)}, pods, "everything"},
		"the lists of a foreach, and its pattern":        {[]string{ruleOf(`validate: {foreach: [{list: "request.object.spec.containers[].ports[]", pattern: {spec: {a: 1}}}]}`)}, pods, "spec.a spec.containers"},
		"the spec, for images":                           {[]string{ruleOf(`validate: {message: "{{ images.containers.*.tag }}", deny: {}}`)}, pods, "spec"},
		"the spec and annotations, for Pod Security":     {[]string{ruleOf(`validate: {podSecurity: {level: restricted, version: latest}}`)}, pods, "metadata.annotations spec"},
		"labels and annotations that a rule selects by":  {[]string{ruleOn("Pod", `, selector: {matchLabels: {a: b}}, annotations: {c: d}`, never)}, pods, "metadata.annotations metadata.labels"},
		"what a patch sets":                              {[]string{ruleOf(`mutate: {patchStrategicMerge: {metadata: {labels: {+(a): b}}, spec: {(x): y, z: 1}}}`)}, pods, "metadata.labels.a spec.x spec.z"},
		"a patch with a directive":                       {[]string{ruleOf(`mutate: {patchStrategicMerge: {spec: {a: {$patch: delete}}}}`)}, pods, "spec.a"},
		"what operations change":                         {[]string{ruleOf(`mutate: {patchesJson6902: "[{op: add, path: /metadata/labels/a, value: b}, {op: copy, from: /spec/x/y, path: /spec/z}]"}`)}, pods, "metadata.labels spec.x spec.z"},
		"everything, for an operation on a variable":     {[]string{ruleOf(`mutate: {patchesJson6902: "[{op: add, path: '/spec/{{ request.object.spec.x }}', value: b}]"}`)}, pods, "everything"},
		"what a patch for each element sets":             {[]string{ruleOf(`mutate: {foreach: [{list: request.object.spec.a, patchStrategicMerge: {spec: {b: "{{ element }}"}}}]}`)}, pods, "spec.a spec.b"},
		"what selects targets, not what becomes of them": {[]string{ruleOf(`mutate: {targets: [{apiVersion: v1, kind: Secret, name: "{{ request.object.spec.a }}", namespace: x}], patchStrategicMerge: {data: {b: c}}}`)}, pods, "spec.a"},
		"what is generated of an object": {[]string{ruleOn("Namespace", "", `generate: {apiVersion: v1, kind: ConfigMap, name: x, namespace: "{{ request.object.metadata.name }}", data: {data: {a: "{{ request.object.spec.a }}"}}}`)}, namespaces,
			"metadata.labels spec.a"},
		"the template of a rule that was made for controllers": {[]string{ruleOf(`validate: {pattern: {spec: {hostNetwork: false}}}`)}, cronJobs, "spec.jobTemplate.spec"},
		"what expressions select": {[]string{fmt.Sprintf(inPodsCEL, "ValidatingPolicy", `variables: [{name: v, expression: "object.status.?a"}], matchConditions: [{name: c, expression: "has(object.metadata.labels)"}], validations: [{expression: "object.spec.containers.all(c, c.image == object.metadata.annotations['a.b/c'] && !variables.v.hasValue())", messageExpression: "object.spec.?x.orValue('')"}]`)}, pods,
			"metadata.annotations.a.b/c metadata.labels spec.containers spec.x status.a"},
		"not what a variable reads that nobody uses": {[]string{fmt.Sprintf(inPodsCEL, "ValidatingPolicy", `variables: [{name: v, expression: "object.status"}], validations: [{expression: "request.object.spec.a == 1"}]`)}, pods, "spec.a"},
		"everything, for the request in one piece":   {[]string{fmt.Sprintf(inPodsCEL, "ValidatingPolicy", `validations: [{expression: "request == request"}]`)}, pods, "everything"},
		"everything, where expressions change the object": {[]string{fmt.Sprintf(inPodsCEL, "MutatingPolicy", `mutations: [{patchType: JSONPatch, jsonPatch: {expression: "[JSONPatch{op: 'add', path: '/spec/a', value: 'b'}]"}}]`)}, pods,
			"everything"},
		"what an exception reads": {[]string{ruleOf(never), `{apiVersion: kyverno.io/v2, kind: PolicyException, metadata: {name: x, namespace: ns}, spec: {exceptions: [{policyName: p, ruleNames: [r]}], match: {any: [{resources: {kinds: [Pod], selector: {matchLabels: {a: b}}}}]}, conditions: {any: [{key: "{{ request.object.status.x }}", operator: Equals, value: y}]}}}`}, pods,
			"metadata.labels status.x"},
		"what an exception in CEL reads": {[]string{fmt.Sprintf(inPodsCEL, "ValidatingPolicy", `validations: [{expression: "object.spec.a == 1"}]`), `{apiVersion: policies.kyverno.io/v1, kind: PolicyException, metadata: {name: x, namespace: ns}, spec: {policyRefs: [{name: p, kind: ValidatingPolicy}], matchConditions: [{name: c, expression: "object.status.x == 1"}]}}`}, pods,
			"spec.a status.x"},
		"everything, for the target of a cleanup": {[]string{`{apiVersion: kyverno.io/v2, kind: ClusterCleanupPolicy, metadata: {name: p}, spec: {schedule: "* * * * *", match: {any: [{resources: {kinds: [Pod]}}]}, conditions: {any: [{key: "{{ target.spec.a }}", operator: Equals, value: b}]}}}`}, pods, "everything"},
	} {
		t.Run(name, func(t *testing.T) {
			s := assembled(t, c.documents...)
			always := assembled(t).Reads(c.of).Paths()
			var got []string
			for _, path := range s.Reads(c.of).Paths() {
				text := strings.Join(path, ".")
				if len(path) == 0 {
					text = "everything"
				}
				if !slices.ContainsFunc(always, func(p []string) bool { return slices.Equal(p, path) }) {
					got = append(got, text)
				}
			}
			if text := strings.Join(got, " "); text != c.want {
				t.Errorf("reads %q, want %q", text, c.want)
			}
		})
	}
}

func TestFingerprints(t *testing.T) {
	pattern := func(path string) string { return ruleOf(`validate: {pattern: ` + path + `}`) }
	part := assembled(t, pattern(`{spec: {a: {b: 1}}}`))
	everything := assembled(t, ruleOf(`validate: {message: "{{ to_string(request.object) }}", deny: {}}`))
	named := assembled(t, ruleOf(`validate: {message: "{{ request.object.metadata.resourceVersion }} {{ request.object.metadata.managedFields }} {{ to_string(request.object) }}", deny: {}}`))
	object := func(text string) map[string]any {
		var out map[string]any
		if err := yaml.Unmarshal([]byte(text), &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	for name, c := range map[string]struct {
		of   *engine.Snapshot
		a, b string
		same bool
	}{
		"what is not read":                       {part, `{spec: {a: {b: 1, c: 1}}, status: {x: 1}}`, `{spec: {a: {b: 1, c: 2}}, status: {x: 2}}`, true},
		"what is read":                           {part, `{spec: {a: {b: 1}}}`, `{spec: {a: {b: 2}}}`, false},
		"below what is read":                     {part, `{spec: {a: {b: [{c: 1}]}}}`, `{spec: {a: {b: [{c: 2}]}}}`, false},
		"a key that is there, and null":          {part, `{spec: {a: {b: null}}}`, `{spec: {a: {}}}`, false},
		"an object that is there, and empty":     {part, `{spec: {a: {}}}`, `{spec: {}}`, false},
		"an object, and something else":          {part, `{spec: {a: {}}}`, `{spec: {a: []}}`, false},
		"something else where an object is read": {part, `{spec: {a: x}}`, `{spec: {a: y}}`, false},
		"a number, and its text":                 {part, `{spec: {a: {b: 1}}}`, `{spec: {a: {b: "1"}}}`, false},
		"a list in another order":                {part, `{spec: {a: {b: [1, 2]}}}`, `{spec: {a: {b: [2, 1]}}}`, false},
		"values that change places":              {part, `{spec: {a: {b: {c: x, d: y}}}}`, `{spec: {a: {b: {c: y, d: x}}}}`, false},
		"a list in a list":                       {part, `{spec: {a: {b: [[1], 2]}}}`, `{spec: {a: {b: [[1, 2]]}}}`, false},
		"fields and version, read with all":      {everything, `{metadata: {managedFields: [{a: 1}], resourceVersion: "1", x: 1}}`, `{metadata: {managedFields: [], resourceVersion: "2", x: 1}}`, true},
		"managedFields elsewhere":                {everything, `{spec: {managedFields: 1}}`, `{spec: {managedFields: 2}}`, false},
		"anything, read with all":                {everything, `{metadata: {x: 1}}`, `{metadata: {x: 2}}`, false},
		"a version that a rule names":            {named, `{metadata: {resourceVersion: "1"}}`, `{metadata: {resourceVersion: "2"}}`, false},
		"fields that a rule names":               {named, `{metadata: {managedFields: [{a: 1}]}}`, `{metadata: {managedFields: []}}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			reads, seed := c.of.Reads(pods), engine.NewSeed()
			if same := reads.Fingerprint(&seed, object(c.a)) == reads.Fingerprint(&seed, object(c.b)); same != c.same {
				t.Errorf("the same: %t, want %t", same, c.same)
			}
		})
	}
	t.Run("integers, and nothing is allocated", func(t *testing.T) {
		reads, seed := everything.Reads(pods), engine.NewSeed()
		text := map[string]any{"spec": map[string]any{"a": []any{1.0, "x", true, nil, 0.0}}}
		whole := map[string]any{"spec": map[string]any{"a": []any{int64(1), "x", true, nil, int64(0)}}}
		if reads.Fingerprint(&seed, text) != reads.Fingerprint(&seed, whole) {
			t.Error("an integer is not the same number")
		}
		if n := testing.AllocsPerRun(10, func() { reads.Fingerprint(&seed, text) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
		other := engine.NewSeed()
		if reads.Fingerprint(&seed, text) == reads.Fingerprint(&other, text) {
			t.Error("two seeds give the same fingerprint")
		}
	})
}

func TestAuditDigest(t *testing.T) {
	service := ruleOn("Service", "", `validate: {deny: {}}`)
	service = strings.Replace(service, "name: p", "name: s", 1)
	excuse := `{apiVersion: kyverno.io/v2, kind: PolicyException, metadata: {name: x, namespace: ns}, spec: {exceptions: [{policyName: p, ruleNames: [r]}], match: {any: [{resources: {kinds: [Pod]}}]}}}`
	entry := `{apiVersion: kyverno.io/v2alpha1, kind: GlobalContextEntry, metadata: {name: g}, spec: {kubernetesResource: {version: v1, resource: %s}}}`
	global := ruleOf(`context: [{name: v, globalReference: {name: g}}], validate: {deny: {conditions: {any: [{key: "{{ v }}", operator: Equals, value: b}]}}}`)
	rule := ruleOf(`validate: {deny: {}}`)
	for name, c := range map[string]struct {
		before, after []string
		pods, others  bool // change
	}{
		"the same":                      {[]string{rule, service}, []string{service, rule}, false, false},
		"a rule that changes":           {[]string{rule, service}, []string{ruleOf(`validate: {message: x, deny: {}}`), service}, true, false},
		"a rule that goes":              {[]string{rule, service}, []string{service}, true, false},
		"an exception from it":          {[]string{rule, service}, []string{rule, service, excuse}, true, false},
		"an entry that nobody reads":    {[]string{rule, service}, []string{rule, service, fmt.Sprintf(entry, "secrets")}, false, false},
		"an entry that a rule reads":    {[]string{global, service, fmt.Sprintf(entry, "secrets")}, []string{global, service, fmt.Sprintf(entry, "pods")}, true, false},
		"a rule in the place of others": {[]string{service}, []string{rule}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := assembled(t, c.before...), assembled(t, c.after...)
			if changed := before.AuditDigest(pods) != after.AuditDigest(pods); changed != c.pods {
				t.Errorf("of Pods: changed %t, want %t", changed, c.pods)
			}
			if changed := before.AuditDigest(services) != after.AuditDigest(services); changed != c.others {
				t.Errorf("of Services: changed %t, want %t", changed, c.others)
			}
		})
	}
}

func BenchmarkFingerprint(b *testing.B) {
	object := objects(b)[0]
	resource := request(object).Target()
	reads, seed := shipped(b).Reads(&resource), engine.NewSeed()
	b.ReportAllocs()
	for b.Loop() {
		reads.Fingerprint(&seed, object)
	}
}
