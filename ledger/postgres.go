package ledger

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// postgresConnections is how many connections one program has at most: one that appends, the others for questions.
const postgresConnections = 4

// connectWithin is how long a connection may take, unless the DSN says another time (connect_timeout).
const connectWithin = 5 * time.Second

func postgresDialect() dialect {
	return dialect{
		name: "postgres", migrations: "postgres", lock: " FOR UPDATE",
		bind: numbered, insert: insertPostgres, explain: explainPostgres,
		snapshot: &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead},
		bytes:    `SELECT pg_total_relation_size('holdfast_entries')`,
		// Any number will do that no other program takes for something else.
		serial: `SELECT pg_advisory_xact_lock(7526466471987148)`,
	}
}

// openPostgres connects to a database. Whoever opens for reading does no more than that.
func openPostgres(ctx context.Context, src Source) (*Store, error) {
	config, err := ParseDSN(src.DSN)
	if err != nil {
		return nil, err
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(postgresConnections)
	db.SetMaxIdleConns(postgresConnections)
	db.SetConnMaxIdleTime(5 * time.Minute)
	s := &Store{dialect: postgresDialect(), now: time.Now, write: db, read: db, closers: []func() error{db.Close}}
	var encoding string
	if err := db.QueryRowContext(ctx, `SHOW server_encoding`).Scan(&encoding); err != nil {
		return nil, errors.Join(fmt.Errorf("connecting to the ledger's database: %w", explainPostgres(err)), s.Close())
	}
	if encoding != "UTF8" {
		return nil, errors.Join(fmt.Errorf("the ledger's database has the encoding %s: expected UTF8, or some entries could not be recorded", encoding), s.Close())
	}
	return s, nil
}

// ParseDSN reads where a PostgreSQL database is. Its error shows nothing of the DSN, in which a password may stand.
func ParseDSN(dsn string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(strings.TrimSpace(dsn))
	if err != nil {
		return nil, errors.New("the DSN of the ledger cannot be read: expected postgres://USER:PASSWORD@HOST:PORT/DATABASE, or KEY=VALUE words")
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectWithin
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "holdfast"
	}
	return config, nil
}

// numbered turns each ? into $1, $2 and so on. No query has one in a text.
func numbered(query string) string {
	var b strings.Builder
	n := 0
	for part := range strings.SplitSeq(query, "?") {
		if n > 0 {
			b.WriteString("$" + strconv.Itoa(n))
		}
		b.WriteString(part)
		n++
	}
	return b.String()
}

// insertPostgres writes all rows in one statement: a column each, so that a batch takes one way to the database and back.
func insertPostgres(ctx context.Context, tx *sql.Tx, rows []link) error {
	seqs, ats, kinds := make([]int64, len(rows)), make([]int64, len(rows)), make([]string, len(rows))
	bodies, hashes := make([]string, len(rows)), make([][]byte, len(rows))
	var texts [9][]*string
	for i := range rows {
		l := &rows[i]
		c := columnsOf(&l.entry)
		seqs[i], ats[i], kinds[i], bodies[i], hashes[i] = l.entry.Seq, c.at, c.kind, string(l.body), l.hash[:]
		for j, text := range c.texts() {
			texts[j] = append(texts[j], text)
		}
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO holdfast_entries
		(seq, at, kind, object_kind, object_name, namespace, uid, policy_kind, policy, rule, actor, remediation, entry, hash)
		SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
			$8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::bytea[])`,
		seqs, ats, kinds, texts[0], texts[1], texts[2], texts[3], texts[4], texts[5], texts[6], texts[7], texts[8], bodies, hashes)
	return err //nolint:wrapcheck // the caller says what was being done
}

func explainPostgres(err error) error {
	var answer *pgconn.PgError
	var network net.Error
	var connecting *pgconn.ConnectError
	away := false
	switch {
	case err == nil || errors.Is(err, ErrAway) || errors.Is(err, ErrCorrupt):
		return err
	case errors.As(err, &answer):
		// https://www.postgresql.org/docs/current/errcodes-appendix.html
		switch code := answer.Code; {
		case code == "42P01": // undefined table
			return fmt.Errorf("%w: %w", ErrNone, err)
		case code == "53100": // disk full
			return fmt.Errorf("%w: %w", ErrFull, err)
		case code == "XX001" || code == "XX002": // data or index corrupted
			return fmt.Errorf("%w: %w", ErrCorrupt, err)
		case strings.HasPrefix(code, "08"), strings.HasPrefix(code, "57P"), strings.HasPrefix(code, "53"): // connection, shutdown, too many
			away = true
		}
	default:
		away = errors.As(err, &connecting) || errors.As(err, &network) || errors.Is(err, driver.ErrBadConn) ||
			errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, pgconn.ErrConnClosed) || pgconn.SafeToRetry(err)
	}
	if away {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	return err
}
