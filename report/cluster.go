package report

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/util/workqueue"
)

// Target is the object that a report in the cluster is about. UID is its identity; Namespace is empty for
// cluster-scoped objects.
type Target struct{ APIVersion, Kind, Namespace, Name, UID string }

// WriterOptions are what a Writer needs.
type WriterOptions struct {
	// Client reads reports.
	Client dynamic.Interface
	// Metadata reads which reports there are, without what they say, and writes them: what comes back is not all of it.
	Metadata metadata.Interface
	Logger   *slog.Logger
	// API is the group of the reports' types. Default PolicyReports, which most viewers know.
	API API
	// Layout says how objects are put together. Default PerResource: whoever looks at an object finds its report.
	Layout Layout
	// Results are the outcomes of which each result is written; of the others reports have the number. Default all but
	// Pass, of which there are ten for each of the others.
	Results []Status
	// Mine tells whose reports these are, where several writers share them, by the namespace of an object and its UID. Those
	// of one report must all be one writer's. Default: all are.
	Mine func(namespace, uid string) bool
	// Lost is told of an object whose results the cluster has no more, and which has to be judged anew for them; nil for
	// nobody.
	Lost func(Target)
	// Metrics registers the writer's metrics; nil for none.
	Metrics prometheus.Registerer
	// Workers is the number of writes at a time. Default 4: a write takes some 5 ms, so four make 800 a
	// second, more than API priority and fairness gives to one client of a small server.
	Workers int
	// Retry is the first wait after a write that failed; it doubles per report up to RetryMax. Defaults
	// 250 ms and 1 min.
	Retry, RetryMax time.Duration
	// Gather is how long a report about several objects waits for more to say before it is written. Default 250 ms: a sweep
	// judges some hundred objects in that time, and drift is still told of within a second.
	Gather time.Duration
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
	case o.Metadata == nil:
		return errors.New("report writer options: Metadata is missing")
	case o.Logger == nil:
		return errors.New("report writer options: Logger is missing")
	}
	if o.API == "" {
		o.API = PolicyReports
	}
	if o.Layout == "" {
		o.Layout = PerResource
	}
	switch {
	case !slices.Contains(APIs(), o.API):
		return fmt.Errorf("report writer options: API %q is not known", o.API)
	case !slices.Contains(Layouts(), o.Layout):
		return fmt.Errorf("report writer options: Layout %q is not known", o.Layout)
	}
	if o.Results == nil {
		o.Results = DefaultStatuses()
	}
	if o.Mine == nil {
		o.Mine = func(string, string) bool { return true }
	}
	if o.Gather == 0 {
		o.Gather = 250 * time.Millisecond
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
	if o.Workers < 0 || o.Retry < 0 || o.RetryMax < o.Retry || o.Drain < 0 || o.Gather < 0 {
		return errors.New("report writer options: Workers and times must be positive, and RetryMax not below Retry")
	}
	return nil
}

// Writer keeps the reports in the cluster: one per object, named by its UID and owned by it, or those of its namespace. It
// writes what changed and nothing else, what needs somebody first. Make it with
// NewWriter, then Run it; what comes before Run waits for it. When Run has returned the writer knows
// nothing any more, and may be run again, as a leader that is elected again does.
//
// It keeps hashes of what is written, and results only until they are.
type Writer struct {
	opts    WriterOptions
	metrics *writerMetrics

	mu       sync.Mutex
	entries  map[string]*entry // by UID
	sheets   sheets
	legacies legacies
	// queue is nil until the reports that exist are known: until then nothing can be told to be unchanged.
	queue workqueue.TypedRateLimitingInterface[string]
	lanes *lanes
	// retained are the complete lists that came before the queue.
	retained []retained
	lost     []Target
	trouble  string // the last kind of trouble that was logged
	// complaints are the last errors of reports that were told, by their keys.
	complaints map[string]string
}

// retained says which objects are gone, of those that reports are about.
type retained func(apiVersion, kind, uid string) bool

// NewWriter checks the options and makes a Writer.
func NewWriter(o WriterOptions) (*Writer, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	w := &Writer{opts: o}
	w.reset()
	var err error
	if w.metrics, err = newWriterMetrics(o.Metrics, w.pending); err != nil {
		return nil, err
	}
	return w, nil
}

// Spells reports whether results of the status are spelled out in reports; of others they have the number.
func (w *Writer) Spells(s Status) bool { return slices.Contains(w.opts.Results, s) }

// Put replaces what was known of the object, as seen in its APIVersion, by the results of the bundle with
// the digest. It returns at once. No results mean no report.
func (w *Writer) Put(t Target, digest string, results []Result) {
	w.put(t, w.opts.newPart(t, digest, results))
}

// PutNews is Put for what happened to the object just now: its report does not wait for those that a sweep brought.
func (w *Writer) PutNews(t Target, digest string, results []Result) {
	p := w.opts.newPart(t, digest, results)
	if p.fresh != nil {
		p.fresh.news = true
	}
	w.put(t, p)
}

func (w *Writer) put(t Target, p part) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.set(t, p)
}

// Remove forgets what was found of the object, as seen in its APIVersion, and deletes the report if nothing
// is left in it. It returns at once.
func (w *Writer) Remove(t Target) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.set(t, part{apiVersion: t.APIVersion})
}

// Retain says, after a complete list of a type, which of its objects are there: what is known of others is
// removed. It returns at once; seen must not change any more.
func (w *Writer) Retain(apiVersion, kind string, seen func(uid string) bool) {
	w.retain(func(v, k, uid string) bool { return v == apiVersion && k == kind && !seen(uid) })
}

// Only says which types of objects are looked at: what is known of others is removed. It returns at once; the answer must
// not change any more.
func (w *Writer) Only(looked func(apiVersion, kind string) bool) {
	w.retain(func(v, k, _ string) bool { return !looked(v, k) })
}

func (w *Writer) retain(gone retained) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.queue == nil {
		w.retained = append(w.retained, gone)
	}
	for uid, e := range w.entries {
		for _, p := range slices.Clone(e.parts) {
			if p.want != (hash{}) && gone(p.apiVersion, e.of.Value().kind, uid) {
				t := e.target()
				t.APIVersion = p.apiVersion
				w.set(t, part{apiVersion: p.apiVersion})
			}
		}
	}
	if w.queue != nil {
		w.vanish(gone)
	}
}

// set replaces one part of an entry, and queues its report if that makes it differ from what is written.
func (w *Writer) set(t Target, p part) {
	e := w.entries[t.UID]
	if e == nil {
		e = &entry{}
		w.entries[t.UID] = e
	}
	e.is(t)
	e.judged = true
	longer := e.set(p)
	if w.queue == nil {
		return // where it stands is not known yet
	}
	w.stand(e, longer)
	w.enqueue(e.sheet)
}

// stand sees to it that the entry has a place, now that it is longer by so much. One for which its report has no room any
// more moves to another.
func (w *Writer) stand(e *entry, longer int32) {
	switch s := e.sheet; {
	case s == nil:
		w.sheets.place(e)
	case s.size+longer <= maxResults || len(s.entries) == 1 || s.number == 0:
		s.size += longer
	default:
		s.size -= e.size() - longer
		moved := &entry{of: e.of, name: e.name, uid: e.uid, judged: true, recalled: e.recalled, recall: e.recall}
		for i := range e.parts {
			moved.parts = append(moved.parts, e.parts[i])
			moved.parts[i].wrote = hash{}
			e.parts[i].want, e.parts[i].fresh, e.parts[i].counts, e.parts[i].size = hash{}, nil, [5]uint16{}, 0
		}
		w.entries[e.uid] = moved
		w.sheets.place(moved)
		w.enqueue(moved.sheet)
	}
}

// enqueue queues the report if it has to be written, and lets go of what need not be kept.
func (w *Writer) enqueue(s *sheet) {
	if s.busy {
		return // the worker looks again when it has written
	}
	key := s.key()
	s.entries = slices.DeleteFunc(s.entries, func(e *entry) bool {
		e.settle()
		if len(w.legacies.byUID) > 0 && e.judged && !e.changed() && w.entries[e.uid] == e {
			w.supersede(e.uid)
		}
		if len(e.parts) > 0 {
			return false
		}
		if w.entries[e.uid] == e {
			delete(w.entries, e.uid)
		}
		return true
	})
	switch {
	case s.changed():
		w.lanes.mark(key, s.lane())
		if s.number > 0 {
			w.queue.AddAfter(key, w.opts.Gather)
		} else {
			w.queue.Add(key)
		}
	case len(s.entries) == 0:
		w.sheets.drop(key)
		delete(w.complaints, key)
	}
}

// pending is the number of reports that differ from what is known of the objects.
func (w *Writer) pending() float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.queue == nil {
		return float64(len(w.entries))
	}
	n := 0
	for s := range w.all() {
		if s.changed() {
			n++
		}
	}
	return float64(n)
}

// Busy reports whether reports wait to be written that can be written now.
func (w *Writer) Busy() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.queue != nil && w.queue.Len() > 0
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
	w.hurry()
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

// hurry has what waits for more to say written now.
func (w *Writer) hurry() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, s := range w.sheets.byKey {
		if s.changed() && !s.busy {
			w.queue.Add(key)
		}
	}
}

// work writes reports until the queue is shut down and empty, or the context ends.
func (w *Writer) work(ctx context.Context) {
	for {
		key, shutdown := w.queue.Get()
		if shutdown {
			return
		}
		if ctx.Err() == nil && !w.removeLegacy(ctx, key) {
			w.write(ctx, key)
			w.tellLost()
		}
		w.queue.Done(key)
	}
}

// tellLost passes on which objects have to be judged anew.
func (w *Writer) tellLost() {
	w.mu.Lock()
	lost := w.lost
	w.lost = nil
	w.mu.Unlock()
	for _, t := range lost {
		w.opts.Lost(t)
	}
}

// begin takes over what exists, and queues what differs from it.
func (w *Writer) begin(found *loaded) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue = newQueue(w.lanes, w.opts)
	early := w.entries
	w.entries, w.sheets, w.legacies = found.entries, found.sheets, found.legacies
	gone := func(apiVersion, kind, uid string) bool {
		return slices.ContainsFunc(w.retained, func(gone retained) bool { return gone(apiVersion, kind, uid) })
	}
	for uid, e := range w.entries {
		for i := range e.parts {
			if p := &e.parts[i]; gone(p.apiVersion, e.of.Value().kind, uid) {
				e.drop(p)
			}
		}
	}
	for _, e := range early {
		for _, p := range e.parts {
			t := e.target()
			t.APIVersion = p.apiVersion
			w.set(t, p)
		}
	}
	w.vanish(gone)
	w.retained = nil
	for s := range w.all() {
		w.enqueue(s)
	}
	for key, l := range w.legacies.byKey {
		if l.waits == 0 {
			w.queue.Add(key)
		}
	}
}

// reset forgets everything: while this writer does not run, another may change the reports.
func (w *Writer) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.entries, w.sheets, w.legacies = map[string]*entry{}, newSheets(w.opts.Layout), newLegacies()
	w.lanes, w.queue, w.retained, w.lost, w.trouble, w.complaints = newLanes(), nil, nil, nil, "", map[string]string{}
}

// wait waits unless the context ends first.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
