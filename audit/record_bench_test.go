package audit

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"unique"

	"github.com/holdfast-io/holdfast/engine"
)

// BenchmarkRecord weighs what is kept of an object, with its name and its place in the map.
func BenchmarkRecord(b *testing.B) {
	const objects = 100_000
	by := &ruleSet{}
	for b.Loop() {
		before := heap()
		known := records{known: map[uid]record{}}
		for i := range objects {
			known.put(uidOf(fmt.Sprintf("00000000-0000-4000-8000-%012d", i)), record{
				namespace: unique.Make(fmt.Sprintf("team-%d-prod", i/100)), name: strings.Clone(fmt.Sprintf("application-%06d", i)), by: by,
				print: engine.Fingerprint{}, version: uint64(i), round: 1,
			})
		}
		b.ReportMetric(float64(heap()-before)/objects, "B/object")
		runtime.KeepAlive(&known)
	}
}

// heap collects garbage and gives the bytes that live.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
