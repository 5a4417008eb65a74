package ledger

import (
	"context"
	"time"
)

const (
	// keepEvery is how often it is looked whether something is to be cut off. A bound of the file leaves a tenth for what
	// is written meanwhile.
	keepEvery = time.Minute
	// anchorEvery is how often the end of the chain is logged, so that somebody else knows it.
	anchorEvery = time.Hour
)

// keep cuts off what is old or too much, verifies the chain from time to time, and leaves anchors in the log.
func (r *Recorder) keep(ctx context.Context, store *Store) {
	tick, anchor, verify := time.NewTicker(keepEvery), time.NewTicker(anchorEvery), time.NewTicker(r.opts.VerifyEvery)
	defer tick.Stop()
	defer anchor.Stop()
	defer verify.Stop()
	r.anchor(ctx, store)
	r.prune(ctx, store)
	for {
		select {
		case <-ctx.Done():
			r.anchor(context.WithoutCancel(ctx), store)
			return
		case <-tick.C:
			r.prune(ctx, store)
		case <-anchor.C:
			r.anchor(ctx, store)
		case <-verify.C:
			r.verify(ctx, store)
		}
	}
}

// prune cuts off what is older than the retention, and a tenth of all when the file is nine tenths full.
func (r *Recorder) prune(ctx context.Context, store *Store) {
	size, err := store.Size(ctx)
	if err != nil {
		return // appending tells what is wrong
	}
	r.metrics.size.Store(&size)
	cut := Cut{}
	if r.opts.Retention > 0 {
		cut.Before = time.Now().Add(-r.opts.Retention)
	}
	if most := r.opts.Source.MaxBytes; most > 0 && size.Bytes > most/10*9 {
		cut.Entries = max(size.Entries/10, 1)
		r.opts.Logger.Warn("the ledger has reached its bound: the oldest tenth is cut off", "bytes", size.Bytes, "bound", most, "entries", cut.Entries)
	}
	gone, err := store.Prune(ctx, cut)
	switch {
	case err != nil && ctx.Err() == nil:
		r.opts.Logger.Warn("old entries of the ledger cannot be cut off", "error", err)
	case gone > 0:
		r.opts.Logger.Info("old entries of the ledger were cut off", "entries", gone)
	}
}

// anchor logs the end of the chain.
func (r *Recorder) anchor(ctx context.Context, store *Store) {
	ctx, cancel := context.WithTimeout(ctx, time.Second) // also at the end
	defer cancel()
	if size, err := store.Size(ctx); err == nil {
		r.metrics.size.Store(&size)
		r.opts.Logger.Info("the ledger's end, for `holdfast history verify --anchor`", "anchor", size.Last.String(), "chain", size.Chain)
	}
}

// verify looks through the whole chain.
func (r *Recorder) verify(ctx context.Context, store *Store) {
	v, err := store.Verify(ctx)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		r.opts.Logger.Warn("the ledger could not be verified", "error", err)
	case v.Break != nil:
		r.metrics.verified(time.Now(), 0)
		r.opts.Logger.Error("the ledger is not as it was written", "break", v.Break.Error())
	default:
		r.metrics.verified(time.Now(), 1)
		r.opts.Logger.Info("the ledger was verified", "entries", v.Entries, "anchor", v.Last.String())
	}
}
