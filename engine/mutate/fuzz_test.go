package mutate

import (
	"encoding/json"
	"testing"

	"sigs.k8s.io/yaml"
)

// fuzzObjects are objects for patches to meet.
func fuzzObjects(t testing.TB) []map[string]any {
	return []map[string]any{
		object(t, pod),
		object(t, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: d, finalizers: [a]}, spec: {replicas: 2, template: {spec: {containers: [{name: a}]}}}}`),
		object(t, `{apiVersion: example.com/v1, kind: Flow, spec: {steps: [{name: a}, null, [x], 1], a: null}}`),
		{},
	}
}

func FuzzStrategic(f *testing.F) {
	for _, seed := range []string{
		`{metadata: {labels: {(app): "w*", +(zone): a, tier: null}}}`,
		`{spec: {containers: [{(name): "*", +(imagePullPolicy): Always, name: m*}, {name: x, $patch: delete}, {$patch: replace}]}}`,
		`{spec: {volumes: [{<(emptyDir): {}}, {(emptyDir): {+(sizeLimit): 1Gi}}]}}`,
		`{spec: {(containers): [{(name): main, X(tty): null}], steps: [{(name): a, b: [[1]]}], a: {b: {c: null}}}}`,
		`{metadata: {labels: {"{{ request.object.metadata.name }}": "{{ @ }}"}, finalizers: [a, b]}}`,
		`{spec: {containers: [{name: main, ports: [{containerPort: 8080, (protocol): TCP, name: x}], env: [{name: A, $patch: replace}]}]}}`,
		`{spec: {tolerations: [{(key): spot, $patch: delete}, {key: x}]}}`,
	} {
		f.Add(seed)
	}
	s := newSchema(f)
	objects := fuzzObjects(f)
	f.Fuzz(func(t *testing.T, source string) {
		var tree any
		if yaml.Unmarshal([]byte(source), &tree) != nil {
			return
		}
		p, err := CompileStrategic(tree, Options{Schema: s, Self: self})
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without a text")
			}
			return
		}
		for _, obj := range objects {
			res := run(t, p, requestEnv(t, obj, ""), obj)
			if res.Outcome == Applied {
				checkRoundTrip(t, obj, res.Object)
			}
		}
	})
}

func FuzzJSON6902(f *testing.F) {
	for _, seed := range []string{
		`[{"op":"add","path":"/metadata/labels/a","value":{"b":[1]}}]`,
		"- {op: remove, path: /spec/containers/-1}\n- {op: move, from: /spec/volumes, path: /spec/v}\n",
		"- op: add\n  path: /spec/{{ request.object.kind }}/0/x\n  value: {{ request.object.metadata }}\n",
		"- {op: copy, from: '', path: /x}\n- {op: copy, from: '', path: /x/x}\n",
		"- {op: test, path: /spec/nothing, value: null}\n- {op: replace, path: /kind, value: \"{{ @ }}\"}\n",
		"{{ request.object.spec.steps }}", `- \{{`, "- {op: add, path: /a/~01/-, value: |2-\n  x}",
	} {
		f.Add(seed)
	}
	objects := fuzzObjects(f)
	f.Fuzz(func(t *testing.T, source string) {
		p, err := CompileJSON6902(source, Options{Self: self})
		if err != nil {
			return
		}
		for _, obj := range objects {
			res := run(t, p, requestEnv(t, obj, ""), obj)
			if res.Outcome == Applied {
				checkRoundTrip(t, obj, res.Object)
			}
		}
	})
}

func FuzzDiff(f *testing.F) {
	f.Add(`{"a":[1,2,{"name":"x"}]}`, `{"a":[{"name":"x","y":1},1],"b":null}`)
	f.Add(`{"a/b":{"c~d":[]}}`, `{"a/b":{"c~d":[[],[[]]]}}`)
	f.Add(`{"l":[{"key":"a"},{"key":"a","b":1}]}`, `{"l":[{"key":"a","b":2},{"key":"a"},{"key":"a"}]}`)
	f.Fuzz(func(t *testing.T, a, b string) {
		var before, after map[string]any
		if json.Unmarshal([]byte(a), &before) != nil || json.Unmarshal([]byte(b), &after) != nil || before == nil || after == nil {
			return
		}
		checkRoundTrip(t, before, after)
	})
}
