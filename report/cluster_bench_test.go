package report

import (
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"

	"github.com/holdfast-io/holdfast/engine/enginetest"
)

// BenchmarkWriter weighs what is kept of a report that is written.
func BenchmarkWriter(b *testing.B) {
	const objects = 20_000
	whole, brief := (&server{}).clients()
	for b.Loop() {
		before := enginetest.Heap()
		w, err := NewWriter(WriterOptions{Client: whole, Metadata: brief, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			b.Fatal(err)
		}
		w.begin(&loaded{newSheets(PerResource), map[string]*entry{}, newLegacies()})
		for i := range objects {
			uid := fmt.Sprintf("00000000-0000-4000-8000-%012d", i)
			w.Put(Target{strings.Clone("apps/v1"), "Deployment", strings.Clone(fmt.Sprintf("team-%d-prod", i/100)), strings.Clone(fmt.Sprintf("application-%06d", i)), uid},
				"digest", []Result{{Policy: "p", Rule: "r", Result: Fail}})
		}
		for range objects {
			key, _ := w.queue.Get()
			j, ok := w.take(key)
			if !ok {
				b.Fatal("nothing to write")
			}
			w.settle(j, outcomeDone, nil)
			w.queue.Done(key)
		}
		b.ReportMetric(float64(enginetest.Heap()-before)/objects, "B/object")
		w.queue.ShutDown()
		runtime.KeepAlive(w)
	}
}
