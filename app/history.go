package app

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-io/holdfast/ledger"
)

// LedgerPlace is where the commands of history find a ledger.
type LedgerPlace struct {
	// StateDir is the state folder of a serve, whose ledger is a file.
	StateDir string
	// DSNFile and DSN lead to a database; see LedgerOptions.
	DSNFile, DSN string
}

func (p *LedgerPlace) source() (ledger.Source, error) {
	o := DefaultLedgerOptions()
	o.DSNFile, o.DSN = p.DSNFile, p.DSN
	return o.source(p.StateDir)
}

// read opens the ledger beside whoever writes to it.
func (p *LedgerPlace) read(ctx context.Context) (*ledger.Store, error) {
	src, err := p.source()
	if err != nil {
		return nil, err
	}
	return ledger.OpenForReading(ctx, src)
}

// HistoryOptions are what `holdfast history` takes.
type HistoryOptions struct {
	Place LedgerPlace
	// Object is KIND/NAME; empty for all.
	Object, Namespace string
	Policy, Rule      string
	Actor             string
	Remediation       string
	Kinds             []string
	// Since and Until are times, or how long ago.
	Since, Until string
	// Limit is how many entries are told; 0 for all.
	Limit int
	// Follow goes on with what is recorded from now on.
	Follow bool
	// Output is Table, JSON, JSONL or CSV.
	Output Format
}

// HistoryFormats are those of a history.
func HistoryFormats() []Format { return []Format{Table, JSON, JSONL, CSV} }

// ExportFormats are those of an export.
func ExportFormats() []Format { return []Format{JSONL, CSV} }

// LedgerKinds lists the kinds of entries.
func LedgerKinds() []string {
	var out []string
	for _, k := range ledger.Kinds() {
		out = append(out, string(k))
	}
	return out
}

// query makes the query of the options.
func (o *HistoryOptions) query(now time.Time) (ledger.Query, error) {
	q := ledger.Query{Namespace: o.Namespace, Policy: o.Policy, Rule: o.Rule, Actor: o.Actor, Remediation: o.Remediation}
	if o.Object != "" {
		var ok bool
		if q.ObjectKind, q.ObjectName, ok = strings.Cut(o.Object, "/"); !ok || q.ObjectKind == "" || q.ObjectName == "" {
			return q, fmt.Errorf("%q is no object: expected KIND/NAME, such as Deployment/web", o.Object)
		}
	}
	for _, k := range o.Kinds {
		if !slices.Contains(LedgerKinds(), k) {
			message := fmt.Sprintf("--kind %q: expected one of %s", k, strings.Join(LedgerKinds(), ", "))
			if near := Nearest(k, LedgerKinds()); near != "" {
				message = fmt.Sprintf("--kind %q: did you mean %s?", k, near)
			}
			return q, errors.New(message)
		}
		q.Kinds = append(q.Kinds, ledger.Kind(k))
	}
	var err error
	if q.Since, err = moment("since", o.Since, now); err != nil {
		return q, err
	}
	if q.Until, err = moment("until", o.Until, now); err != nil {
		return q, err
	}
	return q, q.Validate()
}

// moment reads a time, or how long ago it was.
func moment(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, text, time.UTC); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("--%s %q: expected a time such as 2026-01-31 or 2026-01-31T12:00:00Z (UTC), or how long ago, such as 24h", flag, text)
}

// Validate names the first option that cannot be.
func (o *HistoryOptions) Validate() error {
	switch {
	case o.Limit < 0:
		return fmt.Errorf("--limit %d: expected a number, or 0 for all", o.Limit)
	case o.Follow && o.Output == JSON:
		return errors.New("--follow goes on for ever, which -o json cannot show: use -o jsonl")
	case o.Follow && o.Until != "":
		return errors.New("--follow goes on for ever: it takes no --until")
	}
	_, err := o.query(time.Now())
	return err
}

// open gives what is asked and the ledger to ask, which whoever calls it closes.
func (o *HistoryOptions) open(ctx context.Context) (ledger.Query, *ledger.Store, error) {
	q, err := o.query(time.Now())
	if err != nil {
		return q, nil, err
	}
	store, err := o.Place.read(ctx)
	return q, store, err
}

// historyPage is how many entries are read at a time.
const historyPage = 500

// History writes what the ledger knows of what was decided and done, the newest first; with Follow the newest last, and
// what comes then.
func History(ctx context.Context, opts HistoryOptions, streams IO) (Exit, error) {
	q, store, err := opts.open(ctx)
	if err != nil {
		return Failed, err
	}
	defer func() { _ = store.Close() }() // it was only read
	out := newEntryWriter(opts.Output, streams)
	size, err := store.Size(ctx)
	if err != nil {
		return Failed, err
	}
	entries, err := newest(ctx, store, q, opts.Limit)
	if err != nil {
		return Failed, err
	}
	if opts.Follow {
		slices.Reverse(entries)
	}
	if err := out.write(entries); err != nil {
		return Failed, err
	}
	if opts.Follow {
		q.After = size.Last.Seq
		if len(entries) > 0 { // what came while it was asked
			for i := range entries {
				q.After = max(q.After, entries[i].Seq)
			}
		}
		return followEntries(ctx, store, q, out)
	}
	return Clean, out.close()
}

// newest reads up to limit entries, or all.
func newest(ctx context.Context, store *ledger.Store, q ledger.Query, limit int) ([]ledger.Entry, error) {
	var out []ledger.Entry
	for {
		q.Limit = historyPage
		if limit > 0 {
			q.Limit = min(historyPage, limit-len(out))
		}
		page, err := store.Query(ctx, q)
		if err != nil {
			return nil, err
		}
		out = append(out, page.Entries...)
		if !page.More || limit > 0 && len(out) >= limit {
			return out, nil
		}
		q.From = page.Next
	}
}

// followEvery is how often it is asked what has come.
const followEvery = time.Second

// followEntries writes what is recorded behind a place, until the context ends.
func followEntries(ctx context.Context, store *ledger.Store, q ledger.Query, out *entryWriter) (Exit, error) {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return Clean, nil
		case <-tick.C:
		}
		var entries []ledger.Entry
		err := store.Walk(ctx, q, func(e *ledger.Entry, _ []byte) error {
			entries = append(entries, *e)
			q.After = e.Seq
			return nil
		})
		switch {
		case ctx.Err() != nil:
			return Clean, nil //nolint:nilerr // it has ended
		case err != nil:
			return Failed, err
		}
		if err := out.write(entries); err != nil {
			return Failed, err
		}
	}
}

// VerifyOptions are what `holdfast history verify` takes.
type VerifyOptions struct {
	Place LedgerPlace
	// File is an export to verify instead of a ledger, or a ledger's file that was put aside; - for standard input.
	File string
	// Anchors are ends of the chain that were kept elsewhere, as SEQ:HASH.
	Anchors []string
	// Output is Table or JSON.
	Output Format
}

// verified is the answer as JSON.
type verified struct {
	Chain   string `json:"chain,omitempty"`
	Entries int64  `json:"entries"`
	First   int64  `json:"first"`
	Last    int64  `json:"last"`
	// Anchor is the end of the chain.
	Anchor string `json:"anchor"`
	Pruned int64  `json:"pruned,omitempty"`
	// Break says where the chain is not as it was written, first.
	Break *verifiedBreak `json:"break,omitempty"`
}

type verifiedBreak struct {
	Entry int64      `json:"entry"`
	Time  *time.Time `json:"time,omitempty"`
	What  string     `json:"what"`
}

// HistoryVerify follows the chain of the ledger, and answers Findings where it is broken.
func HistoryVerify(ctx context.Context, opts VerifyOptions, streams IO) (Exit, error) {
	var anchors []ledger.Receipt
	for _, text := range opts.Anchors {
		a, err := ledger.ParseReceipt(text)
		if err != nil {
			return Failed, fmt.Errorf("--anchor: %w", err)
		}
		anchors = append(anchors, a)
	}
	v, err := verifyWhat(ctx, &opts, anchors, streams)
	if err != nil {
		return Failed, err
	}
	exit := Clean
	out := verified{Chain: v.Chain, Entries: v.Entries, First: v.First.Seq, Last: v.Last.Seq, Anchor: v.Last.String(), Pruned: v.Pruned}
	if v.Break != nil {
		exit = Findings
		out.Break = &verifiedBreak{Entry: v.Break.Seq, What: v.Break.What}
		if !v.Break.Time.IsZero() {
			out.Break.Time = &v.Break.Time
		}
	}
	if opts.Output == JSON {
		return exit, printJSON(streams.Out, out)
	}
	p := printer{w: streams.Out}
	if v.Break != nil {
		p.printf("broken at %v\n", v.Break)
		p.printf("%s before that verified\n", count(int(v.Entries), "entry", "entries"))
		return exit, p.err
	}
	p.printf("%s verified, %d to %d\n", count(int(v.Entries), "entry", "entries"), v.First.Seq, v.Last.Seq)
	p.printf("anchor %s\n", v.Last)
	return exit, p.err
}

// sqliteMagic begins each SQLite file (https://www.sqlite.org/fileformat2.html#magic_header_string).
const sqliteMagic = "SQLite format 3\x00"

func verifyWhat(ctx context.Context, opts *VerifyOptions, anchors []ledger.Receipt, streams IO) (ledger.Verification, error) {
	var in io.Reader
	switch opts.File {
	case "":
		store, err := opts.Place.read(ctx)
		if err != nil {
			return ledger.Verification{}, err
		}
		defer func() { _ = store.Close() }() // it was only read
		return store.Verify(ctx, anchors...)
	case "-":
		in = streams.In
	default:
		f, err := os.Open(opts.File)
		if err != nil {
			return ledger.Verification{}, fmt.Errorf("reading an export: %w", err)
		}
		defer func() { _ = f.Close() }() // it was only read
		text := bufio.NewReader(f)
		if begin, _ := text.Peek(len(sqliteMagic)); string(begin) == sqliteMagic {
			store, err := ledger.OpenForReading(ctx, ledger.Source{File: opts.File})
			if err != nil {
				return ledger.Verification{}, err
			}
			defer func() { _ = store.Close() }() // it was only read
			return store.Verify(ctx, anchors...)
		}
		in = text
	}
	return ledger.VerifyExport(in, anchors...)
}

// HistoryExport writes all entries that the options ask for, the oldest first. As JSONL each has its hash and the one
// before, so that the export can be verified by itself.
func HistoryExport(ctx context.Context, opts HistoryOptions, streams IO) (Exit, error) {
	q, store, err := opts.open(ctx)
	if err != nil {
		return Failed, err
	}
	defer func() { _ = store.Close() }() // it was only read
	out := newEntryWriter(opts.Output, streams)
	if opts.Output == CSV {
		if err := out.write(nil); err != nil { // the header
			return Failed, err
		}
	}
	err = store.Walk(ctx, q, func(e *ledger.Entry, line []byte) error {
		if opts.Output == CSV {
			return out.write([]ledger.Entry{*e})
		}
		if _, err := out.buffered.Write(line); err != nil {
			return fmt.Errorf("writing: %w", err)
		}
		return nil
	})
	if err != nil {
		return Failed, err
	}
	return Clean, out.close()
}

// PruneOptions are what `holdfast history prune` takes.
type PruneOptions struct {
	Place LedgerPlace
	// OlderThan is the age beyond which entries go.
	OlderThan time.Duration
}

// HistoryPrune cuts off old entries of a ledger that no serve keeps in a file.
func HistoryPrune(ctx context.Context, opts PruneOptions, streams IO) (Exit, error) {
	if opts.OlderThan <= 0 {
		return Failed, errors.New("--older-than is missing: expected an age, such as 2160h")
	}
	src, err := opts.Place.source()
	if err != nil {
		return Failed, err
	}
	if src.File != "" {
		if _, err := os.Stat(src.File); err != nil {
			return Failed, fmt.Errorf("%w: %w", ledger.ErrNone, err)
		}
	}
	store, err := ledger.Open(ctx, src)
	if errors.Is(err, ledger.ErrInUse) {
		return Failed, fmt.Errorf("%w: serve cuts it off by itself, with --ledger-retention", err)
	}
	if err != nil {
		return Failed, err
	}
	gone, err := store.Prune(ctx, ledger.Cut{Before: time.Now().Add(-opts.OlderThan)})
	if err = errors.Join(err, store.Close()); err != nil {
		return Failed, err
	}
	return Clean, printf(streams.Out, "%s cut off\n", count(int(gone), "entry", "entries"))
}

// marshalLine writes an entry in one line.
func marshalLine(e *ledger.Entry) ([]byte, error) {
	raw, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("writing entry %d: %w", e.Seq, err)
	}
	return append(raw, '\n'), nil
}
