package app

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-io/holdfast/app/logs"
)

// LogOptions say how many lines of the log there are of a kind.
type LogOptions struct {
	// Repeats is how many lines that are alike are written in an Interval, before the rest are counted; 0 for all. Default 10
	// in a minute: enough to see who and what, and a controller that tries the same again and again fills no disk.
	Repeats  int
	Interval time.Duration
}

// DefaultLogOptions gives the defaults.
func DefaultLogOptions() LogOptions { return LogOptions{Repeats: 10, Interval: time.Minute} }

// Validate names the first option that cannot be used, by its flag.
func (o *LogOptions) Validate() error {
	switch {
	case o.Repeats < 0:
		return fmt.Errorf("--log-repeats %d: expected a number, or 0 for all lines", o.Repeats)
	case o.Interval < time.Second:
		return fmt.Errorf("--log-repeats-interval %s: expected 1s or more", o.Interval)
	default:
		return nil
	}
}

// limit holds back what is too much of a log; limiter is nil where nothing is.
func (o *LogOptions) limit(log *slog.Logger, metrics prometheus.Registerer) (limited *slog.Logger, limiter *logs.Limiter, err error) {
	if o.Repeats == 0 {
		return log, nil, nil
	}
	limiter, err = logs.New(logs.Options{Next: log.Handler(), Repeats: o.Repeats, Interval: o.Interval, Metrics: metrics})
	if err != nil {
		return nil, nil, err
	}
	return slog.New(limiter.Handler()), limiter, nil
}
