package lookup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/holdfast-io/holdfast/engine"
	"github.com/holdfast-io/holdfast/engine/expr"
)

const (
	// leastRefresh bounds how often an entry's call is made, whatever it asks for.
	leastRefresh = time.Second
	// firstRetry is how long the second attempt of a refresh waits; each one waits twice as long as the last, up to
	// longestRetry.
	firstRetry   = 200 * time.Millisecond
	longestRetry = 30 * time.Second
	// maxRetries bounds the attempts of one refresh.
	maxRetries = 10
	// staleRefreshes is how many refreshes may fail before the last good answer is no longer given. One that failed
	// must not stop every write; a value that nobody vouches for any more must not be taken for the present one.
	staleRefreshes = 5
)

// caller asks what an entry's call asks for.
type caller func(context.Context, *engine.Call) (any, error)

// polled is an entry whose value is the last answer of a call.
type polled struct {
	entry     *engine.GlobalContext
	call      caller
	functions *expr.Functions
	logger    *slog.Logger
	end       context.CancelFunc
	first     chan struct{} // closed after the first refresh, good or not

	mu        sync.Mutex
	made      *projected // nil if there has been no good answer
	bytes     int64
	refreshed time.Time // when made was read
	err       error     // of the last refresh
}

func newPolled(run *tasks, call caller, functions *expr.Functions, entry *engine.GlobalContext, logger *slog.Logger) *polled {
	p := &polled{entry: entry, call: call, functions: functions, logger: logger, first: make(chan struct{})}
	p.end = run.start(p.poll)
	return p
}

func (p *polled) refresh() time.Duration { return max(p.entry.Call.Refresh, leastRefresh) }

// poll refreshes until ctx ends.
func (p *polled) poll(ctx context.Context) {
	for first := true; ; first = false {
		value, err := p.attempt(ctx)
		if ctx.Err() != nil {
			err = errStopped
		}
		p.take(value, err)
		if first {
			close(p.first)
		}
		if !pause(ctx, p.refresh()) {
			return
		}
	}
}

// attempt asks until there is an answer, or as often as the entry says.
func (p *polled) attempt(ctx context.Context) (value any, err error) {
	wait := firstRetry
	for left := min(max(p.entry.Call.Retries, 1), maxRetries); ; left-- {
		if value, err = p.call(ctx, &p.entry.Call.Call); err == nil || left <= 1 {
			return value, err
		}
		if !pause(ctx, wait) {
			return nil, ctx.Err()
		}
		wait = min(2*wait, longestRetry)
	}
}

// take keeps the outcome of a refresh.
func (p *polled) take(value any, err error) {
	var made *projected
	switch {
	case err == nil:
		made = project(p.entry, value, p.functions)
	case !errors.Is(err, errStopped):
		p.logger.Warn("a global context entry cannot be refreshed", "entry", p.entry.Name, "error", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err = err; err == nil {
		p.made, p.bytes, p.refreshed = made, sizeOf(value), time.Now()
	}
}

// pause waits, and says false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func (p *polled) wait(ctx context.Context) error {
	select {
	case <-p.first:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for the first answer: %w", ctx.Err())
	}
}

func (p *polled) settled() bool {
	select {
	case <-p.first:
		return true
	default:
		return false
	}
}

func (p *polled) get(ctx context.Context) (*projected, error) {
	if err := p.wait(ctx); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch age := time.Since(p.refreshed); {
	case p.made == nil:
		return nil, p.err
	case p.err != nil && age > staleRefreshes*p.refresh():
		return nil, fmt.Errorf("the last answer is %s old: %w", age.Round(time.Second), p.err)
	}
	return p.made, nil
}

func (p *polled) status() EntryStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := EntryStatus{Name: p.entry.Name, Refreshed: p.refreshed}
	if p.err != nil {
		s.Error = p.err.Error()
	}
	return s
}

func (p *polled) held() (objects int, bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.made == nil {
		return 0, 0
	}
	return 1, p.bytes
}

func (p *polled) stop() { p.end() }
