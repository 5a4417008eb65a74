package app

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"k8s.io/apimachinery/pkg/util/duration"
)

// write writes the status for people.
func (s *clusterStatus) write(out io.Writer, now time.Time) error {
	var lines bytes.Buffer
	w := tabwriter.NewWriter(&lines, 0, 0, 2, ' ', 0)
	row := func(cells ...string) {
		for i := range cells {
			cells[i] = strings.Map(func(r rune) rune {
				if unicode.IsControl(r) {
					return ' '
				}
				return r
			}, cells[i])
		}
		_, _ = fmt.Fprintln(w, strings.Join(cells, "\t")) // Flush tells
	}
	row("REPLICA", "READY", "AUDITS", "POLICIES", "BUNDLE")
	for i := range s.Replicas {
		r := &s.Replicas[i]
		if r.Status == nil {
			row(r.Name, "unknown", "", "", "")
			continue
		}
		row(r.Name, yesNo(r.Status.Unready == ""), r.Status.auditing(), fmt.Sprint(r.Status.Bundle.Policies), r.Status.Bundle.Digest)
	}
	row()
	row("TYPE", "OBJECTS", "LISTED", "WATCHED", "NOTE")
	for i := range s.Coverage {
		c := &s.Coverage[i]
		listed, note := "never", c.Skipped
		if c.Listed != nil {
			listed = duration.HumanDuration(now.Sub(*c.Listed)) + " ago"
		}
		if why := c.gap(); why != "" {
			note = why
			if c.StaleSince != nil {
				note = "stale for " + duration.HumanDuration(now.Sub(*c.StaleSince)) + ": " + why
			}
		}
		row(c.name(), fmt.Sprint(c.Objects), listed, yesNo(c.Watching), note)
	}
	if len(s.NotAuditable) > 0 {
		row()
		row("NOT AUDITABLE", "RULE", "REASON")
		for _, n := range s.NotAuditable {
			row(n.Kind+" "+n.Policy, n.Rule, n.Reason)
		}
	}
	row()
	if s.Stopped != nil {
		row(s.Stopped.String())
	}
	if len(s.Gaps) == 0 {
		row("All that the policies select is looked at.")
	}
	for _, g := range s.Gaps {
		row("gap: " + g)
	}
	if err := w.Flush(); err != nil {
		return err //nolint:wrapcheck // the caller says what was being done
	}
	for line := range strings.Lines(lines.String()) {
		if _, err := fmt.Fprintln(out, strings.TrimRight(line, " \n")); err != nil {
			return err //nolint:wrapcheck // the caller says what was being done
		}
	}
	return nil
}

// auditing says which part of the audit the replica does.
func (s *status) auditing() string {
	switch {
	case s.Leader && s.Shard != nil:
		return fmt.Sprintf("shard %d of %d", s.Shard.Ordinal, s.Shard.Of)
	default:
		return yesNo(s.Leader)
	}
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}
