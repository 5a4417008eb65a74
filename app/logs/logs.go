// Package logs keeps lines that say the same over and over from filling a log. Records of slog flow in; out flow those that are
// new or rare, and at the end of each interval one line for those that were held back, with their number.
//
// It loses no kind of line: the first of each in every interval come through, whatever follows. It changes no record that it
// lets through. Lines of the level debug always are: who asks for these wants all.
package logs

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Options say how much is let through.
type Options struct {
	// Next takes what is let through. Required.
	Next slog.Handler
	// Repeats is how many lines that are alike are let through in each Interval. Required; for all, use Next.
	Repeats int
	// Interval begins with a line that is the first of its kind. Required.
	Interval time.Duration
	// Metrics registers holdfast_log_lines_dropped_total; nil for none.
	Metrics prometheus.Registerer
}

// Validate names the first option that cannot be used.
func (o *Options) Validate() error {
	switch {
	case o.Next == nil:
		return errors.New("logs options: Next is missing")
	case o.Repeats < 1:
		return fmt.Errorf("logs options: Repeats is %d: expected a positive number", o.Repeats)
	case o.Interval <= 0:
		return fmt.Errorf("logs options: Interval is %s: expected a positive time", o.Interval)
	default:
		return nil
	}
}

// Limiter holds lines back. Make it with New; Run writes how many these were.
type Limiter struct {
	opts    Options
	dropped *prometheus.CounterVec

	mu    sync.Mutex
	kinds map[string]*kind
}

// kind is what is known of lines that are alike.
type kind struct {
	began time.Time // of the interval
	lines int       // in it
	held  int       // of these
	// one stands for those that were held back: what they have in common, and where it goes.
	one  slog.Record
	next slog.Handler
}

// New checks the options.
func New(opts Options) (*Limiter, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	l := &Limiter{opts: opts, kinds: map[string]*kind{}, dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "holdfast_log_lines_dropped_total",
		Help: "Lines of the log that were held back, because there were many like them; their number is in the log.",
	}, []string{"level"})}
	if opts.Metrics != nil {
		if err := opts.Metrics.Register(l.dropped); err != nil {
			return nil, fmt.Errorf("registering the metric of the log: %w", err)
		}
	}
	return l, nil
}

// Handler takes records.
func (l *Limiter) Handler() slog.Handler { return handler{limiter: l, next: l.opts.Next} }
