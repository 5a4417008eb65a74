package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Source says where a ledger is: in a file, or in a database.
type Source struct {
	// File is the SQLite file. Beside it SQLite keeps two more while it is open, and the lock of its one writer.
	File string
	// MaxBytes bounds the file; 0 means no bound. What does not fit is refused as on a full disk.
	MaxBytes int64
	// DSN leads to a PostgreSQL database, as a URL or as KEY=VALUE words. It may hold a password: it is in no error.
	DSN string
}

// dialect is in what the two databases differ.
type dialect struct {
	name string
	// bind turns the ? of a query into the parameters of the database.
	bind func(string) string
	// lock ends a query whose row is about to be changed.
	lock string
	// insert writes rows within a transaction.
	insert func(ctx context.Context, tx *sql.Tx, rows []link) error
	// snapshot are the options of a transaction that sees one state from beginning to end.
	snapshot *sql.TxOptions
	// bytes is a query for the size that the ledger has.
	bytes string
	// explain wraps an error in the one of errors.go that tells what it means.
	explain func(error) error
	// migrations is the folder of its schema.
	migrations string
	// serial keeps two from migrating at once; empty where there is only one writer.
	serial string
}

// Store is a ledger that is open. It is safe for concurrent use.
type Store struct {
	dialect dialect
	write   *sql.DB // nil when opened for reading
	read    *sql.DB
	closers []func() error
	now     func() time.Time
	// appending is held by whoever writes: a second transaction would wait for the head anyway.
	appending sync.Mutex
}

// Open opens a ledger for writing. It makes what is not there yet and brings an older schema up to date.
func Open(ctx context.Context, src Source) (*Store, error) {
	return openStore(ctx, src, nil)
}

// openStore opens for writing; a ledger that is new begins with these details.
func openStore(ctx context.Context, src Source, begun map[string]string) (*Store, error) {
	open := openSQLite
	if src.DSN != "" {
		open = openPostgres
	}
	s, err := open(ctx, src)
	if err != nil {
		return nil, err
	}
	if err := s.prepare(ctx, begun); err != nil {
		return nil, errors.Join(s.dialect.explain(err), s.Close())
	}
	return s, nil
}

// OpenForReading opens a ledger that is there, while another program may write to it.
func OpenForReading(ctx context.Context, src Source) (*Store, error) {
	open := readSQLite
	if src.DSN != "" {
		open = openPostgres
	}
	s, err := open(ctx, src)
	if err != nil {
		return nil, err
	}
	s.write = nil
	if err := s.checkSchema(ctx); err != nil {
		return nil, errors.Join(s.dialect.explain(err), s.Close())
	}
	return s, nil
}

// Close lets go of the ledger.
func (s *Store) Close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	s.closers = nil
	return errors.Join(errs...)
}

// prepare makes the tables and the beginning of the chain, where they are not there yet, and looks whether its end is
// whole.
func (s *Store) prepare(ctx context.Context, begun map[string]string) error {
	if err := s.migrate(ctx); err != nil {
		return err
	}
	chain := uuid.NewString()
	var none Hash
	_, err := s.write.ExecContext(ctx, s.dialect.bind(
		`INSERT INTO holdfast_head (id, chain, seq, hash, base_seq, base_hash) VALUES (1, ?, 0, ?, 0, ?) ON CONFLICT (id) DO NOTHING`),
		chain, none[:], none[:])
	if err != nil {
		return fmt.Errorf("making the head of the ledger: %w", err)
	}
	return s.inTransaction(ctx, func(tx *sql.Tx) error {
		head, err := s.head(ctx, tx)
		if err != nil {
			return err
		}
		if head.last.Seq > 0 {
			return s.checkEnd(ctx, tx, head)
		}
		details := map[string]string{"chain": head.chain}
		for k, v := range begun {
			details[k] = v
		}
		_, err = s.appendTo(ctx, tx, head, []Entry{{Kind: Begun, Details: details}})
		return err
	})
}

// checkEnd compares the last entry with the head: if they differ, appending would only bury it.
func (s *Store) checkEnd(ctx context.Context, tx *sql.Tx, h head) error {
	var seq int64
	var raw []byte
	err := tx.QueryRowContext(ctx, `SELECT seq, hash FROM holdfast_entries ORDER BY seq DESC LIMIT 1`).Scan(&seq, &raw)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("reading the last entry: %w", err)
	}
	if hash, ok := hashOf(raw); !ok || seq != h.last.Seq || hash != h.last.Hash {
		return fmt.Errorf("%w: its head is at entry %d, and its last entry is %d: `holdfast history verify` tells more", ErrCorrupt, h.last.Seq, seq)
	}
	return nil
}

// head is the end of the chain, and where it begins.
type head struct {
	chain      string
	last, base Receipt
}

// head reads the head, and within a transaction that writes it keeps all others from doing so.
func (s *Store) head(ctx context.Context, tx *sql.Tx) (h head, err error) {
	return s.scanHead(tx.QueryRowContext(ctx, headQuery+s.dialect.lock))
}

const headQuery = `SELECT chain, seq, hash, base_seq, base_hash FROM holdfast_head WHERE id = 1`

func (*Store) scanHead(row *sql.Row) (h head, err error) {
	var last, base []byte
	if err := row.Scan(&h.chain, &h.last.Seq, &last, &h.base.Seq, &base); err != nil {
		return h, fmt.Errorf("reading the head of the ledger: %w", err)
	}
	var okLast, okBase bool
	h.last.Hash, okLast = hashOf(last)
	h.base.Hash, okBase = hashOf(base)
	if !okLast || !okBase {
		return h, fmt.Errorf("reading the head of the ledger: %w: a hash has not %d bytes", ErrCorrupt, len(h.last.Hash))
	}
	return h, nil
}

// Append records entries, all or none, in this order. When it returns they are on disk. The receipt is of the last one.
func (s *Store) Append(ctx context.Context, entries ...Entry) (Receipt, error) {
	receipts, err := s.append(ctx, entries)
	if err != nil || len(receipts) == 0 {
		return Receipt{}, err
	}
	return receipts[len(receipts)-1], nil
}

// append gives a receipt for each entry. Its error is an *unsureError where nobody can tell.
func (s *Store) append(ctx context.Context, entries []Entry) ([]Receipt, error) {
	if s.write == nil {
		return nil, errors.New("the ledger is open for reading")
	}
	if len(entries) == 0 {
		return nil, nil
	}
	var receipts []Receipt
	err := s.inTransaction(ctx, func(tx *sql.Tx) error {
		head, err := s.head(ctx, tx)
		if err != nil {
			return err
		}
		receipts, err = s.appendTo(ctx, tx, head, entries)
		return err
	})
	if unsure := (*unsureError)(nil); errors.As(err, &unsure) {
		unsure.receipt = receipts[len(receipts)-1]
		err = s.settle(ctx, unsure)
	}
	if err != nil {
		return nil, fmt.Errorf("appending to the ledger: %w", s.dialect.explain(err))
	}
	return receipts, nil
}

// appendTo links entries to the head, within a transaction that holds it.
func (s *Store) appendTo(ctx context.Context, tx *sql.Tx, h head, entries []Entry) ([]Receipt, error) {
	now, at := s.now(), h.last
	links, receipts := make([]link, len(entries)), make([]Receipt, len(entries))
	for i := range entries {
		at.Seq++
		e := entries[i].prepare(at.Seq, now)
		body, err := e.encode()
		if err != nil {
			return nil, err
		}
		at.Hash = at.Hash.next(body)
		links[i], receipts[i] = link{entry: e, body: body, hash: at.Hash}, at
	}
	if err := s.dialect.insert(ctx, tx, links); err != nil {
		return nil, fmt.Errorf("writing entries: %w", err)
	}
	if _, err := tx.ExecContext(ctx, s.dialect.bind(`UPDATE holdfast_head SET seq = ?, hash = ? WHERE id = 1`), at.Seq, at.Hash[:]); err != nil {
		return nil, fmt.Errorf("writing the head: %w", err)
	}
	return receipts, nil
}

// inTransaction runs do in a transaction that writes, and leaves nothing half done.
func (s *Store) inTransaction(ctx context.Context, do func(*sql.Tx) error) error {
	s.appending.Lock()
	defer s.appending.Unlock()
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("beginning a transaction: %w", err)
	}
	if err := do(tx); err != nil {
		_ = tx.Rollback() // the first error tells more
		return err
	}
	if err := tx.Commit(); err != nil {
		return s.uncommitted(err)
	}
	return nil
}

// Size is how much the ledger holds.
type Size struct {
	// Entries are those that are there, Bytes what they take with their indexes.
	Entries, Bytes int64
	// Last is the end of the chain.
	Last Receipt
	// Chain tells one ledger from another.
	Chain string
}

// Size tells how much the ledger holds. It counts nothing, and takes about a millisecond.
func (s *Store) Size(ctx context.Context) (Size, error) {
	h, err := s.scanHead(s.read.QueryRowContext(ctx, headQuery))
	if err != nil {
		return Size{}, s.dialect.explain(err)
	}
	size := Size{Entries: h.last.Seq - h.base.Seq, Last: h.last, Chain: h.chain}
	if err := s.read.QueryRowContext(ctx, s.dialect.bytes).Scan(&size.Bytes); err != nil {
		return Size{}, fmt.Errorf("reading the size of the ledger: %w", s.dialect.explain(err))
	}
	return size, nil
}
