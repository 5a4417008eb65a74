package jmesfn

import (
	"testing"

	"github.com/kyverno/go-jmespath"
)

func benchmark(b *testing.B, expr string, in any, load func(jmespath.ASTNode) (jmespath.ASTNode, error)) {
	b.Helper()
	ast, err := load(parse(b, expr))
	if err != nil {
		b.Fatal(err)
	}
	caller := NewCaller(testEnv())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := jmespath.NewInterpreter().Execute(ast, in, jmespath.WithFunctionCaller(caller)); err != nil {
			b.Fatal(err)
		}
	}
}

func asParsed(ast jmespath.ASTNode) (jmespath.ASTNode, error) { return ast, nil }

func BenchmarkRegexMatch(b *testing.B) {
	const expr = "regex_match('^(docker[.]io|ghcr[.]io)/[a-z0-9/-]+:[a-z0-9.-]+$', @)"
	b.Run("as parsed", func(b *testing.B) { benchmark(b, expr, "ghcr.io/example/app:1.2.3", asParsed) })
	b.Run("prepared", func(b *testing.B) { benchmark(b, expr, "ghcr.io/example/app:1.2.3", Prepare) })
}

func BenchmarkSemverCompare(b *testing.B) {
	const expr = "semver_compare(@, '>=1.2.0 <2.0.0 || >=3.0.0')"
	b.Run("as parsed", func(b *testing.B) { benchmark(b, expr, "1.8.3", asParsed) })
	b.Run("prepared", func(b *testing.B) { benchmark(b, expr, "1.8.3", Prepare) })
}

func BenchmarkFunctions(b *testing.B) {
	containers := []any{}
	for _, name := range []string{"web", "proxy", "agent", "log"} {
		containers = append(containers, map[string]any{"name": name, "image": "ghcr.io/example/" + name + ":1.2.3", "memory": "128Mi"})
	}
	in := map[string]any{
		"containers": containers,
		"labels":     map[string]any{"app": "web", "tier": "front", "team": "a", "env": "prod"},
	}
	for _, expr := range []string{
		"containers[?pattern_match('ghcr.io/*', image)] | length(@)",
		"sum(containers[].memory)",
		"sort_by(containers, &name)[0].name",
		"contains(keys(labels), 'app')",
		"join('-', map(&to_upper(name), containers))",
		"to_string(labels)",
		"label_match(labels, labels)",
		"time_now_utc()",
	} {
		b.Run(expr, func(b *testing.B) { benchmark(b, expr, in, Prepare) })
	}
}

func BenchmarkNewCaller(b *testing.B) {
	env := testEnv()
	b.ReportAllocs()
	for b.Loop() {
		NewCaller(env)
	}
}
