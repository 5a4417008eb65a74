package merge

import (
	"encoding/json"
	"reflect"
	"sync"
	"testing"

	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"
)

func parse(t testing.TB, text string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := yaml.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func text(t testing.TB, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

const (
	pod        = "apiVersion: v1\nkind: Pod\n"
	deployment = "apiVersion: apps/v1\nkind: Deployment\n"
	service    = "apiVersion: v1\nkind: Service\n"
	widget     = "apiVersion: example.com/v1\nkind: Widget\n"
)

func TestAConfigurationIsMergedByTheSchemaOfItsKind(t *testing.T) {
	types := NewTypes()
	tests := map[string]struct {
		object, configuration, want string
		atomics                     Atomics
	}{
		"fields are set": {object: pod + "spec: {hostNetwork: true}", configuration: "{spec: {hostNetwork: false, hostPID: false}}",
			want: `{"apiVersion":"v1","kind":"Pod","spec":{"hostNetwork":false,"hostPID":false}}`},
		"what is not named stays": {object: pod + "metadata: {labels: {a: b}}", configuration: "{metadata: {labels: {c: d}}}",
			want: `{"apiVersion":"v1","kind":"Pod","metadata":{"labels":{"a":"b","c":"d"}}}`},
		"nothing changes nothing": {object: pod + "spec: {containers: [{name: a, resources: {}}], nodeSelector: {}}", configuration: "{}",
			want: `{"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"name":"a","resources":{}}],"nodeSelector":{}}}`},
		"containers are merged by name, and new ones come last": {object: pod + "spec: {containers: [{name: a, image: x}, {name: b}]}",
			configuration: "{spec: {containers: [{name: b, image: z}, {name: c}]}}",
			want:          `{"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"image":"x","name":"a"},{"image":"z","name":"b"},{"name":"c"}]}}`},
		"an environment is merged by name": {object: pod + "spec: {containers: [{name: a, env: [{name: X, value: '1'}]}]}",
			configuration: "{spec: {containers: [{name: a, env: [{name: Z, value: '2'}]}]}}",
			want:          `{"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"env":[{"name":"X","value":"1"},{"name":"Z","value":"2"}],"name":"a"}]}}`},
		"ports are merged by number and protocol, which is TCP if nothing is said": {object: pod + "spec: {containers: [{name: a, ports: [{containerPort: 53}]}]}",
			configuration: "{spec: {containers: [{name: a, ports: [{containerPort: 53, protocol: TCP, name: dns}, {containerPort: 53, protocol: UDP}]}]}}",
			want:          `{"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"name":"a","ports":[{"containerPort":53,"name":"dns","protocol":"TCP"},{"containerPort":53,"protocol":"UDP"}]}]}}`},
		"a set has each value once": {object: pod + "metadata: {finalizers: [a, b]}", configuration: "{metadata: {finalizers: [b, c]}}",
			want: `{"apiVersion":"v1","kind":"Pod","metadata":{"finalizers":["a","b","c"]}}`},
		"an object that was not there is made": {object: deployment + "metadata: {name: a}", configuration: "{spec: {template: {spec: {hostNetwork: true}}}}",
			want: `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"a"},"spec":{"template":{"spec":{"hostNetwork":true}}}}`},
		"a list that was not there is made": {object: pod + "spec: {}", configuration: "{spec: {volumes: [{name: a}]}}",
			want: `{"apiVersion":"v1","kind":"Pod","spec":{"volumes":[{"name":"a"}]}}`},
		"numbers and quantities": {object: deployment + "spec: {replicas: 1}", configuration: "{spec: {replicas: 3, template: {spec: {containers: [{name: a, resources: {limits: {cpu: 1, memory: 1Gi}}}]}}}}",
			want: `{"apiVersion":"apps/v1","kind":"Deployment","spec":{"replicas":3,"template":{"spec":{"containers":[{"name":"a","resources":{"limits":{"cpu":1,"memory":"1Gi"}}}]}}}}`},
		"the kind is the object's": {object: pod, configuration: "{apiVersion: v2, kind: Other, spec: {hostIPC: true}}",
			want: `{"apiVersion":"v1","kind":"Pod","spec":{"hostIPC":true}}`},
		"elements that stand twice stay": {object: pod + "spec: {containers: [{name: a, env: [{name: X, value: '1'}, {name: X, value: '2'}]}]}", configuration: "{spec: {containers: [{name: a, image: i}]}}",
			want: `{"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"env":[{"name":"X","value":"1"},{"name":"X","value":"2"}],"image":"i","name":"a"}]}}`},
		"a custom resource's maps are merged": {object: widget + "spec: {a: {b: 1}, list: [1]}", configuration: "{spec: {a: {c: 2}, m: 1.5}}",
			want: `{"apiVersion":"example.com/v1","kind":"Widget","spec":{"a":{"b":1,"c":2},"list":[1],"m":1.5}}`},
		"a custom resource's list is replaced where that is allowed": {object: widget + "spec: {list: [1]}", configuration: "{spec: {list: [2]}}", atomics: ReplaceAtomics,
			want: `{"apiVersion":"example.com/v1","kind":"Widget","spec":{"list":[2]}}`},
		"a list of a custom resource": {object: widget, configuration: "{spec: {a: {list: [1]}}, metadata: {finalizers: [a]}}",
			want: "error: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .metadata.finalizers, .spec.a.list"},
		"an atomic list is replaced where that is allowed": {object: pod + "spec: {containers: [{name: a, args: [x, w]}]}", configuration: "{spec: {containers: [{name: a, args: [z]}]}}", atomics: ReplaceAtomics,
			want: `{"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"args":["z"],"name":"a"}]}}`},
		"an atomic map is replaced where that is allowed": {object: pod + "spec: {nodeSelector: {a: b}}", configuration: "{spec: {nodeSelector: {c: d}}}", atomics: ReplaceAtomics,
			want: `{"apiVersion":"v1","kind":"Pod","spec":{"nodeSelector":{"c":"d"}}}`},

		"an atomic list": {object: pod, configuration: "{spec: {containers: [{name: a, args: [z], command: [x]}]}}",
			want: "error: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.containers[0].args, .spec.containers[0].command"},
		"an atomic list of structs": {object: pod, configuration: "{spec: {tolerations: [{key: a}]}}",
			want: "error: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.tolerations"},
		"an atomic map": {object: pod, configuration: "{spec: {nodeSelector: {a: b}}}",
			want: "error: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.nodeSelector"},
		"an atomic struct in a list": {object: pod, configuration: "{spec: {imagePullSecrets: [{name: a}]}}",
			want: "error: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.imagePullSecrets[0]"},
		"an atomic struct": {object: deployment, configuration: "{spec: {selector: {matchLabels: {a: b}}}}",
			want: "error: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.selector"},
		"a field that the kind does not have": {object: service, configuration: "{spec: {replicas: 1}}",
			want: "error: failed to convert patch object to typed object: .spec.replicas: field not declared in schema"},
		"a value of a wrong type": {object: deployment, configuration: "{spec: {replicas: many}}",
			want: "error: failed to convert patch object to typed object: .spec.replicas: expected numeric (int or float), got string"},
		"an element without its key is another one": {object: pod + "spec: {containers: [{name: a}]}", configuration: "{spec: {containers: [{image: a}]}}",
			want: `{"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"name":"a"},{"image":"a"}]}}`},
		"elements with one key": {object: pod, configuration: "{spec: {containers: [{name: a}, {name: a}]}}",
			want: `error: failed to convert patch object to typed object: .spec.containers: duplicate entries for key [name="a"]`},
		"an object that is not what it says": {object: pod + "spec: {nope: 1}", configuration: "{spec: {hostIPC: true}}",
			want: "error: failed to convert original object to typed object: .spec.nope: field not declared in schema"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			object, configuration := parse(t, test.object), parse(t, test.configuration)
			before := text(t, object) + text(t, configuration)
			got := ""
			if merged, err := types.Merge(object, configuration, test.atomics); err != nil {
				got = "error: " + err.Error()
			} else {
				got = text(t, merged)
			}
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if after := text(t, object) + text(t, configuration); after != before {
				t.Errorf("the input changed:\n%s\n%s", before, after)
			}
		})
	}
}

// What has been applied is there: to apply it again changes nothing, and what was not named is as it was.
func TestToApplyTwiceIsToApplyOnce(t *testing.T) {
	types := NewTypes()
	rapid.Check(t, func(t *rapid.T) {
		object, configuration := containers(t, "object"), containers(t, "configuration")
		object["apiVersion"], object["kind"] = "v1", "Pod"
		once, err := types.Merge(object, configuration, KeepAtomics)
		if err != nil {
			t.Fatal(err)
		}
		twice, err := types.Merge(once, configuration, KeepAtomics)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(once, twice) {
			t.Fatalf("once  %v\ntwice %v", once, twice)
		}
		had, _ := object["spec"].(map[string]any)["containers"].([]any)
		has, _ := once["spec"].(map[string]any)["containers"].([]any)
		if len(has) < len(had) {
			t.Fatalf("of %v is left %v", had, has)
		}
	})
}

// containers draws a Pod with some containers of different names.
func containers(t *rapid.T, label string) map[string]any {
	list := []any{}
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c", "d"}), 1, 4, rapid.ID[string]).Draw(t, label) {
		list = append(list, map[string]any{"name": name, "image": rapid.SampledFrom([]string{"x", "y"}).Draw(t, "image")})
	}
	return map[string]any{"spec": map[string]any{"containers": list}}
}

func TestOneSetOfTypesServesMany(t *testing.T) {
	types := NewTypes()
	object, configuration := parse(t, pod+"spec: {containers: [{name: a}]}"), parse(t, "{spec: {containers: [{name: b}]}}")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := types.Merge(object, configuration, KeepAtomics); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestTheTypesLoad(t *testing.T) {
	if err := NewTypes().Load(); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkLoad shows what a bundle with an apply configuration pays at its load, once for a process.
func BenchmarkLoad(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if err := NewTypes().Load(); err != nil { // the schemas themselves are read by the first one only
			b.Fatal(err)
		}
	}
}

func BenchmarkMerge(b *testing.B) {
	types := NewTypes()
	object := parse(b, pod+`
metadata: {name: web, namespace: shop, labels: {app.kubernetes.io/name: web}}
spec:
  containers:
    - {name: web, image: "registry.example.com/web:1.2.3", ports: [{containerPort: 8080}], securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}
    - {name: proxy, image: "registry.example.com/proxy:4.5", ports: [{containerPort: 15000}], securityContext: {allowPrivilegeEscalation: false}}
`)
	configuration := parse(b, "{spec: {containers: [{name: web, imagePullPolicy: Always}, {name: proxy, imagePullPolicy: Always}]}}")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := types.Merge(object, configuration, KeepAtomics); err != nil {
			b.Fatal(err)
		}
	}
}
