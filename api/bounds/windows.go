package bounds

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron"
)

// Effect is what a window is for.
type Effect string

// The effects. Where both are open, Deny counts.
const (
	Allow Effect = "allow"
	Deny  Effect = "deny"
)

// Window is a time that comes again and again.
type Window struct {
	Effect Effect
	// Lasts is how long it is open each time.
	Lasts  time.Duration
	text   string
	zone   *time.Location
	starts cron.Schedule
}

// Windows are the windows of one place: an option, a policy, or a Namespace. Changes are made in one that allows, if there is
// one that does; and in none that denies.
type Windows []Window

// longestWindow is the longest that a window may last: a window of a year is none. shortestWindow is a minute, the step of
// cron.
const (
	longestWindow  = 31 * 24 * time.Hour
	shortestWindow = time.Minute
)

var errWindow = errors.New(`expected "allow" or "deny", a cron expression of five fields, "for" and a duration, and if need be "in" and a time zone: "allow 0 22 * * 1-5 for 6h in Europe/Zurich"`)

// ParseWindows reads windows, one behind another with ";" between.
func ParseWindows(text string) (Windows, error) {
	var out Windows
	for part := range strings.SplitSeq(text, ";") {
		w, err := parseWindow(strings.Join(strings.Fields(part), " "))
		if err != nil {
			return nil, err
		}
		out = append(out, w)
	}
	return out, nil
}

// parseWindow reads EFFECT CRON for DURATION [in ZONE].
func parseWindow(text string) (Window, error) {
	w := Window{text: text, zone: time.UTC}
	effect, rest, _ := strings.Cut(text, " ")
	when, rest, timed := strings.Cut(rest, " for ")
	lasts, zone, zoned := strings.Cut(rest, " in ")
	w.Effect = Effect(effect)
	if (w.Effect != Allow && w.Effect != Deny) || !timed {
		return Window{}, fmt.Errorf("%q: %w", text, errWindow)
	}
	if fields := len(strings.Fields(when)); strings.HasPrefix(when, "@every") || !strings.HasPrefix(when, "@") && fields != 5 {
		return Window{}, fmt.Errorf("%q: %q is no cron expression of five fields: minute, hour, day of month, month and day of week", text, when)
	}
	var err error
	if w.starts, err = cron.ParseStandard(when); err != nil {
		return Window{}, fmt.Errorf("%q: %q is no cron expression: %w", text, when, err)
	}
	if w.Lasts, err = time.ParseDuration(lasts); err != nil || w.Lasts < shortestWindow || w.Lasts > longestWindow {
		return Window{}, fmt.Errorf("%q: %q is no duration from 1m to 744h", text, lasts)
	}
	if zoned {
		// "Local" would be another time on each replica.
		if w.zone, err = time.LoadLocation(zone); err != nil || zone == "Local" || zone == "" {
			return Window{}, fmt.Errorf("%q: %q is no time zone: expected a name of the IANA database, such as Europe/Zurich", text, zone)
		}
	}
	if w.starts.Next(time.Date(2000, 1, 1, 0, 0, 0, 0, w.zone)).IsZero() {
		return Window{}, fmt.Errorf("%q: %q names a time that never comes", text, when)
	}
	return w, nil
}

// String is the window as it was written.
func (w Window) String() string { return w.text }

// OpenUntil is when the window closes that is open now; zero if it is not open. Of starts that overlap the last one counts.
func (w Window) OpenUntil(now time.Time) time.Time {
	// The first start behind the time so long ago that a window of then has just closed.
	start := w.starts.Next(now.Add(-w.Lasts).In(w.zone))
	if start.IsZero() || start.After(now) {
		return time.Time{}
	}
	// A bound for what starts every minute and lasts a month: it is open for long enough.
	const most = 1000
	for range most {
		next := w.starts.Next(start)
		if next.IsZero() || next.After(now) {
			break
		}
		start = next
	}
	return start.Add(w.Lasts)
}

// Next is when the window opens next.
func (w Window) Next(now time.Time) time.Time { return w.starts.Next(now.In(w.zone)) }

// Closed says which window stands in the way now, and when to look again; false where none does. Where no window that allows is
// open, that is the one that opens next.
func (ws Windows) Closed(now time.Time) (by Window, again time.Time, closed bool) {
	allows, open := false, false
	for _, w := range ws {
		until := w.OpenUntil(now)
		switch {
		case w.Effect == Deny && !until.IsZero():
			return w, until, true
		case w.Effect == Allow:
			allows = true
			open = open || !until.IsZero()
			if next := w.Next(now); by.text == "" || next.Before(again) {
				by, again = w, next
			}
		}
	}
	return by, again, allows && !open
}
