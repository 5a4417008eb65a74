package app

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// progressEvery is how often progress is shown, and how long a piece of work may take without it: what is
// over sooner needs no sign of life.
const progressEvery = 300 * time.Millisecond

// progress shows on a terminal how far a piece of work is. A nil one shows nothing.
type progress struct {
	w     io.Writer
	verb  string
	total int
	done  atomic.Int64
	end   chan struct{}
	wait  sync.WaitGroup
}

func newProgress(streams IO, verb string, total int) *progress {
	if !streams.Progress {
		return nil
	}
	p := &progress{w: streams.Err, verb: verb, total: total, end: make(chan struct{})}
	p.wait.Go(p.show)
	return p
}

// step says that one more is done. It may be called from several goroutines.
func (p *progress) step() {
	if p != nil {
		p.done.Add(1)
	}
}

// stop wipes the line.
func (p *progress) stop() {
	if p != nil {
		close(p.end)
		p.wait.Wait()
	}
}

func (p *progress) show() {
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	shown := false
	for {
		// Progress that cannot be shown is no reason to fail.
		select {
		case <-tick.C:
			_, _ = fmt.Fprintf(p.w, "\r\x1b[K%s %d of %d", p.verb, p.done.Load(), p.total)
			shown = true
		case <-p.end:
			if shown {
				_, _ = io.WriteString(p.w, "\r\x1b[K")
			}
			return
		}
	}
}
