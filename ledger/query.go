package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Query says which entries are asked for. A zero field asks for all.
type Query struct {
	Kinds []Kind
	// ObjectKind, ObjectName and Namespace name an object, or all of a namespace; case does not count in the kind. UID tells
	// those of one name apart.
	ObjectKind, ObjectName, Namespace, UID string
	// Policy is its name, with the namespace before it where it has one; Rule is one of its rules.
	Policy, Rule string
	// Actor is a user's name, or where none was known a field manager's.
	Actor       string
	Remediation string
	// Since and Until bound the time: Since is within, Until is not.
	Since, Until time.Time
	// After asks for entries that were recorded behind this place in the chain.
	After int64
	// Limit is how many entries a page has: 100 unless it is said, 1,000 at most.
	Limit int
	// From is Page.Next of the page before; empty for the first.
	From Cursor
}

// Cursor is where a page ends.
type Cursor struct{ at, seq int64 }

// Page is a part of an answer, the newest entries first.
type Page struct {
	Entries []Entry
	// More says that Next leads to another page.
	More bool
	Next Cursor
}

const (
	defaultLimit = 100
	// maxLimit keeps a page below 100 MB at the very worst, and at about 1 MB usually.
	maxLimit = 1000
)

// Validate names the first field that cannot be.
func (q *Query) Validate() error {
	switch {
	case q.Limit < 0 || q.Limit > maxLimit:
		return fmt.Errorf("a page of %d entries: expected 1 to %d", q.Limit, maxLimit)
	case !q.Since.IsZero() && !q.Until.IsZero() && !q.Since.Before(q.Until):
		return errors.New("the time ends before it begins")
	case q.UID != "" && q.ObjectName == "":
		return errors.New("a UID without the object's name")
	}
	return nil
}

// where gives the conditions of the query, and their arguments. The column with an index that tells entries apart best leads:
// SQLite knows nothing of how many entries have one value, and is kept from the indexes of the others.
func (q *Query) where() (conditions string, args []any) {
	var parts []string
	add := func(condition string, values ...any) {
		parts = append(parts, condition)
		args = append(args, values...)
	}
	led := false
	of := func(column string) string {
		if led {
			return column + " || ''" // an expression, which has no index
		}
		led = true
		return column
	}
	for _, c := range []struct{ column, value string }{
		{"remediation", q.Remediation}, {"object_name", q.ObjectName}, {"actor", q.Actor}, {"namespace", q.Namespace}, {"policy", q.Policy},
		{"lower(object_kind)", strings.ToLower(q.ObjectKind)}, {"uid", q.UID}, {"rule", q.Rule},
	} {
		if c.value != "" {
			add(of(c.column)+" = ?", c.value)
		}
	}
	if len(q.Kinds) > 0 {
		marks := strings.TrimSuffix(strings.Repeat("?, ", len(q.Kinds)), ", ")
		kinds := make([]any, len(q.Kinds))
		for i, k := range q.Kinds {
			kinds[i] = string(k)
		}
		add(of("kind")+" IN ("+marks+")", kinds...)
	}
	if !q.Since.IsZero() {
		add("at >= ?", q.Since.UnixMicro())
	}
	if !q.Until.IsZero() {
		add("at < ?", q.Until.UnixMicro())
	}
	if q.After > 0 {
		add("seq > ?", q.After)
	}
	if q.From != (Cursor{}) {
		add("(at, seq) < (?, ?)", q.From.at, q.From.seq)
	}
	if len(parts) == 0 {
		return "", nil
	}
	return " WHERE " + strings.Join(parts, " AND "), args
}

// Query answers a page of entries, the newest first: by their time, and of one time by their place in the chain.
func (s *Store) Query(ctx context.Context, q Query) (Page, error) {
	if err := q.Validate(); err != nil {
		return Page{}, err
	}
	limit := q.Limit
	if limit == 0 {
		limit = defaultLimit
	}
	where, args := q.where()
	rows, err := s.read.QueryContext(ctx, s.dialect.bind(`SELECT entry FROM holdfast_entries`+where+` ORDER BY at DESC, seq DESC LIMIT ?`), append(args, limit+1)...)
	if err != nil {
		return Page{}, fmt.Errorf("asking the ledger: %w", s.dialect.explain(err))
	}
	entries, err := scanEntries(rows)
	if err != nil {
		return Page{}, fmt.Errorf("asking the ledger: %w", s.dialect.explain(err))
	}
	page := Page{Entries: entries, More: len(entries) > limit}
	if page.More {
		page.Entries = entries[:limit]
		last := &page.Entries[limit-1]
		page.Next = Cursor{at: last.Time.UnixMicro(), seq: last.Seq}
	}
	return page, nil
}

// OpenFindings gives the entries of the findings that are open: FindingOpened or FindingStanding, with no FindingClosed
// behind it for the same object, policy and rule. They come in the order of the chain.
func (s *Store) OpenFindings(ctx context.Context) ([]Entry, error) {
	entries, err := s.openFindings(ctx, s.read, 0)
	if err != nil {
		return nil, fmt.Errorf("asking the ledger for open findings: %w", s.dialect.explain(err))
	}
	return entries, nil
}

type asker interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// openFindings gives the open findings, or of them only those that were last told of up to a place in the chain.
func (s *Store) openFindings(ctx context.Context, db asker, through int64) ([]Entry, error) {
	query := `SELECT entry FROM holdfast_entries WHERE seq IN (
		SELECT max(seq) FROM holdfast_entries WHERE kind IN (?, ?, ?) GROUP BY uid, policy_kind, policy, rule
	) AND kind <> ? AND (? = 0 OR seq <= ?) ORDER BY seq`
	rows, err := db.QueryContext(ctx, s.dialect.bind(query),
		string(FindingOpened), string(FindingStanding), string(FindingClosed), string(FindingClosed), through, through)
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller says what was being done
	}
	return scanEntries(rows)
}

func scanEntries(rows *sql.Rows) (out []Entry, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var body []byte
		if err := rows.Scan(&body); err != nil {
			return nil, err //nolint:wrapcheck // the caller says what was being done
		}
		e, err := decode(body)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, rows.Err() //nolint:wrapcheck // the caller says what was being done
}
