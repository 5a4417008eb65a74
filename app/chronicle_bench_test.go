package app

import (
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"

	"github.com/holdfast-io/holdfast/engine/enginetest"
	"github.com/holdfast-io/holdfast/ledger"
)

// BenchmarkOpenFindings weighs what is kept of an object of which the ledger has eight findings open.
func BenchmarkOpenFindings(b *testing.B) {
	const objects, rules = 20_000, 8
	for b.Loop() {
		before := enginetest.Heap()
		r := newFindingRecord(nil, nil, nil, slog.New(slog.DiscardHandler))
		r.open = map[string]openFindings{}
		for i := range objects {
			j := &judged{found: map[findingKey]ledger.Entry{}, object: ledger.Object{
				APIVersion: strings.Clone("apps/v1"), Kind: "Deployment", Namespace: strings.Clone(fmt.Sprintf("team-%d-prod", i/100)),
				Name: strings.Clone(fmt.Sprintf("application-%06d", i)), UID: fmt.Sprintf("00000000-0000-4000-8000-%012d", i),
			}}
			for k := range rules {
				j.found[findingKey{"ClusterPolicy", fmt.Sprint("p", k), "r"}] = ledger.Entry{}
			}
			r.recorded([]*judged{j})
		}
		b.ReportMetric(float64(enginetest.Heap()-before)/objects, "B/object")
		runtime.KeepAlive(r)
	}
}
