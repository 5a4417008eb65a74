package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"
)

const (
	// maxBatch is how many entries one transaction writes: enough that the disk's time for it is shared by many, few
	// enough that none waits for long.
	maxBatch = 256
	// commitWithin is how long a transaction may take: far longer than one does, and short enough that an Append which
	// hangs is told of.
	commitWithin = 10 * time.Second
	// openWithin is how long opening may take, with what a migration does.
	openWithin = time.Minute
	// lastWithin is how long entries that wait are written for at the end.
	lastWithin = 5 * time.Second
	// retryFirst is the first wait after a failure; it doubles up to retryMost.
	retryFirst = 100 * time.Millisecond
	retryMost  = 5 * time.Second
)

// Run writes what is recorded, until ctx ends: then it writes what waits, as far as that goes quickly.
//
// It never fails: a ledger that cannot be opened or written is tried again, and Status, metrics and log say so. A file
// that turns out to be damaged is put aside, and a new chain begun that says so.
func (r *Recorder) Run(ctx context.Context) error {
	wait := retryFirst
	damage := error(nil) // that was found while the ledger was open
	for ctx.Err() == nil {
		store, err := r.openStore(ctx, damage)
		if err != nil {
			r.failed(err)
			sleep(ctx, wait)
			wait = min(2*wait, retryMost)
			continue
		}
		wait = retryFirst
		r.store.Store(store)
		r.well()
		r.opts.Logger.Info("the ledger is open", "store", store.dialect.name)
		var keeping sync.WaitGroup
		terms, stop := context.WithCancel(ctx)
		keeping.Go(func() { r.keep(terms, store) })
		damage = r.write(ctx, store)
		stop()
		keeping.Wait()
		r.store.Store(nil)
		if err := store.Close(); err != nil {
			r.opts.Logger.Warn("the ledger could not be closed well", "error", err)
		}
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// openStore opens the ledger, or in the place of a damaged file a new one.
func (r *Recorder) openStore(ctx context.Context, damage error) (*Store, error) {
	ctx, cancel := context.WithTimeout(ctx, openWithin)
	defer cancel()
	if damage == nil {
		s, err := openStore(ctx, r.opts.Source, r.aside) // the new one may not have been opened yet
		if !errors.Is(err, ErrCorrupt) || r.opts.Source.File == "" {
			return s, err
		}
		damage = err
	}
	if r.opts.Source.File == "" {
		return nil, damage // a database is its administrator's
	}
	// Only who holds the lock may move the file.
	unlock, err := lockFile(ctx, r.opts.Source.File)
	if err != nil {
		return nil, err
	}
	aside, err := putAside(r.opts.Source.File, time.Now())
	if err := errors.Join(err, unlock()); err != nil {
		return nil, err
	}
	r.opts.Logger.Error("the ledger's file is damaged: it is put aside, and a new ledger begun", "aside", aside, "error", damage)
	r.metrics.intact.Set(0)
	r.mu.Lock()
	r.aside = map[string]string{detailDamaged: aside, "damage": damage.Error()}
	r.mu.Unlock()
	return openStore(ctx, r.opts.Source, r.aside)
}

// putAside renames the file and what SQLite keeps beside it.
func putAside(file string, now time.Time) (string, error) {
	aside := file + ".damaged-" + now.UTC().Format("20060102T150405Z")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Rename(file+suffix, aside+suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("putting the damaged ledger aside: %w", err)
		}
	}
	return aside, nil
}

// write takes entries and writes them, until ctx ends or the store is found to be damaged.
func (r *Recorder) write(ctx context.Context, store *Store) (damage error) {
	w := &writer{Recorder: r, store: store}
	var again <-chan time.Time
	for {
		notes := r.notes
		if len(w.held) > 0 {
			notes = nil // the queue is their bound
		}
		select {
		case <-ctx.Done():
			w.finish()
			return nil
		case <-again:
		case a := <-r.appends:
			w.commit(w.gather(a))
		case e := <-notes:
			w.hold(e)
		case d := <-r.damaged:
			if d.store == store { // or it is put aside already
				r.giveBack(w.held)
				return d.err
			}
		}
		w.flush()
		if errors.Is(w.failure, ErrCorrupt) {
			r.giveBack(w.held)
			return w.failure
		}
		again = nil
		if len(w.held) > 0 {
			again = time.After(w.backoff())
		}
	}
}

// giveBack puts held entries into the queue again, for the next store.
func (r *Recorder) giveBack(held []Entry) {
	for i := range held {
		r.Note(held[i])
	}
}

// writer is a Recorder whose store is open.
type writer struct {
	*Recorder
	store *Store
	// held are entries that were taken from the queue and are not on disk yet.
	held []Entry
	// unsure is set after a try of which nobody knows whether held was written.
	unsure  *unsureError
	failure error
	wait    time.Duration
}

// gather takes the appends that wait beside the first.
func (w *writer) gather(first *appending) []*appending {
	batch, entries := []*appending{first}, len(first.entries)
	for entries < maxBatch {
		select {
		case a := <-w.appends:
			batch = append(batch, a)
			entries += len(a.entries)
		default:
			return batch
		}
	}
	return batch
}

// commit writes appends in one transaction, and tells each what became of it.
func (w *writer) commit(batch []*appending) {
	var entries []Entry
	for _, a := range batch {
		entries = append(entries, a.entries...)
	}
	receipts, err := w.try(entries)
	for _, a := range batch {
		if a.err = err; err == nil && len(a.entries) > 0 {
			a.receipt = receipts[len(a.entries)-1]
			receipts = receipts[len(a.entries):]
		}
		close(a.done)
	}
}

// try writes entries, and takes down how that went.
func (w *writer) try(entries []Entry) ([]Receipt, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commitWithin) // also while everything ends
	defer cancel()
	begun := time.Now()
	receipts, err := w.store.append(ctx, entries)
	w.failure = err
	if err != nil {
		w.failed(err)
		return nil, err
	}
	w.well()
	w.wait = 0
	w.metrics.written(entries, time.Since(begun))
	return receipts, nil
}

// hold takes an entry from the queue and those that wait behind it.
func (w *writer) hold(e Entry) {
	w.held = append(w.held, e)
	for len(w.held) < maxBatch {
		select {
		case e := <-w.notes:
			w.held = append(w.held, e)
		default:
			return
		}
	}
}

// flush writes the held entries, and behind them how many were lost.
func (w *writer) flush() {
	if w.unsure != nil {
		ctx, cancel := context.WithTimeout(context.Background(), commitWithin)
		defer cancel()
		has, err := w.store.has(ctx, w.unsure.receipt)
		if err != nil {
			w.failed(w.store.dialect.explain(err))
			return
		}
		if has {
			w.held = nil
		}
		w.unsure = nil
	}
	if e, some := w.takeLost(); some {
		w.held = append(w.held, e)
	}
	if len(w.held) == 0 {
		return
	}
	_, err := w.try(w.held)
	if err == nil {
		w.held = w.held[:0]
	} else if !errors.As(err, &w.unsure) {
		w.unsure = nil
	}
	w.mu.Lock()
	w.oldest = time.Time{}
	if len(w.held) > 0 {
		w.oldest = w.held[0].Time
	}
	w.mu.Unlock()
}

// takeLost makes an entry of the entries that were lost since it was last asked.
func (w *writer) takeLost() (Entry, bool) {
	w.mu.Lock()
	lost := w.lost
	w.lost.entries = 0
	w.mu.Unlock()
	if lost.entries == 0 {
		return Entry{}, false
	}
	return Entry{
		Kind: Dropped, Time: time.Now(), Replica: w.opts.Replica, Message: strconv.FormatInt(lost.entries, 10) + " entries were lost, because the ledger could not be written as fast as they came",
		Details: map[string]string{detailEntries: strconv.FormatInt(lost.entries, 10), detailSince: lost.since.UTC().Format(time.RFC3339Nano)},
	}, true
}

// backoff is how long to wait before held entries are tried again.
func (w *writer) backoff() time.Duration {
	w.wait = min(max(2*w.wait, retryFirst), retryMost)
	return w.wait
}

// finish writes what waits, at the end.
func (w *writer) finish() {
	deadline := time.Now().Add(lastWithin)
	for time.Now().Before(deadline) {
		select {
		case a := <-w.appends:
			w.commit(w.gather(a))
		case e := <-w.notes:
			w.hold(e)
			w.flush()
		default:
			w.flush()
			if len(w.held) == 0 {
				return
			}
		}
		if w.failure != nil {
			break
		}
	}
	if left := len(w.held) + len(w.notes); left > 0 {
		w.opts.Logger.Error("the program ends, and entries of the ledger are lost", "entries", left, "error", w.failure)
	}
}

// failed takes down that nothing can be written, and logs it when it begins and when its reason changes.
func (r *Recorder) failed(err error) {
	r.metrics.failures.Inc()
	r.mu.Lock()
	before := r.failure
	if before == nil {
		r.since = time.Now()
	}
	r.failure = err
	r.mu.Unlock()
	if before == nil || before.Error() != err.Error() {
		r.opts.Logger.Error("the ledger cannot be written: entries wait, and will be lost if this lasts", "error", err)
	}
}

// well takes down that the ledger is written.
func (r *Recorder) well() {
	r.mu.Lock()
	before, since := r.failure, r.since
	r.failure = nil
	r.mu.Unlock()
	if before != nil && !errors.Is(before, errNotOpen) {
		r.opts.Logger.Info("the ledger is written again", "after", time.Since(since).Round(time.Millisecond))
	}
}
