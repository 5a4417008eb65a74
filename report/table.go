package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Colour says whether a table is coloured.
type Colour bool

// Plain text, or ANSI colours.
const (
	Plain    Colour = false
	Coloured Colour = true
)

// TableOptions say how a table looks.
type TableOptions struct {
	// Width is where lines are wrapped, in characters. 0 means DefaultWidth.
	Width  int
	Colour Colour
	// All shows results that passed or were skipped as well.
	All bool
}

// DefaultWidth is the width of a table where the terminal's is not known: what fits a code review.
const DefaultWidth = 100

// minWidth keeps a very narrow terminal from breaking every word.
const minWidth = 40

// WriteTable writes the results for people: one block per object, the worst first, then a summary.
func WriteTable(w io.Writer, d *Document, opts TableOptions) error {
	if opts.Width <= 0 {
		opts.Width = DefaultWidth
	}
	opts.Width = max(opts.Width, minWidth)
	t := &table{w: bufio.NewWriter(w), opts: opts}
	for _, g := range groups(d.Results, opts.All) {
		t.group(g)
	}
	t.gaps(d)
	t.summary(d)
	if err := t.w.Flush(); err != nil {
		return fmt.Errorf("writing the table: %w", err)
	}
	return nil
}

// group is the results of one object.
type group struct {
	resource Resource
	origin   Origin
	results  []Result
}

// groups gathers the results to show by object, and puts the objects with the worst results first.
func groups(results []Result, all bool) []group {
	shown := slices.Clone(results)
	Sort(shown)
	var out []group
	for _, r := range shown {
		if !all && (r.Result == Pass || r.Result == Skip) {
			continue
		}
		last := len(out) - 1
		if last < 0 || out[last].resource != r.resource() || out[last].origin.File != r.Origin.File || out[last].origin.ObjectLine != r.Origin.ObjectLine {
			out = append(out, group{resource: r.resource(), origin: r.Origin})
			last++
		}
		out[last].results = append(out[last].results, r)
	}
	for i := range out {
		slices.SortStableFunc(out[i].results, func(a, b Result) int {
			return cmp.Or(cmp.Compare(rank(a.Result), rank(b.Result)), cmp.Compare(severityRank(a.Severity), severityRank(b.Severity)))
		})
	}
	slices.SortStableFunc(out, func(a, b group) int {
		x, y := a.results[0], b.results[0]
		return cmp.Or(cmp.Compare(rank(x.Result), rank(y.Result)), cmp.Compare(severityRank(x.Severity), severityRank(y.Severity)))
	})
	return out
}

type table struct {
	w    *bufio.Writer
	opts TableOptions
}

// printf writes to the buffer, which keeps the first error for Flush.
func (t *table) printf(format string, args ...any) { _, _ = fmt.Fprintf(t.w, format, args...) }

const indent = 8 // of messages, below the status and its space

func (t *table) group(g group) {
	where := ""
	if g.origin.File != "" {
		where = "  " + visible(g.origin.File)
		if g.origin.ObjectLine > 0 {
			where += fmt.Sprintf(":%d", g.origin.ObjectLine)
		}
	}
	t.printf("%s%s\n", t.paint(bold, visible(g.resource.String())), t.paint(faint, where))
	for _, r := range g.results {
		line := ""
		if r.Origin.Line > g.origin.ObjectLine {
			line = fmt.Sprintf("  line %d", r.Origin.Line)
		}
		t.printf("  %s %-8s %s%s\n", t.status(r.Result), cmp.Or(visible(r.Severity), "-"), visible(r.id()), t.paint(faint, line))
		for _, text := range wrap(visible(r.Message), t.opts.Width-indent) {
			t.printf("%*s%s\n", indent, "", text)
		}
		for _, text := range wrap(visible(r.Since.sentence()), t.opts.Width-indent) {
			t.printf("%*s%s\n", indent, "", t.paint(faint, text))
		}
	}
	t.printf("\n")
}

// gaps tells what was not looked at: it must not be taken for clean.
func (t *table) gaps(d *Document) {
	gaps := false
	for _, c := range d.Coverage {
		if c.Error == "" {
			continue
		}
		gaps = true
		for _, text := range wrap("not audited: "+visible(c.Place()+": "+c.Error), t.opts.Width) {
			t.printf("%s\n", t.paint(red, text))
		}
	}
	if gaps {
		t.printf("\n")
	}
}

func (t *table) summary(d *Document) {
	t.printf("%s\n", d.sentence(t.paintIf))
	if d.Baseline != nil {
		t.printf("%s\n", d.Baseline.sentence(d.Bundle.Digest))
	}
}

// sentence sums the document up. What somebody has to look at is painted, if there is any of it.
func (d *Document) sentence(paint func(yes bool, c colour, s string) string) string {
	objects := 0
	for _, c := range d.Coverage {
		objects += c.Objects
	}
	s := d.Summary
	return fmt.Sprintf("%s judged by %s (bundle %s): %s, %s, %s, %d passed, %d skipped",
		count(objects, "object", "objects"), count(d.Bundle.Policies, "policy", "policies"), shortDigest(d.Bundle.Digest),
		paint(s.Fail > 0, red, fmt.Sprintf("%d failed", s.Fail)),
		paint(s.Warn > 0, yellow, count(s.Warn, "warning", "warnings")),
		paint(s.Error > 0, red, count(s.Error, "error", "errors")),
		s.Pass, s.Skip)
}

// unpainted leaves a text as it is.
func unpainted(_ bool, _ colour, s string) string { return s }

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// shortDigest is as much of a digest as people compare by eye.
func shortDigest(digest string) string {
	const length = 12
	if len(digest) > length {
		return digest[:length]
	}
	return digest
}

// colour is an ANSI code.
type colour string

const (
	bold   colour = "1"
	faint  colour = "2"
	red    colour = "31"
	yellow colour = "33"
	green  colour = "32"
)

func (t *table) paint(c colour, s string) string {
	if t.opts.Colour == Plain || s == "" {
		return s
	}
	return "\x1b[" + string(c) + "m" + s + "\x1b[0m"
}

func (t *table) paintIf(yes bool, c colour, s string) string {
	if !yes {
		return s
	}
	return t.paint(c, s)
}

func (t *table) status(s Status) string {
	text := fmt.Sprintf("%-5s", strings.ToUpper(string(s)))
	switch s {
	case Fail, Error:
		return t.paint(red, text)
	case Warn:
		return t.paint(yellow, text)
	case Pass:
		return t.paint(green, text)
	default:
		return t.paint(faint, text)
	}
}
