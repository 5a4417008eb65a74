package controlplane

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// progress prints one line at a time, from any goroutine.
type progress struct {
	mu sync.Mutex
	w  io.Writer
}

func newProgress(w io.Writer) *progress { return &progress{w: orStderr(w)} }

// say prints one line. A failed write is of no consequence to what is being reported, so it is dropped.
func (p *progress) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = fmt.Fprintf(p.w, "control plane: "+format+"\n", args...)
}

// during says at each interval that what is still going on, until the returned function is called.
func (p *progress) during(what string, interval time.Duration) (done func()) {
	stop, stopped := make(chan struct{}), make(chan struct{})
	start := time.Now()
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-stop:
				return
			case <-ticker.C:
				p.say("still %s after %s", what, since(start))
			}
		}
	}()
	return func() { close(stop); <-stopped }
}

// since gives the time passed, as a person wants to read it.
func since(start time.Time) time.Duration {
	d := time.Since(start)
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Second)
}
