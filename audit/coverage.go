package audit

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// Coverage says what the auditor has seen of one type.
type Coverage struct {
	Type Type
	// Listed is when the last complete list ended; zero when there was none.
	Listed time.Time
	// Objects is the number of objects known.
	Objects int
	// Failed is the number of those of which something could not be evaluated.
	Failed int
	// Judged is the number of those that there is a verdict on.
	Judged int
	// Watching says that changes are seen as they happen; Heard is when the server last sent anything. One that is well
	// does so once a minute.
	Watching bool
	Heard    time.Time
	// Stale says that what is known may be out of date since StaleSince, because of Error.
	Stale      bool
	StaleSince time.Time
	Error      string
	// Skipped says why nothing is seen where that is as it should be: the cluster does not serve what policies name.
	Skipped string
}

// coverageBook keeps the coverage of all types for the goroutines that watch them.
type coverageBook struct {
	mu    sync.Mutex
	types map[Type]*Coverage
	// unserved is what policies name and the cluster does not serve.
	unserved []Coverage
	// discovery is the last error of finding the types.
	discovery string
}

func (b *coverageBook) update(t Type, change func(*Coverage)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.types == nil {
		b.types = map[Type]*Coverage{}
	}
	c := b.types[t]
	if c == nil {
		c = &Coverage{Type: t}
		b.types[t] = c
	}
	change(c)
}

// correct changes what is known of a type, if anything is.
func (b *coverageBook) correct(t Type, change func(*Coverage)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c := b.types[t]; c != nil {
		change(c)
	}
}

func (b *coverageBook) forget(t Type) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.types, t)
}

// reset forgets everything, when nobody audits any more.
func (b *coverageBook) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.types, b.unserved, b.discovery = nil, nil, ""
}

func (b *coverageBook) list() []Coverage {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]Coverage, 0, len(b.types))
	for _, c := range b.types {
		out = append(out, *c)
	}
	slices.SortFunc(out, compareCoverage)
	return out
}

func compareCoverage(x, y Coverage) int {
	return strings.Compare(x.Type.Resource.String(), y.Type.Resource.String())
}

// stale says that what is known of the type may be out of date from now on.
func (b *coverageBook) stale(t Type, why string) {
	b.update(t, func(c *Coverage) {
		c.Watching, c.Error = false, why
		if !c.Stale {
			c.Stale, c.StaleSince = true, time.Now()
		}
	})
}

func (b *coverageBook) setUnserved(list []Coverage) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unserved = list
}

func (b *coverageBook) unservedList() []Coverage {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.unserved
}
