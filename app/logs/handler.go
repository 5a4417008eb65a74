package logs

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// maxKinds bounds the kinds of lines that are told apart: of half a KiB each they are half a MiB. Beyond, lines of one text are alike whatever they are about.
const maxKinds = 1024

// reviewed tells lines about admission reviews from others, and apart are what two of them differ in that say the same: they are
// alike if it is the same decision on the same kind of object by the same user. Of other lines nothing is left out.
const reviewed = "uid"

var apart = []string{reviewed, "object", "trace"}

// handler is the Limiter with the attributes and groups of one logger.
type handler struct {
	limiter *Limiter
	next    slog.Handler
	with    string // these, as a part of what makes lines alike
}

// Enabled implements slog.Handler.
func (h handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler.
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.with += fmt.Sprint(attrs) + "\n"
	h.next = h.next.WithAttrs(attrs)
	return h
}

// WithGroup implements slog.Handler.
func (h handler) WithGroup(name string) slog.Handler {
	h.with += name + ".\n"
	h.next = h.next.WithGroup(name)
	return h
}

// Handle implements slog.Handler.
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelInfo && h.limiter.holds(h, r) {
		return nil
	}
	return h.next.Handle(ctx, r)
}

// holds counts a line, and says whether it is held back.
func (l *Limiter) holds(h handler, r slog.Record) bool {
	common := essence(r)
	name := h.with + text(common)
	now := time.Now()
	l.mu.Lock()
	k := l.kinds[name]
	if k == nil && len(l.kinds) >= maxKinds {
		common = slog.NewRecord(r.Time, r.Level, r.Message, 0)
		name = h.with + text(common)
		k = l.kinds[name]
	}
	if k == nil && len(l.kinds) >= 2*maxKinds { // texts that are made of what they are about
		l.mu.Unlock()
		return false
	}
	var over *kind
	if k == nil || now.Sub(k.began) >= l.opts.Interval {
		over = k
		k = &kind{began: now}
		l.kinds[name] = k
	}
	k.lines++
	held := k.lines > l.opts.Repeats
	if held {
		k.held, k.one, k.next = k.held+1, common, h.next
		l.dropped.WithLabelValues(strings.ToLower(r.Level.String())).Inc()
	}
	l.mu.Unlock()
	if over != nil {
		l.tell(over, now)
	}
	return held
}

// essence is a record without what tells lines apart that say the same.
func essence(r slog.Record) slog.Record {
	var attrs []slog.Attr
	r.Attrs(func(a slog.Attr) bool {
		attrs = append(attrs, a)
		return true
	})
	if slices.ContainsFunc(attrs, func(a slog.Attr) bool { return a.Key == reviewed }) {
		attrs = slices.DeleteFunc(attrs, func(a slog.Attr) bool { return slices.Contains(apart, a.Key) })
	}
	out := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	out.AddAttrs(attrs...)
	return out
}

// text is a record's level, message and attributes, by which it is known again.
func text(r slog.Record) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s", r.Level, r.Message)
	r.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&b, "\n%s=%v", a.Key, a.Value.Resolve())
		return true
	})
	return b.String()
}
