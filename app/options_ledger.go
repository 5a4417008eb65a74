package app

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/holdfast-io/holdfast/ledger"
)

// LedgerOptions say where the record of what was decided and done is kept, and for how long.
type LedgerOptions struct {
	// Enabled keeps a record. Default: true. It needs a place: DSNFile, DSN, or the state folder.
	Enabled bool
	// DSNFile is a file that holds the DSN of a PostgreSQL database; DSN is the same from the environment, where no file is
	// named. Neither is ever shown. Default: none, which keeps the record in a SQLite file of the state folder.
	DSNFile, DSN string
	// Retention is how long entries are kept; 0 for ever. Default: 90 days, a quarter and what an audit of it asks for.
	Retention time.Duration
	// MaxSize bounds the SQLite file, as a quantity. Default: 1Gi, about a million entries.
	MaxSize string
}

// LedgerDSNVariable is the environment variable of LedgerOptions.DSN. It is no flag, so that it is in no list of
// processes and in no printed configuration.
const LedgerDSNVariable = "HOLDFAST_LEDGER_DSN"

// DefaultLedgerOptions gives the defaults.
func DefaultLedgerOptions() LedgerOptions {
	return LedgerOptions{Enabled: true, Retention: 90 * 24 * time.Hour, MaxSize: "1Gi"}
}

// ledgerFile is the ledger's file in the state folder.
const ledgerFile = "ledger.db"

// Validate names the first option that cannot be used, by its flag.
func (o *LedgerOptions) Validate() error {
	if o.Retention < 0 {
		return fmt.Errorf("--ledger-retention %s: expected a time, or 0 for ever", o.Retention)
	}
	if _, err := o.maxBytes(); err != nil {
		return err
	}
	return nil
}

func (o *LedgerOptions) maxBytes() (int64, error) {
	const least = 16 << 20 // some thousand entries
	q, err := resource.ParseQuantity(o.MaxSize)
	if err != nil || q.Value() < least {
		return 0, fmt.Errorf("--ledger-max-size %q: expected a size of 16Mi at least, such as 1Gi", o.MaxSize)
	}
	return q.Value(), nil
}

// errNoLedger says that there is no place for a ledger.
var errNoLedger = errors.New("there is no place for a ledger: expected --state-dir, --ledger-dsn-file or " + LedgerDSNVariable)

// source finds out where the ledger is.
func (o *LedgerOptions) source(stateDir string) (ledger.Source, error) {
	most, err := o.maxBytes()
	if err != nil {
		return ledger.Source{}, err
	}
	switch {
	case o.DSNFile != "":
		raw, err := os.ReadFile(o.DSNFile)
		if err != nil {
			return ledger.Source{}, fmt.Errorf("reading --ledger-dsn-file: %w", err)
		}
		dsn := strings.TrimSpace(string(raw))
		if dsn == "" {
			return ledger.Source{}, fmt.Errorf("--ledger-dsn-file %s is empty", o.DSNFile)
		}
		return ledger.Source{DSN: dsn}, nil
	case o.DSN != "":
		return ledger.Source{DSN: o.DSN}, nil
	case stateDir != "":
		return ledger.Source{File: filepath.Join(stateDir, ledgerFile), MaxBytes: most}, nil
	default:
		return ledger.Source{}, errNoLedger
	}
}

// chronicle makes what serve records by; nil where no record is kept.
func (o *ServeOptions) chronicle(log *slog.Logger, metrics prometheus.Registerer) (*chronicle, error) {
	if !o.Ledger.Enabled {
		log.Info("no record is kept of what is decided and done (--ledger=false)")
		return nil, nil //nolint:nilnil // a ledger that is not there
	}
	src, err := o.Ledger.source(o.StateDir)
	if errors.Is(err, errNoLedger) {
		log.Warn("no record is kept of what is decided and done", "reason", err)
		return nil, nil //nolint:nilnil // a ledger that is not there
	}
	if err != nil {
		return nil, err
	}
	replica, err := o.replica()
	if err != nil {
		return nil, err
	}
	recorder, err := ledger.NewRecorder(ledger.Options{Source: src, Replica: replica, Retention: o.Ledger.Retention, Logger: log, Metrics: metrics})
	if err != nil {
		return nil, err
	}
	return &chronicle{recorder}, nil
}
