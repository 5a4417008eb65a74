package audit

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
	"unique"

	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/engine/enginetest"
)

// BenchmarkRecord weighs what is kept of an object, with its name and its place in the map.
func BenchmarkRecord(b *testing.B) {
	const objects = 100_000
	by := &ruleSet{}
	for b.Loop() {
		before := enginetest.Heap()
		known := records{known: map[uid]record{}}
		for i := range objects {
			known.put(uidOf(fmt.Sprintf("00000000-0000-4000-8000-%012d", i)), record{
				namespace: unique.Make(fmt.Sprintf("team-%d-prod", i/100)), name: strings.Clone(fmt.Sprintf("application-%06d", i)), by: by,
				print: engine.Fingerprint{}, version: uint64(i), round: 1,
			})
		}
		b.ReportMetric(float64(enginetest.Heap()-before)/objects, "B/object")
		runtime.KeepAlive(&known)
	}
}

// BenchmarkHistory weighs what is kept of an object that fails eight rules.
func BenchmarkHistory(b *testing.B) {
	const objects, rules = 20_000, 8
	var policies []string
	for i := range rules {
		policies = append(policies, policyFor(fmt.Sprint("p", i), "Pod"))
	}
	s := compile(b, policies...)
	opts := &Options{Settle: Settle{Default: -1}}
	w := &watcher{}
	for b.Loop() {
		before := enginetest.Heap()
		h := newHistory(opts, newFindingMetrics())
		for i := range objects {
			f := &Finding{Object: Object{Namespace: strings.Clone(fmt.Sprintf("team-%d-prod", i/100)), Generation: 1}, Seen: time.Now()}
			for _, p := range s.Policies() {
				f.Result.Decisions = append(f.Result.Decisions, engine.Decision{Policy: p, Rule: p.Rules[0], Status: engine.Fail})
			}
			object := map[string]any{"metadata": map[string]any{"managedFields": []any{map[string]any{
				"manager": strings.Clone("kubectl-client-side-apply"), "time": time.Unix(int64(i), 0).UTC().Format(time.RFC3339),
			}}}}
			h.judged(b.Context(), &look{subject: subject{w, uidOf(fmt.Sprintf("00000000-0000-4000-8000-%012d", i))}, object: object, finding: f, why: swept}, s)
		}
		b.ReportMetric(float64(enginetest.Heap()-before)/objects, "B/object")
		runtime.KeepAlive(h)
	}
}
