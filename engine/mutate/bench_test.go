package mutate

import (
	"fmt"
	"testing"
)

// podOf is a pod with some containers, as the API server stores them.
func podOf(containers int) map[string]any {
	list := make([]any, containers)
	for i := range list {
		list[i] = map[string]any{
			"name": fmt.Sprintf("c%d", i), "image": "registry.example/app:1.4", "imagePullPolicy": "IfNotPresent",
			"ports":                  []any{map[string]any{"containerPort": 8080.0, "protocol": "TCP"}},
			"env":                    []any{map[string]any{"name": "MODE", "value": "fast"}},
			"terminationMessagePath": "/dev/termination-log", "resources": map[string]any{},
		}
	}
	return map[string]any{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": map[string]any{"name": "web", "namespace": "shop", "labels": map[string]any{"app": "web", "tier": "front"}},
		"spec":     map[string]any{"containers": list, "restartPolicy": "Always", "dnsPolicy": "ClusterFirst"},
	}
}

func benchmarkStrategic(b *testing.B, patch string, obj map[string]any, want Outcome) {
	p, err := CompileStrategic(value(b, patch), Options{Schema: newSchema(b), Self: self})
	if err != nil {
		b.Fatal(err)
	}
	env := requestEnv(b, obj, "")
	to := target(obj)
	if res := p.Apply(env, to); res.Outcome != want {
		b.Fatalf("%s %v", res.Outcome, res.Err)
	}
	b.ReportAllocs()
	for b.Loop() {
		p.Apply(env, to)
	}
}

const hardening = `{spec: {containers: [{(name): "*", securityContext: {+(allowPrivilegeEscalation): false, capabilities: {drop: [ALL]}}}]}}`

func BenchmarkStrategicLabel(b *testing.B) {
	benchmarkStrategic(b, `{metadata: {labels: {owner: shop}}}`, podOf(2), Applied)
}

func BenchmarkStrategicLabelFromVariable(b *testing.B) {
	benchmarkStrategic(b, `{metadata: {labels: {owner: "{{ request.object.metadata.namespace }}"}}}`, podOf(2), Applied)
}

func BenchmarkStrategicContainers2(b *testing.B) {
	benchmarkStrategic(b, hardening, podOf(2), Applied)
}

func BenchmarkStrategicContainers50(b *testing.B) {
	benchmarkStrategic(b, hardening, podOf(50), Applied)
}

func BenchmarkStrategicUnchanged(b *testing.B) {
	benchmarkStrategic(b, `{metadata: {labels: {+(app): x, tier: front}}, spec: {containers: [{(name): "*", +(imagePullPolicy): Always}]}}`, podOf(50), Unchanged)
}

func BenchmarkStrategicSkip(b *testing.B) {
	benchmarkStrategic(b, `{metadata: {labels: {(app): other, x: "1"}}}`, podOf(50), Skip)
}

func BenchmarkJSON6902(b *testing.B) {
	obj := podOf(2)
	p, err := CompileJSON6902("- {op: add, path: /metadata/labels/owner, value: shop}\n- {op: add, path: /spec/tolerations/-, value: {key: spot}}\n", Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		p.Apply(nil, target(obj))
	}
}

func BenchmarkDiff(b *testing.B) {
	for _, n := range []int{2, 50, 10_000} {
		b.Run(fmt.Sprintf("containers=%d", n), func(b *testing.B) {
			p, err := CompileStrategic(value(b, hardening), Options{Schema: newSchema(b)})
			if err != nil {
				b.Fatal(err)
			}
			obj := podOf(n)
			after := p.Apply(nil, target(obj)).Object
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Diff(obj, after); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkApply10000Containers(b *testing.B) {
	benchmarkStrategic(b, hardening, podOf(10_000), Applied)
}

func BenchmarkCompileStrategic(b *testing.B) {
	tree, s := value(b, hardening), newSchema(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := CompileStrategic(tree, Options{Schema: s}); err != nil {
			b.Fatal(err)
		}
	}
}
