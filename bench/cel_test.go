package bench

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"testing/fstest"

	"github.com/holdfast-io/holdfast/bundle"
	"github.com/holdfast-io/holdfast/engine"
)

// The same rule in both languages: every container of a Pod has a memory limit, and none is privileged.
const (
	inPatterns = `
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: %[1]s, annotations: {pod-policies.kyverno.io/autogen-controllers: %[3]s}}
spec:
  rules:
  - name: check
    match: {any: [{resources: {kinds: [%[2]s]}}]}
    validate:
      message: set a memory limit, and do without privileges
      pattern: {spec: {containers: [{resources: {limits: {memory: "?*"}}, =(securityContext): {=(privileged): false}}]}}
`
	inCEL = `
apiVersion: policies.kyverno.io/v1
kind: ValidatingPolicy
metadata: {name: %[1]s}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [%[3]s], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [%[2]s]}]}
  %[4]s
  variables:
  - name: containers
    expression: object.spec.containers
  validations:
  - expression: variables.containers.all(c, has(c.resources) && has(c.resources.limits) && has(c.resources.limits.memory))
    message: set a memory limit
  - expression: variables.containers.all(c, !c.?securityContext.?privileged.orValue(false))
    message: do without privileges
`
	noControllers = "autogen: {podControllers: {controllers: []}}"
)

// on writes a policy on Pods; without controllers it is one rule, with them three.
func patternsOn(name, controllers string) string {
	return fmt.Sprintf(inPatterns, name, "Pod", controllers)
}
func celOn(name, controllers string) string {
	return fmt.Sprintf(inCEL, name, "pods", "''", controllers)
}

// celOther is a policy on a resource that no request here is about.
func celOther(i int) string {
	return fmt.Sprintf(inCEL, fmt.Sprintf("other-%d", i), fmt.Sprintf("others%d", i), "example.com", "")
}

func texts(list ...string) bundle.Sources {
	files := fstest.MapFS{}
	for i, text := range list {
		files[fmt.Sprintf("%d.yaml", i)] = &fstest.MapFile{Data: []byte(text)}
	}
	return bundle.Sources{FS: files, FSName: "bench"}
}

// BenchmarkLanguages is one policy of one rule on a Pod that complies, written in either language.
func BenchmarkLanguages(b *testing.B) {
	for _, c := range []struct{ name, text string }{{"pattern", patternsOn("p", "none")}, {"cel", celOn("p", noControllers)}} {
		b.Run("language="+c.name, func(b *testing.B) { validate(b, load(b, texts(c.text)), 1) })
	}
}

// BenchmarkCELAmong is three policies in CEL that match, alone and among 497 that do not.
func BenchmarkCELAmong(b *testing.B) {
	for _, others := range []int{0, 497} {
		list := []string{celOn("a", noControllers), celOn("b", noControllers), celOn("c", noControllers)}
		for i := range others {
			list = append(list, celOther(i))
		}
		b.Run(fmt.Sprintf("others=%d", others), func(b *testing.B) { validate(b, load(b, texts(list...)), 3) })
	}
}

// validate judges a Pod, which passes as many rules.
func validate(b *testing.B, s *engine.Snapshot, rules int) {
	b.Helper()
	on := subjects(b)[0]
	req, in := on.admission(decode(b, on.raw)), inputs()
	b.ReportAllocs()
	for b.Loop() {
		decisions := s.Validate(context.Background(), req, in)
		if len(decisions) != rules {
			b.Fatalf("got %d decisions, want %d", len(decisions), rules)
		}
		for i := range decisions {
			if d := &decisions[i]; d.Status != engine.Pass {
				b.Fatalf("%s: %s", d.Policy.Name, d.Message)
			}
		}
	}
}

// BenchmarkCompiled is the way from texts to a snapshot, for each policy, and what a compiled policy keeps of the memory:
// of one rule, and of three where rules are made for pod controllers.
func BenchmarkCompiled(b *testing.B) {
	const policies = 1000
	for _, c := range []struct {
		name string
		text func(name, controllers string) string
		one  string
		all  string
	}{{"pattern", patternsOn, "none", "all"}, {"cel", celOn, noControllers, ""}} {
		for _, rules := range []struct {
			count       int
			controllers string
		}{{1, c.one}, {3, c.all}} {
			b.Run(fmt.Sprintf("language=%s/rules=%d", c.name, rules.count), func(b *testing.B) {
				list := make([]string, policies)
				for i := range list {
					list[i] = c.text(fmt.Sprintf("p-%d", i), rules.controllers)
				}
				src := texts(list...)
				load(b, texts(list[0])) // what all share is made with the first
				before, kept := heap(), uint64(0)
				for b.Loop() {
					s := load(b, src)
					kept = heap() - before
					runtime.KeepAlive(s)
				}
				b.ReportMetric(float64(kept)/policies, "B-kept/policy")
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/policies, "ns/policy")
			})
		}
	}
}

// heap is what is alive.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
