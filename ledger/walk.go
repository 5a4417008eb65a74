package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// walked is a link as it is read back, with its columns for searching.
type walked struct {
	link
	seq     int64
	columns columns
}

// walkPage is how many entries are read at a time, so that neither a long chain nor a slow reader of it fills memory.
const walkPage = 1000

// walk reads the chain behind a place, the oldest first.
func (s *Store) walk(ctx context.Context, tx *sql.Tx, q Query, each func(*walked) error) error {
	for {
		where, args := q.where()
		rows, err := tx.QueryContext(ctx, s.dialect.bind(`SELECT seq, at, kind, object_kind, object_name, namespace, uid, policy_kind, policy, rule, actor, remediation, entry, hash
			FROM holdfast_entries`+where+` ORDER BY seq LIMIT ?`), append(args, walkPage)...)
		if err != nil {
			return fmt.Errorf("reading the chain: %w", err)
		}
		page, failed := scanWalked(rows)
		for i := range page { // what is before a damaged place can be read
			if err := each(&page[i]); err != nil {
				return err
			}
		}
		if failed != nil {
			return fmt.Errorf("reading the chain: %w", failed)
		}
		if len(page) < walkPage {
			return nil
		}
		q.After = page[walkPage-1].seq
	}
}

// scanWalked gives what could be read, with an error too.
func scanWalked(rows *sql.Rows) (page []walked, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var w walked
		var hash []byte
		c := &w.columns
		if err := rows.Scan(&w.seq, &c.at, &c.kind, &c.objectKind, &c.objectName, &c.namespace, &c.uid, &c.policyKind, &c.policy, &c.rule, &c.actor, &c.remedy, &w.body, &hash); err != nil {
			return page, err //nolint:wrapcheck // the caller says what was being done
		}
		w.hash, _ = hashOf(hash)
		page = append(page, w)
	}
	return page, rows.Err() //nolint:wrapcheck // the caller says what was being done
}

// inSnapshot runs do on one state of the ledger, whatever is written meanwhile.
func (s *Store) inSnapshot(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := s.read.BeginTx(ctx, s.dialect.snapshot)
	if err != nil {
		return s.dialect.explain(err)
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	return s.dialect.explain(do(tx))
}

// Walk gives the entries that a query asks for, the oldest first, with the line of an export for each. It looks at one
// state of the ledger. Limit and From are not heeded.
func (s *Store) Walk(ctx context.Context, q Query, each func(e *Entry, line []byte) error) error {
	q.Limit, q.From = 0, Cursor{}
	if err := q.Validate(); err != nil {
		return err
	}
	return s.inSnapshot(ctx, func(tx *sql.Tx) error {
		var before Receipt // the link that was read last
		return s.walk(ctx, tx, q, func(w *walked) error {
			if before.Seq != w.seq-1 {
				var err error
				if before.Hash, err = s.hashBefore(ctx, tx, w.seq); err != nil {
					return err
				}
			}
			e, err := decode(w.body)
			if err != nil {
				return fmt.Errorf("entry %d: %w", w.seq, err)
			}
			line := w.line(before.Hash)
			before = Receipt{Seq: w.seq, Hash: w.hash}
			return each(&e, line)
		})
	})
}

// hashBefore gives the hash that the entry at a place was linked to.
func (s *Store) hashBefore(ctx context.Context, tx *sql.Tx, seq int64) (Hash, error) {
	var raw []byte
	err := tx.QueryRowContext(ctx, s.dialect.bind(`SELECT hash FROM holdfast_entries WHERE seq = ?`), seq-1).Scan(&raw)
	if errors.Is(err, sql.ErrNoRows) {
		h, err := s.scanHead(tx.QueryRowContext(ctx, headQuery))
		return h.base.Hash, err
	}
	if err != nil {
		return Hash{}, fmt.Errorf("reading the hash before entry %d: %w", seq, err)
	}
	hash, _ := hashOf(raw)
	return hash, nil
}
