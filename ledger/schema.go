package ledger

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Each migration is a file NUMBER.sql, which leads from the version before to this one. They go forward only: a program
// never undoes what a newer one has made, it refuses to write to it.
//
//go:embed migrations
var migrations embed.FS

// migration is one step of the schema.
type migration struct {
	version int
	sql     string
}

// schemaSteps reads the migrations of a dialect, in their order.
func schemaSteps(dialect string) ([]migration, error) {
	dir := path.Join("migrations", dialect)
	names, err := fs.Glob(migrations, dir+"/*.sql")
	if err != nil {
		return nil, fmt.Errorf("listing migrations: %w", err)
	}
	slices.Sort(names)
	out := make([]migration, 0, len(names))
	for i, name := range names {
		version, err := strconv.Atoi(strings.TrimSuffix(path.Base(name), ".sql"))
		if err != nil || version != i+1 {
			return nil, fmt.Errorf("migration %s: expected the number %d", name, i+1)
		}
		text, err := fs.ReadFile(migrations, name)
		if err != nil {
			return nil, fmt.Errorf("reading a migration: %w", err)
		}
		out = append(out, migration{version, string(text)})
	}
	return out, nil
}

// migrate brings the schema up to date, each step in a transaction of its own together with its number.
func (s *Store) migrate(ctx context.Context) error {
	steps, err := schemaSteps(s.dialect.migrations)
	if err != nil {
		return err
	}
	for _, step := range steps {
		err := s.inTransaction(ctx, func(tx *sql.Tx) error {
			if s.dialect.serial != "" {
				if _, err := tx.ExecContext(ctx, s.dialect.serial); err != nil {
					return fmt.Errorf("waiting for another migration: %w", err)
				}
			}
			if _, err := tx.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS holdfast_schema (version INTEGER NOT NULL)`); err != nil {
				return fmt.Errorf("making the table of the schema's version: %w", err)
			}
			version, err := schemaVersion(ctx, tx)
			switch {
			case err != nil:
				return err
			case version > len(steps):
				return newerSchema(version, len(steps))
			case version >= step.version:
				return nil
			}
			if _, err := tx.ExecContext(ctx, step.sql); err != nil {
				return fmt.Errorf("bringing the schema to version %d: %w", step.version, err)
			}
			if _, err := tx.ExecContext(ctx, s.dialect.bind(`INSERT INTO holdfast_schema (version) VALUES (?)`), step.version); err != nil {
				return fmt.Errorf("noting version %d of the schema: %w", step.version, err)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func schemaVersion(ctx context.Context, q querier) (int, error) {
	var version int
	err := q.QueryRowContext(ctx, `SELECT coalesce(max(version), 0) FROM holdfast_schema`).Scan(&version)
	if err != nil {
		return 0, fmt.Errorf("reading the schema's version: %w", err)
	}
	return version, nil
}

func newerSchema(version, known int) error {
	return fmt.Errorf("%w: its schema is version %d, this program knows up to %d: use the newer program, or another ledger", ErrNewer, version, known)
}

// checkSchema looks whether a ledger can be read.
func (s *Store) checkSchema(ctx context.Context) error {
	steps, err := schemaSteps(s.dialect.migrations)
	if err != nil {
		return err
	}
	version, err := schemaVersion(ctx, s.read)
	switch {
	case err != nil && errors.Is(s.dialect.explain(err), ErrNone), err == nil && version == 0:
		return fmt.Errorf("%w: serve makes it", ErrNone)
	case err != nil:
		return err
	case version > len(steps):
		return newerSchema(version, len(steps))
	case version < len(steps):
		return fmt.Errorf("the ledger's schema is version %d, this program's %d: start holdfast serve on it once, which brings it up to date", version, len(steps))
	}
	return nil
}
