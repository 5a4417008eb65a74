package logs

import (
	"context"
	"log/slog"
	"time"
)

// Run tells at the end of each interval, and last when the context ends, how many lines were held back.
func (l *Limiter) Run(ctx context.Context) error {
	ticker := time.NewTicker(l.opts.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			l.flush(func(*kind) bool { return true })
			return nil
		case now := <-ticker.C:
			l.flush(func(k *kind) bool { return now.Sub(k.began) >= l.opts.Interval })
		}
	}
}

// flush ends intervals.
func (l *Limiter) flush(over func(*kind) bool) {
	var ended []*kind
	l.mu.Lock()
	for name, k := range l.kinds {
		if over(k) {
			delete(l.kinds, name)
			ended = append(ended, k)
		}
	}
	l.mu.Unlock()
	now := time.Now()
	for _, k := range ended {
		l.tell(k, now)
	}
}

// tell writes one line for all that were held back of a kind: the same text and what they had in common, with their number and
// the time in which they came.
func (l *Limiter) tell(k *kind, now time.Time) {
	if k.held == 0 {
		return
	}
	k.one.Time = now
	k.one.AddAttrs(slog.Int("more", k.held), slog.Duration("within", now.Sub(k.began).Round(time.Second)))
	_ = k.next.Handle(context.Background(), k.one) // as lines that cannot be written are nobody's error
}
