package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Details of Begun, Pruned, FindingStanding and Dropped.
const (
	detailThrough = "through" // the last entry that is cut off
	detailHash    = "hash"    // its hash
	detailChain   = "chain"
	detailEntries = "entries"
	detailSince   = "since"
	detailDamaged = "damaged" // where a damaged file is now, in whose place this ledger has begun
)

// Cut says what is to be cut off at the beginning of the chain: what is older than Before, and the oldest Entries; of the
// two, what is more. Entries that were recorded behind a younger one stay until it goes.
type Cut struct {
	Before  time.Time
	Entries int64
}

// cutChunk is how many entries one transaction deletes: some tenths of a second in which nobody appends.
const cutChunk = 5000

// Prune cuts off the oldest entries. Before that, it says again which findings are open among them, and records what is
// cut off and how it ended: so the chain stays whole, beginning later. It answers how many are gone.
func (s *Store) Prune(ctx context.Context, cut Cut) (int64, error) {
	if s.write == nil {
		return 0, errors.New("the ledger is open for reading")
	}
	var from, through int64
	err := s.inTransaction(ctx, func(tx *sql.Tx) error {
		h, err := s.head(ctx, tx)
		if err != nil {
			return err
		}
		from = h.base.Seq
		if through, err = s.cutThrough(ctx, tx, h, cut); err != nil || through <= from {
			return err
		}
		return s.checkpoint(ctx, tx, h, through)
	})
	for at := from; err == nil && at < through; {
		at = min(at+cutChunk, through)
		err = s.cutOff(ctx, at)
	}
	if err != nil {
		return 0, fmt.Errorf("cutting off old entries of the ledger: %w", s.dialect.explain(err))
	}
	return max(through-from, 0), nil
}

// cutThrough gives the last entry that goes. The very last one stays.
func (s *Store) cutThrough(ctx context.Context, tx *sql.Tx, h head, cut Cut) (int64, error) {
	through := h.base.Seq + cut.Entries
	if !cut.Before.IsZero() {
		var stays sql.NullInt64
		err := tx.QueryRowContext(ctx, s.dialect.bind(`SELECT min(seq) FROM holdfast_entries WHERE at >= ?`), cut.Before.UnixMicro()).Scan(&stays)
		if err != nil {
			return 0, fmt.Errorf("looking for what is old: %w", err)
		}
		old := h.last.Seq
		if stays.Valid {
			old = stays.Int64 - 1
		}
		through = max(through, old)
	}
	return min(through, h.last.Seq-1), nil
}

// checkpoint records what is going to be cut off.
func (s *Store) checkpoint(ctx context.Context, tx *sql.Tx, h head, through int64) error {
	var hash []byte
	if err := tx.QueryRowContext(ctx, s.dialect.bind(`SELECT hash FROM holdfast_entries WHERE seq = ?`), through).Scan(&hash); err != nil {
		return fmt.Errorf("reading entry %d: %w", through, err)
	}
	end, _ := hashOf(hash)
	open, err := s.openFindings(ctx, tx, through)
	if err != nil {
		return fmt.Errorf("looking for open findings: %w", err)
	}
	entries := make([]Entry, 0, len(open)+1)
	for _, e := range open {
		since := e.Time.Format(time.RFC3339Nano)
		if e.Details == nil {
			e.Details = map[string]string{}
		}
		if e.Details[detailSince] == "" {
			e.Details[detailSince] = since
		}
		e.Kind, e.Time = FindingStanding, time.Time{}
		entries = append(entries, e)
	}
	entries = append(entries, Entry{
		Kind: Pruned, Message: fmt.Sprintf("entries %d to %d are cut off", h.base.Seq+1, through),
		Details: map[string]string{
			detailThrough: strconv.FormatInt(through, 10), detailHash: end.String(),
			detailEntries: strconv.FormatInt(through-h.base.Seq, 10), detailChain: h.chain,
		},
	})
	_, err = s.appendTo(ctx, tx, h, entries)
	return err
}

// cutOff deletes the entries up to a place.
func (s *Store) cutOff(ctx context.Context, through int64) error {
	return s.inTransaction(ctx, func(tx *sql.Tx) error {
		h, err := s.head(ctx, tx)
		if err != nil || h.base.Seq >= through {
			return err // somebody else has done so
		}
		var hash []byte
		if err := tx.QueryRowContext(ctx, s.dialect.bind(`SELECT hash FROM holdfast_entries WHERE seq = ?`), through).Scan(&hash); err != nil {
			return fmt.Errorf("reading entry %d: %w", through, err)
		}
		if _, err := tx.ExecContext(ctx, s.dialect.bind(`DELETE FROM holdfast_entries WHERE seq <= ?`), through); err != nil {
			return fmt.Errorf("deleting entries: %w", err)
		}
		if _, err := tx.ExecContext(ctx, s.dialect.bind(`UPDATE holdfast_head SET base_seq = ?, base_hash = ? WHERE id = 1`), through, hash); err != nil {
			return fmt.Errorf("writing the head: %w", err)
		}
		return nil
	})
}
