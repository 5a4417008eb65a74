package report

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/util/workqueue"
)

// Target is the object that a report in the cluster is about. UID is its identity; Namespace is empty for
// cluster-scoped objects.
type Target struct{ APIVersion, Kind, Namespace, Name, UID string }

// WriterOptions are what a Writer needs.
type WriterOptions struct {
	Client dynamic.Interface
	Logger *slog.Logger
	// Metrics registers the writer's metrics; nil for none.
	Metrics prometheus.Registerer
	// Workers is the number of writes at a time. Default 4: a write takes some 5 ms, so four make 800 a
	// second, more than API priority and fairness gives to one client of a small server.
	Workers int
	// Retry is the first wait after a write that failed; it doubles per report up to RetryMax. Defaults
	// 250 ms and 1 min.
	Retry, RetryMax time.Duration
	// Drain is how long writes that wait are still tried at shutdown. Default 3 s, well inside the 30 s
	// that a Pod has to end.
	Drain time.Duration
	// Now is the clock of the results' timestamps. Default time.Now.
	Now func() time.Time
}

// Validate fills in defaults and names the first field that is missing.
func (o *WriterOptions) Validate() error {
	switch {
	case o.Client == nil:
		return errors.New("report writer options: Client is missing")
	case o.Logger == nil:
		return errors.New("report writer options: Logger is missing")
	}
	if o.Workers == 0 {
		o.Workers = 4
	}
	if o.Retry == 0 {
		o.Retry = 250 * time.Millisecond
	}
	if o.RetryMax == 0 {
		o.RetryMax = time.Minute
	}
	if o.Drain == 0 {
		o.Drain = 3 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Workers < 0 || o.Retry < 0 || o.RetryMax < o.Retry || o.Drain < 0 {
		return errors.New("report writer options: Workers and times must be positive, and RetryMax not below Retry")
	}
	return nil
}

// Writer keeps one PolicyReport or ClusterPolicyReport per object in the cluster, named by the object's UID
// and owned by it. It writes what changed and nothing else, what needs somebody first. Make it with
// NewWriter, then Run it; what comes before Run waits for it. When Run has returned the writer knows
// nothing any more, and may be run again, as a leader that is elected again does.
//
// It keeps hashes of what is written, and results only until they are.
type Writer struct {
	opts    WriterOptions
	metrics *writerMetrics

	mu      sync.Mutex
	entries map[string]*entry // by UID
	// queue is nil until the reports that exist are known: until then nothing can be told to be unchanged.
	queue workqueue.TypedRateLimitingInterface[string]
	lanes *lanes
	// retained are the complete lists that came before the queue.
	retained []retained
	trouble  string // the last kind of trouble that was logged
}

type retained struct {
	apiVersion, kind string
	seen             func(uid string) bool
}

// NewWriter checks the options and makes a Writer.
func NewWriter(o WriterOptions) (*Writer, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	w := &Writer{opts: o, entries: map[string]*entry{}, lanes: newLanes()}
	var err error
	if w.metrics, err = newWriterMetrics(o.Metrics, w.pending); err != nil {
		return nil, err
	}
	return w, nil
}

// Put replaces what was known of the object, as seen in its APIVersion, by the results of the bundle with
// the digest. It returns at once. No results mean no report.
func (w *Writer) Put(t Target, digest string, results []Result) {
	w.put(t, newPart(t, digest, results, w.opts.Now()))
}

// PutNews is Put for what happened to the object just now: its report does not wait for those that a sweep brought.
func (w *Writer) PutNews(t Target, digest string, results []Result) {
	p := newPart(t, digest, results, w.opts.Now())
	p.news = true
	w.put(t, p)
}

func (w *Writer) put(t Target, p *part) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.set(t, p)
}

// Remove forgets what was found of the object, as seen in its APIVersion, and deletes the report if nothing
// is left in it. It returns at once.
func (w *Writer) Remove(t Target) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.set(t, &part{})
}

// Retain says, after a complete list of a type, which of its objects are there: what is known of others is
// removed. It returns at once; seen must not change any more.
func (w *Writer) Retain(apiVersion, kind string, seen func(uid string) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.queue == nil {
		w.retained = append(w.retained, retained{apiVersion, kind, seen})
	}
	for uid, e := range w.entries {
		if e.target.Kind == kind && e.parts[apiVersion] != nil && !seen(uid) {
			t := e.target
			t.APIVersion = apiVersion
			w.set(t, &part{})
		}
	}
}

// set replaces one part of an entry, and queues the entry if that makes it differ from what is written.
func (w *Writer) set(t Target, p *part) {
	e := w.entries[t.UID]
	if e == nil {
		e = &entry{parts: map[string]*part{}}
		w.entries[t.UID] = e
	}
	e.target = t
	e.recalled.apply(t.APIVersion, p.results)
	e.parts[t.APIVersion] = p
	if w.queue != nil {
		w.enqueue(t.UID, e)
	}
}

// enqueue queues the entry if it has to be written, and lets go of what need not be kept.
func (w *Writer) enqueue(uid string, e *entry) {
	e.prune()
	switch {
	case e.busy: // the worker looks again when it has written
	case e.desired() != e.written:
		w.lanes.mark(uid, e.lane())
		w.queue.Add(uid)
	case e.written == "":
		delete(w.entries, uid)
	default:
		e.release()
	}
}

// pending is the number of reports that differ from what is known of the objects.
func (w *Writer) pending() float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, e := range w.entries {
		if e.desired() != e.written {
			n++
		}
	}
	return float64(n)
}

// Run finds the reports that exist, then writes until the context ends and what is queued is written, for
// at most Drain. It returns when all its goroutines have stopped.
func (w *Writer) Run(ctx context.Context) error {
	defer w.reset()
	found, err := w.load(ctx)
	if err != nil {
		return nil //nolint:nilerr // the context ended: nothing to write was known to be needed
	}
	w.begin(found)

	writing, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var running sync.WaitGroup
	for range w.opts.Workers {
		running.Go(func() { w.work(writing) })
	}
	done := make(chan struct{})
	go func() { running.Wait(); close(done) }()
	<-ctx.Done()
	w.queue.ShutDown()
	drained := time.NewTimer(w.opts.Drain)
	defer drained.Stop()
	select {
	case <-done:
	case <-drained.C:
		stop()
		<-done
	}
	return nil
}

// begin takes over what exists, and queues what differs from it.
func (w *Writer) begin(found map[string]*entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue = newQueue(w.lanes, w.opts)
	for uid, old := range found {
		e := w.entries[uid]
		if e == nil {
			e = &entry{target: old.target, parts: map[string]*part{}}
			w.entries[uid] = e
		}
		e.written, e.recalled = old.written, old.recalled
		for apiVersion, p := range e.parts {
			e.recalled.apply(apiVersion, p.results)
		}
		for apiVersion, p := range old.parts {
			if e.parts[apiVersion] == nil && !w.vanished(uid, apiVersion, old.target.Kind) {
				e.parts[apiVersion] = p
			}
		}
	}
	w.retained = nil
	for uid, e := range w.entries {
		w.enqueue(uid, e)
	}
}

// reset forgets everything: while this writer does not run, another may change the reports.
func (w *Writer) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.entries, w.lanes, w.queue, w.retained, w.trouble = map[string]*entry{}, newLanes(), nil, nil, ""
}

// vanished reports whether a complete list did not have the object.
func (w *Writer) vanished(uid, apiVersion, kind string) bool {
	for _, r := range w.retained {
		if r.apiVersion == apiVersion && r.kind == kind && !r.seen(uid) {
			return true
		}
	}
	return false
}
