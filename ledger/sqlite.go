package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// pageBytes is the page size of a new file: SQLite's own.
const pageBytes = 4096

// writerCache is how much of the file the writer keeps in memory, in KiB: the ends of the indexes, into which each entry is put in
// seven places. With SQLite's own 2 MiB a first sweep of 5,000 objects, which opens 35,000 findings, reads the same pages over and over.
const writerCache = 8 << 10

// maxWAL is how long SQLite's log may stay after it was folded into the file: some hundred batches.
const maxWAL = 16 << 20

func sqliteDialect() dialect {
	return dialect{
		name: "sqlite", migrations: "sqlite",
		bind:     func(query string) string { return query },
		insert:   insertSQLite,
		snapshot: &sql.TxOptions{ReadOnly: true},
		bytes:    `SELECT (SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size) - (SELECT freelist_count FROM pragma_freelist_count) * (SELECT page_size FROM pragma_page_size)`,
		explain:  explainSQLite,
	}
}

// openSQLite opens a file for writing, whose lock it holds until it is closed.
func openSQLite(ctx context.Context, src Source) (s *Store, err error) {
	if err := os.MkdirAll(filepath.Dir(src.File), 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of the ledger: %w", err)
	}
	s = &Store{dialect: sqliteDialect(), now: time.Now}
	defer func() {
		if err != nil {
			err = errors.Join(explainSQLite(err), s.Close())
			s = nil
		}
	}()
	unlock, err := lockFile(ctx, src.File)
	if err != nil {
		return s, err
	}
	s.closers = append(s.closers, unlock)
	// FULL writes to disk at every commit: in WAL mode, what is committed could else be lost with the power.
	pragmas := []string{"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", fmt.Sprintf("journal_size_limit(%d)", maxWAL), fmt.Sprintf("cache_size(-%d)", writerCache)}
	if src.MaxBytes > 0 {
		pragmas = append(pragmas, fmt.Sprintf("max_page_count(%d)", src.MaxBytes/pageBytes))
	}
	if s.write, err = s.connect(src.File, url.Values{"_pragma": pragmas, "_txlock": {"immediate"}}, 1); err != nil {
		return s, err
	}
	if err := s.write.PingContext(ctx); err != nil {
		return s, fmt.Errorf("opening the ledger %s: %w", src.File, err)
	}
	s.read, err = s.connect(src.File, url.Values{"_pragma": {"busy_timeout(5000)", "query_only(1)"}}, readers)
	return s, err
}

// readers is how many questions are answered at a time: each keeps up to 2 MiB of pages.
const readers = 4

// readSQLite opens a file that somebody else may be writing to.
func readSQLite(ctx context.Context, src Source) (*Store, error) {
	if _, err := os.Stat(src.File); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("%w: %s does not exist", ErrNone, src.File)
		}
		return nil, fmt.Errorf("looking for the ledger: %w", err)
	}
	s := &Store{dialect: sqliteDialect(), now: time.Now}
	var err error
	if s.read, err = s.connect(src.File, url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(5000)", "query_only(1)"}}, readers); err != nil {
		return nil, err
	}
	if err := s.read.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the ledger %s: %w", src.File, explainSQLite(err)), s.Close())
	}
	return s, nil
}

func (s *Store) connect(file string, options url.Values, connections int) (*sql.DB, error) {
	connector, err := sqlite.NewConnector("file:" + (&url.URL{Path: file}).EscapedPath() + "?" + options.Encode())
	if err != nil {
		return nil, fmt.Errorf("opening the ledger %s: %w", file, err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(connections)
	s.closers = append(s.closers, db.Close)
	return db, nil
}

// lockFile keeps every other writer away until it is given back, or the program has ended in whatever way. The lock is
// SQLite's own, on an empty file beside the ledger: one on the ledger itself would keep readers away too.
func lockFile(ctx context.Context, file string) (unlock func() error, err error) {
	connector, err := sqlite.NewConnector("file:" + (&url.URL{Path: file + ".lock"}).EscapedPath() + "?_pragma=busy_timeout(0)&_txlock=exclusive")
	if err != nil {
		return nil, fmt.Errorf("locking the ledger %s: %w", file, err)
	}
	db := sql.OpenDB(connector)
	tx, err := db.BeginTx(context.WithoutCancel(ctx), nil) // for longer than opening takes
	if err != nil {
		_ = db.Close() // the first error tells more
		if code, ok := sqliteCode(err); ok && code == sqlite3.SQLITE_BUSY {
			return nil, fmt.Errorf("%w: %s", ErrInUse, file)
		}
		return nil, fmt.Errorf("locking the ledger %s: %w", file, err)
	}
	return func() error { return errors.Join(tx.Rollback(), db.Close()) }, nil
}

const insertRow = `INSERT INTO holdfast_entries
	(seq, at, kind, object_kind, object_name, namespace, uid, policy_kind, policy, rule, actor, remediation, entry, hash)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

func insertSQLite(ctx context.Context, tx *sql.Tx, rows []link) error {
	stmt, err := tx.PrepareContext(ctx, insertRow)
	if err != nil {
		return err //nolint:wrapcheck // the caller says what was being done
	}
	defer func() { _ = stmt.Close() }()
	for i := range rows {
		l := &rows[i]
		c := columnsOf(&l.entry)
		args := make([]any, 0, 14)
		args = append(args, l.entry.Seq, c.at, c.kind)
		for _, text := range c.texts() {
			args = append(args, text)
		}
		if _, err := stmt.ExecContext(ctx, append(args, string(l.body), l.hash[:])...); err != nil {
			return fmt.Errorf("entry %d: %w", l.entry.Seq, err)
		}
	}
	return nil
}

func sqliteCode(err error) (int, bool) {
	var of *sqlite.Error
	if !errors.As(err, &of) {
		return 0, false
	}
	return of.Code() & 0xff, true // without what tells one cause from another
}

func explainSQLite(err error) error {
	code, ok := sqliteCode(err)
	switch {
	case !ok || errors.Is(err, ErrCorrupt):
		return err
	case code == sqlite3.SQLITE_FULL:
		return fmt.Errorf("%w: %w", ErrFull, err)
	case code == sqlite3.SQLITE_CORRUPT || code == sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	case code == sqlite3.SQLITE_ERROR && strings.Contains(err.Error(), "no such table"):
		return fmt.Errorf("%w: %w", ErrNone, err)
	default:
		return err
	}
}
