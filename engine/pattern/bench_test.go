package pattern_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/holdfast-io/holdfast/engine/expr"
	"github.com/holdfast-io/holdfast/engine/pattern"
)

const benchPattern = `{
	"=(metadata)": {"=(labels)": {"=(team/*)": "?*"}},
	"spec": {
		"=(hostNetwork)": false,
		"containers": [{
			"(name)": "!istio-*",
			"image": "registry.example.com/* | mirror.example.com/*",
			"resources": {"requests": {"cpu": "<=4"}, "limits": {"memory": "128Mi-4Gi"}},
			"=(livenessProbe)": {"=(periodSeconds)": ">1"},
			"securityContext": {"runAsNonRoot": true, "X(privileged)": null}
		}]
	}
}`

func benchPod(containers int, image string) map[string]any {
	list := make([]any, containers)
	for i := range list {
		list[i] = map[string]any{
			"name":  fmt.Sprintf("app-%d", i),
			"image": image,
			"resources": map[string]any{
				"requests": map[string]any{"cpu": "500m", "memory": "256Mi"},
				"limits":   map[string]any{"cpu": float64(1), "memory": "512Mi"},
			},
			"livenessProbe":   map[string]any{"periodSeconds": float64(10)},
			"securityContext": map[string]any{"runAsNonRoot": true},
		}
	}
	return map[string]any{
		"metadata": map[string]any{"name": "web", "labels": map[string]any{"app": "web", "team/owner": "shop"}},
		"spec":     map[string]any{"containers": list},
	}
}

func BenchmarkMatch(b *testing.B) {
	const good, bad = "registry.example.com/shop/web:1.4.2", "docker.io/library/web:1.4.2"
	skipped := benchPod(1, good)
	skipped["spec"].(map[string]any)["containers"].([]any)[0].(map[string]any)["name"] = "istio-proxy"
	env := &expr.Env{Root: map[string]any{"registry": "registry.example.com/*"}, Functions: expr.NewFunctions()}
	dynamic := `{"spec":{"containers":[{"image":"{{ registry }}"}]}}`
	cases := []struct {
		name, pattern string
		object        any
		want          pattern.Outcome
	}{
		{"a pod that passes", benchPattern, benchPod(1, good), pattern.Pass},
		{"a pod that fails", benchPattern, benchPod(1, bad), pattern.Fail},
		{"a pod that is skipped", benchPattern, skipped, pattern.Skip},
		{"a pod with 50 containers that passes", benchPattern, benchPod(50, good), pattern.Pass},
		{"a pattern with a variable", dynamic, benchPod(1, good), pattern.Pass},
	}
	for _, tc := range cases {
		b.Run(tc.name, func(b *testing.B) {
			var tree any
			if err := json.Unmarshal([]byte(tc.pattern), &tree); err != nil {
				b.Fatal(err)
			}
			p, err := pattern.Compile(tree, pattern.Options{})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if got := p.Match(env, tc.object); got.Outcome != tc.want {
					b.Fatalf("got %v at %s: %s", got.Outcome, got.Path, got.Message)
				}
			}
		})
	}
}

func BenchmarkScalar(b *testing.B) {
	cases := []struct {
		pattern string
		value   any
	}{
		{"registry.example.com/*", "registry.example.com/shop/web:1"},
		{"!*:latest", "registry.example.com/shop/web:1"},
		{"<=4", float64(2)},
		{"128Mi-4Gi", "512Mi"},
		{">=10s", "1m"},
		{"Deployment | StatefulSet | DaemonSet", "DaemonSet"},
	}
	for _, tc := range cases {
		b.Run(tc.pattern, func(b *testing.B) {
			s, err := pattern.CompileScalar(tc.pattern)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if !s.Match(tc.value) {
					b.Fatal("no match")
				}
			}
		})
	}
}
