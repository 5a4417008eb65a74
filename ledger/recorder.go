package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Options are what a Recorder needs.
type Options struct {
	Source Source
	// Replica names this program in the entries that it records.
	Replica string
	// Retention is how long entries are kept. Default: 0, for ever.
	Retention time.Duration
	// Queue is how many entries may wait that nobody waits for. Default: 4096. A denial takes about 1 KiB, so that this
	// is 4 MiB, and four seconds of a thousand denials each while the database restarts.
	Queue int
	// Wait is how long Append waits at most while nothing can be written. Default: 5 s.
	Wait time.Duration
	// VerifyEvery is how often the whole chain is looked through. Default: 24 h.
	VerifyEvery time.Duration
	Logger      *slog.Logger
	// Metrics registers the holdfast_ledger_* metrics; nil for none.
	Metrics prometheus.Registerer
}

// Validate fills in defaults and names the first field that cannot be used.
func (o *Options) Validate() error {
	switch {
	case (o.Source.File == "") == (o.Source.DSN == ""):
		return errors.New("ledger options: expected either a file or a DSN")
	case o.Logger == nil:
		return errors.New("ledger options: Logger is missing")
	case o.Retention < 0 || o.Queue < 0 || o.Wait < 0 || o.VerifyEvery < 0 || o.Source.MaxBytes < 0:
		return errors.New("ledger options: times and numbers must be positive")
	case o.Source.MaxBytes != 0 && o.Source.MaxBytes < leastBytes:
		return fmt.Errorf("ledger options: MaxBytes is %d: expected %d at least", o.Source.MaxBytes, leastBytes)
	}
	if o.Source.DSN != "" {
		if _, err := ParseDSN(o.Source.DSN); err != nil {
			return err
		}
	}
	if o.Queue == 0 {
		o.Queue = 4096
	}
	if o.Wait == 0 {
		o.Wait = 5 * time.Second
	}
	if o.VerifyEvery == 0 {
		o.VerifyEvery = 24 * time.Hour
	}
	return nil
}

// leastBytes is the smallest bound of a file: below, a tenth of it would not hold what cutting off takes.
const leastBytes = 1 << 20

// Recorder stands before a ledger in a program that runs long. Make it with NewRecorder, then Run it. Its other methods
// may be called at any time, and from several goroutines.
type Recorder struct {
	opts    Options
	metrics *metrics
	// appends are handed over to Run one by one, so that whoever waits knows whether his was taken.
	appends chan *appending
	notes   chan Entry
	store   atomic.Pointer[Store]
	// damaged tells Run what a question has found out.
	damaged chan damage

	mu      sync.Mutex
	aside   map[string]string // what is to be told of a damaged file where a new one begins; nil for none
	failure error             // why nothing is written; nil while all is well
	since   time.Time         // when that began
	oldest  time.Time         // the first entry that waits for it to pass
	lost    lost
}

// damage is found in a store while it is open.
type damage struct {
	store *Store
	err   error
}

// lost counts the entries that found the queue full.
type lost struct {
	entries int64
	since   time.Time
}

// appending is an Append that waits.
type appending struct {
	entries []Entry
	done    chan struct{} // closed when receipt and err are set
	receipt Receipt
	err     error
}

// errNotOpen is the state before the first opening.
var errNotOpen = errors.New("the ledger is not open yet")

// NewRecorder checks the options and makes a Recorder. The ledger itself is opened by Run: one that cannot be does not
// keep a program from its work.
func NewRecorder(opts Options) (*Recorder, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	r := &Recorder{opts: opts, appends: make(chan *appending), notes: make(chan Entry, opts.Queue), damaged: make(chan damage, 1), failure: errNotOpen, since: time.Now()}
	var err error
	r.metrics, err = newMetrics(opts.Metrics, r)
	return r, err
}

// Append records entries, all or none, and returns when they are on disk. Appends of others at the same time share one
// write. While nothing can be written it waits, as long as ctx and Options.Wait let it, and then tells why.
func (r *Recorder) Append(ctx context.Context, entries ...Entry) (Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, r.opts.Wait)
	defer cancel()
	a := &appending{entries: r.stamped(entries), done: make(chan struct{})}
	select {
	case r.appends <- a:
	case <-ctx.Done():
		if why := r.failing(); why != nil {
			return Receipt{}, fmt.Errorf("nothing is recorded: %w", why)
		}
		return Receipt{}, fmt.Errorf("waiting for the ledger: %w", ctx.Err())
	}
	<-a.done // what is taken is answered soon
	return a.receipt, a.err
}

func (r *Recorder) stamped(entries []Entry) []Entry {
	out := make([]Entry, len(entries))
	for i := range entries {
		out[i] = entries[i]
		out[i].Replica = r.opts.Replica
		if out[i].Time.IsZero() {
			out[i].Time = time.Now()
		}
	}
	return out
}

// Note records an entry soon. It returns at once, whatever the ledger does: beyond what the queue holds entries are lost,
// counted, and their number recorded.
func (r *Recorder) Note(e Entry) {
	e.Replica = r.opts.Replica
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	select {
	case r.notes <- e:
	default:
		r.metrics.dropped.Inc()
		r.mu.Lock()
		if r.lost.entries == 0 {
			r.lost.since = e.Time
		}
		r.lost.entries++
		r.mu.Unlock()
	}
}

// Query answers a page of entries.
func (r *Recorder) Query(ctx context.Context, q Query) (Page, error) {
	s, err := r.open()
	if err != nil {
		return Page{}, err
	}
	page, err := s.Query(ctx, q)
	r.asked(s, err)
	return page, err
}

// OpenFindings gives the entries of the findings that are open, as Store.OpenFindings does.
func (r *Recorder) OpenFindings(ctx context.Context) ([]Entry, error) {
	s, err := r.open()
	if err != nil {
		return nil, err
	}
	entries, err := s.OpenFindings(ctx)
	r.asked(s, err)
	return entries, err
}

// asked has a store replaced that turns out to be damaged where it was asked: whoever asks again would never get an answer.
func (r *Recorder) asked(s *Store, err error) {
	if !errors.Is(err, ErrCorrupt) || r.opts.Source.File == "" {
		return
	}
	select {
	case r.damaged <- damage{s, err}:
	default: // Run knows
	}
}

func (r *Recorder) open() (*Store, error) {
	if s := r.store.Load(); s != nil {
		return s, nil
	}
	why := r.failing()
	if why == nil { // another is about to be opened
		why = errNotOpen
	}
	return nil, fmt.Errorf("asking the ledger: %w", why)
}

// failing says why nothing is written, or nothing.
func (r *Recorder) failing() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failure
}

// Status is how a ledger is.
type Status struct {
	// Store is sqlite or postgres.
	Store string `json:"store"`
	// Error says why nothing is written, and Since when that began; empty while all is well.
	Error string     `json:"error,omitempty"`
	Since *time.Time `json:"since,omitempty"`
	// Aside is where a damaged file was put since the program began, in whose place this ledger is.
	Aside string `json:"aside,omitempty"`
	// Waiting is how many entries wait to be written.
	Waiting int `json:"waiting"`
	// Head is the end of the chain, as SEQ:HASH: an anchor for `holdfast history verify`.
	Head    string `json:"head,omitempty"`
	Entries int64  `json:"entries"`
	Bytes   int64  `json:"bytes"`
}

// Status tells how the ledger is.
func (r *Recorder) Status(ctx context.Context) Status {
	out := Status{Store: "sqlite", Waiting: len(r.notes)}
	if r.opts.Source.DSN != "" {
		out.Store = "postgres"
	}
	r.mu.Lock()
	if r.failure != nil {
		since := r.since
		out.Error, out.Since = r.failure.Error(), &since
	}
	out.Aside = r.aside[detailDamaged]
	r.mu.Unlock()
	if s := r.store.Load(); s != nil {
		ctx, cancel := context.WithTimeout(ctx, time.Second) // whoever asks for the status waits
		defer cancel()
		if size, err := s.Size(ctx); err == nil {
			out.Head, out.Entries, out.Bytes = size.Last.String(), size.Entries, size.Bytes
		}
	}
	return out
}
