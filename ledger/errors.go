package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// What an error of a store means, for errors.Is.
var (
	// ErrNone means that there is no ledger.
	ErrNone = errors.New("there is no ledger")
	// ErrInUse means that another program writes to the file. It passes when that one ends.
	ErrInUse = errors.New("another program writes to this ledger")
	// ErrNewer means that a newer program has made the ledger's schema.
	ErrNewer = errors.New("the ledger was made by a newer holdfast")
	// ErrCorrupt means that the ledger is not as it was written.
	ErrCorrupt = errors.New("the ledger is damaged")
	// ErrFull means that the disk is full, or the bound of the file reached.
	ErrFull = errors.New("there is no room for the ledger")
	// ErrAway means that the database cannot be reached. It may pass.
	ErrAway = errors.New("the database of the ledger is away")
)

// unsureError says that a transaction was sent off and no answer came: it may have been committed.
type unsureError struct {
	receipt Receipt
	err     error
}

func (e *unsureError) Error() string { return "it may or may not have been recorded: " + e.err.Error() }
func (e *unsureError) Unwrap() error { return e.err }

// uncommitted tells what a failed commit means. In a file it was not carried out: the driver takes it back. In a database,
// only the database knows.
func (s *Store) uncommitted(err error) error {
	if s.dialect.serial == "" {
		return fmt.Errorf("committing: %w", err)
	}
	return &unsureError{err: fmt.Errorf("committing: %w", err)}
}

// settleWithin is how long a database is asked whether it has committed: as long as a failover usually takes would
// hold up the caller, so only what is back at once is asked.
const settleWithin = 2 * time.Second

// settle finds out whether a transaction was committed whose answer was lost: then the chain has its last hash, which no
// other can have.
func (s *Store) settle(ctx context.Context, unsure *unsureError) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleWithin)
	defer cancel()
	has, err := s.has(ctx, unsure.receipt)
	switch {
	case err != nil:
		return unsure
	case has:
		return nil
	default:
		return unsure.err
	}
}

// has reports whether the chain has this hash at this place.
func (s *Store) has(ctx context.Context, r Receipt) (bool, error) {
	var n int
	err := s.write.QueryRowContext(ctx, s.dialect.bind(`SELECT count(*) FROM holdfast_entries WHERE seq = ? AND hash = ?`), r.Seq, r.Hash[:]).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("asking whether entry %d was recorded: %w", r.Seq, err)
	}
	return n > 0, nil
}
