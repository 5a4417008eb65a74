package clitest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/holdfast-io/holdfast/report/junit"
)

// WriteJSON writes the report as one object.
func (r *Report) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return fmt.Errorf("writing JSON: %w", err)
	}
	return nil
}

// Colour says whether a table is coloured.
type Colour bool

// Plain text, or ANSI colours.
const (
	Plain    Colour = false
	Coloured Colour = true
)

// colour is what a terminal takes for the colour of a status.
func (s Status) colour() string {
	switch s {
	case Pass:
		return "\x1b[32m" // green
	case Fail:
		return "\x1b[31m" // red
	case Error:
		return "\x1b[35m" // magenta
	case Skip:
		return "\x1b[33m" // yellow
	default:
		return ""
	}
}

// WriteTable writes the report for people: a block for each file, then the numbers.
func (r *Report) WriteTable(w io.Writer, colour Colour) error {
	out := bufio.NewWriter(w) // it keeps the first error for Flush
	for i := range r.Files {
		r.Files[i].writeTable(out, colour)
	}
	_, _ = fmt.Fprintln(out, r.Summary.String())
	if err := out.Flush(); err != nil {
		return fmt.Errorf("writing the table: %w", err)
	}
	return nil
}

func (f *File) writeTable(w io.Writer, colour Colour) {
	_, _ = fmt.Fprintln(w, visible(f.Path))
	var lines strings.Builder
	columns := tabwriter.NewWriter(&lines, 0, 0, 2, ' ', 0)
	for _, c := range f.Cases {
		_, _ = fmt.Fprintf(columns, "  %s\t%s\t%s\t%s\n", c.Status, visible(c.rule()), visible(c.Kind+" "+c.Resource), visible(c.said()))
	}
	_ = columns.Flush() // a strings.Builder takes all
	i := 0
	for line := range strings.Lines(lines.String()) {
		status := f.Cases[i].Status
		if colour == Coloured {
			line = "  " + status.colour() + string(status) + "\x1b[0m" + strings.TrimPrefix(line, "  "+string(status))
		}
		_, _ = io.WriteString(w, strings.TrimRight(line, " \n")+"\n")
		i++
	}
	_, _ = fmt.Fprintln(w)
}

// rule is the policy and the rule of it.
func (c *Case) rule() string {
	if c.Rule == "" {
		return c.Policy
	}
	return c.Policy + "/" + c.Rule
}

// said is what there is to say of the outcome, in one line.
func (c *Case) said() string {
	reason := strings.Join(strings.Fields(c.Reason), " ")
	switch {
	case c.Status == Pass:
		return c.Want + ", as wanted"
	case c.Status == Fail && c.Got != "" && c.Got != c.Want:
		return strings.TrimSuffix(fmt.Sprintf("wanted %s, got %s: %s", c.Want, c.Got, reason), ": ")
	default:
		return reason
	}
}

// visible keeps text from files from writing control sequences to a terminal.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '\uFFFD'
		}
		return r
	}, text)
}

// WriteJUnit writes the report as JUnit XML: a suite for each file. Its numbers are those of the cases written.
func (r *Report) WriteJUnit(w io.Writer) error {
	out := junit.Suites{Name: "holdfast test"}
	for i := range r.Files {
		f := &r.Files[i]
		suite := junit.Suite{Name: f.Path, File: f.Path}
		for j := range f.Cases {
			suite.Add(f.Cases[j].junit(f.Path))
		}
		out.Add(suite)
	}
	return out.Write(w)
}

func (c *Case) junit(file string) junit.Case {
	out := junit.Case{Name: strings.TrimSpace(c.Kind + " " + c.Resource), Class: c.rule(), File: file, Line: c.Line}
	detail := &junit.Detail{Message: c.said()}
	switch c.Status {
	case Fail:
		out.Failure = detail
	case Error:
		out.Error = detail
	case Skip:
		out.Skipped = detail
	}
	return out
}
