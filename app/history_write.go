package app

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/holdfast-io/holdfast/ledger"
)

// entryWriter writes entries in one of the formats, in as many portions as they come.
type entryWriter struct {
	format   Format
	streams  IO
	buffered *bufio.Writer
	csv      *csv.Writer
	begun    bool
}

func newEntryWriter(format Format, streams IO) *entryWriter {
	w := &entryWriter{format: format, streams: streams, buffered: bufio.NewWriter(streams.Out)}
	w.csv = csv.NewWriter(w.buffered)
	return w
}

// write writes a portion; the first one with what goes before it.
func (w *entryWriter) write(entries []ledger.Entry) error {
	first := !w.begun
	w.begun = true
	switch w.format {
	case JSON:
		if entries == nil {
			entries = []ledger.Entry{}
		}
		return printJSON(w.streams.Out, entries)
	case JSONL:
		for i := range entries {
			line, err := marshalLine(&entries[i])
			if err != nil {
				return err
			}
			_, _ = w.buffered.Write(line) // Flush tells
		}
	case CSV:
		if first {
			_ = w.csv.Write(csvHeader()) // Error tells
		}
		for i := range entries {
			_ = w.csv.Write(csvRow(&entries[i])) // Error tells
		}
		w.csv.Flush()
		if err := w.csv.Error(); err != nil {
			return fmt.Errorf("writing: %w", err)
		}
	default:
		w.table(entries, first)
	}
	return w.close()
}

// close writes out what is left.
func (w *entryWriter) close() error {
	if err := w.buffered.Flush(); err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	return nil
}

// table writes a line for each entry, and its message below where the terminal is narrow.
func (w *entryWriter) table(entries []ledger.Entry, first bool) {
	var lines bytes.Buffer // in which every line has every cell, or columns would end where one is empty
	tw := tabwriter.NewWriter(&lines, 0, 0, 2, ' ', 0)
	row := func(cells ...string) {
		for i := range cells {
			cells[i] = plainCell(cells[i])
		}
		_, _ = fmt.Fprintln(tw, strings.Join(cells, "\t")) // into a buffer
	}
	if first {
		if len(entries) == 0 {
			_, _ = fmt.Fprintln(w.buffered, "Nothing is recorded that fits.")
			return
		}
		row("TIME (UTC)", "WHAT", "OBJECT", "POLICY", "WHO", "WHY")
	}
	for i := range entries {
		e := &entries[i]
		what := string(e.Kind)
		if e.Outcome != "" && e.Outcome != "fail" {
			what += " (" + e.Outcome + ")"
		}
		policy := e.Policy.Name
		if e.Policy.Rule != "" {
			policy += "/" + e.Policy.Rule
		}
		who := e.Actor.User
		if who == "" {
			who = e.Actor.Manager
		}
		object := e.Object.String()
		if object == "" && e.Remediation != "" { // a plan for several objects
			object = "Remediation " + e.Remediation
		}
		row(e.Time.Format(time.DateTime), what, object, policy, who, cutCell(e.Message))
	}
	_ = tw.Flush() // into a buffer
	for line := range strings.Lines(lines.String()) {
		_, _ = fmt.Fprintln(w.buffered, strings.TrimRight(line, " \n")) // Flush tells
	}
}

// cutCell shortens a message to what a line of a table takes.
func cutCell(s string) string {
	const longest = 100
	text := []rune(s)
	if len(text) > longest {
		return string(text[:longest-1]) + "…"
	}
	return s
}

// plainCell keeps what steers a terminal out of a table.
func plainCell(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

func csvHeader() []string {
	return []string{
		"seq", "time", "kind", "apiVersion", "objectKind", "namespace", "name", "uid", "policyKind", "policy", "rule", "policyDigest", "bundle",
		"user", "manager", "outcome", "message", "diff", "remediation", "plan", "request", "replica", "details",
	}
}

func csvRow(e *ledger.Entry) []string {
	details := ""
	if len(e.Details) > 0 {
		raw, _ := json.Marshal(e.Details) // of texts
		details = string(raw)
	}
	return []string{
		strconv.FormatInt(e.Seq, 10), e.Time.Format(time.RFC3339Nano), string(e.Kind),
		e.Object.APIVersion, e.Object.Kind, e.Object.Namespace, e.Object.Name, e.Object.UID,
		e.Policy.Kind, e.Policy.Name, e.Policy.Rule, e.Policy.Digest, e.Bundle, e.Actor.User, e.Actor.Manager,
		e.Outcome, e.Message, e.Diff, e.Remediation, e.Plan, e.Request, e.Replica, details,
	}
}
