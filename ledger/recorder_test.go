package ledger

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// recording is a Recorder that runs.
type recording struct {
	*Recorder
	log     *logged
	metrics *prometheus.Registry
	stop    func()
}

// logged is a log that is read while it is written.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func newRecording(t testing.TB, opts Options) *recording {
	t.Helper()
	out := &recording{log: &logged{}, metrics: prometheus.NewPedanticRegistry()}
	opts.Logger, opts.Metrics = slog.New(slog.NewTextHandler(out.log, nil)), out.metrics
	if opts.Replica == "" {
		opts.Replica = "pod-1"
	}
	r, err := NewRecorder(opts)
	if err != nil {
		t.Fatal(err)
	}
	out.Recorder = r
	return out
}

func (r *recording) run(t testing.TB) *recording {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	var once sync.Once
	r.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(r.stop)
	return r
}

// eventually waits for something that others bring about.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// kinds counts what a ledger holds.
func kinds(t testing.TB, src Source) map[Kind]int {
	t.Helper()
	s, err := OpenForReading(context.Background(), src)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	out := map[Kind]int{}
	if err := s.Walk(context.Background(), Query{}, func(e *Entry, _ []byte) error {
		out[e.Kind]++
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if v, err := s.Verify(context.Background()); err != nil || v.Break != nil {
		t.Errorf("the ledger does not verify: %v, %v", v.Break, err)
	}
	return out
}

func TestManyAppendAtATimeAndEachHasItsReceipt(t *testing.T) {
	onStores(t, func(t *testing.T, src Source) {
		r := newRecording(t, Options{Source: src}).run(t)
		var running sync.WaitGroup
		var mu sync.Mutex
		got := map[int64]string{}
		for i := range 64 {
			running.Go(func() {
				for j := range 10 {
					name := fmt.Sprintf("%d-%d", i, j)
					receipt, err := r.Append(context.Background(), Entry{Kind: Intended, Object: Object{Name: name}}, Entry{Kind: Applied, Object: Object{Name: name}})
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					got[receipt.Seq] = name
					mu.Unlock()
				}
			})
		}
		running.Wait()
		for seq, name := range got {
			page, err := r.Query(t.Context(), Query{ObjectName: name})
			if err != nil || len(page.Entries) != 2 || page.Entries[0].Seq != seq || page.Entries[0].Replica != "pod-1" {
				t.Fatalf("%s has the receipt %d: %v, %v", name, seq, page.Entries, err)
			}
		}
		if len(got) != 640 {
			t.Errorf("%d receipts of 640", len(got))
		}
		r.stop()
		if k := kinds(t, src); k[Intended] != 640 || k[Applied] != 640 {
			t.Errorf("recorded: %v", k)
		}
		if n := testutil.ToFloat64(r.Recorder.metrics.entries.WithLabelValues("intended")); n != 640 {
			t.Errorf("the metric says %v", n)
		}
	})
}

func TestWhatIsNotedIsRecordedAtTheEndAtTheLatest(t *testing.T) {
	onStores(t, func(t *testing.T, src Source) {
		r := newRecording(t, Options{Source: src})
		for range 1000 { // before it even runs
			r.Note(full())
		}
		r.run(t)
		eventually(t, "it is open", func() bool { return r.failing() == nil })
		for range 1000 {
			r.Note(full())
		}
		r.stop()
		if k := kinds(t, src); k[Denied] != 2000 || k[Dropped] != 0 {
			t.Errorf("recorded: %v", k)
		}
	})
}

func TestNobodyWaitsForAFullQueueAndWhatIsLostIsCounted(t *testing.T) {
	onStores(t, func(t *testing.T, src Source) {
		r := newRecording(t, Options{Source: src, Queue: 10})
		for range 25 { // nobody takes them
			r.Note(full())
		}
		r.run(t)
		eventually(t, "all is written", func() bool { return r.Status(t.Context()).Waiting == 0 && r.failing() == nil })
		page, err := r.Query(t.Context(), Query{Kinds: []Kind{Dropped}})
		if err != nil {
			t.Fatal(err)
		}
		r.stop()
		if k := kinds(t, src); k[Denied] != 10 || k[Dropped] != 1 {
			t.Fatalf("recorded: %v", k)
		}
		if len(page.Entries) == 1 && page.Entries[0].Details["entries"] != "15" {
			t.Errorf("the entry says %v", page.Entries[0].Details)
		}
		if n := testutil.ToFloat64(r.Recorder.metrics.dropped); n != 15 {
			t.Errorf("the metric says %v", n)
		}
	})
}

func TestAnAppendDoesNotWaitForEver(t *testing.T) {
	r := newRecording(t, Options{Source: Source{File: t.TempDir() + "/ledger.db"}, Wait: 20 * time.Millisecond})
	_, err := r.Append(t.Context(), full()) // it does not run
	if want := "nothing is recorded: the ledger is not open yet"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := r.Query(t.Context(), Query{}); err == nil || err.Error() != "asking the ledger: the ledger is not open yet" {
		t.Errorf("asking: %v", err)
	}
}

func TestRecorderOptionsThatCannotBe(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	for want, opts := range map[string]Options{
		"ledger options: expected either a file or a DSN":                                                                {Logger: log},
		"ledger options: Logger is missing":                                                                              {Source: Source{File: "f"}},
		"ledger options: times and numbers must be positive":                                                             {Source: Source{File: "f"}, Logger: log, Retention: -1},
		"ledger options: MaxBytes is 10: expected 1048576 at least":                                                      {Source: Source{File: "f", MaxBytes: 10}, Logger: log},
		"the DSN of the ledger cannot be read: expected postgres://USER:PASSWORD@HOST:PORT/DATABASE, or KEY=VALUE words": {Source: Source{DSN: "postgres://u:geheim@h:port/"}, Logger: log},
	} {
		if err := opts.Validate(); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestAnOldEntryIsCutOff(t *testing.T) {
	onStores(t, func(t *testing.T, src Source) {
		s := open(t, src)
		record(t, s, Entry{Kind: Denied, Time: time.Now().Add(-2 * time.Hour)}, Entry{Kind: Approved})
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		r := newRecording(t, Options{Source: src, Retention: time.Nanosecond}).run(t)
		eventually(t, "it is cut off", func() bool { return strings.Contains(r.log.String(), "old entries of the ledger were cut off") })
		r.stop()
		if k := kinds(t, src); k[Denied] != 0 || k[Approved] != 1 || k[Pruned] != 1 {
			t.Errorf("left: %v", k)
		}
	})
}
