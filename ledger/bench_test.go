package ledger

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// The benchmarks run on ledgers of HOLDFAST_BENCH_LEDGER entries, 1,000,000 for docs/benchmarks.md. Filling takes some
// minutes; without the variable they are left out. PostgreSQL then runs with fsync.
const benchVariable = "HOLDFAST_BENCH_LEDGER"

// life is an entry of a cluster of 200 namespaces, 20,000 objects, 30 policies and 500 users: a tenth are denials, the
// others findings, intents and outcomes.
func life(i int) Entry {
	kinds := []Kind{Denied, FindingOpened, FindingClosed, Intended, Applied, FindingOpened, FindingClosed, FindingOpened, FindingClosed, Applied}
	object := i * 7919 % 20_000
	e := full()
	e.Kind, e.Time = kinds[i%len(kinds)], noon.Add(time.Duration(i)*time.Second)
	e.Object.Namespace, e.Object.Name, e.Object.UID = fmt.Sprintf("team-%03d", object%200), fmt.Sprintf("workload-%05d", object), fmt.Sprintf("00000000-0000-4000-8000-%012d", object)
	e.Policy.Name, e.Actor.User = fmt.Sprintf("policy-%02d", i*31%30), fmt.Sprintf("user-%03d@example.com", i*17%500)
	e.Remediation = ""
	if e.Kind == Intended || e.Kind == Applied {
		e.Remediation = fmt.Sprintf("remediation-%06d", i/10)
	}
	return e
}

// benchStores fills a ledger of each kind, and runs a benchmark on it.
func benchStores(b *testing.B, bench func(b *testing.B, s *Store, entries int)) {
	entries, _ := strconv.Atoi(os.Getenv(benchVariable))
	if entries == 0 {
		b.Skip(benchVariable + " says how many entries; it is not set")
	}
	for _, name := range []string{"sqlite", "postgres"} {
		b.Run(name, func(b *testing.B) {
			src := Source{}
			if name == "sqlite" {
				src.File = filepath.Join(b.TempDir(), "ledger.db")
			} else {
				src.DSN = server.database(b)
			}
			s := open(b, src)
			begun := time.Now()
			const batch = 1000
			for i := 0; i < entries; i += batch {
				list := make([]Entry, batch)
				for j := range list {
					list[j] = life(i + j)
				}
				record(b, s, list...)
			}
			size, err := s.Size(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			b.Logf("%d entries in batches of %d: %.0f a second, %d bytes each", entries, batch, float64(entries)/time.Since(begun).Seconds(), size.Bytes/size.Entries)
			bench(b, s, entries)
		})
	}
}

func BenchmarkLedger(b *testing.B) {
	benchStores(b, func(b *testing.B, s *Store, entries int) {
		b.Run("append/one by one", func(b *testing.B) {
			for i := range b.N {
				record(b, s, life(entries+i))
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		})
		b.Run("append/64 at a time", func(b *testing.B) { appendTogether(b, s, 64) })
		for _, q := range []struct {
			name  string
			query func(i int) Query
		}{
			{"the newest", func(int) Query { return Query{} }},
			{"an object", func(i int) Query {
				o := life(i).Object
				return Query{ObjectKind: o.Kind, ObjectName: o.Name, Namespace: o.Namespace}
			}},
			{"a namespace", func(i int) Query { return Query{Namespace: life(i).Object.Namespace} }},
			{"a policy and a kind", func(i int) Query { return Query{Policy: life(i).Policy.Name, Kinds: []Kind{Denied, FindingOpened}} }},
			{"a user", func(i int) Query { return Query{Actor: life(i).Actor.User} }},
			{"a remediation", func(i int) Query { return Query{Remediation: fmt.Sprintf("remediation-%06d", i%max(entries/10, 1))} }},
			{"an hour long ago", func(i int) Query {
				from := noon.Add(time.Duration(i*977%entries) * time.Second)
				return Query{Since: from, Until: from.Add(time.Hour)}
			}},
		} {
			b.Run("query/"+q.name, func(b *testing.B) {
				for i := range b.N {
					if _, err := s.Query(b.Context(), q.query(i*37)); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "queries/s")
			})
		}
		b.Run("open findings", func(b *testing.B) {
			for range b.N {
				if _, err := s.OpenFindings(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("verify", func(b *testing.B) {
			for range b.N {
				v, err := s.Verify(b.Context())
				if err != nil || v.Break != nil {
					b.Fatal(v.Break, err)
				}
				b.ReportMetric(float64(v.Entries)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
			}
		})
	})
}

// appendTogether appends through a Recorder's writer, many at a time, which share commits.
func appendTogether(b *testing.B, s *Store, callers int) {
	r, err := NewRecorder(Options{Source: Source{File: "unused"}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.write(ctx, s) }()
	b.ResetTimer()
	var running sync.WaitGroup
	for c := range callers {
		running.Go(func() {
			for i := c; i < b.N; i += callers {
				if _, err := r.Append(ctx, life(i)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	running.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
	cancel()
	if err := <-done; err != nil {
		b.Error(err)
	}
}
